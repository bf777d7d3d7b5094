"""How a context starts, how long it is, and whether more parameters alone help.

initialisation: words against random numbers (CoOp Table 3, CoCoOp Fig. 4(a)). context-length: 1 to
8 vectors (CoOp Fig. 5(a), CoCoOp Fig. 4(b)). bigger-coop: CoOp with as many parameters as CoCoOp
(CoCoOp Table 5). The rows come from train.py; notes/figures.md has the commands.
"""

from notes.figures.charts import Area, Panel, legend, short
from prompts.reports import colours
from prompts.reports.papers import settings_of
from prompts.reports.svg import circle, curve, document, line, nice_ticks, text
from prompts.reports.tables import collect, differences, harmonic_mean

SETS = ["toy-flowers", "toy-satellite", "toy-scenes"]
MOST_NAMES = 5  # with their numbers in one panel
LENGTHS, PAPERS_LENGTHS = (1, 2, 4, 8), (4, 8, 16)  # the tiny CLIP reads 32 tokens only
WORDS = {"coop": dict(ctx_init="a photo of a"), "cocoop": {}}  # both start from these words
BASE_TO_NEW = "CoCoOp, base to new, mean of the sets"
BIG = 21  # 21 · 128 numbers of CoOp are about as many as CoCoOp's 2,696
PAPERS_BIG = 60  # 60 · 512 numbers, against 34,816
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 330, 230, 78, 14, 52, 40  # of a panel, in pixels
IN_A_ROW = 4  # names in a legend
COCOOP = colours.METHODS["cocoop"]
FIXED_COLOURS = {"average": "black", "base": COCOOP, "new": colours.lighter(COCOOP, 0.5),
                 "H": "#777777"}


# Numbers


def random_start(length):
    """The options of a run that starts from so many random vectors."""
    return dict(ctx_init=None, n_ctx=length)


def chosen(rows, method, options):
    """The rows of a method that is built as with these options, and trained as its recipe says."""
    wanted = settings_of(dict(method=method, options=options), [])
    as_usual = [row for row in rows if row["method"] == method and not differences(row)[1]]
    return [row for row in as_usual if settings_of(row, []) == wanted]


def accuracies(flags, protocol, method, options):
    """→ {data set or "average": {column: accuracy}}, means over the seeds, of the sets.

    few-shot has the column 16; base-to-new has base, new and H. One set is its own average. Raises
    ValueError for a run that is not there.
    """
    rows, sets = chosen(flags.rows, method, options), flags.dataset or SETS
    asked = dict(datasets=sets, methods=[method], models=[flags.model], shots=[16])
    try:
        lines = collect(rows, protocol, **asked)
    except ValueError:
        lines = {}
    result = {}
    for found_line, found in lines.items():
        cells = {column: sum(runs.values()) / len(runs) for column, runs in found["cells"].items()}
        if protocol == "base-to-new":
            cells["H"] = harmonic_mean(found["cells"])
        is_average = found_line.dataset.startswith(f"average of {len(sets)}") or len(sets) == 1
        result["average" if is_average else found_line.dataset] = cells
    if "average" not in result:
        raise ValueError(
            f"The {protocol} results of {method} with {options} are not complete: they need "
            f"{', '.join(sets)}; notes/figures.md and notes/reproduce.md have the commands."
        )
    return result


def panels_that_are_there(builders, flags):
    """Functions of the flags, each → a panel (title, values) → list of panels.

    A panel without its results is left out, and a line says so. Raises ValueError if none is there.
    """
    panels, problems = [], []
    for build in builders:
        try:
            panels.append(build(flags))
        except ValueError as error:
            problems.append(str(error))
    if not panels:
        raise ValueError(problems[0])
    for problem in problems:
        print(f"A panel is left out. {problem}")
    return panels


def coop_initialisation(flags):
    """CoOp on all classes: {data set or "average": (from random numbers, from words)}."""
    random, words = (accuracies(flags, "few-shot", "coop", options)
                     for options in (random_start(4), WORDS["coop"]))
    names = random if len(random) <= MOST_NAMES else ["average"]
    return "CoOp, all classes", {name: (random[name][16], words[name][16]) for name in names}


def cocoop_initialisation(flags):
    """CoCoOp, mean of the sets: {"base", "new" or "H": (from random numbers, from words)}."""
    random, words = (accuracies(flags, "base-to-new", "cocoop", options)["average"]
                     for options in (random_start(4), WORDS["cocoop"]))
    return BASE_TO_NEW, {name: (random[name], words[name]) for name in ("base", "new", "H")}


def lengths_of(flags):
    """How many context vectors are compared."""
    return LENGTHS if flags.model == "tiny" else PAPERS_LENGTHS


def coop_lengths(flags):
    """CoOp on all classes: {data set or "average": {number of vectors: accuracy}}."""
    found = {n: accuracies(flags, "few-shot", "coop", random_start(n)) for n in lengths_of(flags)}
    names = next(iter(found.values()))
    return "CoOp, all classes", {name: {n: found[n][name][16] for n in found} for name in names}


def cocoop_lengths(flags):
    """CoCoOp, mean of the sets: {"base", "new" or "H": {number of vectors: accuracy}}."""
    found = {n: accuracies(flags, "base-to-new", "cocoop", random_start(n))["average"]
             for n in lengths_of(flags)}
    return BASE_TO_NEW, {name: {n: found[n][name] for n in found} for name in ("base", "new", "H")}


# Pictures


def initialisation(inputs, flags):
    """→ {file name: SVG}: words against random numbers, four vectors each."""
    panels = panels_that_are_there([coop_initialisation, cocoop_initialisation], flags)
    for title, pairs in panels:
        moves = [f"{name} {a:.1f} to {b:.1f}" for name, (a, b) in pairs.items()]
        print(f"{title}, random to words:", ", ".join(moves))
    ticks = shared_ticks(value for _, pairs in panels for pair in pairs.values() for value in pair)
    parts = []
    for i, (title, pairs) in enumerate(panels):
        panel = panel_of(i, title, ticks)
        panel.across(range(len(pairs)), "", [short(name) for name in pairs])
        for j, name in enumerate(pairs):
            panel.parts += pair_of_dots(panel, j, pairs[name], colours_of(pairs)[name])
        parts += panel.parts
    style = 'stroke="black" stroke-width="2"'
    parts += [circle(LEFT, HEIGHT + 4, 4.5, f'{style} fill="white"'),
              text(LEFT + 10, HEIGHT + 8, "random start"),
              circle(LEFT + 110, HEIGHT + 4, 4.5, f'{style} fill="black"'),
              text(LEFT + 120, HEIGHT + 8, '"a photo of a"')]
    return {"initialisation.svg": document(len(panels) * WIDTH, HEIGHT + 18, parts).encode()}


def pair_of_dots(panel, place, pair, colour):
    """Two accuracies, from random numbers and from words: a hollow dot and a full one."""
    x, style = panel.x(place), f'stroke="{colour}" stroke-width="2"'
    random, words = (panel.y(value) for value in pair)
    parts = [line(x, random, x, words, style), circle(x, random, 4.5, f'{style} fill="white"'),
             circle(x, words, 4.5, f'{style} fill="{colour}"')]
    heights = kept_apart(random, words)
    return parts + [text(x + 8, y + 4, f"{value:.1f}") for value, y in zip(pair, heights)]


def context_length(inputs, flags):
    """→ {file name: SVG}: 1, 2, 4 and 8 vectors, or 4, 8 and 16, from a random start."""
    panels = panels_that_are_there([coop_lengths, cocoop_lengths], flags)
    for title, curves in panels:
        rounded = {name: [round(value, 1) for value in found.values()]
                   for name, found in curves.items()}
        print(title, *(f"{name} {values}" for name, values in rounded.items()))
    ticks = shared_ticks(value for _, curves in panels for found in curves.values()
                         for value in found.values())
    parts = []
    for i, (title, curves) in enumerate(panels):
        panel, colour_of = panel_of(i, title, ticks), colours_of(curves)
        lengths = list(next(iter(curves.values())))
        panel.across(range(len(lengths)), "context vectors M, random start", lengths)
        for name, found in curves.items():
            points = [(panel.x(j), panel.y(value)) for j, value in enumerate(found.values())]
            panel.parts.append(curve(points, colour_of[name], 3 if name == "average" else 1.5))
            panel.parts += [circle(*point, 3, f'fill="{colour_of[name]}"') for point in points]
        shown = {short(name): colour_of[name] for name in curves}
        parts += panel.parts + legend(shown, i * WIDTH + LEFT - 30, HEIGHT + 8, 66, IN_A_ROW)
    rows = max((len(curves) - 1) // IN_A_ROW for _, curves in panels)
    height = HEIGHT + 18 + 16 * rows
    return {"context-length.svg": document(len(panels) * WIDTH, height, parts).encode()}


def shared_ticks(values):
    """Accuracies → ticks, so that all panels have one range."""
    values = list(values)
    return nice_ticks(min(values), max(values))


def panel_of(number, title, ticks):
    """A Panel of accuracies, so many panels from the left."""
    left = number * WIDTH
    panel = Panel(Area(left + LEFT, TOP, left + WIDTH - RIGHT, HEIGHT - BOTTOM), title)
    panel.upright(ticks, "accuracy, %")
    # What stands in a panel keeps away from its sides.
    panel.area = Area(left + LEFT + 30, TOP, left + WIDTH - RIGHT - 40, HEIGHT - BOTTOM)
    return panel


def colours_of(names):
    """The names of a panel → {name: colour}."""
    sets = [name for name in names if name not in FIXED_COLOURS]
    return FIXED_COLOURS | colours.of_datasets(sets)


def kept_apart(one, other, gap=12):
    """Two heights in pixels → the same, moved apart until two numbers do not touch.

    >>> kept_apart(100, 110), kept_apart(100, 120)
    ((99.0, 111.0), (100, 120))
    """
    if abs(one - other) >= gap:
        return one, other
    middle, half = (one + other) / 2, gap / 2 if one <= other else -gap / 2
    return middle - half, middle + half


def bigger_coop(inputs, flags):
    """Prints a table in Markdown as CoCoOp's Table 5, ours beside the paper's → {}: no picture."""
    big = BIG if flags.model == "tiny" else PAPERS_BIG
    from_words = "4 vectors, from words"
    lines = [  # method, options, words, the paper's base, new and H (ImageNet, ViT-B/16)
        ("coop", WORDS["coop"], f"CoOp, {from_words}", "76.47 / 67.88 / 71.92"),
        ("coop", random_start(4), "CoOp, 4 vectors, random", ""),  # the paper does not have it
        ("coop", random_start(big), f"CoOp, {big} vectors (paper: 60), random",
         "76.16 / 65.34 / 70.34"),
        ("cocoop", WORDS["cocoop"], f"CoCoOp, {from_words}", "75.98 / 70.43 / 73.10"),
    ]
    random_rows = chosen(flags.rows, "coop", random_start(4))
    if not any(row["trained_classes"] == "base" for row in random_rows):
        del lines[1]
    print("| | learned numbers | base | new | H | paper, ImageNet: base / new / H |")
    print("| --- | --- | --- | --- | --- | --- |")
    for method, options, name, papers in lines:
        ours = accuracies(flags, "base-to-new", method, options)["average"]
        number = chosen(flags.rows, method, options)[0]["trainable_parameters"]
        cells = [f"{ours[column]:.1f}" for column in ("base", "new", "H")]
        print(f"| {' | '.join([name, f'{number:,}', *cells, papers])} |")
    return {}
