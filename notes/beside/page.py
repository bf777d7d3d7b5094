"""Rows, their printed code and what was seen in the run → HTML that needs nothing else."""

import base64
import io
import keyword
import re
import tokenize
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path

from notes.beside.run import lines_of
from notes.beside.symbols import marked

HERE = Path(__file__).parent
COLOURS = 10  # classes s0 … s9 in style.css


def document(title, body):
    """Words and HTML → a page."""
    style = (HERE / "style.css").read_text(encoding="utf-8")
    light = "".join(
        f"section:has(.s{i}:is(:hover,:focus)) .s{i}{{background:var(--c{i});color:var(--on)}}\n"
        for i in range(COLOURS))
    head = (f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{escape(title)}</title><style>{style}{light}</style>")
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def section(row, anchor, symbols, formula, blocks):
    """One row, its symbols, its LaTeX and its Blocks → HTML."""
    left = [f"<h2>{escape(row.title)}</h2>", f'<div class="formula">{marked(formula, symbols)}</div>',
            f"<p>{words(row.says)}</p>", table(symbols)]
    right = "".join(call(block, symbols) for block in blocks)
    return (f'<section id="{anchor}"><div class="left"><div class="stay">{"".join(left)}</div></div>'
            f'<div class="right">{right}</div></section>')


def words(text):
    """Plain text → HTML; `code` between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def table(symbols):
    """Symbols → their list: sign, name in code, shape."""
    rows = []
    for i, symbol in enumerate(symbols):
        sign = marked(symbol.latex, []).replace('display="block"', "")
        names = ", ".join(f"<code>{escape(name)}</code>" for name in symbol.names)
        rows.append(f'<tr><td><span class="s s{i}" tabindex="0">{sign}</span></td>'
                    f"<td>{names}</td><td>{escape(symbol.shape)}</td></tr>")
    return f'<table>{"".join(rows)}</table>' if rows else ""


def call(block, symbols):
    """A Block → HTML: its name, arguments and place; its lines; the calls below them."""
    function = block.call.function
    arguments = [f"<i>{name}</i> {escape(text)}" for name, text in block.call.arguments if text]
    head = (f'<div class="head"><b>{escape(function.name)}</b>'
            f'<span class="place">{escape(function.file)}:{function.first}</span>'
            f'<span class="seen">{"<br>".join(arguments)}</span></div>')
    lines = []
    for line in block.lines:
        if line.number is None:
            lines.append('<div class="gap">⋯</div>')
            continue
        seen = [f"<i>{name or 'returns'}</i> {escape(text)}" for name, text in line.seen]
        values = f'<span class="seen">{"<br>".join(seen)}</span>' if seen else ""
        code = coloured(function.file, line, symbols)
        lines.append(f'<div class="line"><span class="n">{line.number}</span>'
                     f"<code>{code}</code>{values}</div>")
        lines += [call(inner, symbols) for inner in block.called.get(line.number, ())]
    return f'<div class="call">{head}{"".join(lines)}</div>'


@cache
def kinds_of(file):
    """A path → {line: [(first column, column behind, "k", "t" or "c")]}: keyword, text, comment."""
    found = {}
    source = io.StringIO("\n".join(lines_of(file)) + "\n")
    for token in tokenize.generate_tokens(source.readline):
        kind = {tokenize.COMMENT: "c", tokenize.STRING: "t"}.get(token.type)
        if token.type == tokenize.NAME and keyword.iskeyword(token.string):
            kind = "k"
        if kind and token.start[0] == token.end[0]:
            found.setdefault(token.start[0], []).append((token.start[1], token.end[1], kind))
    return found


def coloured(file, line, symbols):
    """A Line → HTML with its keywords, comments and symbols."""
    classes = [""] * len(line.text)
    margin = len(lines_of(file)[line.number - 1]) - len(line.text)
    for i in sorted(range(len(symbols)), key=lambda i: max(map(len, symbols[i].names))):
        for match in re.finditer(symbols[i].code_pattern(), line.text):
            classes[match.start() : match.end()] = [f"s s{i}"] * len(match[0])
    for first, last, kind in kinds_of(file).get(line.number, ()):
        if kind == "c" or not any(classes[first - margin : last - margin]):
            classes[first - margin : last - margin] = [kind] * (last - first)
    parts = []
    for name, letters in groupby(zip(classes, line.text), key=lambda pair: pair[0]):
        text = escape("".join(letter for _, letter in letters), quote=False)
        focus = ' tabindex="0"' if name.startswith("s ") else ""
        parts.append(f'<span class="{name}"{focus}>{text}</span>' if name else text)
    return "".join(parts)


def picture(image, size):
    """A Pillow picture and its size on the page → HTML that holds it."""
    file = io.BytesIO()
    image.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img width="{size}" height="{size}" alt="" src="data:image/png;base64,{data}">'
