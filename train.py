"""Learns prompts from a few pictures per class and evaluates them beside zero-shot CLIP.

    python train.py --method upt                                       tiny CLIP, miniature world
    python train.py --method upt --dataset toy --shots 1 4 16 --seed 1 2 3
    python train.py --method upt --dataset eurosat --data-root DATA --model ViT-B/16

Several values to one flag run their product; what results.jsonl already holds is skipped, and an
interrupted run goes on where it stopped. Each run leaves runs/<data set>/<model>/<method>/<setting>/prompt.pt
and one line in runs/results.jsonl; eval.py reads the prompt. Recipes (learning rate, epochs, ...) are
those of the method's paper, or, for the tiny CLIP, the ones that stand beside them in prompts/.

Schedule and augmentation follow the code published with CoOp (arXiv:2109.01134, Sec. 3.1): SGD with
momentum 0.9 and weight decay 5e-4, cosine learning rate, one epoch of warm-up, random crops and flips.
"""

import argparse
import dataclasses
import itertools
import math
import time
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

import clip_min
from clip_min import load_clip
from clip_min.data import PictureSet, few_shot, load_dataset, split_classes
from clip_min.features import frozen_features
from clip_min.files import load_tensors, read_json_lines, save_tensors
from eval import add_common_flags, autocast, choose_device, evaluate, expand, features_folder, hyperparameters
from eval import image_features, learned_parameters, make_method, nearest, record, run
from prompts import FILES, METHODS

WARM_UP_LR = 1e-5  # of the first epoch
VIEWS = 16  # of each training picture
SAVE_EVERY = 30  # seconds between two saves of an unfinished run


def learning_rate(lr, epoch, epochs):
    """The rate of one epoch: 1e-5 in the first, then along a cosine that starts at lr and never reaches 0.

    >>> [round(learning_rate(0.002, epoch, 4), 6) for epoch in range(4)]
    [1e-05, 0.002, 0.001707, 0.001]
    """
    return WARM_UP_LR if epoch == 0 else lr * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


def training_epochs(method, items, setting, recipe, flags, device):
    """→ two functions: number of an epoch → its data set of pairs (input, label); batch of inputs → logits.

    Inputs are pictures, cropped and mirrored afresh in each epoch. If the image tower is frozen, they are
    features of `setting["views"]` such pictures, computed once and cycled through (views = 0: pictures, too).
    """
    crops = dict(scale=recipe["crop_scale"], flip=recipe["flip"])
    views = min(setting.get("views", 0), setting["epochs"])
    if views:
        how = dict(device=device, workers=flags.workers, precision=flags.precision, **crops)
        features = [frozen_features(method.clip, items, features_folder(flags), view, **how) for view in range(views)]
        labels = torch.tensor([item.label for item in items], device=device)
        return lambda epoch: TensorDataset(features[epoch % views], labels), method.classify
    pictures = PictureSet(items, method.clip.image_size, augmented=True, seed=setting["seed"], keep=True, **crops)

    def fresh(epoch):
        pictures.set_epoch(epoch)
        return pictures

    return fresh, method


def train(method, chosen, setting, recipe, flags, device, folder):
    """Learn the method's prompts on the chosen data set's training pictures. Returns the seconds it took.

    setting: identifies the run (its seed decides order, crops and dropout of every epoch). folder: of
    the file that an interrupted run goes on from, progress.pt, which is removed at the end.
    Raises ValueError if the loss is not finite; the last prompt whose loss was is kept, as last-good.pt.
    """
    epochs, batch_size, seed = setting["epochs"], setting["batch_size"], setting["seed"]
    pairs_of_epoch, logits_of = training_epochs(method, chosen.train, setting, recipe, flags, device)
    workers = flags.workers if logits_of is method else 0
    parameters = learned_parameters(method)
    optimiser = torch.optim.SGD(parameters.values(), setting["lr"], momentum=0.9, weight_decay=5e-4)
    scaler = torch.amp.GradScaler(device.type, enabled=flags.precision == "fp16")  # keeps small gradients from 0
    progress, first, seconds = folder / "progress.pt", 0, 0.0
    state = load_tensors(progress) if progress.exists() else None
    if state and state["setting"] == setting:
        for name, parameter in parameters.items():
            parameter.data.copy_(state["learned"][name])
        optimiser.load_state_dict(state["optimiser"])
        scaler.load_state_dict(state["scaler"])
        first, seconds = state["epoch"], state["seconds"]
        print(f"  goes on from epoch {first}")
    start = saved = time.time()
    last_good = None
    for epoch in range(first, epochs):
        torch.manual_seed(zlib.crc32(f"{seed} {epoch}".encode()))  # so that any epoch can be the first after a stop
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(setting["lr"], epoch, epochs)
        # A last batch that is not full is dropped, unless it is the only one.
        drop_last = len(chosen.train) >= batch_size
        loader = DataLoader(pairs_of_epoch(epoch), batch_size, True, drop_last=drop_last, num_workers=workers)
        method.train()
        method.clip.eval()  # frozen: the running means of a ResNet must not move
        losses, hits, seen = [], 0, 0
        for step, (inputs, labels) in enumerate(loader, epoch * len(loader)):
            inputs, labels = inputs.to(device), labels.to(device)
            with autocast(device, flags.precision):
                logits = logits_of(inputs)  # [B, K]
                loss = F.cross_entropy(logits, labels)
            if not loss.isfinite():
                sentence = f"The loss is {loss.item()} at step {step} (epoch {epoch + 1}): lower --lr."
                if last_good:
                    save_prompt(folder / "last-good.pt", setting, last_good, chosen.classnames)
                    sentence += f" The prompt of the step before is kept in {folder / 'last-good.pt'}."
                raise ValueError(sentence)
            last_good = {name: p.detach().clone() for name, p in parameters.items()}
            optimiser.zero_grad()
            scaler.scale(loss).backward()
            if recipe["max_norm"]:
                scaler.unscale_(optimiser)
                torch.nn.utils.clip_grad_norm_(parameters.values(), recipe["max_norm"])
            scaler.step(optimiser)
            scaler.update()
            losses.append(loss.item())
            hits += (logits.argmax(dim=-1) == labels).sum().item()
            seen += len(labels)
        now = time.time()
        if epoch % max(1, epochs // 5) == 0 or epoch + 1 == epochs:
            left = (now - start) / (epoch + 1 - first) * (epochs - epoch - 1)
            rate = optimiser.param_groups[0]["lr"]
            print(f"  epoch {epoch + 1:3}/{epochs}  loss {np.mean(losses):6.3f}  accuracy {100 * hits / seen:5.1f} %"
                  f"  lr {rate:.5f}  {left:4.0f} s left", flush=True)  # fmt: skip
        if now - saved > SAVE_EVERY and epoch + 1 < epochs:
            learned = {name: p.detach() for name, p in parameters.items()}
            content = dict(setting=setting, learned=learned, optimiser=optimiser.state_dict())
            content |= dict(scaler=scaler.state_dict(), epoch=epoch + 1, seconds=seconds + now - start)
            save_tensors(progress, content)
            saved = now
    return seconds + time.time() - start


def fit(method, chosen, flags, device):
    """Fit a linear probe on the pictures as CLIP sees them, without augmentation. Returns the seconds it took."""
    start = time.time()
    train = image_features(method, chosen.train, flags, device)
    val = image_features(method, chosen.val, flags, device) if chosen.val else (None, None)
    method.fit(*train, *val)
    print(f"  C = {method.C:g}")
    return time.time() - start


def save_prompt(path, setting, learned, classnames):
    """Write a prompt file: what was learned ({name: tensor}), and what is needed to use it again."""
    learned = {name: tensor.detach().cpu() for name, tensor in learned.items()}
    save_tensors(path, setting | dict(learned=learned, classnames=classnames, version=clip_min.__version__))


def find_result(rows, setting):
    """The last row that train.py wrote with this setting, or None (eval.py's rows say where a prompt was trained)."""
    fits = [row for row in rows if setting.items() <= row.items() and "trained_on" not in row]
    return fits[-1] if fits else None


def make_setting(name, clip, dataset, shots, seed, flags):
    """What identifies one run, the recipe it follows (the flags where given, else the method's file), its folder."""
    recipe = FILES[name].TINY if clip.name == "tiny" else FILES[name].PAPER
    options = hyperparameters(flags.hp)
    setting = dict(method=name, options=options, model=clip.name, sha256=clip.sha256, dataset=dataset)
    setting |= dict(classes=flags.classes, shots=shots, seed=seed, precision=flags.precision, split=flags.split)
    words = options | (dict(split="val") if flags.split == "val" else {})
    if recipe:  # how it is trained, step by step
        overrides = {k: v for k in ("lr", "epochs", "batch_size") if (v := getattr(flags, k)) is not None}
        fewest = min((s for s in recipe["epochs"] if s >= shots), default=max(recipe["epochs"]))
        setting["options"] = recipe["options"] | options
        setting |= dict(lr=recipe["lr"], epochs=recipe["epochs"][fewest], batch_size=recipe["batch_size"]) | overrides
        setting |= dict(crop_scale=list(recipe["crop_scale"]), flip=recipe["flip"], max_norm=recipe["max_norm"])
        words |= overrides
        if getattr(METHODS[name], "image_tower_is_frozen", False):  # joint.py's entries, partials, do not have it
            setting["views"] = flags.views
            words |= dict(views=flags.views) if flags.views != VIEWS else {}
    words |= dict(precision=flags.precision) if flags.precision != "fp32" else {}
    parts = [f"shots{shots}", f"seed{seed}"] + ([flags.classes] if flags.classes != "all" else [])
    parts += [f"{key}={value}" for key, value in words.items()]
    model = clip.name.replace("/", "-")
    return setting, recipe, flags.out / dataset / model / name / "-".join(parts).replace("/", "-")


def learn_and_evaluate(name, clip, dataset, shots, seed, flags, device, rows):
    """One run: its accuracy in per cent, learned now or found in the results."""
    setting, recipe, folder = make_setting(name, clip, dataset.name, shots, seed, flags)
    found = find_result(rows, setting)
    if found and (folder / "prompt.pt").exists():
        print(f"{name}, seed {seed}: {found['accuracy']:.2f} % (already in {flags.out / 'results.jsonl'})")
        return found["accuracy"]
    train_items, val_items = few_shot(dataset, shots, seed)
    chosen = split_classes(dataclasses.replace(dataset, train=train_items, val=val_items), flags.classes)
    torch.manual_seed(seed)
    method = make_method(name, clip, chosen, setting["options"]).to(device)
    count = sum(p.numel() for p in learned_parameters(method).values())
    print(f"{name}, seed {seed}: {len(chosen.train)} pictures, {count:,} learned parameters")
    if hasattr(method, "fit"):
        seconds = fit(method, chosen, flags, device)
    else:
        seconds = train(method, chosen, setting, recipe, flags, device, folder)
    accuracy = evaluate(method, chosen.test, flags, device)
    save_prompt(folder / "prompt.pt", setting, learned_parameters(method), chosen.classnames)
    record(flags.out / "results.jsonl", **setting, accuracy=accuracy, trainable_parameters=count,
           seconds=round(seconds, 1), device=str(device))  # fmt: skip
    (folder / "progress.pt").unlink(missing_ok=True)
    on = f"{flags.split} accuracy {accuracy:.2f} % on {len(chosen.test):,} pictures"
    print(f"  {on}, {seconds:.0f} s, {folder / 'prompt.pt'}")
    return accuracy


def zero_shot_accuracy(clip, dataset, options, flags, device, rows):
    """Accuracy of zero-shot CLIP on the same test pictures, now or found in the results."""
    setting = dict(method="zero_shot", options=options, model=clip.name, sha256=clip.sha256, dataset=dataset.name)
    setting |= dict(classes=flags.classes, shots=0, seed=0, epochs=0, precision=flags.precision)
    setting |= dict(split=flags.split)
    found = find_result(rows, setting)
    if found:
        return found["accuracy"]
    start = time.time()
    chosen = split_classes(dataset, flags.classes)
    accuracy = evaluate(make_method("zero_shot", clip, chosen, options), chosen.test, flags, device)
    seconds = round(time.time() - start, 1)
    record(flags.out / "results.jsonl", **setting, accuracy=accuracy, trainable_parameters=0, seconds=seconds)
    return accuracy


def main():
    """The product of the flags' values, run by run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", nargs="+", default=["upt"], help=f"of {', '.join(METHODS)} (default: upt)")
    parser.add_argument("--model", nargs="+", default=["tiny"], help="tiny, ViT-B/16, ... or a path (default: tiny)")
    parser.add_argument("--shots", nargs="+", type=int, default=[16], help="pictures per class (default: 16)")
    parser.add_argument("--seed", nargs="+", type=int, default=[1], help="(default: 1)")
    parser.add_argument("--split", default="test", choices=("test", "val"),
                        help="pictures to evaluate on; val: to choose a recipe by (default: test)")  # fmt: skip
    parser.add_argument("--classes", default="all", choices=("all", "base", "new"), help="(default: all)")
    parser.add_argument("--lr", type=float, help="learning rate (default: the method's recipe)")
    parser.add_argument("--epochs", type=int, help="(default: the method's recipe)")
    parser.add_argument("--batch-size", type=int, help="(default: the method's recipe)")
    parser.add_argument("--views", type=int, default=VIEWS,
                        help="if the method leaves the image tower frozen, random views of each picture to compute "
                        f"once and cycle through; 0: a fresh one every epoch, as the papers (default: {VIEWS})")
    add_common_flags(parser, default_dataset=["toy-satellite"])
    flags = parser.parse_args()
    device = choose_device(flags.device)
    methods = [nearest(name, METHODS, "method") for name in flags.method]
    for name, values in (("shots", flags.shots), ("epochs", [flags.epochs]), ("batch-size", [flags.batch_size])):
        for value in values:
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be at least 1, not {value}.")
    if flags.views < 0:
        raise ValueError(f"--views must be at least 0, not {flags.views}.")
    if flags.lr is not None and not 0 < flags.lr < math.inf:
        raise ValueError(f"--lr must be a positive number, not {flags.lr}.")
    options = hyperparameters(flags.hp)
    datasets = [load_dataset(name, flags.data_root) for name in expand(flags.dataset)]
    if flags.split == "val":
        datasets = [dataclasses.replace(dataset, test=dataset.val) for dataset in datasets]
    methods = [name for name in dict.fromkeys(methods) if name != "zero_shot"]  # it has a row in any case
    shots, seeds = dict.fromkeys(flags.shots), dict.fromkeys(flags.seed)  # each once
    zero_shot_options = {} if methods else options
    for model in flags.model:
        clip = load_clip(model, device)
        for name, dataset in itertools.product(methods or ["zero_shot"], datasets):
            recipes_and_flags = make_setting(name, clip, dataset.name, 1, 1, flags)[0]["options"]
            make_method(name, clip, dataset, recipes_and_flags)  # refuses what cannot be before anything is computed
        for dataset, shot in itertools.product(datasets, shots):
            rows = read_json_lines(flags.out / "results.jsonl")
            zero_shot = zero_shot_accuracy(clip, dataset, zero_shot_options, flags, device, rows)
            print(f"\n{dataset.name}, {clip.name} CLIP, {shot} shots, {flags.classes} classes")
            summary = [f"  {'zero-shot':12} {zero_shot:6.2f} %"]
            for name in methods:
                runs = [learn_and_evaluate(name, clip, dataset, shot, s, flags, device, rows) for s in seeds]
                spread = f" ± {np.std(runs):.2f} over {len(runs)} seeds" if len(runs) > 1 else ""
                summary.append(f"  {name:12} {np.mean(runs):6.2f} %{spread}  ({np.mean(runs) - zero_shot:+.2f})")
            print("\n".join(summary), flush=True)


if __name__ == "__main__":
    run(main)
