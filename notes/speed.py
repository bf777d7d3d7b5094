"""How much time and memory the exact savings save: a table, measured on this machine.

    python -m notes.speed              all of it, about 20 minutes
    python -m notes.speed text memory  two parts of it: text, memory, towers, last-block
    python -m notes.speed --quick      a small CLIP and few classes, in about a minute
    python -m notes.speed gpu          CoOp, CoCoOp and UPT on a GPU, in fp32, bf16 and fp16

"plain" is the published way: every prompt padded to 77 tokens; CoCoOp picture by picture. "fast"
are the methods as they are. Both make the same training step (class weights, cross-entropy on
random image features, backward, SGD) in turn, in the same process: plain, fast, plain, fast, …
A ratio is the median over these pairs. The CLIP has ViT-B/16's shape and random weights.

Times are the process's CPU seconds on one thread, which other programs on the machine hardly
change. On a GPU they are seconds by the clock.

Each line runs in a fresh process, once with freed memory kept (clip_min/allocator.py, as train.py
does) and once with the C library's default. It is appended to notes/speed.jsonl at once.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import torch
import torch.nn.functional as F

from clip_min import load_clip
from clip_min.allocator import keep_freed_memory
from clip_min.files import append_line
from clip_min.model import ALL, CLIP, Transformer, VisionTransformer, cosines
from clip_min.world.pretrain import initialise
from prompts import METHODS

# Of 1,000 names, so many have 1, 2, 3, … tokens. A class has two more: the full stop and [EOS].
LENGTHS = {
    "caltech": [600, 300, 100],  # as Caltech101's: mean 3.5, longest 5
    "mixed": [150, 250, 300, 200, 50, 50],  # mean 4.9, longest 8
    "imagenet": [330, 300, 210, 80, 40, 20, 10, 5, 3, 2],  # as ImageNet's: 4.4, longest 12
}
PARTS = {
    "text": [
        dict(label="CoOp, names as in Caltech101", names="caltech"),
        dict(label="CoOp, mixed names", names="mixed"),
        dict(label="CoOp, middle", names="mixed", class_token_position="middle"),
        dict(label="CoOp, class-specific", names="mixed", class_specific=True),
        dict(label="CoOp, front", names="mixed", class_token_position="front"),
        dict(label="CoCoOp, batch 1", method="cocoop", names="mixed", batch=1),
        dict(label="CoCoOp, batch 8", method="cocoop", names="mixed", batch=8, pairs=1),
    ],
    "memory": [
        dict(label="CoOp, K = 1000", names="imagenet", K=1000),
        dict(label="CoCoOp, batch 1, K = 1000", method="cocoop", names="imagenet", K=1000, batch=1),
    ],
    "towers": [
        dict(label="image tower", method="zero_shot", batch=8, K=10),
        dict(label="VPT step", method="vpt", batch=8, K=10),
        dict(label="UPT step", method="upt", batch=8, K=10),
    ],
    "last-block": [
        dict(label="CoOp, all rows of the last block", names="mixed"),
        dict(label="image tower, all rows of the last block", method="zero_shot", batch=8, K=10),
    ],
}
HEAD = """{}

| step | freed memory | plain, s | fast, s | times as fast | GB |
| --- | --- | --- | --- | --- | --- |"""
QUICK_HEAD = """One step with a small CLIP and 30 classes. {}

step                                       plain, ms  fast, ms  times as fast      GB"""
QUICK_FOOT = """
plain: every prompt padded to 77 tokens, as published; in the last two lines, every row of the last
block. fast: as the methods are. GB: the most memory that the process took."""
USUAL = dict(method="coop", K=100, batch=32, names="mixed", pairs=3)


# What is measured


def build(case, quick=False, device="cpu"):
    """A case → its method on random weights, inputs and labels of one batch."""
    torch.manual_seed(0)
    usual = USUAL | case
    needs_images = usual["method"] in ("zero_shot", "vpt", "upt")
    size, width, layers, vision_width = (64, 128, 3, 192) if quick else (224, 512, 12, 768)
    vision_layers = layers if needs_images else 1  # cached features need no image tower
    visual = VisionTransformer(size, 16, vision_width, vision_layers, width)
    clip = CLIP(visual, size, width, 49408, 77, width, layers)
    initialise(clip)
    clip.tokenizer = load_clip("tiny").tokenizer  # its ids are among the 49,408
    clip = clip.eval().requires_grad_(False).to(device)
    K = min(usual["K"], 30) if quick else usual["K"]
    options = {key: value for key, value in case.items() if key.startswith("class_")}
    if usual["method"] == "coop":
        options["n_ctx"] = 16
    names = class_names(clip.tokenizer, K, LENGTHS[usual["names"]])
    method = METHODS[usual["method"]](clip, names, **options)
    shape = (3, clip.image_size, clip.image_size) if needs_images else (width,)
    inputs = torch.randn(usual["batch"], *shape, device=device)
    return method, inputs, torch.randint(K, (usual["batch"],), device=device)


def class_names(tokenizer, K, lengths):
    """→ K names of random words, each word one token; `lengths` of 1,000 have 1, 2, … words."""
    rng = random.Random(0)
    words = {tokenizer.decode([i]).strip() for i in range(tokenizer.sot)}
    known = [w for w in sorted(words) if w.isascii() and w.isalpha() and len(w) > 1]
    known = [w for w in known if len(tokenizer.encode(w)) == 1]
    counts = [n for n, many in enumerate(lengths, start=1) for _ in range(many)]
    return [" ".join(rng.sample(known, counts[i * 1000 // K])) for i in range(K)]


def loss_of(method, inputs, labels, plain):
    """One batch → its loss; CoCoOp's plain way goes back after each picture, to fit into memory."""
    scale = method.clip.logit_scale.exp()
    if not hasattr(method, "plain_class_weights"):
        return F.cross_entropy(method(inputs), labels)
    if not hasattr(method, "meta_net"):
        weights = method.plain_class_weights() if plain else method.class_weights()
        return F.cross_entropy(scale * cosines(inputs, weights), labels)
    if not plain:
        return F.cross_entropy(method.classify(inputs), labels)
    total = 0.0
    for x, y in zip(inputs.split(1), labels.split(1)):
        weights = method.plain_class_weights(method.context(x))
        loss = F.cross_entropy(scale * cosines(x, weights), y) / len(inputs)
        loss.backward()
        total += loss.detach()
    return total


def make_step(method, inputs, labels):
    """→ a function that makes one training step, or, for a method that learns nothing, one pass."""
    learned = [p for p in method.parameters() if p.requires_grad]

    def step(plain=False):
        if not learned:
            with torch.no_grad():
                return method(inputs).mean()
        optimiser = torch.optim.SGD(learned, lr=0.002)
        loss = loss_of(method, inputs, labels, plain)
        if loss.requires_grad:
            loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return loss.detach()

    return step


def all_rows(transformer, rows=ALL):
    """`Transformer.layers` without its saving: the last block computes every row."""
    *blocks, last = transformer.resblocks

    def whole(x, mask=None):
        return last(x, mask)[:, rows]

    return [*blocks, whole]


# How it is measured


def seconds(call, clock=time.process_time):
    """How long a call takes: CPU seconds, or by another clock."""
    start = clock()
    call()
    return clock() - start


def gpu_clock():
    """Seconds by the clock, when the GPU has done all that it was asked for."""
    torch.cuda.synchronize()
    return time.perf_counter()


def peak_gb():
    """Peak resident memory of this process in GB (10^9 bytes), on Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e9


def measure(part, case, quick):
    """One line of the table → {column: number}, measured in this process."""
    torch.set_num_threads(1)
    method, inputs, labels = build(case, quick)
    step = make_step(method, inputs, labels)
    if part in ("memory", "towers"):
        times = [seconds(step) for _ in range(3 if part == "memory" else 8)]
        return dict(fast_s=statistics.median(times[1:]), peak_gb=peak_gb())

    def other():
        if part == "text":
            return step(plain=True)
        with patch.object(Transformer, "layers", all_rows):
            return step()

    step()  # the first one is slower
    pairs = 3 if quick else (USUAL | case)["pairs"] * (1 if part == "text" else 5)
    times = [(seconds(other), seconds(step)) for _ in range(pairs)]
    ratios = [slow / fast for slow, fast in times]
    plain_s, fast_s = (statistics.median(column) for column in zip(*times))
    found = dict(plain_s=plain_s, fast_s=fast_s, ratio=statistics.median(ratios))
    return found | dict(least=min(ratios), most=max(ratios))


def in_fresh_process(part, number, keep, quick):
    """`measure` in a process of its own; a failure is a result, too."""
    job = json.dumps([part, number, keep, quick])
    command = [sys.executable, "-m", "notes.speed", "--job", job]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    return json.loads(done.stdout) if done.returncode == 0 else {"failed": done.returncode}


def gpu():
    """Seconds and peak memory of a step on a GPU, for K = 10, 100, 1000 in three precisions."""
    if not torch.cuda.is_available():
        sys.exit("There is no CUDA device here.")
    print(torch.cuda.get_device_name(), torch.__version__)
    for name, batch in (("coop", 32), ("cocoop", 1), ("cocoop", 8), ("upt", 8)):
        for K in (10, 100, 1000):
            method, inputs, labels = build(dict(method=name, K=K, batch=batch), device="cuda")
            step = make_step(method, inputs, labels)
            for precision in (None, torch.bfloat16, torch.float16):
                torch.cuda.reset_peak_memory_stats()
                try:
                    with torch.autocast("cuda", precision, enabled=precision is not None):
                        times = [seconds(step, gpu_clock) for _ in range(12)][2:]
                except torch.cuda.OutOfMemoryError:
                    print(f"{name}, K = {K}, batch {batch}, {precision}: out of memory")
                    continue
                gb = torch.cuda.max_memory_allocated() / 1e9
                milliseconds = 1000 * statistics.median(times)
                print(f"{name}, K = {K}, batch {batch}, {precision or 'fp32'}: "
                      f"{milliseconds:.1f} ms, {gb:.2f} GB", flush=True)


# The program


def machine():
    """The facts without which a time means nothing."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cpu = models[0] if models else "unknown CPU"
    day = time.strftime("%Y-%m-%d")
    return f"{cpu}, one thread, torch {torch.__version__}, {day}"


def main():
    """Measures each line of the chosen parts and prints it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}, gpu (default: all but gpu)")
    parser.add_argument("--quick", action="store_true", help="a small CLIP, 30 classes, 3 pairs")
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.job:
        part, number, keep, quick = flags.job
        if keep:
            keep_freed_memory()
        print(json.dumps(measure(part, PARTS[part][number], quick)))
        return
    if flags.parts == ["gpu"]:
        gpu()
        return
    unknown = sorted(set(flags.parts) - set(PARTS))
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    print(QUICK_HEAD.format(machine()) if flags.quick else HEAD.format(machine()))
    for part in flags.parts or PARTS:
        for number, case in enumerate(PARTS[part]):
            for keep in (True,) if flags.quick else (True, False):
                found = in_fresh_process(part, number, keep, flags.quick)
                line = dict(part=part, label=case["label"], keep=keep, machine=machine(), **found)
                if not flags.quick:
                    append_line(Path("notes/speed.jsonl"), json.dumps(line))
                print(quick_row_of(line) if flags.quick else row_of(line), flush=True)
    if flags.quick:
        print(QUICK_FOOT)


def quick_row_of(line):
    """One line of the table of --quick: milliseconds in aligned columns.

    >>> quick_row_of(dict(label="CoOp, middle", plain_s=0.21, fast_s=0.02, ratio=10.5))
    'CoOp, middle                                     210        20           10.5'
    >>> quick_row_of(dict(label="VPT step", fast_s=0.02, peak_gb=0.4))
    'VPT step                                                    20                    0.4'
    """
    label = line["label"].replace("K = 1000", "memory")  # --quick has fewer classes
    if "failed" in line:
        return f"{label:42} failed with code {line['failed']}"
    plain = f"{1000 * line['plain_s']:.0f}" if "plain_s" in line else ""
    ratio = f"{line['ratio']:.1f}" if "ratio" in line else ""
    memory = f"{line['peak_gb']:.1f}" if "peak_gb" in line else ""
    fast = f"{1000 * line['fast_s']:.0f}"
    return f"{label:42}{plain:>10}{fast:>10}{ratio:>15}{memory:>8}".rstrip()


def row_of(line):
    """One line of the table in Markdown."""
    if "failed" in line:
        return f"| {line['label']} | failed with code {line['failed']} | | | | |"
    cells = [line["label"], "kept" if line["keep"] else "returned"]
    cells += [f"{line[key]:.2f}" if key in line else "" for key in ("plain_s", "fast_s")]
    spread = ""
    if "ratio" in line:
        spread = f"{line['ratio']:.2f} ({line['least']:.2f} to {line['most']:.2f})"
    cells += [spread, f"{line['peak_gb']:.2f}" if "peak_gb" in line else ""]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
