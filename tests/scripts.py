"""What the tests of the scripts share: calling them in this process, reading what they leave."""

import json
import sys
from pathlib import Path

import torch

import train as train_script
from prompts import recipe_of
from prompts.runs import script as command_line

ROOT = Path(__file__).parents[1]


def call(script, *arguments):
    """Run a script (a module) in this process as the command would → its exit status."""
    argv, sys.argv = sys.argv, [f"{script.__name__}.py", *map(str, arguments)]
    try:
        command_line.run_script(script.main)
    except SystemExit as exit:
        return exit.code or 0
    finally:
        sys.argv = argv
    return 0


def train(out, *arguments):
    return call(train_script, *arguments, "--out", out)


def refusal(capsys, status):
    """The one sentence on stderr of a command that was refused."""
    printed = capsys.readouterr().err
    assert status == 2 and printed.startswith("error: ") and printed.count("\n") == 1, printed
    return printed


def rows(out):
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def prompts(out):
    """{path below the folder: prompt file's content}."""
    return {
        str(p.relative_to(out)): torch.load(p, weights_only=True)
        for p in sorted(out.rglob("prompt.pt"))
    }


def same_prompts(one, other):
    """Whether two folders hold the same prompt files, their learned tensors bit for bit."""
    one, other = prompts(one), prompts(other)
    return one.keys() == other.keys() and all(
        one[path]["learned"].keys() == other[path]["learned"].keys()
        and all(
            torch.equal(x, other[path]["learned"][name]) for name, x in one[path]["learned"].items()
        )
        for path in one
    )


def make_row(
    method="coop", dataset="toy-objects", accuracy=50.0, seed=1, shots=16, model="tiny", **changes
):
    """A row as train.py writes it, with the method's recipe, learned and evaluated on all classes
    of one data set."""
    recipe = recipe_of(method, model)
    row = dict(
        method=method,
        options={},
        model=model,
        sha256="a1",
        dataset=dataset,
        classes="all",
        shots=shots,
    )
    row |= dict(seed=seed, precision="fp32", split="test", accuracy=accuracy)
    row |= dict(trained_on=dataset, trained_classes="all")
    if recipe:
        for field in ("lr", "batch_size", "flip", "max_norm", "options"):
            row[field] = getattr(recipe, field)
        row["crop_scale"] = list(recipe.crop_scale)
        row["epochs"] = recipe.epochs_for("", shots)
    return row | changes


def zero_shot(dataset="toy-objects", accuracy=40.0, **changes):
    nothing = dict(trained_on=None, trained_classes=None, shots=0, seed=0)
    return make_row("zero_shot", dataset, accuracy, **nothing | changes)
