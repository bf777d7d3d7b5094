"""Walks README.md and all notes: what they name has to exist, and their commands have to be
understood.
"""

import argparse
import ast
import functools
import importlib
import inspect
import re
import shlex
import sys

import pytest

from clip_min.data import BENCHMARKS
from clip_min.world import benchmarks
from notes.figures.__main__ import FIGURES
from prompts import METHODS
from prompts.reports import tables
from prompts.runs.job import option, parse_eval, parse_train
from tests.helpers import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "notes").rglob("*.md"))]
EQUATIONS = [
    (paper, n) for paper, most in dict(CoOp=4, CoCoOp=3, UPT=8).items() for n in range(1, most + 1)
]
DATASETS = {"toy", "eleven", *BENCHMARKS, *benchmarks.NAMES}
FOREIGN = ("pytest", "venv", "pip")  # modules of `python -m` that are not ours

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


# Reading Markdown and Python


def links(page):
    """(text, target) of every link and picture, code blocks left out."""
    prose = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return re.findall(r"\[([^\[\]]*)\]\(([^()\s]+)\)", prose)


def code_blocks(text):
    """The lines of each fenced or indented block; an indented one follows an empty line."""
    block, fenced, before = [], False, ""
    for line in [*text.splitlines(), ""]:
        is_code = fenced or (line.startswith("    ") and (block or not before.strip()))
        if line.startswith("```"):
            fenced, is_code = not fenced, False
        if is_code:
            block.append(line if fenced else line[4:])
        elif block:
            yield block
            block = []
        before = line


def commands(text):
    """The words of every `python ...` and `torchrun ... train.py ...` in code blocks and between
    backticks.

    A description behind three spaces, a comment, and the loop around a command are cut off. Between
    backticks, what ends in a flag, such as `python eval.py --plot`, only names the flag.
    """
    spans = re.findall(r"(?<!`)`(python [^`\n]+)`(?!`)", text)
    lines = [span for span in spans if not span.split()[-1].startswith("--")]
    for block in code_blocks(text):
        whole = re.sub(r"\s*\\\n\s*", " ", "\n".join(block))
        lines += re.findall(r'python3? -c "[^"]*"', whole)
        for line in whole.splitlines():
            if " -c " not in line:
                lines += re.split(r" && |; (?=python)", line)
    for line in lines:
        found = re.search(
            r"(?:^|do |\$ |OMP_NUM_THREADS=\d )(?:python3?|torchrun \S+) (.*)", line, re.DOTALL
        )
        if found and found[1].startswith("-c "):
            yield shlex.split(found[1])
        elif found:
            yield shlex.split(re.split(r"(?<=\S) {3,}|; done", found[1])[0], comments=True)


@functools.cache
def definitions(path):
    """{"name" or "Class.name": its source} of the functions, classes and constants of a Python
    file.
    """
    source, found = path.read_text(encoding="utf-8"), {}

    def visit(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                found[prefix + child.name] = ast.get_source_segment(source, child)
                visit(child, f"{prefix}{child.name}.")
            elif isinstance(child, (ast.Assign, ast.AnnAssign)):
                targets = child.targets if isinstance(child, ast.Assign) else [child.target]
                names = [
                    n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)
                ]
                found.update(
                    (prefix + name, ast.get_source_segment(source, child)) for name in names
                )

    visit(ast.parse(source), "")
    return found


def named_symbols(page):
    """(symbol, file) of the links like [`CoOp.prompts`](../prompts/coop.py); a file's own name is
    no symbol.
    """
    for text, target in links(page):
        path = (page.parent / target).resolve()
        if path.suffix == ".py" and path.exists():
            for symbol in re.findall(r"`([A-Za-z_][\w.]*)`", text):
                if not symbol.endswith(".py") and symbol not in (path.stem, *METHODS):
                    yield symbol, path


def test_commands_are_found_in_blocks_and_between_backticks():
    text = """Run `python train.py --seed 1`, see `python eval.py --plot`, or

    python eval.py --dataset toy   on the eight sets
    for p in runs/*; do python eval.py $p \\
        --json; done
    cd here && python train.py --shots 1
    python -c "
    print(1)"

```
torchrun --nproc-per-node=2 train.py  # on two
```
- an item
    python is no command here
"""
    assert list(commands(text)) == [
        ["train.py", "--seed", "1"],
        ["-c", "\nprint(1)"],
        ["eval.py", "--dataset", "toy"],
        ["eval.py", "$p", "--json"],
        ["train.py", "--shots", "1"],
        ["train.py"],
    ]


# Files and symbols


@every_page
def test_every_linked_file_and_picture_exists(page):
    local = [target.split("#")[0] for _, target in links(page) if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if target and not (page.parent / target).exists()] == []


@every_page
def test_every_symbol_that_is_a_links_text_exists_in_the_linked_file(page):
    assert [symbol for symbol, path in named_symbols(page) if symbol not in definitions(path)] == []


@every_page
def test_every_file_of_the_project_that_is_named_in_the_text_exists(page):
    named = re.findall(
        r"`((?:clip_min|prompts|tests|notes)/[\w./-]*)`", page.read_text(encoding="utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@every_page
def test_no_page_names_a_path_of_somebodys_machine(page):
    assert not re.search(
        r"(?<![\w.])/(tmp|home|work|root)/|\.\./shared", page.read_text(encoding="utf-8")
    )


# Commands


def script_of(words):
    """The words of a command → the name of our module that it runs, and its arguments; None for
    foreign ones.
    """
    if words[0] != "-m":
        path = ROOT / words[0]
        assert path.suffix == ".py" and path.exists(), f"There is no script {words[0]}."
        return ".".join(path.relative_to(ROOT).with_suffix("").parts), words[1:]
    if words[1] in FOREIGN:
        return None, words[2:]
    path = ROOT / words[1].replace(".", "/")
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), (
        f"There is no module {words[1]}."
    )
    return words[1] + (".__main__" if path.is_dir() else ""), words[2:]


class Understood(Exception):
    """Stops a script when it has read its command line."""


def parse(module, arguments, monkeypatch):
    """The arguments as the script's own parser understands them, or None if it has none."""
    module = importlib.import_module(module)
    monkeypatch.setattr(sys, "argv", [module.__file__, *arguments])
    if module.__name__ == "train":
        return parse_train("")
    if module.__name__ == "eval":
        return parse_eval("")
    source = inspect.getsource(inspect.getmodule(getattr(module, "main", None)) or module)
    if "ArgumentParser(" not in source:
        return None
    understand = argparse.ArgumentParser.parse_args

    def stop(parser, *given, **more):
        raise Understood(understand(parser, *given, **more))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    with pytest.raises(Understood) as caught:
        module.main()
    return caught.value.args[0]


def check_names(flags):
    """Methods, data sets, tables, figures and options exist.

    A data set may also be a folder, which has a "/" in its name. A word in capitals stands for any
    name.
    """
    method = getattr(flags, "method", None)
    methods = [method] if isinstance(method, str) else method or []
    methods = methods or [each.name for each in getattr(flags, "variants", ())]
    assert set(methods) <= METHODS.keys(), methods
    names = getattr(flags, "dataset", None) or []
    assert all(name in DATASETS or "/" in name for name in names), names
    assert getattr(flags, "table", None) in (None, *tables.NAMES), flags.table
    assert getattr(flags, "name", "NAME") in ("NAME", *FIGURES), flags.name
    options = getattr(flags, "options", None) or dict(map(option, getattr(flags, "hp", None) or []))
    for name in [name for name in methods if name != "zero_shot"] or [
        "zero_shot"
    ]:  # as train.py shares them out
        assert options.keys() <= inspect.signature(METHODS[name]).parameters.keys(), (name, options)


@every_page
def test_every_command_is_understood_by_its_own_script(page, monkeypatch, capsys):
    wrong = []
    for words in commands(page.read_text(encoding="utf-8")):
        try:
            if words[0] == "-c":
                compile(words[1], "<command>", "exec")
                continue
            module, arguments = script_of(words)
            with monkeypatch.context() as patches:
                flags = module and parse(module, arguments, patches)
            if flags:
                check_names(flags)
        except (AssertionError, SyntaxError, ValueError) as error:
            wrong.append((" ".join(words), str(error).split("\n")[0]))
        except SystemExit as end:  # with 0 after --help
            message = capsys.readouterr().err.strip().split("\n")[-1]
            wrong += [(" ".join(words), message)] if end.code else []
    assert wrong == []


@every_page
def test_every_flag_that_is_named_in_the_text_exists(page):
    sources = [
        *ROOT.glob("*.py"),
        *ROOT.glob("prompts/**/*.py"),
        *ROOT.glob("clip_min/**/*.py"),
        *ROOT.glob("notes/**/*.py"),
    ]
    known = {
        flag
        for path in sources
        for flag in re.findall(r'"(--[a-z][a-z-]*)"', path.read_text(encoding="utf-8"))
    }
    spans = re.findall(r"`((?:python |--)[^`\n]*)`", page.read_text(encoding="utf-8"))
    named = {flag for span in spans for flag in re.findall(r"(?:^| )(--[a-z][a-z-]*)", span)}
    assert named - known - {"--help"} == set()


def test_a_command_is_refused_if_its_script_or_flag_or_name_is_wrong(monkeypatch, capsys):
    with pytest.raises(AssertionError, match="no script trian.py"):
        script_of(["trian.py"])
    with pytest.raises(AssertionError, match="no module notes.nothing"):
        script_of(["-m", "notes.nothing"])
    for arguments in (["--metod", "upt"], ["--protocol", "few-shots"]):
        with pytest.raises(ValueError), monkeypatch.context() as patches:
            parse("train", arguments, patches)
    wrong_values = [
        dict(method=["cop"]),
        dict(dataset=["toy-flower"]),
        dict(table="few"),
        dict(name="bars"),
    ]
    for wrong in [*wrong_values, dict(method="upt", hp=["templates=seven"])]:
        with pytest.raises(AssertionError):
            check_names(argparse.Namespace(**wrong))


# Equations


@pytest.mark.parametrize("paper, number", EQUATIONS)
def test_every_equations_note_links_to_a_function_that_has_its_tag(paper, number):
    page = ROOT / "notes" / f"{paper.lower()}.md"
    assert f"Eq. ({number})" in page.read_text(encoding="utf-8")
    tagged = [
        symbol
        for symbol, path in named_symbols(page)
        if f"{paper} Eq. ({number})" in definitions(path)[symbol]
    ]
    assert tagged, f"No function that {page.name} links to has the tag {paper} Eq. ({number})."


@pytest.mark.parametrize("paper", ["CoOp", "CoCoOp", "UPT"])
def test_every_equation_that_is_tagged_in_the_code_stands_in_its_papers_note(paper):
    code = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("prompts/*.py"))
    note = (ROOT / "notes" / f"{paper.lower()}.md").read_text(encoding="utf-8")
    tags = set(re.findall(rf"(?<!Co){paper} Eq\. \((\d+)\)", code))
    assert tags and {number for number in tags if f"Eq. ({number})" not in note} == set()


def test_the_table_of_symbols_has_every_paper_and_names_code_that_exists():
    text = (ROOT / "notes" / "notation.md").read_text(encoding="utf-8")
    sources = [*ROOT.glob("prompts/**/*.py"), *ROOT.glob("clip_min/**/*.py"), ROOT / "train.py"]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    rows = [row.split(" | ") for row in re.findall(r"^\| (.*) \|$", text, re.MULTILINE)]
    assert rows[0] == ["what", "CoOp", "CoCoOp", "UPT", "code", "shape"]
    spans = " ".join(span for row in rows[2:] for span in re.findall(r"`([^`]*)`", row[4]))
    assert [
        name for name in re.findall(r"[A-Za-z_]\w+", spans) if not re.search(rf"\b{name}\b", code)
    ] == []
