"""What train.py prints at its end."""

import numpy as np

from clip_min.files import printable
from prompts.runs.parallel import RANK
from prompts.reports.tables import differences


def print_summary(runs, results, flags):
    """Few-shot: mean and deviation over the seeds beside zero-shot CLIP; other protocols have
    tables.

    → the script's exit status: 1 if a run has failed, else 0.
    """
    if RANK:
        return 0
    rows = [(run, results.find(row)) for run in runs for _, row in run.rows]
    failed = list(dict.fromkeys(run for run, row in rows if "failed" in row))
    if flags.protocol == "few-shot":
        found = [(run, row) for run, row in rows if "accuracy" in row]
        print_few_shot(found, flags.classes)
    else:
        print(f"\nThe table: python eval.py --table {flags.protocol} --out {flags.out}")
    if failed:
        print(f"\n{len(failed)} of {len(runs)} runs failed, the first being {failed[0].title}.")
    return int(bool(failed))


def print_few_shot(found, classes):
    """List of (run, row) → a block for each data set, CLIP and number of shots."""
    blocks = {}  # (data set, model, shots) → {method: accuracies}
    zero_shot = {}  # (data set, model) → {name with its options: accuracy}
    for run, row in found:
        where = (run.dataset.name, run.clip.name)
        if run.learns:
            methods = blocks.setdefault((*where, run.shots), {})
            methods.setdefault(name_of(row), []).append(row["accuracy"])
        else:
            zero_shot.setdefault(where, {})[name_of(row)] = row["accuracy"]
    if not blocks:
        blocks = {(*where, 0): {} for where in zero_shot}
    for (dataset, model, shots), methods in blocks.items():
        hand_written = zero_shot.get((dataset, model), {"zero-shot": float("nan")})
        base = next(iter(hand_written.values()))
        words = f"{shots} shots, " if shots else ""
        print(f"\n{printable(dataset)}, {printable(model)} CLIP, {words}{classes} classes")
        for name, accuracy in hand_written.items():
            print(f"  {name:12} {accuracy:6.2f} %")
        for name, values in methods.items():
            seeds = len(values)
            spread = f" ± {np.std(values):.2f} over {seeds} seeds" if seeds > 1 else ""
            mean = np.mean(values)
            print(f"  {name:12} {mean:6.2f} %{spread}  ({mean - base:+.2f})")


def name_of(row):
    """A row → the method, and its options where they are not the recipe's."""
    options = [f"{key}={value}" for key, value in differences(row)[0].items()]
    return " ".join([row["method"].replace("zero_shot", "zero-shot"), *options])
