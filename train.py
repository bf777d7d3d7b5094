"""Learns prompts from a few pictures per class and evaluates them beside zero-shot CLIP.

    python train.py --method upt                                 tiny CLIP, miniature world
    python train.py --method upt --dataset toy --shots 1 4 16 --seed 1 2 3
    python train.py --method upt --dataset eurosat --data-root DATA --model ViT-B/16
    python train.py --method coop cocoop --dataset toy --protocol base-to-new --jobs 2
    python train.py --paper coop --data-root DATA                what CoOp's paper ran
    torchrun --nproc-per-node=2 train.py --method coop --dataset imagenet --data-root DATA

If flags have several values, every combination is run. What results.jsonl holds already is skipped,
and an interrupted run continues. A run leaves its prompt.pt in a folder below runs/, and each
evaluation one line in runs/results.jsonl. Recipes (learning rate, epochs, ...) are those of the
method's paper, or, for the tiny CLIP, the ones that stand beside them in prompts/.

Protocols: few-shot trains and tests on all classes. base-to-new (CoCoOp, Sec. 4.1) trains on the
first half of the classes and tests on each half by itself, class-incremental (CoCoOp, Sec. 4.4) on
all classes together. cross-dataset (CoCoOp, Sec. 4.2) and domain-generalization (CoOp, Sec. 3.2)
train on one data set and test on the others of its kind, and on its shifted versions.
"""

import math
import time
from dataclasses import replace

import torch
import torch.nn.functional as F

from clip_min.data import few_shot, split_classes
from clip_min.files import printable
from prompts.runs import parallel as distributed, store
from prompts.runs.batches import epoch_seed, training_batches
from prompts.runs.evaluation import evaluate, image_features
from prompts.runs.features import autocast
from prompts.runs.job import compute_of, parse_train_flags, run_script
from prompts.runs.plan import plan
from prompts.runs.progress import Countdown, Progress
from prompts.runs.results import Results
from prompts.runs.sharing import claimed_runs, helper_processes
from prompts.reports.summary import print_summary

WARM_UP_LR = 1e-5  # of the first epoch
FP16_SCALE = 2.0**10  # times this, small gradients do not become 0 in fp16, and large ones fit


def learning_rate(lr, epoch, epochs):
    """The rate of one epoch: 1e-5 in the first, then along a cosine that starts at lr.

    Source: the code published with CoOp (arXiv:2109.01134, Sec. 3.1); the last rate is not 0.

    >>> [round(learning_rate(0.002, epoch, 4), 6) for epoch in range(4)]
    [1e-05, 0.002, 0.001707, 0.001]
    """
    cosine = lr * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2
    return WARM_UP_LR if epoch == 0 else cosine


def logits_and_loss(method, inputs, labels):
    """inputs as in `train`, labels [B] → logits [B, K], and the method's loss: its own, or the
    cross-entropy."""
    if hasattr(method, "loss"):
        return method.loss(inputs, labels)
    logits = method.classify(inputs) if inputs.ndim == 2 else method(inputs)
    return logits, F.cross_entropy(logits.float(), labels)


def train(method, batches_of_epoch, recipe, seed, progress=None):
    """Learn the method's prompts → the mean loss of each epoch, a list.

    batches_of_epoch: number of an epoch → its batches (inputs, labels [B]); inputs are pictures
    [B, 3, H, W], or features [B, E] of a frozen image tower: see `training_batches`.
    recipe: its `epochs` is a number. progress: keeps an unfinished run, and goes on with it.
    Raises FloatingPointError if the loss is not finite.
    Source: CoOp, Sec. 3.1: cross-entropy, SGD with momentum 0.9 and weight decay 5e-4.
    """
    progress, device = progress or Progress(), method.clip.logit_scale.device
    parameters = store.learned_parameters(method)
    optimiser = torch.optim.SGD(parameters.values(), recipe.lr, momentum=0.9, weight_decay=5e-4)
    scaler = torch.amp.GradScaler(device.type, FP16_SCALE, enabled=recipe.precision == "fp16")
    state = store.state_beside_parameters(method)
    parts = {**parameters, **state, "optimiser": optimiser, "scaler": scaler}
    losses = progress.restore(parts)  # [] at the start
    for epoch in range(len(losses), recipe.epochs):
        torch.manual_seed(epoch_seed(seed, epoch))
        lr = learning_rate(recipe.lr, epoch, recipe.epochs)
        optimiser.param_groups[0]["lr"] = lr
        method.train()
        method.clip.eval()  # frozen: the running means of a ResNet must not move
        totals = torch.zeros(3, device=device)  # of losses, right answers, pictures
        for inputs, labels in batches_of_epoch(epoch):
            inputs, labels = inputs.to(device), labels.to(device)
            with autocast(device, recipe.precision):
                logits, loss = logits_and_loss(method, inputs, labels)
            hits, B = (logits.argmax(dim=-1) == labels).sum(), len(labels)
            totals += distributed.total_over_processes(B * loss.detach(), hits, torch.tensor(B))
            if not totals.isfinite().all():
                raise FloatingPointError(f"loss {loss.item()} in epoch {epoch + 1}: lower --lr.")
            optimiser.zero_grad()
            scaler.scale(loss).backward()
            distributed.average_gradients(parameters.values(), B)
            scaler.unscale_(optimiser)
            if recipe.max_norm:
                torch.nn.utils.clip_grad_norm_(parameters.values(), recipe.max_norm)
            scaler.step(optimiser)
            scaler.update()
        if hasattr(method, "after_epoch"):
            method.after_epoch(epoch, recipe.epochs)
        loss_sum, hit_sum, seen = totals.tolist()
        losses.append(loss_sum / seen)
        words = f"loss {losses[-1]:6.3f}  accuracy {100 * hit_sum / seen:5.1f} %  lr {lr:.5f}"
        progress.report(epoch, recipe.epochs, words)
        progress.save(parts, losses)
    return losses


def learn(run, compute):
    """Few-shot sample, training, prompt.pt, unless that is there → dict(seconds, losses)."""
    saved = store.saved_prompt(run)
    if distributed.from_first_process(saved is not None):
        store.load_learned(run.method, saved)
        return saved
    train_items, val_items = few_shot(run.dataset, run.shots, run.seed)
    few = split_classes(replace(run.dataset, train=train_items, val=val_items), run.classes)
    method, progress = run.method, Progress(run.folder / "progress.pt", run.setting)
    losses, words = [], f"{store.count_parameters(method):,} learned parameters"
    print(f"  {len(few.train)} pictures, {words}")
    if run.recipe:
        batches = training_batches(method, few.train, run.recipe, run.seed, compute)
        losses = train(method, batches, run.recipe, run.seed, progress)
    elif distributed.RANK == 0:  # a linear probe: pictures as CLIP sees them, no augmentation
        val = image_features(method, few.val, compute) if few.val else (None, None)
        method.fit(*image_features(method, few.train, compute), *val)
        print(f"  C = {method.C:g}")
    learned = dict(seconds=progress.seconds, losses=losses)
    if distributed.RANK == 0:
        store.save_prompt(run, few, learned)
        progress.finish()
    return learned


def complete(run, missing, results, compute):
    """Learn, evaluate on each missing target, and record its row."""
    learned = learn(run, compute) if run.learns else dict(losses=[])
    if distributed.RANK:
        return
    for target, row in missing:
        start, items = time.monotonic(), getattr(target, run.split)
        method = run.method_on(target)
        accuracy = evaluate(method, items, compute)
        seconds = learned.get("seconds", time.monotonic() - start)
        facts = dict(trainable_parameters=store.count_parameters(method), seconds=round(seconds, 1))
        if learned["losses"]:
            facts["loss"] = learned["losses"][-1]
        results.record(row, accuracy=accuracy, device=str(compute.device), **facts)
        if run.learns:
            pictures = f"{len(items):,} pictures of {target.name}, {row['classes']} classes"
            words = f"{run.split} accuracy {accuracy:.2f} % on {pictures}, {seconds:.0f} s"
            print(printable(f"  {words}, {run.prompt_file}"))


def main():
    """Every run that the flags ask for → exit status: 1 if one has failed."""
    flags = parse_train_flags(__doc__)
    compute = compute_of(flags)
    runs, results = plan(flags, compute), Results(flags.out / "results.jsonl")
    countdown = Countdown(runs, results)
    with helper_processes(flags.jobs):
        for run in claimed_runs(runs, flags.out / "locks"):
            missing = results.missing(run)
            countdown.announce(run, missing)
            try:
                if distributed.from_first_process(not results.is_finished(run, missing)):
                    complete(run, missing, results, compute)
            except FloatingPointError as error:
                results.record_failure(run, error)
            run.release_method()
    status = print_summary(runs, results, flags)
    distributed.leave()
    return status


if __name__ == "__main__":
    run_script(main)
