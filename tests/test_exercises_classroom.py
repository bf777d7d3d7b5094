"""Tables of a student and of a class, in every format; pages to print; a student's copy."""

import csv
import json
import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from notes.exercises import classroom, cut, page, reports, student_copy
from notes.exercises.classroom import Limits, Verdict
from notes.exercises.sheets import SHEETS
from notes.exercises.tasks import EXERCISES
from tests.test_exercises import command, starter

RIGHT = cut.read("train.py")
LIMITS = Limits(seconds=20)


def write_file(folder, number, text, name="exercise-{:02}"):
    """A student's file."""
    path = folder / name.format(number) / EXERCISES[number].file.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def verdicts(texts, folder, limits=LIMITS, jobs=2):
    """{key: text of an answer to exercise 9} → {key: Verdict}, each from a process of its own."""
    files = [(key, 9, write_file(folder / key, 9, text)) for key, text in texts.items()]
    return dict(classroom.verdicts_of(files, limits, jobs))


def test_each_file_has_a_process_that_cannot_be_answered_by_printing_or_harmed_by_others(tmp_path):
    found = verdicts({
        "right": RIGHT,
        "thread": RIGHT + "\nimport threading, time\n"
                          "threading.Thread(target=time.sleep, args=(10**6,)).start()\n",
        "fake": "import os\nprint('Exercise 9 is right.', flush=True)\nos._exit(0)\n",
        "global": "import torch\ntorch.set_default_dtype(torch.float64)\n" + RIGHT,
        "memory": "x = bytearray(10**10)\n" + RIGHT,
        "blank": starter(9), "other": starter(7), "nothing": "x = 1\n",
        "after": RIGHT}, tmp_path, Limits(20, memory=1000))
    words = {key: verdict.word for key, verdict in found.items()}
    assert words == {"right": "right", "thread": "right", "global": "right", "after": "right",
                     "fake": "not yet", "memory": "not yet", "blank": "blank", "other": "not yet",
                     "nothing": "not yet"}
    assert "ended by the file itself (exit status 0)" in found["fake"].sentence
    assert "wants more memory than 1000 MB" in found["memory"].sentence
    assert found["other"].sentence == "it is the file of exercise 7."


def test_what_never_ends_is_ended_with_all_that_it_has_started(tmp_path):
    child = tmp_path / "child"
    found = verdicts({
        "loop": "while True:\n    print('right' * 1000)\n",
        "children": "import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', 'import "
                    f"time; time.sleep(600)'])\nopen({str(child)!r}, 'w').write(str(p.pid))\n"
                    "raise SystemExit\n"}, tmp_path, Limits(seconds=0.5))
    assert "did not end within 0.5 s" in found["loop"].sentence
    assert "SystemExit" in found["children"].sentence
    for _ in range(100):
        status = f"/proc/{child.read_text()}/status"
        if not os.path.exists(status) or "State:\tZ" in open(status).read():
            return
        time.sleep(0.05)
    pytest.fail("a process that the file has started is still there")


def test_what_cannot_be_interrupted_is_ended(tmp_path):
    stubborn = "while True:\n    try:\n        while True: pass\n    except BaseException: pass\n"
    check = classroom.Check(9, write_file(tmp_path, 9, stubborn), Limits(0.1))
    check.end = time.monotonic()
    assert "within 121 s by the clock, and could not be" in check.finish().sentence
    assert check.process.exitcode is not None


def test_folders_are_found_as_students_and_archives_name_them(tmp_path):
    for name in ("exercise-2", "Exercise-02", "exercise_2", "EXERCISE 2", "upload/exercise-02"):
        folder = tmp_path / re.sub(r"\W", "-", name)
        path = write_file(folder, 2, "x", name)
        assert classroom.file_of(2, folder) == path, name
        assert classroom.file_of(22, folder) is None
    course = tmp_path / "course"
    for name in ("ada", "Bob Babbage_1234_assignsubmission_file_", ".git", "__pycache__",
                 "exercise-02", "Bob Babbage_99_assignsubmission_file_"):
        (course / name).mkdir(parents=True)
    assert list(classroom.students_of(course)) == [
        "Bob Babbage", "Bob Babbage_99_assignsubmission_file_", "ada"]


@pytest.fixture
def told(monkeypatch):
    """What the processes say: {text of a file: Verdict}."""
    answers = {RIGHT: Verdict("right"), "blank": Verdict("blank", "still blank. Exercise 9"),
               "wrong": Verdict("not yet", "Epoch 0 of 1 \x07<&> é")}

    def verdicts_of(files, limits, jobs):
        for key, _, path in files:
            verdict = Verdict("no file")
            if path:
                text = path.read_text(encoding="utf-8")
                if text == "Ctrl-C":
                    raise KeyboardInterrupt
                verdict = answers[text]
            yield key, verdict

    monkeypatch.setattr(classroom, "verdicts_of", verdicts_of)


def test_all_files_of_a_student_and_gradescopes_results(monkeypatch, tmp_path, told):
    write_file(tmp_path, 9, RIGHT)
    assert command(monkeypatch, "check", "all", "--folder", tmp_path)[0] == 0
    write_file(tmp_path, 2, "wrong")
    write_file(tmp_path, 3, "blank")
    results = tmp_path / "results.json"
    status, text = command(monkeypatch, "check", "all", "--folder", tmp_path, "--gradescope",
                           results)
    assert status == 1 and "not yet: Epoch 0 of 1" in text
    assert "1 right of 3 files, and 26 exercises." in text and text.count("no file") == 23
    found = json.loads(results.read_text(encoding="utf-8"))
    points = reports.read_points()
    assert set(points) == set(EXERCISES) and found["score"] == points[9] > 0
    assert [test["score"] for test in found["tests"] if test["score"]] == [points[9]]
    assert found["tests"][1] == {
        "number": "2", "name": EXERCISES[2].title, "max_score": points[2], "score": 0,
        "status": "failed", "output": "not yet: Epoch 0 of 1 \x07<&> é"}


def test_a_table_of_a_class_in_every_format(monkeypatch, tmp_path, told):
    folder, paths = tmp_path / "class", {}
    write_file(folder / "=ada", 9, RIGHT)
    write_file(folder / "=ada", 2, "wrong")
    write_file(folder / "bob", 9, "blank")
    words = ["check", "--class", folder]
    for name in ("csv", "json", "junit", "gradescope"):
        paths[name] = tmp_path / f"table.{name}"
        words += [f"--{name}", paths[name]]
    status, text = command(monkeypatch, *words)
    assert status == 1 and "runs the students' code" in text
    lines = text.splitlines()
    assert [line.split() for line in (*lines[:2], lines[3])] == [
        ["2", "9", "right"], ["=ada", "-", "+", "1"], ["bob", ".", "o", "0"]]
    assert "2: Epoch 0 of 1" in lines[2]
    assert paths["csv"].read_bytes().startswith(b"\xef\xbb\xbf")
    with open(paths["csv"], encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["student", "2", "9", "right", "what is wrong"],
            ["'=ada", "not yet", "right", "1", "2: Epoch 0 of 1 \x07<&> é"],
            ["bob", "no file", "blank", "0", ""]]
    found = json.loads(paths["json"].read_text(encoding="utf-8"))
    assert found["=ada"]["2"]["word"] == "not yet" and found["bob"]["9"]["word"] == "blank"
    ada, bob = ElementTree.parse(paths["junit"]).getroot()
    assert ada.attrib == {"name": "=ada", "tests": "2", "skipped": "0", "failures": "1"}
    assert ada[0][0].attrib["message"] == "Epoch 0 of 1 ?<&> é" and len(ada[1]) == 0
    assert [child.tag for case in bob for child in case] == ["skipped", "failure"]
    ada = json.loads((paths["gradescope"] / "=ada.json").read_text(encoding="utf-8"))
    assert ada["score"] == reports.read_points()[9]
    status, text = command(monkeypatch, "check", "9", "--class", folder)
    assert text.splitlines()[0].split() == ["9", "right"]
    (folder / "bob/exercise-09/train.py").write_text(RIGHT, encoding="utf-8")
    assert command(monkeypatch, "check", "9", "--class", folder)[0] == 0


def test_a_file_that_cannot_be_written_is_noticed_first_and_ctrl_c_loses_nothing(
        monkeypatch, tmp_path, told):
    folder, table = tmp_path / "class", tmp_path / "table.csv"
    write_file(folder / "ada", 9, RIGHT)
    write_file(folder / "bob", 9, "Ctrl-C")
    status, text = command(monkeypatch, "check", "--class", folder, "--csv", tmp_path / "no/x.csv")
    assert status == 2 and "no/x.csv cannot be written" in text and "ada" not in text
    flags = SimpleNamespace(csv=table, json=tmp_path / "x.json", junit=None, gradescope=None,
                            seconds=9, memory=999, jobs=1)
    with pytest.raises(KeyboardInterrupt):
        classroom.check_class(folder, [9], flags)
    assert "ada,right,1" in table.read_text(encoding="utf-8-sig")
    assert list(json.loads(flags.json.read_text())) == ["ada"]


def test_points_that_cannot_be_read_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(reports, "POINTS", tmp_path / "points.csv")
    reports.POINTS.write_text("exercise,points\n2,1.5\n3,4\n")
    assert reports.read_points()[2] == 1.5 and reports.read_points()[4] == 0
    reports.POINTS.write_text("exercise,points\n2,many\n")
    with pytest.raises(ValueError, match="2,many"):
        reports.read_points()


def test_a_page_has_the_task_the_equation_the_figure_and_room(tmp_path):
    for number, exercise in EXERCISES.items():
        sheet, path = SHEETS[number], page.write(number, 0, tmp_path)
        text = path.read_text(encoding="utf-8")
        task, _, question = exercise.task.strip().partition("Question: ")
        assert exercise.title in text and task.strip() in text and question in text
        assert sheet.equation in text and text.count("_" * 90) == page.LINES
        if sheet.figure:
            name = sheet.figure.rpartition("/")[2]
            assert (tmp_path / name).stat().st_size > 1000 and f"]({name})" in text


def test_a_students_copy_works_tells_no_answers_and_has_no_dead_links(tmp_path):
    folder = tmp_path / "copy"
    student_copy.write(folder, seed=1)
    with pytest.raises(ValueError, match="name a new folder"):
        student_copy.write(folder)
    answers = {number: student_copy.answers_of(number) for number in EXERCISES}
    every = [line for lines in answers.values() for line in lines]
    for path in folder.glob("**/*.py"):
        text = path.read_text(encoding="utf-8")
        own = answers[int(path.stem)] if path.parent.name == "starters" else []
        assert not student_copy.has_answer(text, [a for a in every if a not in own]), path
    for path in folder.glob("**/*.md"):
        text = path.read_text(encoding="utf-8")
        assert "tree.position]" not in text
        for target in re.findall(r"\]\(([\w./-]+\.\w+)", text):
            assert (path.parent / target).exists(), (path, target)
    assert "METHODS['coop'](load_clip('tiny')" in (folder / "notes/fast.md").read_text("utf-8")
    assert not (folder / "notes/exercises/teachers.md").exists()
    assert (folder / "prompts/runs/features.py").exists()
    text = run_in(folder, """
from notes.exercises.__main__ import main
for words in ("2", "check 2", "solution 2"):
    sys.argv[1:] = words.split()
    try:
        main()
    except ValueError as error:
        print(error)""")
    assert "Attention: the causal mask" in text and "still blank" in text
    assert (folder / "exercise-02/model.py").read_text(encoding="utf-8") == starter(2)
    assert "your teacher has the answers" in text


def run_in(folder, code):
    """Python code in another folder → what it prints."""
    process = subprocess.run([sys.executable, "-c", f"import sys\n{code}"], cwd=folder, text=True,
                             env={**os.environ, "PYTHONPATH": ""}, capture_output=True)
    return process.stdout + process.stderr
