"""Tables of a student and of a class, pages to print, and a student's copy."""

import csv
import os
import subprocess
import sys

import pytest

from notes.exercises import classroom, cut, page, student_copy
from notes.exercises.classroom import Verdict
from notes.exercises.sheets import SHEETS
from notes.exercises.tasks import EXERCISES
from notes.exercises.variants import exercise_of
from tests.test_exercises import command, starter

FAKE = """
import os
print("Exercise 9 is right.", flush=True)
os._exit(0)
"""
THREAD = """
import os, threading, time
threading.Thread(target=time.sleep, args=(10**6,)).start()
os.close(1)
"""
RIGHT, LOOP = cut.read("train.py"), "while True:\n    print('right' * 1000)\n"


def write_file(folder, number, text):
    """A student's file."""
    path = folder / f"exercise-{number:02}" / EXERCISES[number].file.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_each_check_is_a_process_that_cannot_be_answered_by_printing(tmp_path):
    write_file(tmp_path, 9, RIGHT + THREAD)  # what it leaves behind does not matter
    assert classroom.verdict_of(9, tmp_path, 100) == Verdict("right")
    write_file(tmp_path, 9, FAKE)
    word, sentence = classroom.verdict_of(9, tmp_path, 100)
    assert word == "not yet" and "ended by the file itself (exit status 0)" in sentence


def test_a_file_that_never_ends_is_ended(tmp_path):
    write_file(tmp_path, 9, LOOP)
    word, sentence = classroom.verdict_of(9, tmp_path, 1)
    assert word == "not yet" and "did not end within 1 s" in sentence


def test_a_process_that_cannot_be_interrupted_is_ended(monkeypatch, tmp_path):
    def run(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(classroom.subprocess, "run", run)
    write_file(tmp_path, 9, LOOP)
    assert "within 130 s by the clock" in classroom.verdict_of(9, tmp_path, 1).sentence
    ended = subprocess.CompletedProcess([], -classroom.CPU_IS_USED_UP, stdout="")
    monkeypatch.setattr(classroom.subprocess, "run", lambda *_, **__: ended)
    assert "within 1 s, and could not be" in classroom.verdict_of(9, tmp_path, 1).sentence


@pytest.fixture
def told(monkeypatch):
    """What the processes say: {text of a file: sentence}."""
    answers = {RIGHT: None, "blank": "still blank. Exercise 9", "wrong": "Epoch 0 of 1"}

    def told_by_process(number, path, seconds):
        return answers[path.read_text(encoding="utf-8")]

    monkeypatch.setattr(classroom, "told_by_process", told_by_process)


def test_all_files_of_a_student(monkeypatch, tmp_path, told):
    write_file(tmp_path, 9, RIGHT)
    assert command(monkeypatch, "check", "all", "--folder", tmp_path)[0] == 0
    write_file(tmp_path, 2, "wrong")
    write_file(tmp_path, 3, starter(7))
    status, text = command(monkeypatch, "check", "all", "--folder", tmp_path)
    assert status == 1 and "not yet: Epoch 0 of 1" in text
    assert "not yet: it is the file of exercise 7." in text
    assert "1 right of 3 files, and 26 exercises." in text and text.count("no file") == 23


def test_a_table_of_a_class_as_text_and_as_csv(monkeypatch, tmp_path, told):
    folder = tmp_path / "class"
    write_file(folder / "ada", 9, RIGHT)
    write_file(folder / "ada", 2, "wrong")
    write_file(folder / "bob", 9, "blank")
    table = tmp_path / "table.csv"
    status, text = command(monkeypatch, "check", "--class", folder, "--csv", table)
    assert status == 0 and "runs the students' code" in text
    assert [line.split() for line in text.splitlines()[:3]] == [["2", "9", "right"],
                                                                ["ada", "-", "+", "1"],
                                                                ["bob", ".", "o", "0"]]
    with open(table, encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["student", "2", "9", "right"], ["ada", "not yet", "right", "1"],
                    ["bob", "no file", "blank", "0"]]
    _, text = command(monkeypatch, "check", "9", "--class", folder)
    assert text.splitlines()[0].split() == ["9", "right"]


@pytest.mark.parametrize("number", EXERCISES)
def test_a_page_has_the_task_the_equation_the_figure_and_room(number, tmp_path):
    sheet, exercise = SHEETS[number], EXERCISES[number]
    path = page.write(number, 0, tmp_path)
    text = path.read_text(encoding="utf-8")
    task, _, question = exercise.task.strip().partition("Question: ")
    assert exercise.title in text and task.strip() in text and question in text
    assert sheet.equation in text and text.count("_" * 90) == page.LINES
    assert sheet.figure or sheet.drawing or sheet.equation
    if sheet.figure:
        name = sheet.figure.rpartition("/")[2]
        assert (tmp_path / name).stat().st_size > 1000 and f"]({name})" in text


def test_a_page_of_another_year_asks_with_other_numbers(tmp_path):
    text = page.write(18, 1, tmp_path).read_text(encoding="utf-8")
    assert "90 and 50" in text and "80 and 60" not in text


def test_a_students_copy_works_and_tells_no_answers(tmp_path):
    folder = tmp_path / "copy"
    student_copy.write(folder, seed=1)
    texts = {path: path.read_text(encoding="utf-8") for path in folder.glob("**/*.py")}
    for number, exercise in EXERCISES.items():
        asked = exercise_of(number, 1)[0]
        for place in (*asked.planted[:1], *asked.blanks):
            lines = cut.read(exercise.file).splitlines()[slice(
                *cut.span(cut.read(exercise.file), place))]
            own = folder / "notes/exercises/starters" / f"{number:02}.py"
            longest = max(lines, key=len).strip()
            assert longest not in texts[own] or "Joint" in longest
    assert "position <= position[:, None]" not in "".join(texts.values())
    assert not (folder / "notes/exercises/teachers.md").exists()
    text = run_in(folder, "-m", "notes.exercises", "2")
    assert "Attention: the causal mask" in text
    assert (folder / "exercise-02/model.py").read_text(encoding="utf-8") == starter(2)
    assert "still blank" in run_in(folder, "-m", "notes.exercises", "check", "2")
    assert "your teacher has the answers" in run_in(folder, "-m", "notes.exercises", "solution",
                                                    "2")
    with pytest.raises(ValueError, match="name a new folder"):
        student_copy.write(folder)


def run_in(folder, *words):
    """Python with these words in another folder → what it prints."""
    environment = {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
    process = subprocess.run([sys.executable, *words], cwd=folder, env=environment,
                             capture_output=True, text=True)
    return process.stdout + process.stderr
