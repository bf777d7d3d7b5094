"""A table as text, Markdown or CSV. Numbers stay numbers until here, and names out of files are
escaped here.
"""

import csv
import io
from dataclasses import dataclass

from clip_min.files import printable


@dataclass(frozen=True)
class Table:
    """What is printed. body: for each line {column: text, or a pair of numbers}.

    A pair is mean and deviation; of a single run the second is None. measured: the columns of
    pairs. remarks: sentences below the table.
    """

    columns: list
    measured: list
    body: list
    remarks: list


def as_text(table):
    """A Table in aligned columns."""
    rows = [table.columns, *texts(table)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, *remarks_of(table)])


def as_markdown(table):
    """A Table for a note or a README. Bars inside a cell are escaped."""
    lines = []
    for row in [table.columns, ["---"] * len(table.columns), *texts(table)]:
        cells = [cell.replace("|", r"\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *remarks_of(table)])


def as_csv(table):
    """A Table for a program: the deviations have columns of their own, and remarks are left out."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    header = []
    for name in table.columns:
        header += [name, f"{name} std"] if name in table.measured else [name]
    writer.writerow(header)
    for cells in table.body:
        row = []
        for name in table.columns:
            if name in table.measured:
                mean, deviation = cells.get(name, (None, None))
                row += ["" if value is None else f"{value:.1f}" for value in (mean, deviation)]
            else:
                row.append(text_of(cells[name]))
        writer.writerow(row)
    return file.getvalue().rstrip("\n")


def texts(table):
    """A Table → its body as a list of lists of text, one for each column."""
    return [[text_of(cells.get(name, "")) for name in table.columns] for cells in table.body]


def text_of(cell):
    """A cell → its text: "75.5 ± 0.5" of a mean and a deviation."""
    if isinstance(cell, str):
        return printable(cell)
    mean, deviation = cell
    return f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {deviation:.1f}"


def remarks_of(table):
    """A Table's remarks, each with an empty line before it."""
    return [f"\n{printable(remark)}" for remark in table.remarks]
