"""Evaluates learned prompts, or zero-shot CLIP: on data sets, in tables and plots, on your own
pictures.

    python eval.py --dataset toy                             zero-shot on the eight miniature sets
    python eval.py runs/.../prompt.pt                        a prompt on all classes of its data set
    python eval.py runs/.../prompt.pt --classes new          on classes it has never seen
    python eval.py runs/.../prompt.pt --dataset toy-flowers  on another data set, beside zero-shot
    python eval.py --dataset toy --variance                  Var_v and Var_t, UPT Eqs. (6) to (8)
    python eval.py model.pth.tar-50 --model ViT-B/16 --dataset eurosat --data-root DATA
                                                             a prompt of KaiyangZhou/CoOp

    python eval.py --table few-shot                          results, beside the papers' figures
    python eval.py --table base-to-new --format markdown     (or csv)
    python eval.py --plot few-shot curves.svg

    python eval.py runs/.../prompt.pt --images a.jpg photos/ the five most probable classes of each
    python eval.py --images a.jpg --classnames "cat,dog" --json           zero-shot; as JSON lines
    python eval.py --images a.jpg --classnames "cat,dog" --picture out.png

One line per evaluation goes to runs/results.jsonl.
"""

import time
from argparse import Namespace
from functools import cache, partial

from clip_min import load_clip
from clip_min.data import load_dataset, split_classes
from clip_min.files import printable, write_whole
from prompts.reports import plots, predictions, rows, tables
from prompts.runs import identity, published, store
from prompts.runs.evaluation import evaluate, probabilities, variances
from prompts.runs.job import compute_of, expand, parse_eval_flags, run_script
from prompts.runs.results import Results


def evaluate_on(dataset, prompt, clip, flags, compute):
    """Evaluate a prompt, or zero-shot CLIP (prompt: None), and record it → words for the screen."""
    start, setting = time.monotonic(), identity.setting_of(prompt, clip, flags)
    row = identity.row_of(setting, dataset, flags.classes, flags.split)
    items, method = getattr(dataset, flags.split), store.method_of(prompt, clip, dataset, flags)
    accuracy = evaluate(method, items, compute)
    row.update(accuracy=accuracy, trainable_parameters=store.count_parameters(method))
    row.update(seconds=round(time.monotonic() - start, 1), device=str(compute.device))
    Results(flags.out / "results.jsonl").record(row)
    words = variances(method, items, compute) if flags.variance else ""
    return f"{len(dataset.classnames):5} classes  {accuracy:6.2f} %", words


def read_prompt(path, flags, clip_of):
    """A prompt file of train.py, or of CoOp's code → its dict (no file: None), and its CLIP."""
    if path is None:
        return None, clip_of(flags.model or "tiny", gelu=flags.gelu)
    if published.is_published(path):
        clip = clip_of(flags.model or "tiny", gelu=flags.gelu)
        return published.load(path, flags.method, clip, flags.options), clip
    prompt = store.load_prompt(path)
    if flags.method not in (None, prompt["method"]) or flags.options:
        raise ValueError(f"{path} holds a prompt of {prompt['method']} with options "
                         f"{prompt['options']}: leave --method and --hp out.")
    gelu = prompt.get("gelu", "auto")
    if flags.gelu not in ("auto", gelu):
        raise ValueError(f"{path} was learned with --gelu {gelu}: leave --gelu out.")
    return prompt, clip_of(flags.model or prompt["model"], gelu=gelu)


def evaluate_all(path, prompt, clip, flags, compute):
    """Each data set that is asked for, or the prompt's own → names of those not its own."""
    own = prompt["dataset"] if prompt else "toy"
    if not flags.dataset and own is None:
        raise ValueError(f"{path} does not say which data set it was learned on: give --dataset.")
    names, datasets = expand(flags.dataset or [own]), []
    for name in names:
        is_own = prompt and name == own and flags.template is None
        template = prompt["text_template"] if is_own else flags.template
        datasets.append(load_dataset(name, flags.data_root, template))
    for dataset in [split_classes(each, flags.classes) for each in datasets]:
        if prompt and own is None:  # a published prompt: its names came back in lower case
            prompt = published.respell(prompt, dataset.classnames, clip.tokenizer)
        words, more = evaluate_on(dataset, prompt, clip, flags, compute)
        label = (path if path.is_dir() else path.parent) if path else flags.method or "zero_shot"
        print(f"{printable(dataset.name):20} {flags.classes:4} {words}  {printable(label)}{more}")
    known = prompt and own is not None
    return [name for name, dataset in zip(names, datasets) if known and dataset.name != own]


def predict(prompt, clip, flags, compute):
    """The most probable classes of each picture, printed or drawn → status 1 if one is bad."""
    paths, problems = predictions.pictures_to_classify(flags.images, clip.preprocess)
    classes = predictions.classes_to_choose_from(prompt, flags.classnames, flags.template)
    method = store.method_of(prompt, clip, classes, flags).to(compute.device)
    best = predictions.best(probabilities(method, paths, compute), classes.classnames)
    if flags.picture:
        predictions.save_picture(flags.picture, paths, best)
    as_words = predictions.as_json_lines if flags.json else predictions.as_text
    print(as_words(paths, best))
    return int(problems > 0)


def report(flags):
    """The table or the plot of what results.jsonl holds."""
    results = flags.out / "results.jsonl"
    found = rows.read_rows(results)
    chosen = dict(datasets=flags.dataset and expand(flags.dataset), shots=flags.shots)
    chosen.update(methods=flags.method and [flags.method], models=flags.model and [flags.model])
    try:
        if flags.plot:
            kind, path = flags.plot
            write_whole(path, plots.draw(found, kind, **chosen).encode())
            print(path)
        if flags.table:
            print(tables.report(found, flags.table, flags.format, **chosen))
    except ValueError as error:
        raise ValueError(f"{results}: {error}") from error


def main():
    """A table or a plot, or pictures, or each prompt file (or zero-shot CLIP) on each data set."""
    flags = parse_eval_flags(__doc__, tables.NAMES)
    if flags.table or flags.plot:
        return report(flags)
    compute, status = compute_of(flags), 0
    clip_of, paths = cache(partial(load_clip, device=compute.device)), flags.prompts or [None]
    prompts = [read_prompt(path, flags, clip_of) for path in paths]  # all, before the first row
    elsewhere = {}  # CLIP → data sets that its prompts were not learned on
    for path, (prompt, clip) in zip(paths, prompts):
        if flags.images:
            status = max(status, predict(prompt, clip, flags, compute))
        else:
            elsewhere.setdefault(clip, []).extend(evaluate_all(path, prompt, clip, flags, compute))
    for clip, names in elsewhere.items():
        beside = dict(method=None, options={}, dataset=list(dict.fromkeys(names)))
        if names:
            evaluate_all(None, None, clip, Namespace(**vars(flags) | beside), compute)
    return status


if __name__ == "__main__":
    run_script(main)
