"""One page of an exercise to print: Markdown with the task, the equation, the figure, and room."""

import shutil
from pathlib import Path

from notes.exercises.cut import ROOT
from notes.exercises.sheets import SHEETS
from notes.exercises.variants import exercise_of, with_words

LINES = 8  # to write on


def write(number, seed, folder):
    """A number, a variant's seed and a folder → the path of the page; its figure lies beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "page.md"
    path.write_text(text_of(number, seed), encoding="utf-8")
    figure = SHEETS[number].figure
    if figure:
        shutil.copy(ROOT / "notes" / figure, folder / Path(figure).name)
    return path


def text_of(number, seed):
    """A number and a variant's seed → the page, with the variant's words everywhere."""
    (exercise, variant), sheet = exercise_of(number, seed), SHEETS[number]
    task, _, question = exercise.task.strip().partition("Question: ")
    parts = [f"# Exercise {number}: {exercise.title}", f"Name: {'_' * 30}    Date: {'_' * 12}",
             f"File: {exercise.file}. {exercise.minutes} minutes.", task.strip(), sheet.equation]
    if sheet.drawing:
        parts.append(f"```\n{sheet.drawing.strip(chr(10))}\n```")
    if sheet.figure:
        parts.append(f"![{sheet.caption}]({Path(sheet.figure).name})\n\n*{sheet.caption}*")
    if question:
        parts.append(f"**Question.** {question}")
    parts.append("**My notes**\n\n" + "\n\n".join(["_" * 90] * LINES))
    return with_words("\n\n".join(parts) + "\n", variant)
