"""How a context starts, how long it is, and whether more parameters alone help.

initialisation: words against random numbers (CoOp Table 3, CoCoOp Fig. 4(a)). context-length: 1 to
8 vectors (CoOp Fig. 5(a), CoCoOp Fig. 4(b)). bigger-coop: CoOp with as many parameters as CoCoOp
(CoCoOp Table 5). The rows come from train.py; notes/figures.md has the commands.
"""

from notes.figures.ablation_charts import LENGTHS, draw_initialisation, draw_lengths, draw_table
from prompts.experiments.tables import collect, differences, harmonic_mean

SETS = ["toy-flowers", "toy-satellite", "toy-scenes"]
WORDS = {
    "coop": dict(ctx_init="a photo of a"),
    "cocoop": {},
}  # the options of the recipes: both start from words
BASE_TO_NEW = "CoCoOp, base to new, mean of the sets"
BIG = 21  # 21 · 128 numbers of CoOp are about as many as CoCoOp's 2,696


def random_start(length):
    """The options of a run that starts from so many random vectors."""
    return dict(ctx_init=None, n_ctx=length)


def chosen(rows, method, options):
    """The rows of a method with exactly these options, trained as its recipe says otherwise."""
    return [
        row
        for row in rows
        if (row["method"], row["options"]) == (method, options) and not differences(row)[1]
    ]


def accuracies(rows, protocol, method, options):
    """→ {data set or "average": {column: accuracy}}, means over the seeds, of the three sets.

    few-shot has the column 16; base-to-new has base, new and H. Raises ValueError for a run that is
    not there.
    """
    rows = chosen(rows, method, options)
    lines = collect(rows, protocol, datasets=SETS, methods=[method], models=["tiny"], shots=[16])
    result = {}
    for found_line, found in lines.items():
        cells = {column: sum(runs.values()) / len(runs) for column, runs in found["cells"].items()}
        name = "average" if found_line.dataset.startswith("average of 3") else found_line.dataset
        result[name] = cells | (
            dict(H=harmonic_mean(found["cells"])) if protocol == "base-to-new" else {}
        )
    if "average" not in result:
        raise ValueError(
            f"The {protocol} results of {method} with {options} are not complete: they need "
            f"{', '.join(SETS)}; notes/figures.md has the commands."
        )
    return result


def initialisation(inputs, flags):
    """→ {file name: SVG}: words against random numbers, four vectors each."""
    random, words = (
        accuracies(flags.rows, "few-shot", "coop", options)
        for options in (random_start(4), WORDS["coop"])
    )
    panels = [
        (
            "CoOp, all classes",
            {name: (random[name][16], words[name][16]) for name in (*SETS, "average")},
        )
    ]
    random, words = (
        accuracies(flags.rows, "base-to-new", "cocoop", options)["average"]
        for options in (random_start(4), WORDS["cocoop"])
    )
    panels.append(
        (BASE_TO_NEW, {name: (random[name], words[name]) for name in ("base", "new", "H")})
    )
    for title, pairs in panels:
        print(
            f"{title}, random to words:",
            ", ".join(f"{name} {a:.1f} to {b:.1f}" for name, (a, b) in pairs.items()),
        )
    return {"initialisation.svg": draw_initialisation(panels).encode()}


def context_length(inputs, flags):
    """→ {file name: SVG}: 1, 2, 4 and 8 vectors from a random start."""
    coop = {n: accuracies(flags.rows, "few-shot", "coop", random_start(n)) for n in LENGTHS}
    panels = [
        (
            "CoOp, all classes",
            {name: {n: coop[n][name][16] for n in LENGTHS} for name in (*SETS, "average")},
        )
    ]
    if any(
        chosen(flags.rows, "cocoop", random_start(n)) for n in LENGTHS if n != 4
    ):  # another figure needs 4
        cocoop = {
            n: accuracies(flags.rows, "base-to-new", "cocoop", random_start(n))["average"]
            for n in LENGTHS
        }
        panels.append(
            (
                BASE_TO_NEW,
                {name: {n: cocoop[n][name] for n in LENGTHS} for name in ("base", "new", "H")},
            )
        )
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
    lines = (  # method, options, name, the paper's base, new and H (ImageNet, ViT-B/16)
        ("coop", WORDS["coop"], "CoOp, 4 vectors, from words", ("76.47", "67.88", "71.92")),
        ("coop", random_start(4), "CoOp, 4 vectors, random", ("", "", "")),
        (
            "coop",
            random_start(BIG),
            f"CoOp, {BIG} vectors (paper: 60), random",
            ("76.16", "65.34", "70.34"),
        ),
        ("cocoop", WORDS["cocoop"], "CoCoOp, 4 vectors, from words", ("75.98", "70.43", "73.10")),
    )
    body = []
    for method, options, name, paper in lines:
        ours = accuracies(flags.rows, "base-to-new", method, options)["average"]
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
    return {"bigger-coop.svg": draw_table(body).encode()}
