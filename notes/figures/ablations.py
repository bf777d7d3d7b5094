"""How a context starts, how long it is, and whether more parameters alone help.

initialisation: words against random numbers (CoOp Table 3, CoCoOp Fig. 4(a)). context-length: 1 to
8 vectors (CoOp Fig. 5(a), CoCoOp Fig. 4(b)). bigger-coop: CoOp with as many parameters as CoCoOp
(CoCoOp Table 5). The rows come from train.py; notes/figures.md has the commands.
"""

from notes.figures.ablation_charts import draw_initialisation, draw_lengths, draw_table
from prompts.reports.papers import settings_of
from prompts.reports.tables import collect, differences, harmonic_mean

SETS = ["toy-flowers", "toy-satellite", "toy-scenes"]
MOST_NAMES = 5  # with their numbers in one panel
LENGTHS, PAPERS_LENGTHS = (1, 2, 4, 8), (4, 8, 16)  # the tiny CLIP reads 32 tokens only
WORDS = {"coop": dict(ctx_init="a photo of a"), "cocoop": {}}  # both start from these words
BASE_TO_NEW = "CoCoOp, base to new, mean of the sets"
BIG = 21  # 21 · 128 numbers of CoOp are about as many as CoCoOp's 2,696
PAPERS_BIG = 60  # 60 · 512 numbers, against 34,816


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
        is_average = found_line.dataset.startswith(f"average of {len(sets)}") or len(sets) == 1
        name = "average" if is_average else found_line.dataset
        result[name] = cells | (
            dict(H=harmonic_mean(found["cells"])) if protocol == "base-to-new" else {}
        )
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
    random, words = (
        accuracies(flags, "few-shot", "coop", options)
        for options in (random_start(4), WORDS["coop"])
    )
    names = random if len(random) <= MOST_NAMES else ["average"]
    return "CoOp, all classes", {name: (random[name][16], words[name][16]) for name in names}


def cocoop_initialisation(flags):
    """CoCoOp, mean of the sets: {"base", "new" or "H": (from random numbers, from words)}."""
    random, words = (
        accuracies(flags, "base-to-new", "cocoop", options)["average"]
        for options in (random_start(4), WORDS["cocoop"])
    )
    return BASE_TO_NEW, {name: (random[name], words[name]) for name in ("base", "new", "H")}


def initialisation(inputs, flags):
    """→ {file name: SVG}: words against random numbers, four vectors each."""
    panels = panels_that_are_there([coop_initialisation, cocoop_initialisation], flags)
    for title, pairs in panels:
        print(
            f"{title}, random to words:",
            ", ".join(f"{name} {a:.1f} to {b:.1f}" for name, (a, b) in pairs.items()),
        )
    return {"initialisation.svg": draw_initialisation(panels).encode()}


def lengths_of(flags):
    """How many context vectors are compared."""
    return LENGTHS if flags.model == "tiny" else PAPERS_LENGTHS


def coop_lengths(flags):
    """CoOp on all classes: {data set or "average": {number of vectors: accuracy}}."""
    found = {
        n: accuracies(flags, "few-shot", "coop", random_start(n)) for n in lengths_of(flags)
    }
    names = next(iter(found.values()))
    return "CoOp, all classes", {name: {n: found[n][name][16] for n in found} for name in names}


def cocoop_lengths(flags):
    """CoCoOp, mean of the sets: {"base", "new" or "H": {number of vectors: accuracy}}."""
    found = {
        n: accuracies(flags, "base-to-new", "cocoop", random_start(n))["average"]
        for n in lengths_of(flags)
    }
    return BASE_TO_NEW, {name: {n: found[n][name] for n in found} for name in ("base", "new", "H")}


def context_length(inputs, flags):
    """→ {file name: SVG}: 1, 2, 4 and 8 vectors, or 4, 8 and 16, from a random start."""
    panels = panels_that_are_there([coop_lengths, cocoop_lengths], flags)
    for title, curves in panels:
        print(
            title,
            *(
                f"{name} {[round(value, 1) for value in curve.values()]}"
                for name, curve in curves.items()
            ),
        )
    return {"context-length.svg": draw_lengths(panels).encode()}


def bigger_coop(inputs, flags):
    """→ {file name: SVG}: a table as CoCoOp's Table 5, ours beside the paper's."""
    big = BIG if flags.model == "tiny" else PAPERS_BIG
    lines = [  # method, options, name, the paper's base, new and H (ImageNet, ViT-B/16)
        ("coop", WORDS["coop"], "CoOp, 4 vectors, from words", ("76.47", "67.88", "71.92")),
        ("coop", random_start(4), "CoOp, 4 vectors, random", ("", "", "")),
        (
            "coop",
            random_start(big),
            f"CoOp, {big} vectors (paper: 60), random",
            ("76.16", "65.34", "70.34"),
        ),
        ("cocoop", WORDS["cocoop"], "CoCoOp, 4 vectors, from words", ("75.98", "70.43", "73.10")),
    ]
    random_rows = chosen(flags.rows, "coop", random_start(4))
    if not any(row["trained_classes"] == "base" for row in random_rows):
        del lines[1]  # the paper does not have it
    body = []
    for method, options, name, paper in lines:
        ours = accuracies(flags, "base-to-new", method, options)["average"]
        number = chosen(flags.rows, method, options)[0]["trainable_parameters"]
        body.append(
            (
                name,
                f"{number:,}",
                *(f"{ours[column]:.1f}" for column in ("base", "new", "H")),
                *paper,
            )
        )
        print("  ".join(body[-1]))
    count = {1: "one set", 3: "three sets"}.get(len(flags.dataset or SETS), "the sets")
    heading = f"ours, mean of {count}"
    return {"bigger-coop.svg": draw_table(body, heading).encode()}
