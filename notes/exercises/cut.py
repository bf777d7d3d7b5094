"""Starters, solutions and typical mistakes, cut from the project's own files.

    starter   the file with some lines replaced by `raise NotImplementedError`, or with a mistake
    solution  these lines, as they are in the project
    mistake   the file with one statement replaced; the exercise's check must find it

A starter's first line says whose it is. It does not show what other exercises ask for: a function
that is blank there calls the project's own. A constructor, and the file of a hunt, stay as they
are.

A place in a file is named by what Python sees there. Comments, line breaks and quotes may change.

    "CoOp.prompts"                  the body of a function, below its docstring
    ("few_shot", "val")             in a function, the statement that assigns to `val`
    ("few_shot", "stream", "val")   from one statement to another
    ("learning_rate", "return 2")   the second `return`; "if", "for", "raise" likewise
    ("f", "self.add")               the statement that calls self.add
"""

import ast
import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
READY = Path(__file__).parent / "starters"  # in a student's copy: see student_copy.py
PACKED = '"""Packed, for exercises ask for lines of this file.'  # how student_copy.py begins a file
FIRST_LINE = "# Exercise {}: {}\n"
FILL, HUNT = "write your lines where NotImplementedError is raised.", "a mistake is planted here."


def starter(number, exercise, others=()):
    """A number and its Exercise → the text of the file that the student begins with.

    others: {number: Exercise} whose lines are hidden, where that can be done.
    """
    ready = READY / f"{number:02}.py"
    if ready.exists():
        return ready.read_text(encoding="utf-8")
    source = hidden(read(exercise.file), exercise, others)
    if exercise.planted:
        source = replace(source, *exercise.planted)
    for place in exercise.blanks:
        what = place if isinstance(place, str) else f"these lines of {place[0]}"
        source = replace(source, place,
                         f'raise NotImplementedError("Exercise {number}: write {what}.")')
    return FIRST_LINE.format(number, FILL if exercise.blanks else HUNT) + source


def hidden(source, exercise, others):
    """Source text → the same without what other exercises ask for; see `hidden_functions`."""
    for name in hidden_functions(exercise, others):
        source = replace(source, name, call_of_the_project(exercise.file, source, name))
    return source


def hidden_functions(exercise, others):
    """An Exercise, {number: Exercise} → names of the functions that its starter does not show."""
    if not exercise.blanks:
        return []
    own = {function_of(place) for place in (*exercise.blanks, *exercise.planted[:1])}
    asked = {}  # in order, and once
    for other in dict(others).values():
        if other.file == exercise.file:
            asked.update(dict.fromkeys(map(function_of, other.blanks)))
    return [name for name in asked if name not in own and not name.endswith("__init__")]


def function_of(place):
    """A place → the function that it lies in."""
    return place if isinstance(place, str) else place[0]


def call_of_the_project(file, source, symbol):
    """Source text and a function in it → lines for its body that call the project's function."""
    arguments = find_function(ast.parse(source), symbol).args
    names = [each.arg for each in (*arguments.args, *arguments.kwonlyargs)]
    package, _, module = file.removesuffix(".py").replace("/", ".").rpartition(".")
    imported = (f"from {package} import {module} as given" if package
                else f"import {module} as given")
    call = f"return given.{symbol}({', '.join(names)})"
    return f"{imported}  # another exercise asks for these lines\n\n{call}"


def why_not(number, exercise, path, others=()):
    """A number, its Exercise, a student's file → why it cannot be the answer; "" if it can.

    The first line and the blanks say whose starter it is. A file that imports the file which it was
    cut from asks the project for the answer. What is not Python is left to the check.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    first = re.match(r"\W*Exercise (\d+):", text)
    blanks = re.findall(r'NotImplementedError\("Exercise (\d+): write ', text)
    for found in [*([first[1]] if first else []), *blanks]:
        if int(found) != number:
            return f"it is the file of exercise {found}"
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ""
    given = [spans_of(tree, name) for name in hidden_functions(exercise, others)]
    for line in imports_of(tree, exercise.file):
        if not any(line in lines for lines in given):
            return f"line {line} imports {exercise.file}, whose lines you are asked to write"
    return ""


def spans_of(tree, symbol):
    """A parsed file and a function → its lines, a range; an empty one if it is not there."""
    try:
        function = find_function(tree, symbol)
    except ValueError:
        return range(0)
    return range(function.lineno, function.end_lineno + 1)


def imports_of(tree, file):
    """A parsed file and a file of the project → lines with a statement that imports it."""
    wanted = file.removesuffix(".py").replace("/", ".")
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if wanted in names:
            yield node.lineno


def solution(exercise):
    """An Exercise → the project's lines, each with the number that it has in the project's file."""
    source = read(exercise.file)
    lines, parts = source.splitlines(), []
    places = [*exercise.planted[:1], *exercise.blanks]
    for first, end in sorted(span(source, place) for place in places):
        parts.append("\n".join(f"{i + 1:4}  {lines[i]}" for i in range(first, end)))
    planted = ["", "the starter has instead:", exercise.planted[1]] if exercise.planted else []
    return "\n".join([f"{exercise.file}:", "\n ...\n".join(parts), *planted])


def mistake(exercise, place, wrong):
    """An Exercise, a place and what is put there → the project's file with this mistake in it."""
    return replace(read(exercise.file), place, wrong)


def read(file):
    """A path below the project's folder → the text of the file; ValueError in a student's copy."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if text.startswith(PACKED):
        raise ValueError("This is a student's copy: your teacher has the answers.")
    return text


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
