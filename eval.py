"""Evaluates learned prompts, or zero-shot CLIP: on data sets, in tables, on your own pictures.

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

import os
from functools import cache, partial

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the cores to others

from clip_min import load_clip
from clip_min.data import load_dataset, split_classes
from clip_min.files import printable, write_whole
from prompts.reports import plots, predictions, rows, tables
from prompts.reports.outputs import check_output
from prompts.reports.variance import variances
from prompts.runs import identity, published, store
from prompts.runs.evaluation import probabilities
from prompts.runs.job import compute_of, expand, parse_eval
from prompts.runs.results import Results
from prompts.runs.script import run_script


def read_prompt(path, job, clip_of):
    """A prompt file of train.py, or of published code → its dict, and its CLIP."""
    if published.is_published(path):
        clip = clip_of(job.model or "tiny", gelu=job.gelu)
        return published.load(path, job.method, clip, job.options), clip
    prompt = store.load_prompt(path)
    if job.method not in (None, prompt["method"]) or job.options:
        raise ValueError(f"{path} holds a prompt of {prompt['method']} with options "
                         f"{prompt['options']}: leave --method and --hp out.")
    gelu = prompt.get("gelu", "auto")
    if job.gelu not in ("auto", gelu):
        raise ValueError(f"{path} was learned with --gelu {gelu}: leave --gelu out.")
    return prompt, clip_of(job.model or prompt["model"], gelu=gelu)


def evaluate_prompt(path, prompt, clip, job, compute):
    """One prompt on each data set that is asked for, or its own → names of those not its own."""
    own = prompt["dataset"]
    if not job.dataset and own is None:
        raise ValueError(f"{path} does not say which data set it was learned on: give --dataset.")
    datasets = []
    for name in job.dataset or (own,):
        template = prompt["text_template"] if name == own and not job.template else job.template
        dataset = load_dataset(name, job.data_root, template)
        datasets.append(split_classes(dataset, job.classes))
    for dataset in datasets:
        if own is None:  # a published prompt: its names came back in lower case
            prompt = published.respell(prompt, dataset.classnames, clip.tokenizer)
        setting = identity.evaluated_setting(prompt, clip, job)
        method = store.method_of_prompt(prompt, clip, dataset)
        words, more = evaluate_one(setting, method, dataset, job, compute)
        print(f"{words}  {printable(path if path.is_dir() else path.parent)}{more}")
    return [dataset.name for dataset in datasets if own not in (None, dataset.name)]


def evaluate_hand_written(names, name, clip, job, compute):
    """A method that learns nothing, on each of these data sets."""
    options = job.options if not job.prompts else {}
    setting = identity.zero_shot_setting(clip, options, job.template, job)
    datasets = [load_dataset(each, job.data_root, job.template) for each in names]
    for dataset in [split_classes(each, job.classes) for each in datasets]:
        method = hand_written(name, clip, dataset, options)
        words, more = evaluate_one(setting, method, dataset, job, compute)
        print(f"{words}  {name}{more}")


def hand_written(name, clip, dataset, options):
    """→ a method that learns nothing; ValueError for one that does."""
    method = store.make_method(name, clip, dataset, options)
    if store.learned_state(method):
        raise ValueError(f"{name} has to be learned first: give its prompt file.")
    return method


def evaluate_one(setting, method, dataset, job, compute):
    """Evaluate a method on one Dataset, and record its row → two texts: accuracy, variances."""
    row = identity.row_of(setting, dataset, job.classes, job.split)
    items = getattr(dataset, job.split)
    accuracy = Results(job.out / "results.jsonl").evaluate(row, method, items, compute)
    more = variances(method, items, compute) if job.variance else ""
    words = f"{job.classes:4} {len(dataset.classnames):5} classes  {accuracy:6.2f} %"
    return f"{printable(dataset.name):20} {words}", more


def predict(prompt, clip, job, compute):
    """The most probable classes of each picture, printed or drawn → status 1 if one is bad."""
    if job.picture:
        inputs = [*predictions.find_pictures(job.images), *job.prompts]
        check_output(job.picture, ".png", inputs)
    paths, problems = predictions.pictures_to_classify(job.images, clip.preprocess)
    classes = predictions.classes_to_choose_from(prompt, job.classnames, job.template)
    if prompt:
        method = store.method_of_prompt(prompt, clip, classes)
    else:
        method = hand_written(job.method or "zero_shot", clip, classes, job.options)
    best = predictions.best(probabilities(method, paths, compute), classes.classnames)
    if job.picture:
        predictions.save_picture(job.picture, paths, best)
    as_words = predictions.as_json_lines if job.json else predictions.as_text
    print(as_words(paths, best))
    return int(problems > 0)


def report(job):
    """The table or the plot of what results.jsonl holds."""
    results = job.out / "results.jsonl"
    found, present = rows.read_rows(results), rows.Present(job.data_root).inputs
    chosen = dict(datasets=job.dataset, shots=job.shots, present=present)
    chosen.update(methods=job.method and [job.method], models=job.model and [job.model])
    try:
        if job.plot:
            kind, path = job.plot
            check_output(path, ".svg", [results])
            write_whole(path, plots.draw(found, kind, **chosen).encode())
            print(path)
        if job.table:
            print(tables.report(found, job.table, job.format, **chosen))
    except ValueError as error:
        raise ValueError(f"{results}: {error}") from error


def main():
    """A table or a plot, or pictures, or each prompt file (or zero-shot CLIP) on each data set."""
    job = parse_eval(__doc__)
    if job.table or job.plot:
        return report(job)
    compute = compute_of(job)
    clip_of = cache(partial(load_clip, device=compute.device))
    prompts = [read_prompt(path, job, clip_of) for path in job.prompts]  # all, before the first row
    if not prompts:
        clip, name = clip_of(job.model or "tiny", gelu=job.gelu), job.method or "zero_shot"
        if job.images:
            return predict(None, clip, job, compute)
        return evaluate_hand_written(job.dataset or expand(["toy"]), name, clip, job, compute)
    if job.images:
        return max([predict(*prompt, job, compute) for prompt in prompts])
    elsewhere = {}  # CLIP → data sets that its prompts were not learned on
    for path, (prompt, clip) in zip(job.prompts, prompts):
        names = evaluate_prompt(path, prompt, clip, job, compute)
        elsewhere.setdefault(clip, {}).update(dict.fromkeys(names))
    for clip, names in elsewhere.items():
        evaluate_hand_written(names, "zero_shot", clip, job, compute)


if __name__ == "__main__":
    run_script(main)
