"""What really happened: the statements of chosen functions, who called whom, shapes and values.

A method runs once with the tiny CLIP. Python's own tracing (sys.settrace) stops after each
statement of the functions that the pages show, and notes down what it has just assigned.
"""

import ast
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
CALLS = 60  # of one function are noted down at most, the first ones


@dataclass(eq=False)
class Statement:
    """A simple statement, or the head of a loop or branch: its lines in the file, from 1."""

    first: int
    last: int
    names: list  # what it assigns: "x", "self.ctx"
    inside: tuple  # the heads that it stands below
    is_head: bool
    returns: bool


@dataclass(eq=False)
class Function:
    """A function of a file: `name` is "cosines" or "CoOp.classify"."""

    file: str
    name: str
    first: int
    statements: list


@dataclass(eq=False)
class Call:
    """One call: (call, statement) above it, nearest first; texts of its arguments; for each
    statement that ran, (name, text) of what it assigned, and "" for what it returned."""

    function: Function
    above: list
    arguments: list
    ran: dict = field(default_factory=dict)


@cache
def lines_of(file):
    """A path below the project's folder → its lines."""
    return (ROOT / file).read_text(encoding="utf-8").splitlines()


@cache
def functions_of(file):
    """A path → {name: Function}."""
    found = {}

    def visit(node, prefix):
        for child in node.body:
            if isinstance(child, (ast.ClassDef, ast.FunctionDef)):
                name = prefix + child.name
                visit(child, f"{name}.")
            if isinstance(child, ast.FunctionDef):
                first = min([child, *child.decorator_list], key=lambda x: x.lineno).lineno
                statements = list(statements_of(child.body, ()))
                found[name] = Function(file, name, first, statements)

    visit(ast.parse("\n".join(lines_of(file))), "")
    return found


def statements_of(body, inside):
    """The body of a function → its Statements, without docstring and inner functions."""
    for node in body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        inner = [node.__dict__.get(part, []) for part in ("body", "orelse")]
        ends = [node.lineno, *(part.end_lineno for part in heads_of(node))]
        last = max(ends) if inner[0] else node.end_lineno
        returns = isinstance(node, ast.Return)
        head = Statement(node.lineno, last, list(names_in(node)), inside, bool(inner[0]), returns)
        if not isinstance(node, ast.FunctionDef):
            yield head
            for part in inner:
                yield from statements_of(part, (*inside, head))


def heads_of(node):
    """A loop, branch or `with` → the expressions of its first line."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.expr):
            yield part
        elif isinstance(part, ast.withitem):
            yield part.context_expr


def names_in(node):
    """A statement → the names that it assigns."""
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    for target in targets:
        for part in getattr(target, "elts", [target]):
            if isinstance(part, ast.Name) and part.id != "_":
                yield part.id
            elif isinstance(part, ast.Attribute) and ast.unparse(part).count(".") == 1:
                yield ast.unparse(part)


def text_of(value):
    """A value → its shape and first numbers, or "" where there is little to see.

    >>> text_of(torch.tensor([[1.0, -2.5]]))
    '[1, 2]  1.0 −2.5'
    """
    if isinstance(value, torch.Tensor):
        numbers = [short(number) for number in value.detach().flatten()[:5].tolist()]
        more = " …" if value.numel() > 5 else ""
        shape = f"[{', '.join(map(str, value.shape))}]" if value.ndim else ""
        return f"{shape}  {' '.join(numbers)}{more}".strip()
    if isinstance(value, (bool, int, float, str)):
        return short(value)
    if isinstance(value, (list, tuple)) and value:
        if all(isinstance(each, torch.Tensor) for each in value):
            return f"{len(value)} × {text_of(value[0])}"
        words = f"{value}"
        return words if len(words) <= 90 else f"{words[:88]} …"
    return ""


def short(value):
    """A number with three digits that count; a text in quotation marks."""
    if isinstance(value, float):
        words = f"{value:.3g}" if value != round(value) else f"{value:.1f}"
        return words.replace("-", "−")
    return f"{value!r}".replace("-", "−") if isinstance(value, int) else repr(value)


@contextmanager
def traced(functions):
    """Functions → {Function: its Calls}, which fills while the block runs."""
    known = {(str(ROOT / function.file), function.first): function for function in functions}
    calls = {function: [] for function in functions}
    running = {}  # frame → its Call, the statement that runs in it

    def on_call(frame, event, argument):
        function = known.get((frame.f_code.co_filename, frame.f_code.co_firstlineno))
        if function is None or len(calls[function]) >= CALLS:
            return None
        above, outer = [], frame.f_back
        while outer:
            above += [tuple(running[outer])] if outer in running else []
            outer = outer.f_back
        code, values = frame.f_code, frame.f_locals
        names = code.co_varnames[: code.co_argcount]
        arguments = [(name, text_of(values[name])) for name in names if name != "self"]
        running[frame] = [Call(function, above, arguments), None]
        calls[function].append(running[frame][0])
        return on_event

    def on_event(frame, event, argument):
        call, before = running[frame]
        if event == "line":
            line = frame.f_lineno
            now = next((s for s in call.function.statements if s.first <= line <= s.last), None)
            if now is not before:
                finish(call, before, frame)
                running[frame][1] = now
        elif event == "return":
            finish(call, before, frame)
            for statement in [s for s in call.ran if s.returns][-1:]:
                call.ran[statement] = [("", text_of(argument))]
            del running[frame]
        return on_event

    def finish(call, statement, frame):
        if statement and statement not in call.ran:
            values = frame.f_locals
            call.ran[statement] = [(n, text_of(look_up(n, values))) for n in statement.names]

    sys.settrace(on_call)
    try:
        yield calls
    finally:
        sys.settrace(None)


def look_up(name, values):
    """"x" or "self.x", and the local variables → its value."""
    first, _, attribute = name.partition(".")
    value = values.get(first)
    return getattr(value, attribute, None) if attribute else value
