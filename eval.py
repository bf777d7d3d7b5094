"""Evaluates learned prompts, or zero-shot CLIP: on data sets, in tables and plots, on your own pictures.

    python eval.py --dataset toy                                 zero-shot on the eight miniature sets
    python eval.py runs/.../prompt.pt                            a prompt on all classes of its data set
    python eval.py runs/.../prompt.pt --classes new              on classes it has never seen
    python eval.py runs/.../prompt.pt --dataset toy-flowers      on another data set
    python eval.py --dataset toy --variance                      Var_v and Var_t, UPT Eqs. (6) to (8)
    python eval.py model.pth.tar-50 --model ViT-B/16 --dataset eurosat --data-root DATA
                                                                 a prompt learned with KaiyangZhou/CoOp

    python eval.py --table few-shot                              what results.jsonl holds, beside the papers' figures
    python eval.py --table base-to-new --format markdown         (or csv)
    python eval.py --plot few-shot curves.svg

    python eval.py runs/.../prompt.pt --images a.jpg photos/     the five most probable classes of each picture
    python eval.py --images a.jpg --classnames "cat,dog" --json  zero-shot; as JSON lines
    python eval.py --images a.jpg --classnames "cat,dog" --picture out.png

One line per evaluation goes to runs/results.jsonl.
"""

import argparse
import io
import time
from pathlib import Path

import torch

from clip_min import load_clip
from prompts.experiments import predictions
from clip_min.data import Dataset, Item, load_dataset, split_classes
from clip_min.files import read_json_lines, write_whole
from prompts.experiments import plots, tables
from prompts import METHODS
from prompts.experiments import published
from prompts.experiments.flags import add_common_flags, choose_device, expand, hyperparameters, nearest, run_script
from prompts.experiments.store import autocast, build_method, evaluate, image_features, learned_parameters, load_prompt
from prompts.experiments.store import make_method, record, row_of, zero_shot_setting
from prompts.experiments.variance import inter_class_variance, intra_class_variance


# What a prompt file holds beside the setting that identifies the run.
NOT_IN_ROWS = ("learned", "classnames", "text_template", "losses", "seconds", "version")


def read_prompt(path, flags, clips, device):
    """A prompt file of train.py, or of the code published with CoOp → its dict, and the CLIP it belongs to."""
    if published.is_published(path):
        clip = find_clip(flags.model or "tiny", clips, device)
        return published.load(path, flags.method, clip, hyperparameters(flags.hp)), clip
    prompt = load_prompt(path)
    if flags.method not in (None, prompt["method"]) or flags.hp:
        raise ValueError(f"{path} holds a prompt of {prompt['method']} with options {prompt['options']}: "
                         "leave --method and --hp out.")  # fmt: skip
    return prompt, find_clip(flags.model or prompt["model"], clips, device)


def find_clip(name, clips, device):
    """The CLIP of this name, loaded once and kept in `clips`."""
    if name not in clips:
        clips[name] = load_clip(name, device)
    return clips[name]


def without_learning(clip, dataset, flags):
    """A method that needs no prompt file, on the data set's classes. Raises ValueError if it has to be learned."""
    name = nearest(flags.method or "zero_shot", METHODS, "method")
    method = make_method(name, clip, dataset, hyperparameters(flags.hp))
    if learned_parameters(method):
        raise ValueError(f"{name} has to be learned first: give its prompt file.")
    return method


def evaluate_on(name, prompt, clip, path, flags, device):
    """One line on the screen and one in results.jsonl: the accuracy on the data set of this name."""
    start = time.time()
    own_template = prompt["text_template"] if prompt and name == prompt["dataset"] else None
    dataset = load_dataset(name, flags.data_root, flags.template or own_template)
    dataset = split_classes(dataset, flags.classes)
    if prompt:
        if prompt["dataset"] is None:  # a published prompt, whose class names lost their spelling
            prompt = published.respell(prompt, dataset.classnames, clip.tokenizer)
        method = build_method(prompt, clip, dataset).to(device)
        setting = {key: value for key, value in prompt.items() if key not in NOT_IN_ROWS}
        setting |= dict(template=flags.template) if flags.template else {}
    else:
        method = without_learning(clip, dataset, flags)
        setting = zero_shot_setting(clip, hyperparameters(flags.hp), flags)
    if flags.variance and setting["method"] in ("cocoop", "linear_probe"):
        raise ValueError(f"--variance needs text features that are the same for every picture, which "
                         f"{setting['method']} does not have: leave it out.")  # fmt: skip
    items = getattr(dataset, flags.split)
    row = row_of(setting | dict(precision=flags.precision), dataset, flags.classes, flags.split)
    row |= dict(accuracy=evaluate(method, items, flags, device))
    count = sum(p.numel() for p in learned_parameters(method).values())
    row |= dict(trainable_parameters=count, seconds=round(time.time() - start, 1), device=str(device))
    record(flags.out / "results.jsonl", **row)
    label = path.parent if path else setting["method"]
    line = f"{name:20} {flags.classes:4} {len(dataset.classnames):5} classes  {row['accuracy']:6.2f} %  {label}"
    if flags.variance:
        features, labels = image_features(method, items, flags, device)
        weights = method.weights if hasattr(method, "weights") else method.class_weights()
        var_v, var_t = intra_class_variance(features, labels), inter_class_variance(weights)
        line += f"  Var_v {var_v:.4f}  Var_t {var_t:.4f}"
    print(line, flush=True)


@torch.no_grad()
def predict(prompt, clip, flags, device):
    """The most probable classes of each of the pictures, printed or drawn."""
    paths = predictions.find_pictures(flags.images)
    classnames = [name.strip() for name in flags.classnames.split(",")] if flags.classnames else None
    if not classnames and not prompt:
        raise ValueError('Without a prompt file there are no classes yet: give --classnames "cat,dog,...".')
    template = flags.template or (prompt.get("text_template") if prompt else None) or "a photo of a {}."
    classes = Dataset("pictures", classnames or prompt["classnames"], [template], [], [], [])
    method = build_method(prompt, clip, classes) if prompt else without_learning(clip, classes, flags)
    method.to(device).eval()
    features, _ = image_features(method, [Item(path, 0) for path in paths], flags, device)
    with autocast(device, flags.precision):
        probabilities = method.classify(features).softmax(dim=-1).cpu()  # [N, K]
    best = predictions.best(probabilities, classes.classnames)
    if flags.picture:
        content = io.BytesIO()
        predictions.draw(paths, best).save(content, "PNG")
        write_whole(flags.picture, content.getvalue())
    print(predictions.as_json_lines(paths, best) if flags.json else predictions.as_text(paths, best))


def report(flags):
    """The table or the plot of what results.jsonl holds."""
    results = flags.out / "results.jsonl"
    rows = read_json_lines(results)
    chosen = dict(datasets=flags.dataset and expand(flags.dataset), methods=flags.method and [flags.method],
                  models=flags.model and [flags.model], shots=flags.shots)  # fmt: skip
    try:
        if flags.plot:
            kind, path = flags.plot
            write_whole(path, plots.draw(rows, kind, **chosen).encode())
            print(path)
        if flags.table:
            as_text = dict(text=tables.as_text, markdown=tables.as_markdown, csv=tables.as_csv)[flags.format]
            print(as_text(*tables.table(rows, flags.table, **chosen)))
    except ValueError as error:
        raise ValueError(f"{results}: {error}") from error


def main():
    """A table or a plot, or pictures, or each prompt file (or zero-shot CLIP) on each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", nargs="*", type=Path, help="prompt files written by train.py; none: zero-shot CLIP")
    parser.add_argument("--method", metavar="NAME", help="(default: the prompt file's, else zero_shot)")
    parser.add_argument("--hp", nargs="+", default=[], metavar="NAME=VALUE", help="options, such as templates=ensemble")
    parser.add_argument("--model", metavar="NAME", help="tiny, ViT-B/16, ... or a path (default: the prompt's, or tiny)")
    parser.add_argument("--classes", default="all", choices=("all", "base", "new"),
                        help="to tell apart: all, the first half or the second half (CoCoOp Sec. 4.1; default: all)")
    parser.add_argument("--variance", action="store_true", help="also print Var_v and Var_t (UPT Eqs. 6 to 8)")
    tabled = parser.add_argument_group("tables and plots of results.jsonl")
    tabled.add_argument("--table", metavar="NAME", help=", ".join(tables.NAMES))
    tabled.add_argument("--format", default="text", choices=("text", "markdown", "csv"), help="(default: text)")
    tabled.add_argument("--plot", nargs=2, metavar=("NAME", "FILE.svg"), help="few-shot: curves, base-to-new: bars")
    tabled.add_argument("--shots", nargs="+", type=int, metavar="N", help="(default: all there are)")
    own = parser.add_argument_group("your own pictures")
    own.add_argument("--images", nargs="+", metavar="PATH", help="picture files, or folders of them, to classify")
    own.add_argument("--classnames", help='with commas between, as in "cat,dog" (default: the prompt\'s)')
    own.add_argument("--json", action="store_true", help="print JSON lines")
    own.add_argument("--picture", type=Path, metavar="OUT.png", help="draw the pictures with their probabilities")
    add_common_flags(parser)
    flags = parser.parse_args()
    if flags.picture and flags.picture.suffix != ".png":
        raise ValueError(f"--picture writes a PNG: name the file {flags.picture.with_suffix('.png')}.")
    if not flags.images and (flags.classnames or flags.json or flags.picture):
        raise ValueError("--classnames, --json and --picture are for predictions: name the pictures with --images.")
    if flags.table or flags.plot:
        return report(flags)
    device = choose_device(flags.device)
    clips = {}
    for path in flags.prompts or [None]:
        if path:
            prompt, clip = read_prompt(path, flags, clips, device)
        else:
            prompt, clip = None, find_clip(flags.model or "tiny", clips, device)
        if flags.images:
            predict(prompt, clip, flags, device)
            continue
        names = flags.dataset or [prompt["dataset"] if prompt else "toy"]
        if names == [None]:
            raise ValueError(f"{path} does not say which data set it was learned on: give --dataset.")
        for name in expand(names):
            evaluate_on(name, prompt, clip, path, flags, device)


if __name__ == "__main__":
    run_script(main)
