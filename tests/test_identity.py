"""Never a stale number: what can change a result is part of its key, and nothing else is.

Keys are made of folders, never of lists of files. The same command prints the result that it has,
and a table shows the row that the present code, CLIP and pictures would give.
"""

import json
import os
import shutil
import subprocess
import sys
import types

import pytest
from PIL import Image

import eval as eval_script
from clip_min import load_clip
from prompts import METHODS
from prompts.reports.rows import Present, newest
from prompts.runs import code, identity
from prompts.runs.run import Run
from tests.beside import beside
from tests.scripts import ROOT, call, make_row, prompts, rows, train

SHORT = ("--method", "upt", "--shots", 1, "--epochs", 2)


# The key of code


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project's Python files: edit it as you like, but put it right again."""
    root = tmp_path_factory.mktemp("copy")
    for folder in ("clip_min", "prompts"):
        ignored = shutil.ignore_patterns("__pycache__", "*.pt")
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    for script in ("train.py", "eval.py"):
        shutil.copy(ROOT / script, root)
    return root


@pytest.fixture
def code_in(copy, monkeypatch):
    """→ a function: name of a method → `code_of` it in the copy."""
    monkeypatch.setattr(code, "ROOT", copy)

    def code_in(name):
        file = copy / "prompts" / f"{METHODS[name].__module__.split('.')[-1]}.py"
        there = types.SimpleNamespace(__file__=str(file))
        monkeypatch.setitem(sys.modules, METHODS[name].__module__, there)
        return code.code_of(name)

    return code_in


def edited(path, old, new):
    """Edit a file → its text before."""
    text = path.read_text()
    assert old in text, path
    path.write_text(text.replace(old, new, 1))
    return text


def test_every_file_of_clip_min_and_runs_counts_and_none_of_reports(copy, code_in):
    before = code_in("upt")
    places = {"clip_min": "clip_min", "prompts/runs": "prompts/runs", "prompts/reports": None}
    for folder, place in places.items():
        files = sorted((copy / folder).rglob("*.py"))
        for path in [files[0], files[len(files) // 2], files[-1]]:
            text = path.read_text()
            path.write_text(text + "\nEDITED = 1\n")
            changed = [key for key, digest in code_in("upt").items() if before[key] != digest]
            path.write_text(text)
            assert changed == ([place] if place else []), path
    assert {path.relative_to(copy) for path in code.python_files("clip_min")} == {
        path.relative_to(ROOT) for path in (ROOT / "clip_min").rglob("*.py")}


def test_a_new_file_counts_too_and_so_does_a_name(copy, code_in):
    before = code_in("upt")
    (copy / "clip_min" / "weights" / "new.py").write_text("x = 1\n")
    with_new = code_in("upt")
    (copy / "clip_min" / "weights" / "new.py").unlink()
    assert with_new["clip_min"] != before["clip_min"] and code_in("upt") == before


def test_the_methods_own_file_counts_and_no_other_methods(copy, code_in):
    before = code_in("upt"), code_in("coop")
    text = edited(copy / "prompts" / "coop.py", "0.02 * torch.randn", "0.03 * torch.randn")
    after = code_in("upt"), code_in("coop")
    (copy / "prompts" / "coop.py").write_text(text)
    assert after[0] == before[0]
    assert [k for k in after[1] if after[1][k] != before[1][k]] == ["prompts/coop.py"]


def test_what_a_methods_file_imports_counts_and_what_that_imports(copy, code_in):
    helper, deeper = copy / "prompts" / "my_helper.py", copy / "my_own" / "constants.py"
    deeper.parent.mkdir()
    deeper.write_text("TWO = 2\n")
    helper.write_text("from my_own.constants import TWO\n")
    text = edited(copy / "prompts" / "upt.py", "import torch\n",
                  "import torch\nfrom prompts import my_helper\n")
    before = code_in("upt")
    assert {"prompts/my_helper.py", "my_own/constants.py"} <= before.keys()
    deeper.write_text("TWO = 3\n")
    after = code_in("upt")
    (copy / "prompts" / "upt.py").write_text(text)
    helper.unlink()
    shutil.rmtree(deeper.parent)
    assert [k for k in after if after[k] != before[k]] == ["my_own/constants.py"]


def test_comments_docstrings_and_layout_do_not_count(tmp_path):
    path, digests = tmp_path / "method.py", []
    texts = ['"""A."""\ndef f(x):\n    """A."""\n    return x + 1\n',
             '"""B, longer."""\n\n\ndef f(x):  # why\n    return (\n        x + 1\n    )\n',
             "def f(x):\n    return x + 2\n"]
    for text in texts:
        path.write_text(text)
        digests.append(code.digest_of_code(path))
    assert digests[0] == digests[1] != digests[2]


def test_two_methods_in_one_file_have_keys_of_their_own():
    assert identity.code_of("joint") != identity.code_of("mlp")


def test_runs_never_import_reports():
    """So what only shows numbers cannot change one."""
    for path in code.python_files("prompts/runs") + code.python_files("clip_min"):
        found = [name for name in code.names_imported(path) if name.startswith("prompts.reports")]
        assert found == [], path


# The other inputs


@pytest.fixture(scope="module")
def short_run(few_pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("short")
    assert train(out, *SHORT) == 0
    return out


@pytest.fixture
def finished(short_run, tmp_path):
    """A copy of the folder of one finished run."""
    shutil.copytree(short_run, tmp_path / "runs")
    return tmp_path / "runs"


def test_what_lies_beside_the_weights_is_part_of_the_key(few_pictures, tmp_path):
    """GELU, mean and std, merges: each gives another result of the same weights, and a new row."""
    folder, out = tmp_path / "clip", tmp_path / "runs"
    folder.mkdir()
    world = ROOT / "clip_min" / "world"
    shutil.copy(world / "tiny.pt", folder / "weights.pt")
    shutil.copy(world / "merges.txt", folder)
    clip, weights = load_clip("tiny"), folder / "weights.pt"
    assert load_clip(weights).reading == clip.reading
    preprocess = dict(mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])
    model = dict(embed_dim=128, quick_gelu=True, vision_cfg={}, text_cfg={})
    merges = (folder / "merges.txt").read_text().splitlines(keepends=True)
    edits = [
        ("open_clip_config.json", json.dumps(dict(model_cfg={**model, "quick_gelu": False}))),
        ("open_clip_config.json", json.dumps(dict(model_cfg=model, preprocess_cfg=preprocess))),
        ("merges.txt", "".join([*merges[:200], *merges[201:210], merges[200], *merges[210:]])),
    ]
    command = ("--method", "zero_shot", "--model", weights)
    assert train(out, *command) == 0
    for number, (name, text) in enumerate(edits, start=2):
        old = (folder / name).read_text() if (folder / name).exists() else None
        (folder / name).write_text(text)
        assert train(out, *command) == 0 and len(rows(out)) == number, name
        again = ("--model", weights, "--dataset", "toy-satellite", "--out", out)
        assert call(eval_script, *again) == 0
        assert rows(out)[-1]["clip"] == rows(out)[-2]["clip"] != rows(out)[0]["clip"]
        (out / "results.jsonl").write_text(  # without eval.py's row
            "".join(f"{json.dumps(row)}\n" for row in rows(out)[:-1]))
        (folder / name).unlink() if old is None else (folder / name).write_text(old)


def draw_folder(folder, number=3):
    """Three pictures of each class, in train/ and test/."""
    for name in ("apple", "pear"):
        for part in ("train", "test"):
            (folder / part / name).mkdir(parents=True)
            for i in range(number):
                red = (40 * i, 200 * (name == "pear"), 0)
                Image.new("RGB", (9, 9), red).save(folder / part / name / f"{i}.bmp")


def test_new_pictures_make_new_rows_and_say_why(few_pictures, tmp_path, capsys):
    folder, out = tmp_path / "mine", tmp_path / "runs"
    draw_folder(folder)
    command = ("--method", "coop", "--shots", 1, "--epochs", 1, "--dataset", f"{folder}/")
    assert train(out, *command) == 0
    for part, why, new in (("train", "the training pictures", ["coop"]),
                           ("test", "the evaluated pictures", ["zero_shot", "coop"])):
        before = len(rows(out))
        Image.new("RGB", (9, 9), "green").save(folder / part / "apple" / "9.bmp")
        assert train(out, *command) == 0
        assert f"again because {why} changed" in capsys.readouterr().out
        assert [row["method"] for row in rows(out)[before:]] == new


def test_pictures_of_equal_size_and_time_that_change_places_are_noticed(few_pictures, tmp_path):
    """Feature store, digest and row: `mv` keeps the time of change of what a file holds."""
    folder, out = tmp_path / "mine", tmp_path / "runs"
    draw_folder(folder)
    apple, pear = folder / "test" / "apple" / "0.bmp", folder / "test" / "pear" / "0.bmp"
    for path in (apple, pear):
        os.utime(path, ns=(10**18, 10**18))
    command = ("--method", "zero_shot", "--dataset", folder)
    assert train(out, *command) == 0
    apple.rename(folder / "aside")
    pear.rename(apple)
    (folder / "aside").rename(pear)
    assert train(out, *command) == 0
    assert train(tmp_path / "fresh", *command) == 0
    assert len(rows(out)) == 2
    assert rows(out)[-1]["accuracy"] == rows(tmp_path / "fresh")[-1]["accuracy"]


# One key for rows, prompt files, resuming, tables and eval.py


def test_the_same_command_again_computes_nothing_and_writes_nothing(finished, monkeypatch, capsys):
    before = (finished / "results.jsonl").read_bytes()
    monkeypatch.setattr(Run, "build_method", lambda self: pytest.fail("computed again"), False)
    monkeypatch.setattr("prompts.runs.plan.check", lambda runs: None)
    assert train(finished, *SHORT) == 0
    assert (finished / "results.jsonl").read_bytes() == before
    assert "already in" in capsys.readouterr().out


@pytest.fixture
def other_code(monkeypatch):
    """→ a function: from now on, the code counts as another one at this place."""
    whole = identity.code_of

    def change(place):
        def code_of(name):
            return {**whole(name), place: "edited00"}

        for module in ("identity", "plan"):
            monkeypatch.setattr(f"prompts.runs.{module}.code_of", code_of)
        monkeypatch.setattr("prompts.reports.rows.code_of", code_of)

    return change


def test_after_an_edit_the_same_command_learns_again_and_says_why(finished, other_code, capsys):
    other_code("prompts/upt.py")
    assert train(finished, *SHORT) == 0
    assert "again because prompts/upt.py changed" in capsys.readouterr().out
    (prompt,) = prompts(finished).values()
    assert rows(finished)[-1]["code"]["prompts/upt.py"] == "edited00"
    assert prompt["code"]["prompts/upt.py"] == "edited00"


def test_an_old_prompt_that_is_evaluated_is_not_taken_for_todays_code(finished, other_code, capsys):
    (path,) = finished.rglob("prompt.pt")
    other_code("prompts/upt.py")
    assert call(eval_script, path, "--out", finished) == 0
    assert rows(finished)[-1]["evaluated_with"]["code"]["prompts/upt.py"] == "edited00"
    assert train(finished, *SHORT) == 0
    assert "again because prompts/upt.py changed" in capsys.readouterr().out


def test_eval_writes_the_row_that_train_writes(finished):
    (path,) = finished.rglob("prompt.pt")
    assert call(eval_script, path, "--out", finished) == 0
    learned, again = rows(finished)[-2:]
    assert identity.key_of(learned) == identity.key_of(again)


def test_a_row_that_a_command_finds_again_becomes_the_newest_of_its_kind(finished):
    old = rows(finished)[-1]
    newer = dict(old, code={**old["code"], "train.py": "0"}, accuracy=1.25)
    with open(finished / "results.jsonl", "a") as file:
        file.write(json.dumps(newer) + "\n")
    assert train(finished, *SHORT) == 0
    assert rows(finished)[-1] == old
    assert train(finished, *SHORT) == 0 and len(rows(finished)) == 4


def test_a_prompt_of_another_recipe_is_not_this_runs(finished):
    (path,) = finished.rglob("prompt.pt")
    changed = finished / "prompt.pt"
    shutil.copy(path, changed)
    assert train(finished, *SHORT, "--lr", 0.5) == 0
    assert len(prompts(finished)) == 3 and len(rows(finished)) == 3


# Tables


def present(**inputs):
    """A `Present().inputs` that knows these inputs only."""
    return lambda row: inputs


def test_of_one_kind_the_present_row_counts_even_if_an_older_one_was_added_later():
    now, before = {"train.py": "now"}, {"train.py": "before"}
    given = [make_row(accuracy=60, code=now), make_row(accuracy=1, code=before)]
    for order in (given, given[::-1]):
        counted = newest(order, present(code=now))
        assert [row["accuracy"] for row in counted.rows] == [60] and counted.older == []


def test_where_there_is_only_an_older_row_it_counts_and_is_named():
    counted = newest([make_row(code={"train.py": "before"})], present(code={"train.py": "now"}))
    assert len(counted.rows) == len(counted.older) == 1


def test_rows_on_other_pictures_than_those_of_now_do_not_count():
    """Replaced, and put back: the first row is the one of now, though it is not the last."""
    given = [make_row(accuracy=86, pictures="a"), make_row("upt", pictures="a"),
             make_row(accuracy=83, pictures="b")]
    counted = newest(given, present(pictures="a"))
    assert [row["accuracy"] for row in counted.rows] == [86, 50] and counted.outdated == []
    counted = newest(given, present(pictures="b"))
    assert [row["method"] for row in counted.outdated] == ["upt"]
    assert [row["accuracy"] for row in counted.rows] == [83]


def test_a_row_that_was_evaluated_with_other_code_is_older():
    row = make_row(code={"x": "1"}, evaluated_with={"code": {"x": "2"}})
    assert newest([row], present(code={"x": "1"})).older == [row]


def test_what_the_inputs_are_now_is_known_for_what_is_on_this_disk(few_pictures, finished):
    row = rows(finished)[-1]
    assert Present().inputs(row) == {key: row[key] for key in
                                     ("code", "clip", "pictures", "trained_pictures")}
    away = dict(row, dataset="eurosat", trained_on="eurosat", model="ViT-B/16")
    assert Present().inputs(away).keys() == {"code"}


# The whole of it, with real edits, in processes of their own


@beside
def edits(folder):
    """What each command prints: run, break `preprocess.py`, run, put it right, run, table."""
    root = folder / "project"
    for part in ("clip_min", "prompts"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for script in ("train.py", "eval.py"):
        shutil.copy(ROOT / script, root)
    edited(root / "clip_min/world/benchmarks.py", '{"train": 48, "val": 16, "test": 60}',
           '{"train": 2, "val": 1, "test": 6}')
    command = "train.py --method coop --shots 1 --epochs 1 --views 1".split()

    def run(*words):
        environment = os.environ | dict(OMP_NUM_THREADS="1")
        done = subprocess.run([sys.executable, *words], cwd=root, env=environment, text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    printed = {"first": run(*command)}
    breaks = {
        "store": ("prompts/runs/store.py", "dataset.templates[0], **opt", '"x {}", **opt'),
        "names": ("clip_min/weights/names.py", "def openai_names(tensors", None),
        "preprocess": ("clip_min/preprocess.py", "    def __call__(self, image):", None),
    }
    for name, (file, old, new) in breaks.items():
        if new is None and name == "names":
            text = (root / file).read_text()
            (root / file).write_text(text + "\n\ndef scaled(function):\n    def f(tensors):\n"
                                     "        state, *more = function(tensors)\n"
                                     "        halved = {k: v / 2 for k, v in state.items()}\n"
                                     "        return halved, *more\n"
                                     "    return f\n\n\nopenai_names = "
                                     "scaled(openai_names)\n")
        elif new is None:
            text = (root / file).read_text()
            (root / file).write_text(text + "\n\nMEAN_OF_BLACK = 1\nPreprocess.__call__ = lambda "
                                     "self, image: __import__('torch').zeros(3, self.size, "
                                     "self.size)\n")
        else:
            text = edited(root / file, old, new)
        printed[name] = run(*command)
        printed[f"{name}, fresh"] = run(*command, "--out", f"fresh-{name}")
        (root / file).write_text(text)
    printed["again"] = run(*command)
    printed["table"] = run("eval.py", "--table", "few-shot")
    return printed


def accuracies(printed):
    """The last lines of train.py → {method: accuracy}."""
    lines = [line.split() for line in printed.splitlines()[-2:]]
    return {words[0]: words[1] for words in lines}


def test_an_edit_anywhere_below_gives_the_number_of_a_fresh_start(edits):
    for name in ("store", "names", "preprocess"):
        assert accuracies(edits[name]) == accuracies(edits[f"{name}, fresh"])
    assert accuracies(edits["store"]) != accuracies(edits["first"])
    assert accuracies(edits["preprocess"]) != accuracies(edits["first"])


def test_after_an_edit_is_taken_back_train_and_table_show_the_first_numbers(edits):
    assert accuracies(edits["again"]) == accuracies(edits["first"])
    for method, accuracy in accuracies(edits["first"]).items():
        (line,) = [line for line in edits["table"].splitlines()
                   if method.replace("-", "_") in line.split()]
        assert f"{float(accuracy):.1f}" in line
    assert "older" not in edits["table"]
