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

from notes.beside.printed import Line, all_blocks
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
    lines = [marked(part, symbols) for part in re.split(r",? *\\qquad *", formula)]
    left = [f"<h2>{escape(row.title)}</h2>", f'<div class="formula">{"".join(lines)}</div>',
            f"<p>{words(row.says, symbols)}</p>", table(symbols, blocks)]
    right = "".join(call(block, symbols) for block in blocks)
    return (f'<section id="{anchor}">'
            f'<div class="left"><div class="stay">{"".join(left)}</div></div>'
            f'<div class="right">{right}</div></section>')


def words(text, symbols=()):
    """Plain text → HTML; `code` between backticks, LaTeX between dollars."""
    parts = []
    for part in re.split(r"(`[^`]+`|\$[^$]+\$)", text):
        if part.startswith("`"):
            parts.append(f"<code>{escape(part[1:-1])}</code>")
        elif part.startswith("$"):
            parts.append(inline(part[1:-1], symbols))
        else:
            parts.append(escape(part, quote=False))
    return "".join(parts)


def inline(latex, symbols):
    """LaTeX → MathML within a line."""
    return marked(latex, symbols).replace(' display="block"', "")


def table(symbols, blocks):
    """Symbols → their list: sign, names in the code, shape in letters and in the run."""
    rows, seen = [], {}
    for block in all_blocks(blocks):
        own = block.call.function.name.rpartition(".")[2]
        pairs = [(name or own, text) for line in block.lines for name, text in line.seen]
        for name, text in [*block.call.arguments, *pairs]:
            shape = re.match(r"\[[\d, ]+\]  |", text)[0].strip()
            seen.setdefault(name.removeprefix("self."), shape)
    for i, symbol in enumerate(symbols):
        sign = inline(symbol.latex, [])
        names = ", ".join(f"<code>{escape(name)}</code>" for name in symbol.names)
        real = next((seen[name] for name in symbol.names if seen.get(name)), "")
        shape = f'{escape(symbol.shape)} <b>{real}</b>'
        rows.append(f'<tr><td><span class="s s{i}" tabindex="0">{sign}</span></td>'
                    f"<td>{names}</td><td>{shape}</td></tr>")
    return f'<table>{"".join(rows)}</table>' if rows else ""


def seen(pairs):
    """(name, text) of what was seen → HTML: the shape stands out from the numbers."""
    parts = []
    for name, text in pairs:
        numbers = re.sub(r"^(\d+ × )?\[[\d, ]*\]  ", "", text)
        shape = text[: len(text) - len(numbers)].strip()
        parts.append(f"<span><i>{name or 'returns'}</i> <b>{shape}</b> {escape(numbers)}</span>")
    return f'<div class="seen">{"".join(parts)}</div>' if parts else ""


def call(block, symbols):
    """A Block → HTML: its name, arguments and place; its lines; the calls below them."""
    function = block.call.function
    arguments = [(name, text) for name, text in block.call.arguments if text]
    name = Line(None, function.name)
    head = (f'<div class="head"><b>{coloured(function.file, name, symbols)}</b>'
            f'<span class="place">{escape(function.file)}:{function.first}</span>'
            f"{seen(arguments)}</div>")
    lines = []
    for line in block.lines:
        if line.number is None:
            lines.append('<div class="gap">⋯</div>')
            continue
        code = coloured(function.file, line, symbols)
        margin = len(line.text) - len(line.text.lstrip())
        lines.append(f'<div class="line" style="--d:{margin}"><span class="n">{line.number}</span>'
                     f"<code>{code.lstrip()}</code>{seen(line.seen)}</div>")
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
    for i in sorted(range(len(symbols)), key=lambda i: max(map(len, symbols[i].names))):
        for match in re.finditer(symbols[i].code_pattern(), line.text):
            classes[match.start() : match.end()] = [f"s s{i}"] * len(match[0])
    for first, last, kind in kinds_of(file).get(line.number, ()):
        margin = len(lines_of(file)[line.number - 1]) - len(line.text)
        if kind == "c" or not any(classes[first - margin : last - margin]):
            classes[first - margin : last - margin] = [kind] * (last - first)
    parts = []
    for name, letters in groupby(zip(classes, line.text), key=lambda pair: pair[0]):
        text = escape("".join(letter for _, letter in letters), quote=False)
        focus = ' tabindex="-1"' if name.startswith("s ") else ""
        parts.append(f'<span class="{name}"{focus}>{text}</span>' if name else text)
    return "".join(parts)


def picture(image, size):
    """A Pillow picture and its size on the page → HTML that holds it."""
    file = io.BytesIO()
    image.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img width="{size}" height="{size}" alt="" src="data:image/png;base64,{data}">'
