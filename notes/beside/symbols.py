"""Symbols: where they stand in a formula, and what they are called in the code."""

import re
from dataclasses import dataclass

from notes.beside.mathml import GREEK, SCRIPT, mathml


@dataclass
class Symbol:
    """latex: as it is shown. names: in the code, pieces of text. shape: in letters, or "".

    exact: no other lower index is the same symbol.
    """

    latex: str
    names: list
    shape: str = ""
    exact: bool = False

    def pattern(self):
        r"""→ what matches it in LaTeX, with any index.

        >>> re.findall(Symbol("w_i", []).pattern(), r"\\sum_j w_j + w")
        ['w_j', 'w']
        """
        if self.exact:
            return re.escape(self.latex) + r"(?:\^\w)?"
        first = re.split(r" (?:\\ldots|…)", self.latex)[0].removeprefix("1/")
        parts = re.split(rf"({SCRIPT[:-1]})", first)
        whole = "".join(SCRIPT if i % 2 else re.escape(part) for i, part in enumerate(parts))
        edge = r"(?<![\\A-Za-z])(?<!\\hat )(?<!\\bar )" if first[0] != "\\" else ""
        return edge + whole + SCRIPT + r"(?![A-Za-z'])"

    def code_pattern(self):
        """→ what matches one of its names in a line of code."""
        found = []
        for name in sorted(self.names, key=len, reverse=True):
            start = r"(?<!\w)" if name[0].isalnum() or name[0] == "_" else ""
            end = r"(?!\w)" if name[-1].isalnum() or name[-1] == "_" else ""
            found.append(start + re.escape(name) + end)
        return "|".join(found)


def from_head(head, number):
    """The docstring of a method's file, "(3)" or "" → the Symbols of its table for this equation.

    "" takes all of them. Cells with equally many commas are read as lists.
    """
    symbols = []
    for line in head.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("| ") or len(cells) != 4 or cells[0] in ("Eq.", "-"):
            continue
        if number and number not in cells[0]:
            continue
        cells[1] = re.sub(r" \(.*: .*\)", "", cells[1])  # "f (UPT: z)"
        parts = [re.split(r", (?![^\[(]*[\])])", cell) for cell in cells[1:]]
        for i, paper in enumerate(parts[0]):
            one_each = len(parts[1]) == len(parts[0])
            names = parts[1] if len(parts[0]) == 1 else []
            names = [parts[1][i].removesuffix("[i]")] if one_each else names
            shape = parts[2][i] if len(parts[2]) == len(parts[0]) else cells[3]
            symbols.append(Symbol(latex_of(paper), names, shape))
    return symbols


def latex_of(words):
    r"""A symbol in plain text → LaTeX.

    >>> latex_of("1/tau"), latex_of("U-hat_t"), latex_of("t_1 … t_m"), latex_of("CLASS")
    ('1/\\tau', '\\hat U_t', 't_1 \\ldots t_m', '\\mathrm{CLASS}')
    """
    words = re.sub(r"(\w)[-_](hat|bar)", r"\\\2 \1", words).replace("…", r"\ldots")
    words = re.sub(rf"(?<![A-Za-z\\])({'|'.join(GREEK)})(?![A-Za-z])", r"\\\1", words)
    return re.sub(r"(?<![\\A-Za-z{])([A-Z]{2,})(?![a-z])", r"\\mathrm{\1}", words)


def symbols_of(row, head, formula, code):
    """The Symbols of a row that are lit up in its formula, and are in its printed code."""
    number = re.search(r"(?:Eq\.|Fig\. \d) (\(\w\))", row.title)
    found = {symbol.latex: symbol for symbol in from_head(head, number[1] if number else "")}
    for entry in filter(None, row.symbols.split("; ")):
        latex, names = entry.split("=", 1)
        exact, names = names.startswith("="), names.removeprefix("=")
        same = [s for s in found.values() if not exact and re.fullmatch(s.pattern(), latex)]
        symbol = same[0] if same else Symbol(latex, [], exact=exact)
        symbol.names = list(dict.fromkeys([*names.split(" or "), *symbol.names]))
        found[symbol.latex] = symbol
    used = [s for s in found.values() if s.names and re.search(s.code_pattern(), code)]
    lit_up = marked(formula, used)
    return [s for i, s in enumerate(used) if f'"s s{i}"' in lit_up]


def marked(formula, symbols):
    r"""LaTeX → MathML in which each symbol has its class s0, s1, …"""
    order = sorted(range(len(symbols)), key=lambda i: -len(symbols[i].latex))
    if not symbols:
        return mathml(formula)
    pattern = "|".join(f"(?P<s{i}>{symbols[i].pattern()})" for i in order)
    return mathml(re.sub(pattern, lambda m: rf"\sym{{{m.lastgroup[1:]}}}{{{m[0]}}}", formula))
