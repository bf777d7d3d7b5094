"""Starters, solutions and typical mistakes, cut from the project's own files.

    starter   the file with some lines replaced by `raise NotImplementedError`, or with a mistake
    solution  these lines, as they are in the project
    mistake   the file with one statement replaced; the exercise's check must find it

A place in a file is named by what Python sees there. Comments, line breaks and quotes may change.

    "CoOp.prompts"                  the body of a function, below its docstring
    ("few_shot", "val")             in a function, the statement that assigns to `val`
    ("few_shot", "stream", "val")   from one statement to another
    ("learning_rate", "return 2")   the second `return`; "if", "for", "raise" likewise
    ("f", "self.add")               the statement that calls self.add
"""

import ast
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]


def starter(number, exercise):
    """A number and its Exercise → the text of the file that the student begins with."""
    source = read(exercise.file)
    if exercise.planted:
        return replace(source, *exercise.planted)
    for place in exercise.blanks:
        what = place if isinstance(place, str) else f"these lines of {place[0]}"
        source = replace(
            source, place, f'raise NotImplementedError("Exercise {number}: write {what}.")'
        )
    return source


def solution(exercise):
    """An Exercise → the project's lines, each with the number that it has in the project's file."""
    source = read(exercise.file)
    lines, parts = source.splitlines(), []
    places = [exercise.planted[0]] if exercise.planted else exercise.blanks
    for first, end in sorted(span(source, place) for place in places):
        parts.append("\n".join(f"{i + 1:4}  {lines[i]}" for i in range(first, end)))
    planted = ["", "the starter has instead:", exercise.planted[1]] if exercise.planted else []
    return "\n".join([f"{exercise.file}:", "\n ...\n".join(parts), *planted])


def mistake(exercise, place, wrong):
    """An Exercise, a place and what is put there → the project's file with this mistake in it."""
    return replace(read(exercise.file), place, wrong)


def read(file):
    """A path below the project's folder → the text of the file."""
    return (ROOT / file).read_text(encoding="utf-8")


def replace(source, place, new):
    """Source text → the same with other statements in one place, at the same indentation."""
    lines = source.splitlines(keepends=True)
    first, end = span(source, place)
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    lines[first:end] = [textwrap.indent(textwrap.dedent(new).strip("\n"), indent) + "\n"]
    return "".join(lines)


def span(source, place):
    """A place → its first line and the line after its last one, counted from 0.

    Raises ValueError for a place that the source does not have.

    >>> span("def f(x):\\n    y = 2 * x  # twice\\n    return y\\n", ("f", "return"))
    (2, 3)
    """
    symbol, *names = [place] if isinstance(place, str) else place
    function = find_function(ast.parse(source), symbol)
    if names:
        first, last = (find_statement(function, name, symbol) for name in (names[0], names[-1]))
    else:
        first, last = function.body[has_docstring(function)], function.body[-1]
    return first.lineno - 1, last.end_lineno


def has_docstring(function):
    """Whether the first statement of a function is its docstring."""
    return ast.get_docstring(function) is not None


def find_function(node, symbol):
    """A parsed file and "f" or "Class.f" → the node of the function."""
    for name in symbol.split("."):
        named = [child for child in node.body if getattr(child, "name", None) == name]
        if len(named) != 1:
            raise ValueError(f"{symbol} is defined {len(named)} times: {FOLLOW}")
        node = named[0]
    return node


def find_statement(function, name, symbol):
    """A function's node and "val" or "return 2" → the node of the statement."""
    words, _, number = name.rpartition(" ")
    if not number.isdecimal():
        words, number = name, None
    named = [each for each in statements(function) if name_of(each) == words]
    if len(named) < int(number or 1) or (number is None and len(named) > 1):
        raise ValueError(f'{symbol} has {len(named)} statements "{words}", not "{name}": {FOLLOW}')
    return named[int(number or 1) - 1]


def statements(node):
    """A node → the statements in it, in order, without those of inner functions."""
    for part in ("body", "orelse", "handlers", "finalbody"):
        for child in getattr(node, part, []):
            yield child
            if not isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                yield from statements(child)


def name_of(statement):
    """A statement → what a place calls it: see the top of this file.

    >>> [name_of(each) for each in ast.parse("a, b = 1, 2; a += 1; print(a)").body]
    ['a, b', 'a', 'print']
    """
    if isinstance(statement, ast.Assign):
        return ast.unparse(statement.targets[0]).strip("()")
    if isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
        return ast.unparse(statement.target)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return ast.unparse(statement.value.func)
    return type(statement).__name__.lower()


FOLLOW = "notes/exercises/tasks.py must follow the change."
