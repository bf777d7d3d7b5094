"""The equations of each method beside the code that computes them: pages for a browser.

    python -m notes.beside OUT     writes OUT/index.html and a page for each method
"""

import argparse
import ast
import re
from html import escape
from pathlib import Path

from clip_min.files import write_whole
from notes.beside.page import document, picture, section, words
from notes.beside.printed import all_blocks, blocks_of, entries, printed_text
from notes.beside.rows import PAGES
from notes.beside.run import ROOT, lines_of
from notes.beside.scenario import CLASSES, clip_and_pictures, perform
from notes.beside.symbols import symbols_of
from prompts.runs.job import run_script


def formula_of(row):
    """A row → its LaTeX: its own, or the one that the paper's note gives to this equation."""
    if row.formula:
        return row.formula
    paper, number = re.match(r"(\w+) Eq\. (\(\d\))", row.title).groups()
    note = (ROOT / "notes" / f"{paper.lower()}.md").read_text(encoding="utf-8")
    for mention in re.finditer(re.escape(f"Eq. {number}"), note):
        found = re.match(r"(?:(?!\$\$).){0,400}\$\$(.*?)\$\$", note[mention.start() :], re.DOTALL)
        if found:
            return found[1]
    raise ValueError(f"notes/{paper.lower()}.md has no formula behind Eq. {number}.")


def head_of(file):
    """A method's file → its docstring."""
    return ast.get_docstring(ast.parse("\n".join(lines_of(file))))


def printed_rows(name):
    """A page's name → [(Row, anchor, Symbols, LaTeX, Blocks)]."""
    page, runs, found = PAGES[name], {}, []
    for row in page.rows:
        key = (row.method or name, str(row.options))
        runs.setdefault(key, []).append(row)
    calls = {}
    for rows in runs.values():
        functions = {function for row in rows for function, _ in entries(row)}
        made = perform(rows[0].method or name, rows[0].options, functions)
        calls.update((row, made) for row in rows)
    for row in page.rows:
        blocks, formula = blocks_of(row, calls[row]), formula_of(row)
        head = head_of(f"prompts/{row.method}.py" if row.method else page.file)
        symbols = symbols_of(row, head, formula, printed_text(blocks))
        found.append((row, anchor_of(row), symbols, formula, blocks))
    return found


def anchor_of(row):
    """A row → its place on the page."""
    return re.sub(r"\W+", "-", row.title).strip("-").lower()


def method_page(name, rows):
    """A page's name and its printed rows → HTML."""
    title, reference, idea, *rest = head_of(PAGES[name].file).split("\n\n")
    differs = next((part for part in rest if part.startswith("Differs")), "")
    sections = [section(*row) for row in rows]
    body = (f'<nav><a href="index.html">all pages</a>{links(rows)}</nav>'
            f"<header><h1>{escape(title.rstrip('.'))}</h1><p>{words(idea)}</p>"
            f'<p class="small">{words(reference)}</p>{legend()}</header>{"".join(sections)}'
            f"<details><summary>Differs</summary>{words(differs)}</details>")
    return document(title, body)


def links(rows):
    """Printed rows → links to them."""
    return "".join(f'<a href="#{anchor}">{escape(row.title)}</a>' for row, anchor, *_ in rows)


def legend():
    """→ what the run consists of."""
    clip, _, _, shown = clip_and_pictures()
    images = " ".join(picture(each, 40) for each in shown)
    return f'<p class="small">{images} classes: {", ".join(CLASSES)}</p>'


def main():
    """Write the pages."""
    parser = argparse.ArgumentParser(prog="python -m notes.beside", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        rows = printed_rows(name)
        write_whole(out / f"{name}.html", method_page(name, rows).encode())
        print(out / f"{name}.html", len(rows))


if __name__ == "__main__":
    run_script(main)
