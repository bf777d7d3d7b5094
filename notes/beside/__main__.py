"""The equations of each method beside the code that computes them: pages for a browser.

    python -m notes.beside OUT     writes OUT/index.html and a page for each method
"""

import argparse
import ast
import base64
import re
from html import escape
from pathlib import Path

from clip_min.files import printable, write_whole
from notes.beside.page import document, picture, section, words
from notes.beside.printed import all_blocks, blocks_of, entries, printed_text
from notes.beside.rows import PAGES
from notes.beside.run import ROOT, lines_of
from notes.beside.scenario import CLASSES, clip_and_pictures, perform
from notes.beside.symbols import symbols_of
from prompts.runs.script import run_script


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
        runs.setdefault((row.method or name, str(row.options)), []).append(row)
    calls = {}
    for rows in runs.values():
        functions = {function for row in rows for function, _ in entries(row)}
        made = perform(rows[0].method or name, rows[0].options, functions)
        calls.update((row, made) for row in rows)
    for row in page.rows:
        blocks, formula = blocks_of(row, calls[row]), formula_of(row)
        first = blocks[0].call.function.file
        head = head_of(first if re.fullmatch(r"prompts/\w+\.py", first) else page.file)
        symbols = symbols_of(row, head, formula, printed_text(blocks))
        found.append((row, anchor_of(row), symbols, formula, blocks))
    return found


def anchor_of(row):
    """A row → its place on the page."""
    return re.sub(r"\W+", "-", row.title).strip("-").lower()


def method_page(name, rows):
    """A page's name and its printed rows → HTML."""
    title, reference, idea, *rest = head_of(PAGES[name].file).split("\n\n")
    differs = next((part for part in rest if part.startswith("Differs")), "").split("\n- ")
    items = "".join(f"<li>{words(' '.join(item.split()))}</li>" for item in differs[1:])
    sections = [section(*row) for row in rows]
    body = (f'<nav><a href="index.html">All pages</a>{links(name, rows, "")}</nav><header>'
            f"<h1>{escape(title.rstrip('.'))}</h1><p>{words(idea)}</p>"
            f'<p class="small">{words(reference)} Code: {PAGES[name].file}</p>'
            f'{drawing(name)}{legend()}</header>{"".join(sections)}'
            f"<h2>{words(differs[0])}</h2><ul>{items}</ul>")
    return document(title, body)


def index_page(printed):
    """{page's name: its printed rows} → HTML: all pages, and where each equation stands."""
    parts = []
    for name, rows in printed.items():
        title, _, idea, *_ = head_of(PAGES[name].file).split("\n\n")
        parts.append(f'<h2><a href="{name}.html">{escape(title.rstrip("."))}</a></h2>'
                     f"<p>{words(idea)}</p><nav>{links(name, rows, f'{name}.html')}</nav>")
    body = ("<header><h1>Each equation beside its code</h1><p>On the left an equation as the "
            "paper has it, on the right the lines that compute it, from all files that take part: "
            "what is called stands below the line that calls it. Shapes and numbers come from a "
            f"run.</p>{legend()}{''.join(parts)}</header>")
    return document("Each equation beside its code", body)


def links(name, rows, page):
    """Printed rows, and the page on which they stand → links to them."""
    return "".join(f'<a href="{page}#{anchor}">{escape(row.title)}</a>' for row, anchor, *_ in rows)


def drawing(name):
    """A page's name → the drawing of its method, where notes/figures has one."""
    path = ROOT / "notes" / "figures" / f"method-{'clip' if name == 'zero_shot' else name}.svg"
    if not path.exists():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img class="drawing" alt="" src="data:image/svg+xml;base64,{data}">'


def legend():
    """→ what the run consists of, and how to read a page, as HTML."""
    clip, images, labels, shown = clip_and_pictures()
    pairs = "".join(f'<span class="pair">{picture(each, 60)}{CLASSES[label]}</span>'
                    for each, label in zip(shown, labels))
    places, patches = clip.context_length, len(clip.visual.positional_embedding) - 1
    sizes = (f"B = 2 pictures; K = {len(CLASSES)} classes: {', '.join(CLASSES)}; "
             "M = n = 4 prompts (MaPLe: 2); "
             f"L = {places} places of a text (77 in OpenAI's models); S = {patches} patches; "
             f"D_t = D_v = E = {clip.text_projection.shape[1]}; "
             f"N = {len(clip.transformer.resblocks)} layers of each tower.")
    return (f'<p class="small">The run: the tiny CLIP, before the first step. {sizes}</p>{pairs}'
            '<p class="small">Below a line: what it has just assigned or returned, with its '
            "<b>[shape]</b> and first numbers (in a loop: the first time). Lines that this run "
            "did not need are left out (⋯). Point at a coloured symbol, or tap it: it lights up "
            "in the formula and in the code.</p>")


def main():
    """Write the pages."""
    parser = argparse.ArgumentParser(prog="python -m notes.beside", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    printed = {name: printed_rows(name) for name in PAGES}
    pages = {name: method_page(name, rows) for name, rows in printed.items()}
    for name, page in {"index": index_page(printed), **pages}.items():
        write_whole(out / f"{name}.html", page.encode())
    print(f"{len(pages) + 1} pages: open {printable(str(out / 'index.html'))}")


if __name__ == "__main__":
    run_script(main)
