"""Exercises 9, 10, 17, 18, 26: wrong answers that their checks must see, right ones that pass."""

from tests.answers import both_tests

RATE, SAMPLE, H, DIGEST = "learning_rate", "sample_per_class", "harmonic_mean", "digest_of_code"
HALF, RETURN = ("split_classes", "half"), ("split_classes", "dataclasses.replace")
SELECT, UPDATE = ("split_classes.select", "return"), (DIGEST, "digest.update")


def rate(first="1e-5", rest="lr * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2"):
    """The rate of the first epoch, and of the others."""
    return {RATE: f"return {first} if epoch == 0 else {rest}"}


def sample(draw, groups="by_label.values()"):
    """sample_per_class with another draw."""
    return {SAMPLE: f"""
        by_label = {{}}
        for item in items:
            by_label.setdefault(item.label, []).append(item)
        sample = []
        for group in {groups}:
            sample += {draw}
        return sample
        """}


def mean(b, n, h="2 * b * n / (b + n) if b + n else 0.0"):
    """harmonic_mean with other means, or another mean of both."""
    return {H: f"""
        if not {{"base", "new"}} <= cells.keys():
            return None
        base, new = list(cells["base"].values()), list(cells["new"].values())
        b, n = {b}, {n}
        return {h}
        """}


def same(function):
    """harmonic_mean with this function for the mean of each half."""
    return mean(f"{function}(base)", f"{function}(new)")


def halves(changed, copied="dataclasses.replace(dataset, {})"):
    """The last statement of split_classes."""
    return {RETURN: "return " + copied.format(changed)}


NAMES = "classnames=dataset.classnames[labels.start : labels.stop]"
PARTS = "train=select(dataset.train), val=select(dataset.val), test=select(dataset.test)"
CHOOSE = "stream.sample(group, shots) if len(group) >= shots else group"
IN_PLACE = """
dataset.classnames = dataset.classnames[labels.start : labels.stop]
dataset.train, dataset.val = select(dataset.train), select(dataset.val)
dataset.test = select(dataset.test)
return dataset
"""

WRONG = [
    # typical ones
    (9, {RATE: """
        if epoch == 0:
            return 1e-5
        return lr * (1 + math.cos(math.pi * (epoch - 1) / (epochs - 1))) / 2"""},
     "published schedule"),
    (10, {SAMPLE: """
        sample = []
        for label in sorted({item.label for item in items}):
            group = [item for item in items if item.label == label]
            sample += stream.sample(group, min(shots, len(group)))
        return sample"""}, "first appearance"),
    (10, {("few_shot", "val"):
          "val = sample_per_class(dataset.val, min(shots, 4), random.Random(seed))"}, "same stream"),
    (18, {H: "return sum(statistics.mean(cells[k].values()) for k in ('base', 'new')) / 2"},
     "arithmetic"),
    (26, {(DIGEST, "digest", "for"): """
        for file in files:
            digest, tree = hashlib.sha256(), ast.parse(file.read_bytes())
            for node in ast.walk(tree):
                if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                    del node.body[0]
            digest.update(ast.dump(tree).encode())"""}, "the first one was edited"),
    (10, sample("stream.sample(group, shots) if len(group) > shots else group"), ">=, and not >"),
    (18, {H: """
        if not {"base", "new"} <= cells.keys():
            return None
        b, n = (statistics.mean(cells[k].values()) for k in ("base", "new"))
        2 * b * n / (b + n)"""}, "is a `return` missing"),
    # `hash` is another one in each process
    (26, {(DIGEST, "return"): "return f'{hash(digest.hexdigest()) % 16**8:08x}'"},
     "When Python starts again"),
    (26, {(DIGEST, "if"): """
        if isinstance(node, (ast.Module, ast.FunctionDef)) and ast.get_docstring(node):
            del node.body[0]"""}, "a docstring of a class was added"),
    # 9: the schedule
    (9, rate(first="lr / 200"), "whatever lr is"),
    (9, rate(rest="0.001 * (1 + math.cos(math.pi * (epoch - 1) / epochs))"), "published schedule"),
    (9, rate(rest="lr * (1 + math.cos(math.pi * epoch / epochs)) / 2"), "the cosine begins here"),
    (9, rate(rest="lr * (1 + math.cos((epoch - 1) / epochs)) / 2"), "falls along a cosine"),
    (9, rate(rest="lr * (1 - (epoch - 1) / epochs)"), "falls along a cosine"),
    (9, rate(rest="max(1e-5, lr * (1 + math.cos(math.pi * (epoch - 1) / (epochs - 1))) / 2)"),
     "published schedule"),
    (9, rate(rest="lr if epoch < 2 else 1e-5 + (lr - 1e-5) * (1 + math.cos(math.pi * (epoch - 1) / "
                  "epochs)) / 2"), "published schedule"),
    (9, {RATE: "lr * epoch"}, "is a `return` missing"),
    # wrong for lr < 1e-5
    (9, {RATE: """
        cosine = math.cos(math.pi * (epoch - 1) / epochs)
        return min(1e-5, lr) if epoch == 0 else lr * (1 + cosine) / 2"""}, "whatever lr is"),
    # counts its calls
    (9, {RATE: """
        global NOW
        NOW = 0 if epoch == 0 else NOW + 1
        return 1e-5 if NOW == 0 else lr * (1 + math.cos(math.pi * (NOW - 1) / epochs)) / 2"""},
     "Epoch"),
    # 10: the sampler
    (10, sample("stream.sample(group, min(shots, len(group)))"), "nothing is drawn for a class"),
    (10, sample("[stream.choice(group)] * shots if len(group) >= shots else group"),
     "without replacement"),
    (10, sample("random.sample(group, shots) if len(group) >= shots else group"), "global random"),
    (10, sample("group[:shots]"), "in CoOp's code"),
    (10, sample(CHOOSE, "(by_label[label] for label in sorted(by_label))"), "first appearance"),
    (10, sample("sorted(stream.sample(group, shots)) if len(group) >= shots else group"),
     "in CoOp's code"),
    (10, sample("stream.sample(group, shots) if len(group) >= shots else []"),
     "all of a class that has fewer"),
    (10, {("few_shot", "val"): "val = sample_per_class(dataset.val, shots, stream)"},
     "validation pictures"),
    (10, {("few_shot", "stream"): "stream = random.Random(1)"}, "seed 3"),
    (10, {("few_shot", "stream"): "stream = random\nrandom.seed(seed)"}, "global random"),
    (10, {("few_shot", "return"): "return [*train, *val]"}, "gave a list, and a tuple"),
    # changes its input
    (10, {("few_shot", "val"): """
        val = sample_per_class(dataset.val, min(shots, 4), stream)
        dataset.train = train"""}, "few_shot changed"),
    # seed 0 counts as no seed
    (10, {("few_shot", "stream"): "stream = random.Random(seed or 1)"}, "seed 0"),
    # no validation pictures
    (10, {("few_shot", "val"): """
        most = len(dataset.val) // len({item.label for item in dataset.val})
        val = sample_per_class(dataset.val, min(shots, max(1, most), 4), stream)"""},
     "your code stopped"),
    # 17: base and new
    (17, {HALF: "half = len(dataset.classnames) // 2 + 1"}, "ceil"),
    (17, {HALF: "half = len(dataset.classnames) // 2"}, "ceil"),
    (17, {HALF: "half = round(len(dataset.classnames) / 2)"}, "ceil"),
    (17, halves(f"classnames=sorted(dataset.classnames)[labels.start : labels.stop], {PARTS}"),
     "in the order of their labels"),
    (17, halves(PARTS), '"base" has'),
    (17, halves(f"{NAMES}, train=select(dataset.train), val=select(dataset.val)"), "base.test"),
    (17, {SELECT: "return [item for item in items if item.label in labels]"}, "from 0"),
    (17, {SELECT: "return [Item(item.path, item.label - half) for item in items if item.label in "
                  "labels]"}, "from 0"),
    (17, {SELECT: "return [Item(item.path, item.label % half) for item in sorted(items) if "
                  "item.label in labels]"}, "in their order"),
    (17, {SELECT: "return [Item(item.path, max(0, item.label - labels.start)) for item in items]"},
     "exactly the pictures"),
    (17, {RETURN: IN_PLACE}, "make a copy"),
    (17, halves(f"name=which, {NAMES}, {PARTS}"), "Name and templates"),
    (17, {("split_classes", "raise"): "return None"}, "should raise ValueError"),
    # loses own_split and folder
    (17, {RETURN: """
        names = dataset.classnames[labels.start : labels.stop]
        parts = map(select, (dataset.train, dataset.val, dataset.test))
        return Dataset(dataset.name, names, dataset.templates, *parts)"""}, "`own_split`"),
    # counts the labels of the training pictures
    (17, {HALF: """
        half = math.ceil((max(i.label for i in dataset.train) + 1) / 2)"""}, "ceil"),
    # raises another error
    (17, {("split_classes", "raise"): "raise KeyError(which)"}, "not KeyError"),
    # part of the word is enough
    (17, {("split_classes", "if which == 'base'"): """
        if which == 'base':
            labels = range(half)
        elif which in 'new':
            labels = range(half, len(dataset.classnames))
        else:
            raise ValueError(which)"""}, "nothing was raised"),
    # 18: the harmonic mean
    (18, same("statistics.median"), "median"),
    (18, same("max"), "mean over the seeds"),
    (18, same("min"), "mean over the seeds"),
    (18, mean("base[0]", "new[0]"), "mean over the seeds"),
    (18, mean("statistics.mean(base)", "statistics.mean(new)", "math.sqrt(b * n)"),
     "your code stopped"),
    (18, mean("statistics.mean(base)", "statistics.mean(new)", "(b * n) ** 0.5"), "geometric"),
    (18, mean("statistics.mean(base)", "statistics.mean(new)", "(b + n) / 2"), "arithmetic"),
    (18, mean("statistics.mean(base)", "statistics.mean(new)", "b * n / (b + n) if b + n else 0.0"),
     "H is"),
    (18, mean("statistics.mean(base)", "statistics.mean(new)",
              "round(2 * b * n / (b + n), 1) if b + n else 0.0"), "gave 31.100, and H is 31.111"),
    (18, mean("0", "0",
              "statistics.mean(2 * b * n / (b + n) for b, n in zip(base, new) if b + n) if base[0] "
              "else 0.0"), "mean over the seeds"),
    (18, {H: """
        halves = [cells.get(half, {1: 0.0}).values() for half in ("base", "new")]
        b, n = map(statistics.mean, halves)
        return 2 * b * n / (b + n) if b + n else 0.0"""}, "give None"),
    (18, mean("statistics.mean(base)", "statistics.mean(new)",
              "2 * b * n / (b + n) if b + n else None"), "should give 0"),
    # changes its input
    (18, {H: """
        if not {'base', 'new'} <= cells.keys():
            return None
        b, n = (statistics.mean(cells.pop(k).values()) for k in ('base', 'new'))
        return 2 * b * n / (b + n) if b + n else 0.0"""}, "harmonic_mean changed"),
    # counts `all` as well
    (18, {H: """
        if len(cells) < 2:
            return None
        means = [statistics.mean(cell.values()) for cell in cells.values()]
        return statistics.harmonic_mean(means)"""}, "first the mean"),
    # nothing was measured
    (18, {H: """
        if not cells:
            return 0.0
        if not {'base', 'new'} <= cells.keys():
            return None
        b, n = (statistics.mean(cells[k].values()) for k in ('base', 'new'))
        return 2 * b * n / (b + n) if b + n else 0.0"""}, "nothing was measured"),
    # 26: a stale result
    (26, {UPDATE: "digest.update(ast.dump(tree, annotate_fields=False)[:60].encode())"},
     "Another digest"),
    (26, {UPDATE: "digest.update(file.read_bytes())"}, "a comment was added"),
    (26, {UPDATE: "digest.update(file.name.encode())"}, "two digests"),
    (26, {UPDATE: "digest.update(ast.dump(tree.body[-1]).encode())"}, "Another digest"),
    (26, {(DIGEST, "if"): "pass"}, "a docstring was added"),
    (26, {(DIGEST, "if"): """
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]"""}, "a docstring of the file was added"),
    (26, {(DIGEST, "return"): "return digest.hexdigest()"}, "8 digits"),
    # does not see indentation
    (26, {UPDATE: """
        import io, tokenize
        code = ast.unparse(tree)
        skip = ("NEWLINE", "NL", "INDENT", "DEDENT", "COMMENT")
        found = tokenize.generate_tokens(io.StringIO(code).readline)
        words = [word.string for word in found if tokenize.tok_name[word.type] not in skip]
        digest.update(' '.join(words).encode())"""}, "the indentation of a line"),
    # does not see spaces in strings
    (26, {UPDATE: "digest.update(' '.join(ast.unparse(tree).split()).encode())"},
     "one of these spaces"),
    # takes # in a string for a comment
    (26, {UPDATE: """
        import re
        digest.update(re.sub('#.*', '', ast.unparse(tree)).encode())"""}, "behind #"),
    # does not see decorators
    (26, {UPDATE: """
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.decorator_list = []
        digest.update(ast.dump(tree).encode())"""}, "a decorator"),
    # does not see default values
    (26, {UPDATE: """
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.args.defaults = []
        digest.update(ast.dump(tree).encode())"""}, "a default value"),
    # 1 and "1" are the same
    (26, {UPDATE: """
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant):
                node.value = str(node.value)
        digest.update(ast.dump(tree).encode())"""}, "became a string"),
    # does not see capital letters
    (26, {UPDATE: "digest.update(ast.dump(tree).lower().encode())"}, "a capital letter"),
]

RIGHT = [
    # in 32 bits
    (9, {RATE: """
        import numpy

        cosine = 1 + math.cos(math.pi * (epoch - 1) / epochs)
        return 1e-5 if epoch == 0 else float(numpy.float32(lr * cosine / 2))"""}),
    (9, rate()),
    (9, {RATE: """
        if not epoch:
            return 1e-5
        return lr * math.cos(math.pi * (epoch - 1) / (2 * epochs)) ** 2"""}),
    (10, sample(CHOOSE)),
    (10, sample("group if len(group) < shots else stream.sample(group, k=shots)",
                "[[item for item in items if item.label == label] for label in "
                "dict.fromkeys(item.label for item in items)]")),
    (17, halves(f"{NAMES}, {PARTS}")),
    (17, {HALF: "half = (len(dataset.classnames) + 1) // 2"}),
    (17, {RETURN: "return Dataset(dataset.name, dataset.classnames[labels.start : labels.stop], "
                  "dataset.templates, select(dataset.train), select(dataset.val), "
                  "select(dataset.test), dataset.own_split, dataset.folder)"}),
    (17, {RETURN: """
        import copy
        halved = copy.copy(dataset)
        halved.classnames = dataset.classnames[labels.start : labels.stop]
        for part in ('train', 'val', 'test'):
            setattr(halved, part, select(getattr(dataset, part)))
        return halved"""}),
    (18, same("statistics.fmean")),
    (18, mean("sum(base) / len(base)", "sum(new) / len(new)", "statistics.harmonic_mean([b, n])")),
    (18, {H: """
        try:
            base, new = cells['base'].values(), cells['new'].values()
        except KeyError:
            return None
        b, n = sum(base) / len(base), sum(new) / len(new)
        return 0.0 if b == n == 0 else 2.0 / (1 / b + 1 / n) if b and n else 0.0"""}),
    (26, {UPDATE: """
        names = sorted(ast.dump(node) for node in ast.walk(tree))
        digest.update(str(names).encode())"""}),
    (26, {UPDATE: "digest.update(ast.unparse(tree).encode())"}),
    (26, {UPDATE: "digest.update(hashlib.sha256(ast.dump(tree).encode()).digest())"}),
    (26, {UPDATE: """
        stack = [tree]
        while stack:
            node = stack.pop()
            digest.update(ast.dump(node).encode())
            stack += ast.iter_child_nodes(node)"""}),
]

test_a_wrong_answer_is_told, test_another_right_answer_passes = both_tests(WRONG, RIGHT)
