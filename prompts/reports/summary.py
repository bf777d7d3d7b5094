"""What train.py prints at its end."""

from clip_min.files import printable
from prompts.reports.tables import differences, of_number, spread
from prompts.runs.parallel import RANK


def print_summary(runs, results, job):
    """Few-shot: mean and deviation over the seeds beside zero-shot CLIP. Other protocols: the
    command that prints their table.

    → the script's exit status: 1 if a run has failed or its row has been removed, else 0.
    """
    if RANK:
        return 0
    rows = [(run, results.find(row)) for run in runs for _, row in run.rows]
    gone = sum(row is None for _, row in rows)
    failed = list(dict.fromkeys(run for run, row in rows if row and "failed" in row))
    if job.protocol == "few-shot":
        found = [(run, row) for run, row in rows if row and "accuracy" in row]
        print_few_shot(found, job.classes)
    else:
        print(f"\nThe table: python eval.py --table {job.protocol} --out {job.out}")
    if failed:
        print(f"\n{len(failed)} of {len(runs)} runs failed, the first being {failed[0].title}.")
    if gone:
        print(f"\n{of_number(gone, 'row')} of these runs went away from results.jsonl: "
              "repeat the command.")
    return int(bool(failed or gone))


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
    for (dataset, model, shots), methods in (blocks or {(*w, 0): {} for w in zero_shot}).items():
        hand_written = zero_shot.get((dataset, model), {"zero-shot": float("nan")})
        base = next(iter(hand_written.values()))
        words = f"{of_number(shots, 'shot')}, " if shots else ""
        print(f"\n{printable(dataset)}, {printable(model)} CLIP, {words}{classes} classes")
        for name, accuracy in hand_written.items():
            print(f"  {name:12} {accuracy:6.2f} %")
        for name, values in methods.items():
            mean, deviation = spread(values)
            seeds = "" if deviation is None else f" ± {deviation:.2f} over {len(values)} seeds"
            print(f"  {name:12} {mean:6.2f} %{seeds}  ({mean - base:+.2f})")


def name_of(row):
    """A row → the method, and its options where they are not the recipe's."""
    options = [f"{key}={value}" for key, value in differences(row, "few-shot")[0].items()]
    return printable(" ".join([row["method"].replace("zero_shot", "zero-shot"), *options]))
