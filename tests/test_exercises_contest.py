"""Exercise 22: what cannot win, and the training of its check on very few pictures."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from notes.exercises import cut
from notes.exercises.checks import contest
from notes.exercises.judge import Wrong, load
from notes.exercises.tasks import EXERCISES

FEW = contest.Setting(shots=1, epochs=2, tests=2, seeds=(1,))


def student(tmp_path, **replaced):
    """The project's joint.py as a student's file."""
    path = tmp_path / "joint.py"
    path.write_text(cut.read(EXERCISES[22].file), encoding="utf-8")
    module = load(path)
    for name, value in replaced.items():
        setattr(module, name, value)
    return module


def told(monkeypatch, before, after, zero_shot=44.0, upt=61.0):
    """What the check says of these accuracies, None if it is right."""
    monkeypatch.setattr(contest, "build", lambda *_: None)
    monkeypatch.setattr(contest, "learned_numbers", lambda *_: 2560)
    monkeypatch.setattr(contest, "accuracies", lambda *_: [before, after])
    monkeypatch.setattr(contest, "accuracies_of_upt", lambda _: [40.0, upt])
    monkeypatch.setattr(contest, "zero_shot_accuracy", lambda _: zero_shot)
    try:
        contest.beat_upt(SimpleNamespace(Joint=object, TINY=None))
    except Wrong as error:
        return str(error)
    return None


def test_it_has_to_learn_and_to_beat_both(monkeypatch, capsys):
    assert "does not learn" in told(monkeypatch, 70.0, 70.0)
    assert "does not beat zero-shot" in told(monkeypatch, 40.0, 43.0)
    assert "does not beat UPT" in told(monkeypatch, 40.0, 60.9)
    assert told(monkeypatch, 40.0, 61.1) is None
    line = capsys.readouterr().out.splitlines()[-1]
    assert "yours 61.1 % with 2,560 numbers (before learning 40.0 %)" in line
    assert "zero-shot 44.0 %, UPT 61.0 %" in line


def test_winning_by_learning_nothing_does_not_count(tmp_path, capsys):
    """Fixed words, and a rate of almost 0."""
    own = student(tmp_path)
    own.TINY = own.TINY.with_changes(lr=1e-9)
    with pytest.raises(Wrong, match="does not learn"):
        contest.beat_upt(own, FEW)
    assert "UPT" in capsys.readouterr().out


def test_the_training_is_that_of_train_py(tmp_path, monkeypatch):
    own, calls = student(tmp_path), []
    monkeypatch.setattr(contest, "train", lambda *args: calls.append(args))
    before, after = contest.accuracies(own.Joint, own.TINY, FEW)
    ((method, batches_of_epoch, recipe, seed),) = calls
    assert before == after and len(contest.test_pictures(FEW)) == 24
    assert recipe == own.TINY.with_changes(epochs=2) and seed == 1
    assert [len(labels) for _, labels in batches_of_epoch(0)] == [12]


def joint_with(T, V):
    """A Joint whose prompts are made by these functions of it."""

    class Joint(nn.Module):
        image_tower_is_frozen = False

        def __init__(self, clip, classnames, template=None):
            super().__init__()
            self.clip, self.K = clip, len(classnames)
            self.T, self.V = nn.Parameter(torch.ones(128)), nn.Parameter(torch.ones(128))
            self.weights = torch.randn(self.K, 128)

        def forward(self, images):
            return self.clip.encode_image(images) * T(self.T) @ (self.weights * V(self.V)).T

    return Joint


def same(x):
    """All of it is learned."""
    return x


@pytest.mark.parametrize("T, V, word", [(same, torch.Tensor.detach, "V gets no gradient"),
                                        (torch.Tensor.detach, same, "T gets no gradient"),
                                        (same, lambda V: 0 * V, "no gradient"),
                                        (lambda T: T.new_ones(128), same, "T gets no gradient")])
def test_what_never_learns_is_told_before_the_training(T, V, word, tmp_path):
    own = student(tmp_path, Joint=joint_with(T, V))
    with pytest.raises(Wrong, match=word):
        contest.learned_numbers(contest.build(own.Joint, FEW), FEW)


def beside_others(logits):
    """It looks at the other test pictures."""
    return logits - logits.mean(dim=0)


def by_chance(logits):
    """Each call gives other logits."""
    return logits + torch.randn(len(logits), 1) * logits


@pytest.mark.parametrize("wrong", [beside_others, by_chance])
def test_each_picture_is_classified_by_itself(wrong, tmp_path):
    method = contest.build(student(tmp_path).Joint, FEW)
    contest.each_by_itself(method)
    forward = method.forward
    method.forward = lambda images: wrong(forward(images))
    with pytest.raises(Wrong, match="other pictures of the batch, or on chance"):
        contest.each_by_itself(method)


def test_numbers_that_come_later_are_counted(tmp_path, monkeypatch):
    """The first method learns 2,560 numbers, as the check sees; the one that it trains more."""
    own, made = student(tmp_path), []

    def joint(*arguments):
        method = (own.Shared if made else own.Joint)(*arguments)
        made.append(method)
        return method

    def accuracies(make, recipe, setting):
        contest.build(make, setting)
        return 40.0, 99.0

    monkeypatch.setattr(contest, "accuracies", accuracies)
    with pytest.raises(Wrong, match="learns 2,560 numbers, and later 18,560"):
        contest.beat_upt(SimpleNamespace(Joint=joint, TINY=own.TINY), FEW)


def test_too_many_numbers_are_refused(tmp_path):
    own = student(tmp_path)
    with pytest.raises(Wrong, match="1 to 3,000 are allowed"):
        contest.learned_numbers(contest.build(own.Shared, FEW), FEW)
