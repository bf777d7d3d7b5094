"""The smallest version prints what train.py prints, and the checks tell right from wrong."""

import re
import sys

import pytest
import torch

import train
from notes.first import coop_in_one_file, solution
from notes.first.__main__ import check
from tests.helpers import ROOT

SOLUTION = ROOT / "notes" / "first" / "solution.py"
WRONG = {  # step: (right, wrong, what the check says)
    2: ("torch.tensor([len(row) - 1", "torch.tensor([len(row) - 2", "places of .EOS."),
    3: (".tril()", ".triu()", "largest difference"),
    5: ("F.normalize(features, dim=-1))[:, None]", "features)[:, None]", "7 times as long"),
    6: ("x[:, 1:]], dim=1))", "x[:, 1:]], dim=1).flip(1))", "largest difference"),
}


def test_one_file_prints_what_the_script_prints_to_the_last_digit(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "--method", "coop", "--shots", "2", "--epochs",
                                      "4", "--out", str(tmp_path)])
    train.main()
    theirs = numbers_in(capsys.readouterr().out)
    coop_in_one_file.learn(shots=2, epochs=4)
    assert numbers_in(capsys.readouterr().out) == theirs
    assert len(theirs) > 8


def numbers_in(text):
    """What a run printed → its epochs and its accuracies."""
    pattern = r"epoch +\d+/\d+  loss +[\d.]+  training accuracy +[\d.]+ %  lr [\d.]+"
    epochs = re.findall(pattern, text)
    table = re.findall(r"(?:zero-shot|coop) +[\d.]+ %", text)
    return [word for line in [*epochs, *table] for word in line.split()]


def test_one_file_is_short_and_imports_torch_and_clip_min_only():
    text = (ROOT / "notes" / "first" / "coop_in_one_file.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 130
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported == {"math", "sys", "zlib", "torch", "clip_min"}


@pytest.mark.parametrize("step", [2, 3, 5, 6])
def test_a_step_is_right_with_the_solution_and_wrong_with_a_mistake(step, tmp_path, monkeypatch):
    if step == 3:  # without the accuracy, which takes pictures
        monkeypatch.setattr("notes.first.steps.accuracy", lambda vectors: 48.19)
    assert check(step, SOLUTION)[0]
    right, wrong, words = WRONG[step]
    text = SOLUTION.read_text(encoding="utf-8")
    assert text.count(right) == 1
    mine = tmp_path / "my_prompts.py"
    mine.write_text(text.replace(right, wrong), encoding="utf-8")
    is_right, said = check(step, mine)
    assert not is_right and re.search(words, said)


def test_an_empty_file_and_no_file_are_told_what_to_do(tmp_path):
    mine = tmp_path / "my_prompts.py"
    with pytest.raises(ValueError, match="make an empty file"):
        check(2, mine)
    mine.write_text("")
    assert "has no splice yet" in check(2, mine)[1]
    mine.write_text("def splice(clip, names, context):\n    return 1 / 0\n")
    assert "ZeroDivisionError" in check(2, mine)[1]


def test_a_loop_that_learns_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("notes.first.steps.training_batches", lambda *_: lambda epoch: [])
    is_right, said = check(4, SOLUTION)
    assert not is_right and "has not moved" in said
    assert torch.is_grad_enabled() and solution
