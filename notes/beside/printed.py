"""A row and a run → its printed code: a tree of calls, each with the statements that ran."""

import re
from dataclasses import dataclass, field

from notes.beside.run import functions_of, lines_of


@dataclass
class Block:
    """One call: its printed lines; those that it calls stand below the line that calls them."""

    call: object
    lines: list = field(default_factory=list)  # of Line
    called: dict = field(default_factory=dict)  # last line of a statement → Blocks


@dataclass
class Line:
    """number: in the file, from 1; None for a gap. seen: (name, text) of what it assigned."""

    number: int | None
    text: str = ""
    seen: tuple = ()


def entries(row):
    """A row's `code` → (Function, words of the wanted statements)."""
    for entry in row.code.strip().splitlines():
        place, _, words = entry.strip().partition(": ")
        file, name = place.split(" ")
        if name not in functions_of(file):
            raise ValueError(f"{row.title}: {file} has no function {name}.")
        yield functions_of(file)[name], [word.strip() for word in words.split("|") if word.strip()]


def blocks_of(row, calls):
    """A row, and {Function: its Calls} → the outermost Blocks."""
    chosen, outermost = {}, []
    for function, words in entries(row):
        if not calls[function]:
            raise ValueError(f"{row.title}: {function.name} was never called.")
        below = [call for call in calls[function] if any(c in chosen for c, _ in call.above)]
        call = (below or calls[function])[0]
        chosen[call] = block = Block(call)
        wanted = wanted_statements(row, call, words)
        block.lines = list(lines_to_print(call, wanted))
        above = [(chosen[c], statement) for c, statement in call.above if c in chosen]
        if above and above[0][1]:
            parent, statement = above[0]
            parent.called.setdefault(statement.last, []).append(block)
        else:
            outermost.append(block)
    return outermost


def wanted_statements(row, call, words):
    """The statements of a call that are printed, in their order; a head only with its body."""
    file, ran = call.function.file, [s for s in call.function.statements if s in call.ran]
    if not words:
        inner = {head for statement in ran for head in statement.inside}
        return [s for s in ran if not s.is_head or s in inner]
    texts = {s: "\n".join(lines_of(file)[s.first - 1 : s.last]) for s in ran}
    for word in words:
        if not any(word in text for text in texts.values()):
            raise ValueError(f"{row.title}: no statement of {call.function.name} that ran has "
                             f"{word!r}.")
    return [s for s in ran if any(word in texts[s] for word in words)]


def lines_to_print(call, statements):
    """A call and its chosen statements → Lines, with the comments above them, and with gaps."""
    lines, numbers = lines_of(call.function.file), []
    for statement in sorted(statements, key=lambda s: s.first):
        first = statement.first
        while lines[first - 2].strip().startswith("#"):
            first -= 1
        numbers += range(first, statement.last + 1)
    if not numbers:
        return
    margin = min(len(lines[n - 1]) - len(lines[n - 1].lstrip()) for n in numbers)
    seen = {s.last: tuple(pair for pair in call.ran[s] if pair[1]) for s in statements}
    before = numbers[0]
    for number in numbers:
        if "".join(lines[before : number - 1]).strip():
            yield Line(None)
        yield Line(number, lines[number - 1][margin:], seen.get(number, ()))
        before = number


def all_blocks(blocks):
    """Blocks → they and all that they call, in the order of the page."""
    for block in blocks:
        yield block
        for line in block.lines:
            yield from all_blocks(block.called.get(line.number, ()))


def printed_text(blocks):
    """Blocks → the names of their functions, and all their code without comments."""
    found = []
    for block in all_blocks(blocks):
        lines = [re.sub(r"(^|\s)#.*", "", line.text) for line in block.lines]
        found += [block.call.function.name, *lines]
    return "\n".join(found)
