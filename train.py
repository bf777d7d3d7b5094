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

Protocols: few-shot learns and tests on all classes. base-to-new learns on the first half of the
classes and tests on each half by itself, class-incremental on all classes together. cross-dataset
and domain-generalization learn on one data set and test on the others of its kind, and on its
shifted versions (prompts/runs/protocols.py).
"""

import math
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the cores to others

import torch
import torch.nn.functional as F

from clip_min.files import printable
from prompts.reports.summary import print_summary
from prompts.runs import parallel, store
from prompts.runs.batches import epoch_seed, training_batches
from prompts.runs.evaluation import image_features
from prompts.runs.features import autocast
from prompts.runs.job import compute_of, parse_train
from prompts.runs.plan import plan
from prompts.runs.progress import Countdown, Progress
from prompts.runs.results import Results
from prompts.runs.script import run_script

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


def train(method, batches_of_epoch, recipe, seed, progress=None):
    """Learn the method's prompts → the mean loss of each epoch, a list.

    batches_of_epoch: number of an epoch → its batches (inputs, labels [B]); inputs are pictures
    [B, 3, H, W], or features [B, E] of a frozen image tower: see `training_batches`.
    recipe: its `epochs` is a number. progress: keeps an unfinished run, and goes on with it.
    Raises FloatingPointError if the loss is not finite.
    Source: CoOp, Sec. 3.1: cross-entropy, SGD with momentum 0.9 and weight decay 5e-4.
    """
    progress, device = progress or Progress(), method.clip.logit_scale.device
    parameters = list(store.learned_parameters(method).values())
    optimiser = torch.optim.SGD(parameters, recipe.lr, momentum=0.9, weight_decay=5e-4)
    scaler = torch.amp.GradScaler(device.type, FP16_SCALE, enabled=recipe.precision == "fp16")
    losses = progress.restore(method, optimiser, scaler)  # [] at the start
    for epoch in range(len(losses), recipe.epochs):
        torch.manual_seed(epoch_seed(seed, epoch))
        lr = learning_rate(recipe.lr, epoch, recipe.epochs)
        optimiser.param_groups[0]["lr"] = lr
        method.train()
        method.clip.eval()  # frozen: the running means of a ResNet must not move
        loss_sum, hit_sum, seen = 0, 0, 0
        for inputs, labels in batches_of_epoch(epoch):
            inputs, labels = inputs.to(device), labels.to(device)
            with autocast(device, recipe.precision):
                logits, loss = objective(method, inputs, labels)  # [B, K], a number
            B, hits = len(labels), (logits.argmax(dim=-1) == labels).sum()
            totals = parallel.total_over_processes(B * loss.detach(), hits, torch.tensor(B))
            if not totals.isfinite().all():
                raise FloatingPointError(f"loss {loss.item()} in epoch {epoch + 1}: lower --lr.")
            loss_sum, hit_sum, seen = loss_sum + totals[0], hit_sum + totals[1], seen + totals[2]
            optimiser.zero_grad()
            scaler.scale(loss).backward()
            parallel.average_gradients(parameters, B)
            scaler.unscale_(optimiser)
            if recipe.max_norm:
                torch.nn.utils.clip_grad_norm_(parameters, recipe.max_norm)
            scaler.step(optimiser)
            scaler.update()
        if hasattr(method, "after_epoch"):
            method.after_epoch(epoch, recipe.epochs)
        losses.append((loss_sum / seen).item())
        accuracy = f"training accuracy {100 * (hit_sum / seen).item():5.1f} %"
        progress.report(epoch, recipe.epochs, f"loss {losses[-1]:6.3f}  {accuracy}  lr {lr:.5f}")
        progress.save(losses, method, optimiser, scaler)
    return losses


def objective(method, inputs, labels):
    """One batch → logits [B, K] and the loss: the method's own, or the cross-entropy."""
    if hasattr(method, "loss"):
        return method.loss(inputs, labels)
    logits = method.classify(inputs) if inputs.ndim == 2 else method(inputs)
    return logits, F.cross_entropy(logits.float(), labels)


def learn(run, compute):
    """→ the run's method after learning, and dict(seconds, losses): from prompt.pt if it is there,
    otherwise from few pictures, by gradient descent or by the method's own `fit`."""
    method, saved = run.build_method(), store.saved_prompt(run)
    if parallel.from_first_process(saved is not None):
        store.load_learned(method, saved["learned"], run.prompt_file)
        return method, saved
    few = run.few_pictures()
    print(f"  {len(few.train)} pictures, {store.count_parameters(method):,} learned parameters")
    progress, losses = Progress(run.folder / "progress.pt", run.setting), []
    if run.recipe:
        batches = training_batches(method, few.train, run.recipe, run.seed, compute)
        losses = train(method, batches, run.recipe, run.seed, progress)
    elif parallel.RANK == 0:
        fit(method, few, compute)
    learned = dict(seconds=progress.seconds, losses=losses)
    if parallel.RANK == 0:
        store.save_prompt(run, method, few, learned)
        progress.finish()
    return method, learned


def fit(method, few, compute):
    """Learn without gradient descent: from features of pictures as CLIP sees them, not cropped."""
    val = image_features(method, few.val, compute) if few.val else (None, None)
    found = method.fit(*image_features(method, few.train, compute), *val)
    for name, value in (found or {}).items():
        print(f"  {name} = {value:g}")


def complete(run, missing, results, compute):
    """Learn, evaluate on each missing target, and record its row."""
    method, learned = learn(run, compute) if run.learns else (run.build_method(), {})
    if parallel.RANK:
        return
    facts = {"seconds": round(learned["seconds"], 1)} if learned else {}
    if learned.get("losses"):
        facts["loss"] = learned["losses"][-1]
    for target, row in missing:
        items, there = getattr(target, run.split), run.on_target(method, target)
        accuracy = results.evaluate(row, there, items, compute, **facts)
        if run.learns:
            pictures = f"{len(items):,} pictures of {target.name}, {row['classes']} classes"
            words = f"{run.split} accuracy {accuracy:.2f} % on {pictures}, {facts['seconds']:.0f} s"
            print(printable(f"  {words}, {run.prompt_file}"))


def main():
    """Every run that the command asks for → exit status: 1 if one has failed."""
    parallel.end_with_parent()
    job = parse_train(__doc__)
    compute = compute_of(job)
    runs, results = plan(job, compute), Results(job.out / "results.jsonl")
    countdown = Countdown(runs, results)
    with parallel.helper_processes(job.jobs):
        for run in parallel.claimed_runs(runs, job.out / "locks"):
            missing = results.missing(run)
            countdown.announce(run, missing)
            try:
                if parallel.from_first_process(not results.is_finished(run, missing)):
                    complete(run, missing, results, compute)
            except FloatingPointError as error:
                results.record_failure(run, error)
            results.make_newest(run)
    status = print_summary(runs, results, job)
    parallel.leave()
    return status


if __name__ == "__main__":
    run_script(main)
