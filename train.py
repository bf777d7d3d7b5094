"""Learns prompts from a few pictures per class and evaluates them beside zero-shot CLIP.

    python train.py --method upt                                       tiny CLIP, miniature world
    python train.py --method upt --dataset toy --shots 1 4 16 --seed 1 2 3
    python train.py --method upt --dataset eurosat --data-root DATA --model ViT-B/16
    python train.py --method coop cocoop --dataset toy --protocol base-to-new --jobs 2
    torchrun --nproc-per-node=2 train.py --method coop --dataset imagenet --data-root DATA --model ViT-B/16

Several values to one flag run their product; what results.jsonl already holds is skipped, an interrupted run
goes on where it stopped, and the same command started twice shares the runs out (so does --jobs). Each run
leaves runs/<data set>/<model>/<method>/<shots, seed, ...>/prompt.pt, and each evaluation of it one line in
runs/results.jsonl. Recipes (learning rate, epochs, ...) are those of the method's paper, or, for the tiny
CLIP, the ones that stand beside them in prompts/.

Schedule and augmentation follow the code published with CoOp (arXiv:2109.01134, Sec. 3.1): SGD with
momentum 0.9 and weight decay 5e-4, cosine learning rate, one epoch of warm-up, random crops and flips.

Protocols: few-shot trains and tests on all classes. base-to-new (CoCoOp, Sec. 4.1) trains on the first half of
the classes and tests on each half by itself, class-incremental (CoCoOp, Sec. 4.4) on all classes together.
cross-dataset (CoCoOp, Sec. 4.2) and domain-generalization (CoOp, Sec. 3.2) train on one data set and test on the
others of its kind, and on its shifted versions.
"""

# Longer than most files, so that one run can be read in one place: the loop, what becomes of a run, the flags.

import argparse
import contextlib
import dataclasses
import datetime
import math
import os
import sys
import time
import zlib
from types import SimpleNamespace

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from clip_min import load_clip
from clip_min.data import PictureSet, few_shot, load_dataset, split_classes
from prompts.experiments.features import frozen_features
from clip_min.files import load_tensors, lock, read_json_lines, save_tensors
from prompts import METHODS
from prompts.experiments.flags import add_common_flags, choose_device, expand, nearest, run_script
from prompts.experiments.store import autocast, build_method, evaluate, features_folder, find_result, image_features
from prompts.experiments.store import learned_parameters, load_prompt, make_method, record, row_of, save_prompt
from prompts.experiments.plan import PROTOCOLS, VIEWS, folder_name, make_runs, print_summary, start_jobs

WARM_UP_LR = 1e-5  # of the first epoch
SAVE_EVERY = 30  # seconds between two saves of an unfinished run
RANK, PROCESSES = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))  # as torchrun sets them


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
    pictures = PictureSet(items, method.clip.preprocess, SimpleNamespace(**crops, crop_scale=crops["scale"]), seed=setting["seed"])

    def fresh(epoch):
        pictures.set_epoch(epoch)
        return pictures

    return fresh, method


class Step(torch.nn.Module):
    """A method and what computes its logits as one module, which DistributedDataParallel can wrap."""

    def __init__(self, method, logits_of):
        super().__init__()
        self.method, self.logits_of = method, logits_of

    def forward(self, inputs):
        return self.logits_of(inputs)


def train(method, chosen, setting, recipe, flags, device, folder):
    """Learn the method's prompts on the chosen data set's training pictures → seconds, mean loss of each epoch.

    setting: identifies the run (its seed decides order, crops and dropout of every epoch). folder: of
    the file that an interrupted run goes on from, progress.pt, which the caller removes at the end.
    Under torchrun, each process takes its share of every batch, and gradients and losses are averaged.
    Raises ValueError if the loss is not finite; the last prompt whose loss was is kept, as last-good.pt.
    """
    epochs, batch_size, seed = setting["epochs"], setting["batch_size"], setting["seed"]
    if batch_size % PROCESSES:
        raise ValueError(f"A batch of {batch_size} cannot be shared out evenly over {PROCESSES} processes: "
                         "give another --batch-size.")  # fmt: skip
    if RANK:
        agree()  # the first process computes features, the others find them on disk
    pairs_of_epoch, logits_of = training_epochs(method, chosen.train, setting, recipe, flags, device)
    if not RANK:
        agree()
    step_module = Step(method, logits_of)
    if dist.is_initialized():
        step_module = DistributedDataParallel(step_module, forward_sync_buffers=False)
    parameters = learned_parameters(method)
    optimiser = torch.optim.SGD(parameters.values(), setting["lr"], momentum=0.9, weight_decay=5e-4)
    scaler = torch.amp.GradScaler(device.type, enabled=flags.precision == "fp16")  # keeps small gradients from 0
    progress, first, seconds, losses = folder / "progress.pt", 0, 0.0, []
    state = load_tensors(progress) if progress.exists() else None
    if state and state["setting"] == setting:
        for name, parameter in parameters.items():
            parameter.data.copy_(state["learned"][name])
        optimiser.load_state_dict(state["optimiser"])
        scaler.load_state_dict(state["scaler"])
        first, seconds, losses = state["epoch"], state["seconds"], state["losses"]
        print(f"  goes on from epoch {first}")
    start = saved = time.time()
    last_good = None
    for epoch in range(first, epochs):
        random_number = zlib.crc32(f"{seed} {epoch}".encode())  # so that any epoch can be the first after a stop
        torch.manual_seed(random_number)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(setting["lr"], epoch, epochs)
        # A last batch that is not full is dropped, unless it is the only one.
        drop_last = len(chosen.train) >= batch_size
        pairs = pairs_of_epoch(epoch)
        share = DistributedSampler(pairs, PROCESSES, RANK, seed=random_number, drop_last=drop_last)
        loader = DataLoader(pairs, batch_size // PROCESSES, sampler=share, drop_last=drop_last,
                            num_workers=flags.workers if logits_of is method else 0)  # fmt: skip
        method.train()
        method.clip.eval()  # frozen: the running means of a ResNet must not move
        sums = torch.zeros(3, device=device)
        for step, (inputs, labels) in enumerate(loader, epoch * len(loader)):
            inputs, labels = inputs.to(device), labels.to(device)
            with autocast(device, flags.precision):
                logits = step_module(inputs)  # [B, K]
                loss = F.cross_entropy(logits, labels)
            hits = (logits.argmax(dim=-1) == labels).sum()
            seen = torch.stack([len(labels) * loss.detach(), hits, torch.full_like(hits, len(labels))])
            if dist.is_initialized():
                dist.all_reduce(seen)
            if not seen.isfinite().all():
                what = f"The loss is {loss.item()} at step {step} (epoch {epoch + 1})"
                raise diverged(what, last_good, setting, chosen, folder)
            last_good = {name: p.detach().clone() for name, p in parameters.items()}
            optimiser.zero_grad()
            scaler.scale(loss).backward()
            if recipe["max_norm"]:
                scaler.unscale_(optimiser)
                torch.nn.utils.clip_grad_norm_(parameters.values(), recipe["max_norm"])
            scaler.step(optimiser)
            scaler.update()
            sums += seen
        losses.append((sums[0] / sums[2]).item())
        now = time.time()
        if epoch % max(1, epochs // 5) == 0 or epoch + 1 == epochs:
            left = (now - start) / (epoch + 1 - first) * (epochs - epoch - 1)
            rate = optimiser.param_groups[0]["lr"]
            print(f"  epoch {epoch + 1:3}/{epochs}  loss {losses[-1]:6.3f}  accuracy {100 * sums[1] / sums[2]:5.1f} %"
                  f"  lr {rate:.5f}  {left:4.0f} s left", flush=True)  # fmt: skip
        if now - saved > SAVE_EVERY and epoch + 1 < epochs and not RANK:
            learned = {name: p.detach() for name, p in parameters.items()}
            content = dict(setting=setting, learned=learned, optimiser=optimiser.state_dict())
            content |= dict(scaler=scaler.state_dict(), epoch=epoch + 1, seconds=seconds + now - start, losses=losses)
            save_tensors(progress, content)
            saved = now
    if not all(p.isfinite().all() for p in parameters.values()):
        raise diverged("The prompt is no number after the last step", last_good, setting, chosen, folder)
    return seconds + time.time() - start, losses


def diverged(what, last_good, setting, chosen, folder):
    """→ the ValueError that says so. What was learned before, if its loss was a number, is kept as last-good.pt."""
    if not last_good:
        return ValueError(f"{what}: lower --lr.")
    path = folder / "last-good.pt"
    if not RANK:
        save_prompt(path, setting, last_good, chosen)
    return ValueError(f"{what}: lower --lr. The prompt of the step before is kept in {path}.")


def fit(method, chosen, flags, device):
    """Fit a linear probe on the pictures as CLIP sees them, without augmentation. Returns the seconds it took."""
    start = time.time()
    train = image_features(method, chosen.train, flags, device)
    val = image_features(method, chosen.val, flags, device) if chosen.val else (None, None)
    method.fit(*train, *val)
    print(f"  C = {method.C:g}")
    return time.time() - start


def agree(value=None):
    """The first process's value, on every process of torchrun: nobody goes on before it is known."""
    if not dist.is_initialized():
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def learn_and_evaluate(run, flags, device):
    """What is still missing of a run: its prompt file, and one row of results.jsonl for each target."""
    setting, results = run.setting, flags.out / "results.jsonl"
    title = f"{setting['method']}, {run.dataset.name}, {setting['shots']} shots, seed {setting['seed']}"
    learns = setting["method"] != "zero_shot"
    if learns and agree(saved_prompt(run) is None):
        learn(run, title, flags, device)
    if RANK:
        return
    prompt = saved_prompt(run) if learns else None
    for target, classes in run.targets:
        row = row_of(setting, target, classes, flags.split)
        found = find_result(read_json_lines(results), row)
        if found:
            if learns:
                print(f"{title}: {found['accuracy']:.2f} % on {target.name}, {classes} classes (already in {results})",
                      flush=True)  # fmt: skip
            continue
        start = time.time()
        chosen = split_classes(target, classes)
        if learns:
            method = build_method(prompt, run.clip, chosen).to(device)
        else:
            method = make_method("zero_shot", run.clip, chosen, setting["options"])
        items = getattr(chosen, flags.split)
        accuracy = evaluate(method, items, flags, device)
        row |= dict(accuracy=accuracy, trainable_parameters=sum(p.numel() for p in learned_parameters(method).values()))
        row |= dict(seconds=round(prompt["seconds"] if learns else time.time() - start, 1), device=str(device))
        record(results, **row, **(dict(loss=prompt["losses"][-1]) if learns and prompt["losses"] else {}))
        if learns:
            print(f"  {flags.split} accuracy {accuracy:.2f} % on {len(items):,} pictures of {target.name}, "
                  f"{classes} classes, {prompt['seconds']:.0f} s, {run.folder / 'prompt.pt'}", flush=True)  # fmt: skip


def saved_prompt(run):
    """The run's prompt file, or None if it is not there, or that of another setting."""
    path = run.folder / "prompt.pt"
    prompt = load_prompt(path) if path.exists() else {}
    return prompt if all(prompt.get(key) == value for key, value in run.setting.items()) else None


def learn(run, title, flags, device):
    """Few-shot sample, training, prompt.pt."""
    setting, folder = run.setting, run.folder
    train_items, val_items = few_shot(run.dataset, setting["shots"], setting["seed"])
    chosen = dataclasses.replace(run.dataset, train=train_items, val=val_items)
    chosen = split_classes(chosen, setting["classes"])
    torch.manual_seed(setting["seed"])
    method = make_method(setting["method"], run.clip, chosen, setting["options"]).to(device)
    count = sum(p.numel() for p in learned_parameters(method).values())
    print(f"{title}: {len(chosen.train)} pictures, {count:,} learned parameters", flush=True)
    losses = []
    if not hasattr(method, "fit"):
        seconds, losses = train(method, chosen, setting, run.recipe, flags, device, folder)
    elif not RANK:
        seconds = fit(method, chosen, flags, device)
    if not RANK:
        more = dict(seconds=seconds, losses=losses)
        save_prompt(folder / "prompt.pt", setting, learned_parameters(method), chosen, **more)
        for leftover in [folder / "progress.pt", *folder.glob("*.part")]:
            leftover.unlink(missing_ok=True)


def join_torchrun(device):
    """Meet the other processes that torchrun started → this process's device. Only the first one prints."""
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=datetime.timedelta(days=1))
    if RANK:
        sys.stdout = open(os.devnull, "w")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


def parse_flags():
    """The command line, checked. Raises ValueError for numbers out of range and for what contradicts itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_argument_group("what to run; several values to a flag run their product")
    what.add_argument("--method", nargs="+", default=["upt"], metavar="NAME",
                      help=f"{', '.join(METHODS)} (default: upt)")  # fmt: skip
    what.add_argument("--model", nargs="+", default=["tiny"], metavar="NAME",
                      help="tiny, ViT-B/16, RN50, ... or a path to weights (default: tiny)")  # fmt: skip
    what.add_argument("--protocol", default="few-shot", choices=PROTOCOLS, help="see above (default: few-shot)")
    what.add_argument("--shots", nargs="+", type=int, default=[16], metavar="N",
                      help="training pictures per class (default: 16, as the papers' main tables)")  # fmt: skip
    what.add_argument("--seed", nargs="+", type=int, default=[1], metavar="N",
                      help="of sampling, initialisation, crops and order (default: 1; the papers: 1 2 3)")  # fmt: skip
    what.add_argument("--classes", choices=("all", "base", "new"), help="to train on (default: the protocol's)")
    what.add_argument("--hp", nargs="+", default=[], metavar="NAME=VALUE",
                      help="the method's own options, such as n_ctx=8 class_specific=True: see its file in prompts/")
    what.add_argument("--jobs", type=int, default=1, metavar="N",
                      help="processes to share the runs out to (default: 1)")  # fmt: skip
    recipe = parser.add_argument_group("recipe (default: PAPER in the method's file, TINY for the tiny CLIP)")
    recipe.add_argument("--lr", type=float, help="learning rate (the papers: 0.002, CoOp Sec. 3.1)")
    recipe.add_argument("--epochs", type=int, metavar="N",
                        help="(CoOp Sec. 3.1: 50 for 1 shot, 100 for 2 and 4, 200 for 8 and 16; CoCoOp Sec. 4: 10)")
    recipe.add_argument("--batch-size", type=int, metavar="N", help="(CoOp's code: 32; CoCoOp Sec. 4: 1)")
    recipe.add_argument("--views", type=int, default=VIEWS, metavar="N",
                        help="where the image tower is not prompted: random crops of each picture to compute once and "
                        f"cycle through; 0: fresh ones in every epoch, as the papers (default: {VIEWS})")  # fmt: skip
    add_common_flags(parser, "toy-satellite; toy-objects for cross-dataset and domain-generalization")
    flags = parser.parse_args()
    at_least = dict(shots=1, epochs=1, batch_size=1, jobs=1, views=0, seed=0)
    for name, least in at_least.items():
        given = getattr(flags, name)
        for value in given if isinstance(given, list) else [given]:
            if value is not None and not least <= value < 2**63:
                raise ValueError(f"--{name.replace('_', '-')} must be at least {least}, and less than 2**63, "
                                 f"not {value}.")  # fmt: skip
    if flags.jobs > 1 and PROCESSES > 1:
        raise ValueError("--jobs shares runs out, torchrun the batches of one run: use one of them.")
    if flags.lr is not None and not 0 < flags.lr < math.inf:
        raise ValueError(f"--lr must be a positive number, not {flags.lr}.")
    learned_on = "base" if flags.protocol in ("base-to-new", "class-incremental") else "all"
    if flags.protocol != "few-shot" and flags.classes not in (None, learned_on):
        raise ValueError(f"--protocol {flags.protocol} trains on {learned_on} classes: leave --classes out.")
    flags.classes = flags.classes or learned_on
    if not flags.dataset:
        flags.dataset = ["toy-objects" if flags.protocol.startswith(("cross", "domain")) else "toy-satellite"]
    return flags


def main():
    """The product of the flags' values, run by run."""
    flags = parse_flags()
    device = choose_device(flags.device)
    methods = [nearest(name, METHODS, "method") for name in flags.method]
    methods = [name for name in dict.fromkeys(methods) if name != "zero_shot"]  # it has a row in any case
    if PROCESSES > 1:
        device = join_torchrun(device)
    datasets = [load_dataset(name, flags.data_root, flags.template) for name in expand(flags.dataset)]
    left = []
    for model in flags.model:
        left += make_runs(load_clip(model, device), datasets, methods, flags)
    runs, jobs = list(left), start_jobs(flags.jobs)
    for wait in (False, True):  # first what no other process is at, then what is left
        for run in list(left):
            name = folder_name(str(run.folder.relative_to(flags.out)))
            with contextlib.nullcontext() if RANK else lock(flags.out / "locks" / name, wait) as mine:
                if agree(mine):
                    left.remove(run)
                    learn_and_evaluate(run, flags, device)
    for job in jobs:
        job.wait()
    if not RANK:
        print_summary(runs, flags)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    run_script(main)
