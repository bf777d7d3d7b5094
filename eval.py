"""Evaluates learned prompts, or zero-shot CLIP, on data sets. One line per evaluation goes to runs/results.jsonl.

    python eval.py --dataset toy                                 zero-shot on the eight miniature sets
    python eval.py runs/.../prompt.pt                            a prompt on all classes of its data set
    python eval.py runs/.../prompt.pt --classes new              on classes it has never seen
    python eval.py runs/.../prompt.pt --dataset toy-flowers      on another data set
    python eval.py --dataset toy --variance                      Var_v and Var_t, UPT Eqs. (6) to (8)
"""

import argparse
import ast
import dataclasses
import difflib
import json
import shlex
import sys
import time
import warnings
from pathlib import Path

import torch
from torch.utils.data import DataLoader

import clip_min
from clip_min import load_clip
from clip_min.allocator import keep_freed_memory
from clip_min.data import PictureSet, load_dataset, split_classes
from clip_min.features import PRECISIONS, frozen_features
from clip_min.files import append_line, load_tensors
from clip_min.world.benchmarks import EIGHT
from prompts import METHODS
from prompts.variance import inter_class_variance, intra_class_variance


@torch.no_grad()
def image_features(method, items, flags, device):
    """N items → their features [N, E] and labels [N], in order; looked up if the image tower is frozen."""
    labels = torch.tensor([item.label for item in items], device=device)
    how = dict(device=device, workers=flags.workers, precision=flags.precision)
    if method.image_tower_is_frozen:
        return frozen_features(method.clip, items, features_folder(flags), **how), labels
    pictures = PictureSet(items, method.clip.image_size)
    batches = DataLoader(pictures, batch_size=256, num_workers=flags.workers)
    with autocast(device, flags.precision):
        return torch.cat([method.encode_image(images.to(device)).float() for images, _ in batches]), labels


@torch.no_grad()
def evaluate(method, items, flags, device):
    """Accuracy in per cent on the items. The class weights are computed once for all pictures."""
    method.eval()
    features, labels = image_features(method, items, flags, device)
    with autocast(device, flags.precision):
        logits = method.classify(features)  # [N, K]
    if not logits.isfinite().all():
        raise ValueError("The logits are not finite: training has diverged, lower --lr.")
    return 100 * (logits.argmax(dim=-1) == labels).float().mean().item()


def features_folder(flags):
    """Where frozen image features are kept."""
    return flags.features_dir or flags.out / "features"


def autocast(device, precision):
    """A context in which matrix products run in bf16 or fp16, or, for fp32, one that changes nothing."""
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32")


def learned_parameters(method):
    """What training changes: {name: parameter}; the frozen CLIP is left out."""
    return {name: p for name, p in method.named_parameters() if p.requires_grad}


def load_prompt(path):
    """A prompt file written by train.py → its dict. Raises ValueError if it is none."""
    if not path.exists():
        raise ValueError(f"There is no prompt file {path}.")
    prompt = load_tensors(path)
    parts = {"method", "options", "learned", "model", "sha256", "dataset", "classes", "classnames"}
    if not isinstance(prompt, dict) or not parts <= prompt.keys() or prompt["method"] not in METHODS:
        raise ValueError(f"{path} is no prompt file of train.py, or of another version of it.")
    return prompt


def build_method(prompt, clip, dataset):
    """A loaded prompt → its method on the data set's classes.

    Raises ValueError if CLIP is another one, or if what was learned belongs to its own classes only.
    """
    if prompt["sha256"] != clip.sha256:
        raise ValueError(
            f"The prompt was learned on {prompt['model']} (SHA-256 {prompt['sha256'][:12]}...), but {clip.name} has "
            f"other weights ({clip.sha256[:12]}...): give --model the CLIP that it was learned on."
        )
    learned_on = dataclasses.replace(dataset, classnames=prompt["classnames"])
    method = make_method(prompt["method"], clip, learned_on, prompt["options"])
    parameters = learned_parameters(method)
    if {n: p.shape for n, p in parameters.items()} != {n: t.shape for n, t in prompt["learned"].items()}:
        raise ValueError(f"The prompt file's tensors are not those of {prompt['method']} with these options.")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(prompt["learned"][name])
    if dataset.classnames != prompt["classnames"]:
        method.set_classes(dataset.classnames)
    return method


def nearest(word, known, what):
    """The word itself if it is known. Raises ValueError naming the nearest known ones otherwise."""
    if word in known:
        return word
    near = difflib.get_close_matches(word.lower(), known)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"There is no {what} {word!r}.{hint} Known: {', '.join(known)}.")


def hyperparameters(pairs):
    """["n_ctx=8", "depth=deep"] → {"n_ctx": 8, "depth": "deep"}."""
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--hp takes name=value, not {pair!r}.")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options


def make_method(name, clip, dataset, options):
    """A method on a data set's classes. Raises ValueError for an option that it does not have."""
    try:
        return METHODS[nearest(name, METHODS, "method")](clip, dataset.classnames, dataset.templates[0], **options)
    except TypeError as error:
        raise ValueError(f"{name} cannot take these options, {options}: {error}.") from error


def expand(names):
    """"toy" stands for the eight miniature data sets; each name once."""
    return list(dict.fromkeys(n for name in names for n in (EIGHT if name == "toy" else [name])))


def record(path, **row):
    """Add one evaluation to results.jsonl, with the command and the version that made it."""
    row |= dict(command=shlex.join(["python", *sys.argv]), version=clip_min.__version__)
    append_line(path, json.dumps(row))


def choose_device(name):
    """"auto" → the GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("There is no CUDA device, or this PyTorch cannot use it: give --device cpu.")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ValueError("There is no Apple GPU, or this PyTorch cannot use it: give --device cpu.")
    return torch.device(name)


def run(main):
    """Call a script's main: bad input ends in one sentence and status 2, Ctrl-C in one and status 130."""
    keep_freed_memory()
    warnings.formatwarning = lambda message, *_: f"note: {message}\n"
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is kept; the same command carries on.", file=sys.stderr)
        sys.exit(130)


def add_common_flags(parser, default_dataset):
    """The flags that train.py and eval.py share."""
    parser.add_argument("--dataset", nargs="+", default=default_dataset, help="names; toy = the eight miniature sets")
    parser.add_argument("--data-root", help="folder of the real benchmarks, in CoOp's layout")
    parser.add_argument("--hp", nargs="+", default=[], metavar="NAME=VALUE", help="the method's own options")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of results and prompts (default: runs)")
    parser.add_argument("--features-dir", type=Path, help="folder of frozen image features (default: OUT/features)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--precision", default="fp32", choices=tuple(PRECISIONS), help="to compute in (default: fp32)")
    parser.add_argument("--workers", type=int, default=0, help="processes that read pictures (default: 0, none)")


def main():
    """Each prompt file (or zero-shot CLIP) on each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", nargs="*", type=Path, help="prompt files written by train.py; none: zero-shot CLIP")
    parser.add_argument("--method", help="(default: the prompt file's, else zero_shot)")
    parser.add_argument("--model", help="tiny, ViT-B/16, ... or a path (default: the prompt's, else tiny)")
    parser.add_argument("--classes", default="all", choices=("all", "base", "new"))
    parser.add_argument("--variance", action="store_true", help="also print Var_v and Var_t (UPT Eqs. 6 to 8)")
    add_common_flags(parser, default_dataset=None)
    flags = parser.parse_args()
    device = choose_device(flags.device)

    clips = {}
    for path in flags.prompts or [None]:
        prompt = load_prompt(path) if path else None
        method_name = nearest(flags.method or (prompt["method"] if prompt else "zero_shot"), METHODS, "method")
        if prompt and (prompt["method"] != method_name or flags.hp):
            raise ValueError(f"{path} holds a prompt of {prompt['method']} with options {prompt['options']}: "
                             "leave --method and --hp out.")  # fmt: skip
        model = flags.model or (prompt["model"] if prompt else "tiny")
        if model not in clips:
            clips[model] = load_clip(model, device)
        clip = clips[model]
        for name in expand(flags.dataset or [prompt["dataset"] if prompt else "toy"]):
            start = time.time()
            dataset = split_classes(load_dataset(name, flags.data_root), flags.classes)
            if prompt:
                method = build_method(prompt, clip, dataset)
            else:
                method = make_method(method_name, clip, dataset, hyperparameters(flags.hp))
                if learned_parameters(method):
                    raise ValueError(f"{method_name} has to be learned first: give its prompt file.")
            if flags.variance and method_name in ("cocoop", "linear_probe"):
                raise ValueError(f"--variance needs text features that are the same for every picture, which "
                                 f"{method_name} does not have: leave it out.")  # fmt: skip
            accuracy = evaluate(method, dataset.test, flags, device)
            prompt_or_not = prompt or dict(method=method_name, options=hyperparameters(flags.hp))
            row = {k: v for k, v in prompt_or_not.items() if k not in ("learned", "classnames", "version")}
            if prompt:
                row |= dict(trained_on=prompt["dataset"], trained_classes=prompt["classes"])
            row |= dict(model=clip.name, sha256=clip.sha256, dataset=name, classes=flags.classes)
            row |= dict(precision=flags.precision, split="test")
            record(flags.out / "results.jsonl", **row, accuracy=accuracy, seconds=round(time.time() - start, 1))
            label = path.parent if path else method_name
            line = f"{name:20} {flags.classes:4} {len(dataset.classnames):5} classes  {accuracy:6.2f} %  {label}"
            if flags.variance:
                features, labels = image_features(method, dataset.test, flags, device)
                weights = method.weights if hasattr(method, "weights") else method.class_weights()
                var_v, var_t = intra_class_variance(features, labels), inter_class_variance(weights)
                line += f"  Var_v {var_v:.4f}  Var_t {var_t:.4f}"
            print(line, flush=True)


if __name__ == "__main__":
    run(main)
