"""Checks of the exercises on training and testing: 9, 10, 17 and 18."""

import copy
import math
import random

from notes.exercises.checks.inputs import golden
from notes.exercises.judge import Wrong, need, of_type, unchanged

# 9: the schedule


def schedule(student):
    """9: the published schedule, and two other rates; numbers of seven digits are enough."""
    published = golden("protocol")["schedule"]
    cases = [(published["lr"], E, published[f"epochs_{E}"]) for E in (1, 2, 10, 50)]
    for lr, E in ((0.05, 3), (0.01, 200), (4e-6, 4)):
        cosine = [lr * (1 + math.cos(math.pi * epoch / E)) / 2 for epoch in range(E - 1)]
        cases.append((lr, E, [1e-5, *cosine]))
    why = {0: "the first one warms up at 1e-5, whatever lr is", 1: "the cosine begins here, at lr"}
    for lr, E, rates in cases:
        for epoch in (*range(E), E - 1, 0):  # the last two: asked again, and not in order
            want, got = rates[epoch], student.learning_rate(lr, epoch, E)
            need(got is not None, "learning_rate gave None: is a `return` missing?")
            sentence = why.get(epoch, "it falls along a cosine whose half period is E epochs")
            need(abs(got - want) < 1e-6 * lr + 1e-12,
                 f"Epoch {epoch} of {E} with lr = {lr} has the rate {got:.8g}, and {want:.8g} in "
                 f"the published schedule: {sentence}.")


# 10: the sampler


def sampler(student):
    """10: a small data set, then the published indices."""
    state = random.getstate()
    small = made_dataset(student, [2, 0, 0, 2, 0, 2, 1], [1, *[0] * 9, 1])
    kept = copy.deepcopy(small)
    pair = of_type(student.few_shot(small, 2, 1), tuple, "few_shot")
    unchanged(small, kept, "few_shot")
    need(random.getstate() == state,
         "The global random numbers were used: draw from your own random.Random(seed).")
    need(len(pair) == 2 and all(isinstance(part, list) for part in pair),
         "few_shot should give two lists, (train, val).")
    labels_of_a_small_set(pair[0])
    for shots, seed in ((2, 1), (4, 3), (3, 0)):
        compare_sample(student, small, shots, seed)
    compare_sample(student, made_dataset(student, [1, 0, 1], []), 1, 2)  # nothing to validate on
    labels = golden("protocol")["few_shot"]
    data = made_dataset(student, labels["train_labels"], labels["val_labels"])
    for case in labels["cases"]:
        indices = case["train_index"], case["val_index"]
        compare_indices(student.few_shot(data, case["shots"], case["seed"]), indices, case)


def made_dataset(student, train, val):
    """Two lists of labels → a Dataset whose items are called by their numbers."""
    parts = [[student.Item(str(i), label) for i, label in enumerate(part)] for part in (train, val)]
    names = [f"class {i}" for i in range(6)]
    return student.Dataset("a small set", names, ["a {}."], *parts, [])


def labels_of_a_small_set(items):
    """Raises Wrong unless classes of 3, 1 and 3 pictures gave 2, 1 and 2 of them, in order."""
    few = [item.label for item in items]
    need(len({item.path for item in items}) == len(items),
         "A picture was drawn twice: draw without replacement.")
    need(sorted(few) == [0, 0, 1, 2, 2],
         f"From classes of 3, 1 and 3 pictures, 2 shots gave the labels {few}: two of each class "
         "are wanted, and all of a class that has fewer.")
    need(few == [2, 2, 0, 0, 1],
         f"The classes come in the order {list(dict.fromkeys(few))}: the order of first appearance "
         "in train is [2, 0, 1].")


def plain_sample(data, shots, seed, also_equal=True):
    """The numbers of the training and of the validation items, by a plain loop.

    also_equal: a class of exactly `shots` pictures is drawn, too, in random order.
    """
    stream, found = random.Random(seed), []
    for items, number in ((data.train, shots), (data.val, min(shots, 4))):
        indices = []
        for label in dict.fromkeys(item.label for item in items):
            group = [i for i, item in enumerate(items) if item.label == label]
            is_drawn = len(group) > number or (also_equal and len(group) == number)
            indices += stream.sample(group, number) if is_drawn else group
        found.append(indices)
    return found


def compare_sample(student, data, shots, seed):
    """Raises Wrong unless the sample is that of a plain loop, and the data stay as they are."""
    case, kept = dict(shots=shots, seed=seed), copy.deepcopy(data)
    pair = student.few_shot(data, shots, seed)
    unchanged(data, kept, "few_shot")
    wanted = plain_sample(data, shots, seed)
    other = plain_sample(data, shots, seed, also_equal=False)
    need(numbers_of(pair) != other or other == wanted,
         f"With {shots} shots, a class of exactly {shots} pictures is drawn, too, in random order: "
         ">=, and not >.")
    compare_indices(pair, wanted, case)


def numbers_of(pair):
    """(train, val) → the numbers by which made_dataset calls their items."""
    return [[int(item.path) for item in part] for part in pair]


def compare_indices(pair, wanted, case):
    """Raises Wrong unless the numbers of the training and of the validation items are these."""
    told = f"With {case['shots']} shots and seed {case['seed']}"
    train, val = numbers_of(pair)
    need(train == wanted[0],
         f"{told} the training pictures are {train}, and {wanted[0]} in CoOp's code: one stream "
         "from the seed, class after class; nothing is drawn for a class that is too small, which "
         "gives all its pictures in their order.")
    need(len(val) == len(wanted[1]),
         f"{told} there are {len(val)} validation pictures, and min(shots, 4) of each class are "
         f"{len(wanted[1])}.")
    need(val == wanted[1],
         f"{told} the training pictures are right and the validation pictures are not: they come "
         "from the same stream, after the training pictures, and nothing is drawn for a class that "
         "is too small.")


# 17: base and new


def base_and_new(student):
    """17: even and odd numbers of classes, whose names are not sorted."""
    for K in (5, 4, 2, 3, 7, 1):
        names = [f"{letter}-class" for letter in "dbeacgf"[:K]]
        items = [student.Item(f"{i}.png", i % K) for i in range(3 * K)]
        train = [item for item in items if item.label != K - 1] * 2  # the last class has none
        parts = (train, items[:K], items[K:])
        data = student.Dataset("small", names, ["a {}."], *parts, own_split=True, folder="/a")
        kept, half = copy.deepcopy(data), math.ceil(K / 2)
        for which, labels in (("base", range(half)), ("new", range(half, K))):
            got = student.split_classes(data, which)
            need(got is not None, "split_classes gave None: is a `return` missing?")
            need(data == kept,
                 "The data set that came in was changed: make a copy (dataclasses.replace).")
            compare_half(got, data, (which, labels))
    for word in ("old", "", "e"):
        unknown_classes(student, data, word)


def unknown_classes(student, data, word):
    """Raises Wrong unless split_classes refuses this word with a ValueError."""
    should = f'split_classes(dataset, "{word}") should raise ValueError'
    try:
        student.split_classes(data, word)
    except ValueError:
        return
    except Exception as error:
        raise Wrong(f"{should}, not {type(error).__name__}.") from error
    raise Wrong(f"{should}, and nothing was raised.")


def compare_half(half, data, which_and_labels):
    """Raises Wrong unless this is the half of the data set with these labels."""
    which, labels = which_and_labels
    names = data.classnames[labels.start : labels.stop]
    need(list(half.classnames) == names,
         f'Of the classes {data.classnames}, "{which}" has {half.classnames}, and {names} are '
         "wanted: the first ceil(K/2) are base, in the order of their labels.")
    for part in ("train", "val", "test"):
        wanted = [(i.path, i.label) for i in getattr(data, part) if i.label in labels]
        got = [(i.path, i.label) for i in getattr(half, part)]
        need([p for p, _ in got] == [p for p, _ in wanted],
             f"{which}.{part} should have exactly the pictures of its classes, in their order.")
        need(got == [(p, label - labels.start) for p, label in wanted],
             f"{which}.{part} has the labels {sorted({label for _, label in got})}: they count "
             "from 0 in each half.")
    need((half.name, half.templates) == (data.name, data.templates),
         "Name and templates stay what they were.")
    need((half.own_split, half.folder) == (data.own_split, data.folder),
         "`own_split` and `folder` stay what they were: dataclasses.replace keeps them.")


# 18: the harmonic mean

# CoCoOp, Table 1: base, new, H of the average over 11 data sets, for CLIP, CoOp, CoCoOp
PUBLISHED = [(69.34, 74.22, 71.70), (82.69, 63.22, 71.66), (80.47, 71.69, 75.83)]


SEEDS = {1: 90.0, 2: 70.0, 3: 50.0, 4: 95.0, 7: 30.0, 8: 25.0}, {1: 20.0, 2: 20.0, 5: 80.0}


def harmonic(student):
    """18: means that lie far apart, several seeds, CoCoOp's Table 1, what is missing, zeros."""
    for b, n in ((90.0, 10.0), (20.0, 70.0), (0.5, 0.25)):
        got, right = mean_of(student, b, n), 2 * b * n / (b + n)
        for name, mean in (("arithmetic", (b + n) / 2), ("geometric", math.sqrt(b * n))):
            need(abs(got - mean) > 1e-3,
                 f"{b} and {n} gave {got:.2f}, the {name} mean: H = 2 b n / (b + n).")
        need(abs(got - right) < 1e-6, f"{b} and {n} gave {got:.3f}, and H is {right:.3f}.")
    cells = {"base": SEEDS[0], "all": {1: 33.0}, "new": SEEDS[1]}  # means 60 and 40
    kept = copy.deepcopy(cells)
    got, right = number(student, cells), 2 * 60 * 40 / 100
    unchanged(cells, kept, "harmonic_mean")
    need(abs(got - 2 * 60 * 20 / 80) > 1e-3,
         f"The median over the seeds was taken: {got:.3f}, and with the mean H is {right:.3f}.")
    need(abs(got - right) < 1e-6,
         f"Base {list(SEEDS[0].values())} and new {list(SEEDS[1].values())} gave {got:.3f}, and "
         f"{right:.3f} is wanted: first the mean over the seeds of each half, then H.")
    for b, n, h in PUBLISHED:
        got = mean_of(student, b, n)
        need(abs(got - h) < 0.02, f"{b} and {n} gave {got:.2f}; CoCoOp's Table 1 has {h:.2f}.")
    for cells, told in (({"base": {1: 50.0}}, "With base classes alone"),
                        ({"new": {1: 50.0}}, "With new classes alone"),
                        ({"base": {1: 50.0}, "all": {1: 40.0}}, "Without new classes"),
                        ({"new": {1: 50.0}, "all": {1: 40.0}}, "Without base classes"),
                        ({}, "If nothing was measured")):
        got = student.harmonic_mean(cells)
        need(got is None, f"{told} there is no H: give None, not {got}.")
    for b, n in ((0.0, 0.0), (0.0, 50.0), (50.0, 0.0)):
        got = student.harmonic_mean({"base": {1: b}, "new": {1: n}})
        need(got == 0, f"{b:g} and {n:g} should give 0, not {got}.")


def mean_of(student, b, n):
    """harmonic_mean of one seed."""
    return number(student, {"base": {1: b}, "new": {1: n}})


def number(student, cells):
    """harmonic_mean of cells that have both halves → a number; Wrong if it is none."""
    got, halves = student.harmonic_mean(cells), list(cells)
    need(got is not None, f"harmonic_mean gave None with base and new measured ({cells}): is a "
                          "`return` missing at the end, or in a branch?")
    need(isinstance(got, (int, float)),
         f"harmonic_mean gave a {type(got).__name__} for {halves}, and a number is wanted.")
    return got
