"""Starters, solutions and typical mistakes: all cut from the project's own files, so that they cannot drift from them.

    starter   the file with some lines replaced by `raise NotImplementedError`, or with one mistake planted
    solution  those lines, as they stand in the project
    mistake   the file with one small thing replaced; its check must find it
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def starter(number, exercise):
    """A number and its Exercise → the text of the file that the student begins with."""
    source = read(exercise.file)
    if exercise.planted:
        return replace_once(source, *exercise.planted)
    lines = source.splitlines(keepends=True)
    for first, last, symbol, whole in sorted(spans(source, exercise.blanks), reverse=True):
        indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
        what = symbol if whole else f"these lines of {symbol}"
        lines[first:last] = [f'{indent}raise NotImplementedError("Exercise {number}: write {what}.")\n']
    return "".join(lines)


def solution(exercise):
    """An Exercise → our lines, each with the number that it has in the project's file."""
    source = read(exercise.file)
    lines = source.splitlines()
    if exercise.planted:
        right, wrong = exercise.planted
        start = source[: source.index(right)].count("\n")
        parts = [(start, start + right.count("\n") + 1)]
        notes = ["", "the starter has instead:", wrong]
    else:
        parts, notes = [span[:2] for span in spans(source, exercise.blanks)], []
    shown = ["\n".join(f"{i + 1:4}  {lines[i]}" for i in range(*part)) for part in parts]
    return "\n".join([f"{exercise.file}:", "\n ...\n".join(shown), *notes])


def mistake(exercise, old, new):
    """An Exercise and a replacement → the solution with this mistake in it."""
    return replace_once(read(exercise.file), old, new)


def read(file):
    return (ROOT / file).read_text(encoding="utf-8")


def replace_once(source, old, new):
    """Raises ValueError unless `old` stands in the source exactly once."""
    if source.count(old) != 1:
        raise ValueError(f"{old!r} stands {source.count(old)} times in the file, not once: notes/exercises/tasks.py "
                         "must follow the change.")  # fmt: skip
    return source.replace(old, new)


def spans(source, blanks):
    """Blanks → [(first line, line after the last one, symbol, whether it is the whole body)], lines from 0.

    A blank is a symbol, "CoOp.prompts", whose docstring stays, or (symbol, words that begin its first statement,
    words that begin its last one). Raises ValueError for what is not there exactly once.
    """
    lines, found = source.splitlines(), []
    for blank in blanks:
        symbol, *words = [blank] if isinstance(blank, str) else blank
        node = ast.parse(source)
        for name in symbol.split("."):
            node = one([child for child in node.body if getattr(child, "name", "") == name], symbol)
        if words:
            bodies = [getattr(n, part, []) for n in ast.walk(node) for part in ("body", "orelse")]
            bodies = [body for body in bodies if isinstance(body, list)]

            def starts(statement, beginning):
                return lines[statement.lineno - 1].strip().startswith(beginning)

            body = one([body for body in bodies if any(starts(s, words[0]) for s in body)], (symbol, words[0]))
            first = one([s for s in body if starts(s, words[0])], (symbol, words[0]))
            last = one([s for s in body if starts(s, words[-1])], (symbol, words[-1]))
        else:
            first, last = node.body[bool(ast.get_docstring(node))], node.body[-1]
        found.append((first.lineno - 1, last.end_lineno, symbol, not words))
    return found


def one(candidates, what):
    if len(candidates) != 1:
        raise ValueError(f"{what} stands {len(candidates)} times in the file, not once: notes/exercises/tasks.py must "
                         "follow the change.")  # fmt: skip
    return candidates[0]
