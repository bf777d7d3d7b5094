"""Starters and solutions, cut from the project's own files.

    starter   the file with some lines replaced by `raise NotImplementedError`, or with a mistake
    solution  these lines, as they are in the project

A starter's first line says whose it is. It does not show what other exercises ask for. A function
that is blank or wrong there calls the project's own. A class whose constructor is blank there
inherits the project's constructor.

A place in a file is named by what it holds, never by its number or by its neighbours. Comments,
line breaks and quotes may change.

    "CoOp.prompts"                         the body of a function, below its docstring
    ("few_shot", "val")                    in a function, the statement that assigns to `val`
    ("few_shot", "random.Random")          the innermost statement that has these words
    ("few_shot", "random.Random", "val")   from one statement to another one of the same block
    ("Theta.forward", "# UPT Eq. (5)")     from below this comment to the end of the block
"""

import ast
import fnmatch
import functools
import re
import textwrap
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
READY = Path(__file__).parent / "starters"  # in a student's copy: see student_copy.py
PACKED = '"""Packed, for exercises ask for lines of this file.'  # how student_copy.py begins a file
PROJECT = ("clip_min", "prompts", "train", "eval", "notes", "tests")  # what can be imported
FIRST_LINE = "# Exercise {}: {}\n"
FILL, HUNT = "write your lines where NotImplementedError is raised.", "a mistake is planted here."
ELSEWHERE = "  # another exercise asks for these lines"
FOLLOW = "notes/exercises/tasks.py must follow the change."


def starter(number, exercise, others=()):
    """A number and its Exercise → the text of the file that the student begins with.

    others: {number: Exercise} whose lines are hidden.
    """
    ready = READY / f"{number:02}.py"
    if ready.exists():
        return ready.read_text(encoding="utf-8")
    source = hidden(read(exercise.file), exercise, others)
    if exercise.planted:
        source = replace(source, *exercise.planted)
    for place in exercise.blanks:
        what = place if isinstance(place, str) else f"these lines of {place[0]}"
        blank = f'raise NotImplementedError("Exercise {number}: write {what}.")'
        source = replace(source, place, blank)
    return FIRST_LINE.format(number, FILL if exercise.blanks else HUNT) + source


def hidden(source, exercise, others):
    """Source text → the same without what other exercises ask for; see `hidden_functions`."""
    names = hidden_functions(source, exercise, others)
    for name in names:
        if not name.endswith(".__init__"):
            source = replace(source, name, call_of_the_project(exercise.file, source, name))
    for name in names:
        if name.endswith(".__init__"):
            source = inherit(exercise.file, source, name.rpartition(".")[0])
    return source


def hidden_functions(source, exercise, others):
    """Source text, its Exercise, {number: Exercise} → the functions that its starter hides."""
    own = set(map(function_of, places_of(exercise)))
    asked = [function_of(place) for other in dict(others).values() for place in places_of(other)
             if other.file == exercise.file]
    for name in functions_of(parsed(source)) if others else ():
        asked += [name for pattern in exercise.hides if fnmatch.fnmatchcase(name, pattern)]
    return [name for name in dict.fromkeys(asked) if name not in own]


def places_of(exercise):
    """An Exercise → where something is blank or wrong."""
    return [*exercise.blanks, *exercise.planted[:1]]


def function_of(place):
    """A place → the function that it lies in."""
    return place if isinstance(place, str) else place[0]


def functions_of(tree):
    """A parsed file → the names of its functions, "f" and "Class.f"."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for name in functions_of(node))


def module_of(file):
    """A path below the project's folder → the module's package and name.

    >>> module_of("prompts/coop.py"), module_of("train.py")
    (('prompts', 'coop'), ('', 'train'))
    """
    package, _, module = file.removesuffix(".py").replace("/", ".").rpartition(".")
    return package, module


def import_of(file):
    """A path below the project's folder → the statement that imports it as `given`."""
    package, module = module_of(file)
    return f"from {package} import {module} as given" if package else f"import {module} as given"


def call_of_the_project(file, source, symbol):
    """Source text and a function in it → lines for its body that call the project's function."""
    arguments = find_function(parsed(source), symbol).args
    names = ", ".join(each.arg for each in (*arguments.args, *arguments.kwonlyargs))
    return f"{import_of(file)}{ELSEWHERE}\n\nreturn given.{symbol}({names})"


def inherit(file, source, name):
    """Source text and a class in it → the class inherits the project's constructor."""
    node, lines = find_function(parsed(source), name), source.splitlines(keepends=True)
    constructor = find_function(node, "__init__")
    lines[constructor.lineno - 1 : constructor.end_lineno + 1] = []
    lines[node.lineno - 1] = f"{import_of(file)}{ELSEWHERE}\n\n\nclass {name}(given.{name}):\n"
    return "".join(lines).rstrip() + "\n"


# Whose file is it?


def why_not(number, exercise, path, others=()):
    """A number, its Exercise, a student's file → why it cannot be the answer; "" if it can.

    The first line and the blanks say whose starter it is. A file that imports what it should write
    asks the project for the answer. What is not Python is left to the check.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    first = re.match(r"\W*Exercise (\d+):", text)
    blanks = re.findall(r'NotImplementedError\("Exercise (\d+): write ', text)
    for found in [*([first[1]] if first else []), *blanks]:
        if int(found) != number:
            return f"it is the file of exercise {found}"
    try:
        imports = imports_of(text)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    own = [line for place in places_of(exercise) for line in lines_of(text, function_of(place))]
    given = Counter(name for name, _ in imports_of(starter(number, exercise, others)))
    for name, line in imports:
        given[name] -= 1
        if (given[name] < 0 or line in own) and tells_the_answer(name, exercise):
            return f"line {line} imports {name}, and you are asked to write these lines yourself"
    return ""


def lines_of(text, symbol):
    """Source text and a function → its lines; none if it is not there."""
    try:
        function = find_function(parsed(text), symbol)
    except ValueError:
        return range(0)
    return range(function.lineno, function.end_lineno + 1)


def imports_of(text):
    """Source text → [(full name of what is imported, line)]."""
    found = []
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def tells_the_answer(name, exercise):
    """Whether an import gives the lines that an exercise asks for, under whatever name.

    >>> from notes.exercises.tasks import EXERCISES
    >>> [tells_the_answer(name, EXERCISES[2]) for name in ("clip_min", "prompts.coop.causal_mask")]
    [True, True]
    >>> [tells_the_answer(name, EXERCISES[2]) for name in ("math", "clip_min.load_clip")]
    [False, False]
    """
    top, last = name.partition(".")[0], name.rpartition(".")[2]
    if top not in PROJECT:
        return False
    asked = {function_of(place).split(".")[0] for place in places_of(exercise)}
    own = ".".join(filter(None, module_of(exercise.file)))
    return last in (*asked, "*") or f"{own}.".startswith(f"{name}.") or name.startswith(f"{own}.")


# Places in a file


@functools.lru_cache(maxsize=64)
def parsed(source):
    """Source text → what Python sees in it, which nobody may change."""
    return ast.parse(source)


def solution(exercise):
    """An Exercise → the project's lines, each with the number that it has in the project's file,
    and why they are right."""
    source = read(exercise.file)
    lines, parts = source.splitlines(), []
    for first, end in sorted(span(source, place) for place in places_of(exercise)):
        parts.append("\n".join(f"{i + 1:4}  {lines[i]}" for i in range(first, end)))
    planted = ["", "the starter has instead:", exercise.planted[1]] if exercise.planted else []
    return "\n".join([f"{exercise.file}:", "\n ...\n".join(parts), *planted, "", exercise.why])


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

    Raises ValueError for a place that the source does not have, or has twice.

    >>> span("def f(x):\\n    y = 2 * x  # twice\\n    return y\\n", ("f", "return"))
    (2, 3)
    """
    symbol, *names = [place] if isinstance(place, str) else place
    function = find_function(parsed(source), symbol)
    if not names:
        first, last = function.body[ast.get_docstring(function) is not None], function.body[-1]
    elif names[0].startswith("#"):
        first, last = below_comment(source, function, names[0])
    else:
        first = last = find_statement(function, names[0], symbol)
        if names[1:]:
            block = next(each for each in blocks(function) if first in each)
            last = last_of(block[block.index(first) + 1 :], names[1], symbol)
    return first.lineno - 1, last.end_lineno


def below_comment(source, function, words):
    """A comment in a function → the next statement below it, and the last one of its block."""
    lines = source.splitlines()
    found = [i + 1 for i in range(function.lineno, function.end_lineno)
             if lines[i].strip().startswith(words)]
    if len(found) != 1:
        raise ValueError(f'{function.name} has the comment "{words}" {len(found)} times: {FOLLOW}')
    below = [(each.lineno, each, block[-1]) for block in blocks(function) for each in block
             if each.lineno > found[0]]
    return min(below, key=lambda found: found[0])[1:]


def find_function(node, symbol):
    """A parsed file and "f" or "Class.f" → the node of the function."""
    for name in symbol.split("."):
        named = [child for child in node.body if getattr(child, "name", None) == name]
        if len(named) != 1:
            raise ValueError(f"{symbol} is defined {len(named)} times: {FOLLOW}")
        node = named[0]
    return node


def find_statement(function, words, symbol):
    """A function's node and words → the node of the one statement that they name."""
    inside = [each for block in blocks(function) for each in block]
    named = [each for each in inside if name_of(each) == words]
    if len(named) != 1:
        holding = [each for each in inside if words in ast.unparse(each)]
        named = [each for each in holding
                 if not any(below in holding for block in blocks(each) for below in block)]
    if len(named) != 1:
        raise ValueError(f'{symbol} has {len(named)} statements "{words}": {FOLLOW}')
    return named[0]


def last_of(block, words, symbol):
    """Statements of a block → the last one that these words name, or that has them in it."""
    named = [each for each in block if name_of(each) == words]
    named = named or [each for each in block if words in ast.unparse(each)]
    if not named:
        raise ValueError(f'{symbol} has no statement "{words}" at the end: {FOLLOW}')
    return named[-1]


def blocks(node):
    """A node → the lists of statements in it, in order, without those of inner functions."""
    for part in ("body", "orelse", "handlers", "finalbody"):
        block = getattr(node, part, [])
        if block:
            yield block
        for child in block:
            if not isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                yield from blocks(child)


def name_of(statement):
    """A statement → what a place can call it: what it assigns to, what it calls, or its kind.

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
