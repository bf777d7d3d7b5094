"""The five tables of the papers from the rows of results.jsonl: `python eval.py --table NAME`.

    rows → lines (lines.py) → header and body → as_text, as_markdown or as_csv

A table has a line for each data set and method, and a last column for the papers' own figures
(papers.py). Remarks stand below it: what does not count, and what cannot be compared.
"""

import csv
import io
import itertools
import statistics

from clip_min.data import BENCHMARKS
from clip_min.files import printable
from prompts.reports import papers
from prompts.reports.lines import (
    NAMES,
    Choice,
    collect,
    differences,
    lines_of,
    of_number,
    remarks_on_rows,
)
from prompts.reports.rows import newest, usable

__all__ = [
    "NAMES",
    "as_csv",
    "as_markdown",
    "as_text",
    "collect",
    "differences",
    "harmonic_mean",
    "report",
    "table",
]

HEADERS = {  # name of a table: columns before and after those of the accuracies
    "few-shot": (["dataset", "method"], ["seeds", "paper"]),
    "base-to-new": (["dataset", "method", "shots"], ["H", "seeds", "paper"]),
    "class-incremental": (["dataset", "method", "shots"], ["seeds", "paper"]),
    "cross-dataset": (["source", "dataset", "method", "shots"], ["seeds", "paper"]),
    "domain-generalization": (["source", "dataset", "method", "shots"], ["seeds", "paper"]),
}
# Columns of words and counts: they have no deviation over the seeds.
WITHOUT_DEVIATION = ("model", "source", "dataset", "method", "shots", "H", "seeds", "paper")


def report(rows, name, format="text", **chosen):
    """Rows of results.jsonl → the table of this name as "text", "markdown" or "csv".

    chosen and errors: see `table`.
    """
    writers = {"text": as_text, "markdown": as_markdown, "csv": as_csv}
    return writers[format](*table(rows, name, **chosen))


def table(rows, name, **chosen):
    """Rows of results.jsonl and one of NAMES → header [str], and body [[str]].

    chosen: the fields of `Choice`. A cell of accuracies is "57.2 ± 0.4", mean and standard
    deviation over the seeds, in per cent, or "57.2" for one seed. A row of one cell is a remark
    below the table.
    Raises ValueError for another name, and if there is nothing to show, with the command that
    changes it.
    """
    present = chosen.pop("present", None)
    counted, choice = newest(usable(rows), present), Choice(**chosen)
    lines = lines_of(counted, name, choice)
    header = header_of(name, lines)
    body = []
    for line, found in lines.items():
        cells = cells_of(name, line, found)
        body.append([cells.get(column, "") for column in header])
    remarks = [*remarks_on_lines(lines), *remarks_on_rows(counted, name, choice)]
    if any(not row[-1] for line, row in zip(lines, body, strict=True) if is_of_the_papers(line)):
        remarks.append("paper, an empty cell: none of the three papers has this figure.")
    papers_named = " ".join(row[-1] for row in body)
    remarks += [remark for version, remark in papers.VERSIONS.items() if version in papers_named]
    return header, body + [[remark] for remark in remarks]


# From lines to cells


def header_of(name, lines):
    """Name of a table and its lines → the names of its columns."""
    before, after = HEADERS[name]
    models = ["model"] if len({line.model for line in lines}) > 1 else []
    measured = sorted({column for found in lines.values() for column in found["cells"]})
    return [*models, *before, *(column_name(column) for column in measured), *after]


def column_name(column):
    """A column of `collect` → its name in the header: 1 → "1 shot"."""
    if isinstance(column, str):
        return column
    return "1 shot" if column == 1 else f"{column} shots"


def cells_of(name, line, found):
    """One line of a table → {column of the header: text}."""
    cells = {
        "model": printable(line.model),
        "source": printable(line.source),
        "dataset": printable(line.dataset),
        "method": printable(line.label),
        "shots": str(line.shots),
        "seeds": number_of_seeds(found["cells"]),
        "paper": paper_cell(name, line, found),
    }
    for column, runs in found["cells"].items():
        cells[column_name(column)] = spread(runs.values())
    h = harmonic_mean(found["cells"])
    if h:
        cells["H"] = f"{h:.1f}"
    return cells


def number_of_seeds(cells):
    """{column: {seed: accuracy}} → "3", or "2-3" if the columns differ."""
    counts = {len(runs) for runs in cells.values()}
    fewest, most = min(counts), max(counts)
    return str(most) if fewest == most else f"{fewest}-{most}"


def spread(values):
    """Accuracies → mean and standard deviation (ddof 0); a single one has no deviation.

    >>> spread([75.0, 76.0])
    '75.5 ± 0.5'
    """
    values = list(values)
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ± {statistics.pstdev(values):.1f}" if len(values) > 1 else mean


def harmonic_mean(cells):
    """H = 2 b n / (b + n) of the means b and n over the seeds, or None if one is missing.

    Source: CoCoOp, Table 1.
    """
    if not {"base", "new"} <= cells.keys():
        return None
    b, n = (statistics.mean(cells[classes].values()) for classes in ("base", "new"))
    return 2 * b * n / (b + n) if b + n else 0.0


def paper_cell(name, line, found):
    """The papers' figures for a line of the table, or why there are none of this method."""
    if found["unlike"]:
        return found["unlike"]
    if line.source not in ("", "imagenet"):
        return ""
    asked = papers.Asked(name, line.model, line.method, found["settings"], line.dataset)
    has_16_shots = 16 in found["cells"] if name == "few-shot" else line.shots == 16
    cell = papers.figure(asked) or papers.why_none(asked)
    if cell and not has_16_shots and line.method != "zero_shot":
        return "16 shots only"
    return cell


def is_of_the_papers(line):
    """Whether a line is about one of the papers' data sets, not a miniature one or a folder."""
    return line.dataset in BENCHMARKS and line.source in ("", "imagenet")


# Remarks below a table


def remarks_on_lines(lines):
    """What a reader must know about the figures → list of sentences."""
    remarks = []
    for unlike in sorted({found["unlike"] for found in lines.values()} - {""}):
        remarks.append(f"{unlike}: not comparable with the papers' figures")
    mixed = [
        line for line, found in lines.items() if any(len(c) > 1 for c in found["codes"].values())
    ]
    if mixed:
        first = printable(f"{mixed[0].label} on {mixed[0].dataset}")
        remarks.append(
            f"In {of_number(len(mixed), 'line')} the code was changed between two seeds "
            f"(first: {first}): run all seeds again."
        )
    return remarks


# A table as text


def as_text(header, body):
    """A table in aligned columns."""
    rows = [row for row in body if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in [header, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, *remarks_of(body)])


def as_markdown(header, body):
    """A table for a note or a README. Bars inside a cell are escaped."""
    rows = [header, ["---"] * len(header), *(row for row in body if len(row) > 1)]
    lines = []
    for row in rows:
        cells = [cell.replace("|", r"\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *remarks_of(body)])


def as_csv(header, body):
    """A table for a program: the deviations have columns of their own, and remarks are left out."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    has_deviation = [name not in WITHOUT_DEVIATION for name in header]
    names = [
        (name, f"{name} std") if two else (name,)
        for name, two in zip(header, has_deviation, strict=True)
    ]
    writer.writerow(itertools.chain(*names))
    for row in body:
        if len(row) > 1:
            cells = [
                mean_and_std(cell) if two else (cell,)
                for cell, two in zip(row, has_deviation, strict=True)
            ]
            writer.writerow(itertools.chain(*cells))
    return file.getvalue().rstrip("\n")


def mean_and_std(cell):
    """A cell of accuracies → its two numbers as text; no deviation is "".

    >>> mean_and_std("75.5 ± 0.5"), mean_and_std("75.5")
    (('75.5', '0.5'), ('75.5', ''))
    """
    mean, _, deviation = cell.partition(" ± ")
    return mean, deviation


def remarks_of(body):
    """A table's body → its remarks, each with an empty line before it."""
    return [f"\n{row[0]}" for row in body if len(row) == 1]
