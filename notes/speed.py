"""What the exact savings of this repository are worth, measured: `python -m notes.speed [SECTION ...] [--quick]`.

Each measurement is appended to notes/speed.jsonl as soon as it is made. Each section runs in a fresh process, so one
that fails costs only itself (--quick: all in one). `--report` prints the lines as Markdown tables and draws
notes/speed.svg from the section `growth`. `--quick` tries everything on a toy CLIP and writes to
runs/speed-quick.jsonl. The file is long because eight measurements share its step and its clock: read the first two
parts, then the section you care about.

"plain": every prompt padded to 77 tokens, every row of every block. "fast": the methods as they are. Both do the same
training step, alternating in one process: class weights, cross-entropy, backward, SGD with momentum.

The weights are random and have ViT-B/16's shape. Class names are words that the tiny CLIP's tokenizer knows as
one token each, drawn at random: one word, two words, three words, one word, ...
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from clip_min import load_clip
from clip_min.allocator import keep_freed_memory
from clip_min.files import append_line, read_json_lines
from clip_min.model import CLIP, VisionTransformer
from clip_min.world.pretrain import initialise
from prompts.cocoop import CoCoOp
from prompts.coop import CoOp
from prompts.upt import UPT
from prompts.vpt import VPT

QUICK_CLASSES = {10: 2, 100: 3, 1000: 6}  # number of classes of a --quick run
NOT_RUN = "not run: by the K = 100 figure it needs well over 24 GB"


# ---------------------------------------------------------------- what is measured


def frozen_clip(quick, device="cpu"):
    """A CLIP with random weights of ViT-B/16's shape (a toy's if `quick`), and the tiny CLIP's tokenizer."""
    size, width, layers, embed = (32, 128, 2, 128) if quick else (224, 768, 12, 512)
    text_width = 128 if quick else 512
    clip = CLIP(VisionTransformer(size, 16, width, layers, embed), size, embed, 49408, 77, text_width, layers)
    initialise(clip)
    clip.tokenizer = load_clip("tiny").tokenizer  # its ids are fewer, and [EOS] is the largest of them
    return clip.eval().requires_grad_(False).to(device)


def class_names(tokenizer, K, seed):
    """→ K names of 1, 2, 3, 1, 2, 3, … tokens: random words that are one token each."""
    words = {tokenizer.decode([i]).strip() for i in range(tokenizer.sot)}
    words = sorted(w for w in words if w.isascii() and w.isalpha() and len(w) > 1 and len(tokenizer.encode(w)) == 1)
    rng = random.Random(seed)
    return [" ".join(rng.sample(words, 1 + i % 3)) for i in range(K)]


def loss_of(method, image_features, weights, labels):
    """x [B, E], class weights [K, E] or [B, K, E] → cross-entropy of the cosines / tau."""
    cosines = (F.normalize(weights, dim=-1) @ F.normalize(image_features, dim=-1)[..., None]).squeeze(-1)  # [B, K]
    return F.cross_entropy(method.clip.logit_scale.exp() * cosines, labels)


def coop_pass(method, features, labels, plain):
    """One forward and backward pass → loss, class weights [K, E]."""
    weights = method.plain_class_weights() if plain else method.class_weights()
    loss = loss_of(method, features, weights, labels)
    loss.backward()
    return loss.detach(), weights.detach()


def cocoop_pass(method, features, labels, plain):
    """The same; plain goes back after each picture, for the graphs of all pictures would not fit in memory."""
    total, all_weights, at_once = 0, [], 1 if plain else len(features)
    for x, y in zip(features.split(at_once), labels.split(at_once)):
        context = method.context(x)
        weights = method.plain_class_weights(context) if plain else method.class_weights(context)  # [B or 1, K, E]
        loss = loss_of(method, x, weights, y) * len(x) / len(features)
        loss.backward()
        total += loss.detach()
        all_weights.append(weights.detach())
    return total, torch.cat(all_weights)


class TextbookBlock(nn.Module):
    """A CLIP block as most code has it: torch's attention module with a float mask, x · sigmoid(1.702 x)."""

    def __init__(self, block):
        super().__init__()
        attention = nn.MultiheadAttention(len(block.ln_1.weight), block.attn.heads, batch_first=True, device="meta")
        attention.in_proj_weight, attention.in_proj_bias = block.attn.in_proj_weight, block.attn.in_proj_bias
        attention.out_proj = block.attn.out_proj  # the same weights, not a copy
        self.block, self.attention = block, attention

    def forward(self, x, mask=None):
        normed = self.block.ln_1(x)
        x = x + self.attention(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        hidden = self.block.mlp.c_fc(self.block.ln_2(x))
        return x + self.block.mlp.c_proj(hidden * torch.sigmoid(1.702 * hidden))


def textbook_image_features(method, images, V):
    """Deep visual prompts V [depth, n, D_v], all rows of all blocks → z [B, E]."""
    visual = method.clip.visual
    x = visual.embed(images)  # [B, 1+S, D_v]
    B, patches = len(x), x.shape[1] - 1
    for block, prompts in zip(method.textbook_visual, V):
        x = block(torch.cat([x[:, :1], prompts.expand(B, -1, -1), x[:, -patches:]], dim=1))
    return visual.pool(x[:, 0])


def textbook_class_weights(method, T):
    """UPT's text prompts T [depth, n, D_t] in 77 tokens; each layer's replace positions 1 … n → w [K, E]."""
    clip, tokens, n = method.clip, method.class_tokens, T.shape[1]
    K = len(tokens)
    sos = clip.token_embedding.weight[clip.tokenizer.sot].expand(K, 1, -1)  # [K, 1, D_t]
    words = clip.token_embedding(F.pad(tokens, (0, clip.context_length - 1 - n - tokens.shape[1])))
    x = torch.cat([sos, T[0].expand(K, -1, -1), words], dim=1) + clip.positional_embedding  # [K, 77, D_t]
    mask = torch.full((x.shape[1], x.shape[1]), -torch.inf, device=x.device).triu(1)
    for i, (block, prompts) in enumerate(zip(method.textbook_text, T)):
        if i > 0:
            x = torch.cat([x[:, :1], prompts.expand(K, -1, -1), x[:, 1 + n :]], dim=1)
        x = block(x, mask)
    return clip.pool_text(x[torch.arange(K, device=x.device), 1 + n + method.eos])


def tower_pass(method, images, labels, plain):
    """UPT or deep VPT, from pictures [B, 3, H, W] → loss, class weights."""
    if not plain:
        features = method.encode_image(images)
        weights = method.class_weights() if isinstance(method, UPT) else method.weights
    elif isinstance(method, UPT):
        T, V = method.prompts()
        features, weights = textbook_image_features(method, images, V), textbook_class_weights(method, T)
    else:
        features, weights = textbook_image_features(method, images, method.V), method.weights
    loss = loss_of(method, features, weights, labels)
    loss.backward()
    return loss.detach(), weights.detach()


METHODS = {  # class, its pass, what it learns
    "coop": (CoOp, coop_pass, "ctx"), "cocoop": (CoCoOp, cocoop_pass, "ctx"),
    "upt": (UPT, tower_pass, "U"), "vpt": (VPT, tower_pass, "V"),
}  # fmt: skip


def build(name, K, batch, flags, device="cpu", **options):
    """A method on random weights and a batch for it → method, step(plain, move, dtype) → loss, class weights."""
    torch.manual_seed(flags.seed)
    clip = frozen_clip(flags.quick, device)
    K = QUICK_CLASSES[K] if flags.quick else K
    kind, passes, _ = METHODS[name]
    names = class_names(clip.tokenizer, K, flags.seed)
    method = kind(clip, names, **options).to(device)
    counts = [len(clip.tokenizer.encode(name)) for name in names]  # the gain depends on how long the names are
    method.name_tokens = f"mean {statistics.mean(counts):.2f}, most {max(counts)}"
    learned = [p for p in method.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learned, lr=0.002, momentum=0.9)
    if name in ("upt", "vpt"):
        inputs = torch.randn(batch, 3, clip.image_size, clip.image_size, device=device)
        method.textbook_visual = [TextbookBlock(b) for b in clip.visual.transformer.resblocks]
        method.textbook_text = [TextbookBlock(b) for b in clip.transformer.resblocks]
    else:
        inputs = torch.randn(batch, clip.text_projection.shape[1], device=device)  # cached features
    labels = torch.randint(K, (batch,), device=device)

    def step(plain=False, move=True, dtype=None):
        optimiser.zero_grad()
        with torch.autocast(torch.device(device).type, dtype, enabled=dtype is not None):
            loss_and_weights = passes(method, inputs, labels, plain)
        if move:
            optimiser.step()
        return loss_and_weights

    return method, step


# ---------------------------------------------------------------- how it is measured


def seconds(call):
    """How long the call takes."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def alternate(plain, fast, pairs):
    """plain, fast, plain, fast, … → median seconds of each, median of the pairs' ratios and their range."""
    times = [(seconds(plain), seconds(fast)) for _ in range(pairs)]
    ratios = [slow / quick for slow, quick in times]
    medians = [statistics.median(column) for column in zip(*times)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return dict(plain_s=medians[0], fast_s=medians[1], ratio=statistics.median(ratios), ratios=spread, pairs=pairs)


def compare(name, method, step, pairs):
    """Differences of plain and fast from the same prompts (each one's warm-up too), then the alternating pairs."""
    learned, found = getattr(method, METHODS[name][2]), []
    for plain in (True, False):
        loss, weights = step(plain, move=False)
        found.append((loss, weights, learned.grad.clone()))
    (loss, weights, gradient), (fast_loss, fast_weights, fast_gradient) = found
    measured = alternate(lambda: step(plain=True), step, pairs)
    measured |= dict(loss_difference=(loss - fast_loss).abs().item())
    measured |= dict(weights_difference=(weights - fast_weights).abs().max().item())
    return measured | dict(
        gradient_difference=((gradient - fast_gradient).abs().max() / gradient.abs().max()).item(),
        name_tokens=method.name_tokens,
    )


def peak_gb():
    """Peak resident memory of this process in GB (10^9 bytes), Linux.

    Not ru_maxrss: a fresh process inherits that from the one that started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9  # the kernel's kB


def child(case, flags):
    """One case in this process: seconds of a step after the first (median), and peak memory."""
    if case.get("keep", True):
        keep_freed_memory()
    options = dict(n_ctx=16) if case["method"] == "coop" else {}
    _, step = build(case["method"], case["K"], case["batch"], flags, **options)
    model, plain = peak_gb(), case.get("plain", False)
    times = [seconds(lambda: step(plain)) for _ in range(case["steps"])]
    later = statistics.median(times[1:])
    return dict(seconds=later, first_step_s=times[0], peak_gb=peak_gb(), before_steps_gb=model)


def in_fresh_process(case, flags):
    """`child` in a process of its own; a failure is a result too (out of memory, say)."""
    command = [sys.executable, "-m", "notes.speed", "--child", json.dumps(case), "--seed", str(flags.seed)]
    command += ["--threads", str(flags.threads)] + ["--quick"] * flags.quick
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else dict(not_measured=f"ended with code {done.returncode}")


# ---------------------------------------------------------------- the sections: each yields (case, what was measured)


def coop(flags):
    """CoOp's step, K = 100, M = 16."""
    cases = {"class at the end": {}, "class in the middle": dict(class_token_position="middle")}
    for case, options in (cases | {"class-specific (CSC)": dict(class_specific=True)}).items():
        method, step = build("coop", 100, 32, flags, n_ctx=16, **options)
        yield f"CoOp, {case}", compare("coop", method, step, 1 if flags.quick else 5)


def cocoop(flags):
    """CoCoOp's step, K = 100, M = 4: plain goes picture by picture, fast takes the batch at once."""
    for batch, pairs in ((1, 3), (8, 2)):
        method, step = build("cocoop", 100, batch, flags)
        yield f"CoCoOp, batch {batch}", compare("cocoop", method, step, 1 if flags.quick else pairs)


def memory(flags):
    """Peak memory of two steps of fast, with the allocator told to keep freed memory and without."""
    for name, batch, goal in (("coop", 32, 4.0), ("cocoop", 1, 3.5)):
        for keep in (True,) if flags.quick else (True, False):
            case = dict(method=name, K=1000, batch=batch, steps=2, keep=keep)
            label = f"{name}, K = 1000, {'keep_freed_memory' if keep else 'without it'}"
            yield label, in_fresh_process(case, flags) | dict(goal_gb=goal)


def towers(flags):
    """UPT and deep VPT from pictures, batch 8, K = 10, against textbook towers."""
    cpu_flags = Path("/proc/cpuinfo").read_text()
    for name in ("upt", "vpt"):
        method, step = build(name, 10, 8, flags, n_ctx=4, depth="deep")
        measured = compare(name, method, step, 1 if flags.quick else 5)
        yield f"{name} against textbook towers", measured
        assert measured["loss_difference"] < 1e-4, f"{name}: plain and fast have different losses"
        if flags.quick or "avx512_bf16" in cpu_flags or "amx_bf16" in cpu_flags:
            step(dtype=torch.bfloat16)  # warm-up
            times = alternate(step, lambda: step(dtype=torch.bfloat16), 1 if flags.quick else 5)
            renamed = dict(fp32_s=times["plain_s"], bf16_s=times["fast_s"], ratio=times["ratio"])
            yield f"{name}, fast, fp32 against bf16", renamed
        else:
            yield f"{name}, bf16", dict(not_measured="this CPU has no bf16 arithmetic: not measured")


class MatrixProducts(TorchDispatchMode):
    """Counts the matrix products of a step by size (n, M, K, N): n times [M, K] @ [K, N].

    Convolutions of patches and torch's attention kernel count as the products that they consist of (the attention
    scores that its backward pass computes a second time do not). torch's own counter leaves that kernel out on a CPU.
    """

    def __init__(self):
        super().__init__()
        self.sizes = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result, name = function(*args, **(kwargs or {})), function.overloadpacket.__name__
        if name in ("mm", "addmm", "bmm", "baddbmm"):
            a, b = args[1:3] if "add" in name else args[:2]
            self.sizes[len(a) if a.ndim == 3 else 1, *a.shape[-2:], b.shape[-1]] += 1
        elif name == "convolution":  # patches do not overlap, so each pixel is in one product
            weight = args[1].flatten(1)
            self.sizes[1, result.numel() // len(weight), weight.shape[1], len(weight)] += 1
        elif name.startswith("_scaled_dot_product") and "attention" in name:
            backward = name.endswith("backward")
            q, k = args[1:3] if backward else args[:2]  # [B, H, Q, d], [B, H, S, d]
            n, Q, S, d = q.shape[0] * q.shape[1], q.shape[2], k.shape[2], q.shape[3]
            self.sizes[n, Q, d, S] += 1  # forward: scores; backward: the gradient of the weights
            self.sizes[n, Q, S, d] += 1  # forward: weighted values; backward: the gradient of q
            self.sizes[n, S, Q, d] += 2 if backward else 0  # the gradients of k and v
        return result

    def gflop(self):
        return sum(2 * math.prod(size) * count for size, count in self.sizes.items()) / 1e9


def time_of_product(n, M, K, N):
    """Median seconds of n products [M, K] @ [K, N] on tensors that are there already."""
    shape = (n,) if n > 1 else ()
    a, b, out = torch.randn(*shape, M, K), torch.randn(*shape, K, N), torch.empty(*shape, M, N)
    product = torch.bmm if n > 1 else torch.mm
    return statistics.median([seconds(lambda: product(a, b, out=out)) for _ in range(6)][1:])


KINDS = {  # by the operation's name in the profiler, without "aten::"
    "matrix products": ("mm", "addmm"), "batched matrix products": ("bmm", "baddbmm"),
    "convolution": ("mkldnn_convolution", "_slow_conv2d_forward"),
    "activation and other scaling": ("silu", "silu_backward", "mul", "div"), "sums": ("add", "add_", "sum"),
    "LayerNorm": ("native_layer_norm", "native_layer_norm_backward"),
    "softmax and masks": ("_softmax", "_softmax_backward_data", "masked_fill", "masked_fill_", "where"),
    "copies": ("copy_", "cat", "clone", "index", "index_select", "fill_", "zero_", "_index_put_impl_", "index_put_"),
}  # fmt: skip


def where_time_goes(step):
    """Self time by kind of operation, and of the eight largest operations, in per cent."""
    with profile(activities=[ProfilerActivity.CPU]) as record:
        for _ in range(3):
            step()
    times = Counter()
    for event in record.key_averages():
        times[event.key.removeprefix("aten::")] += event.self_cpu_time_total
    kinds, total = Counter(), sum(times.values())
    for name, spent in times.items():
        kind = next((kind for kind, names in KINDS.items() if name in names), "other")
        kinds["attention kernel" if name.startswith("_scaled_dot_product") else kind] += 100 * spent / total
    return (
        ", ".join(f"{kind} {share:.1f}" for kind, share in kinds.most_common()),
        ", ".join(f"{name} {100 * spent / total:.1f}" for name, spent in times.most_common(8)),
    )


def roof(flags):
    """Arithmetic per second of a fast step, against bare matrix products of the same sizes in the same run."""
    cases = {"coop": ("CoOp, end, K = 100", 100, 32, dict(n_ctx=16)), "vpt": ("VPT deep, batch 8", 10, 8, {})}
    for name, (label, K, batch, options) in cases.items():
        _, step = build(name, K, batch, flags, **options)
        step()
        products, counter = MatrixProducts(), FlopCounterMode(display=False)
        with products:
            step()
        with counter:
            step()
        spent = statistics.median(seconds(step) for _ in range(1 if flags.quick else 7))
        bare = sum(time_of_product(*size) * count for size, count in products.sizes.items())
        side = 256 if flags.quick else 2048
        square = 2 * side**3 / time_of_product(1, side, side, side) / 1e9
        kinds, largest = where_time_goes(step)
        gflop = products.gflop()
        measured = dict(step_s=spent, gflop=gflop, gflop_by_torch=counter.get_total_flops() / 1e9)
        measured |= dict(step_gflop_per_s=gflop / spent, same_sizes_gflop_per_s=gflop / bare)
        measured |= dict(square_2048_gflop_per_s=square, percent_of_same_sizes=100 * bare / spent)
        yield label, measured | dict(percent_by_kind=kinds, percent_by_operation=largest)


def growth(flags):
    """Seconds and peak memory of a step against K and the batch, each in a fresh process."""
    cases = [dict(method="coop", K=K, batch=32, plain=False, steps=4) for K in (10, 100, 1000)]
    cases += [dict(method="coop", K=K, batch=32, plain=True, steps=3) for K in (10, 100)]
    cases += [dict(method="cocoop", K=K, batch=1, plain=False, steps=4) for K in (10, 100, 1000)]
    cases += [dict(method="cocoop", K=100, batch=batch, plain=False, steps=4) for batch in (2, 4, 8)]
    for case in cases[::6] if flags.quick else cases:
        label = f"{case['method']} {'plain' if case['plain'] else 'fast'}, K = {case['K']}, batch {case['batch']}"
        yield label, case | in_fresh_process(case, flags)
    yield "coop plain, K = 1000, batch 32", dict(method="coop", K=1000, plain=True, not_measured=NOT_RUN)


@torch.no_grad()
def evaluation(flags):
    """CoOp on 8,100 cached features, K = 10: the text encoded once, against once for each hundred pictures."""
    method, _ = build("coop", 10, 32, flags, n_ctx=16)
    features = torch.randn(300 if flags.quick else 8100, method.clip.text_projection.shape[1])
    encode, calls = method.class_weights, Counter()

    def counted():
        calls[loop] += 1
        return encode()

    method.class_weights = counted
    found = {}
    for loop in ("each batch", "once"):  # counts the calls, and warms up
        parts = features.split(100) if loop == "each batch" else [features]
        found[loop] = torch.cat([method.classify(part) for part in parts])
    method.class_weights = encode
    times = alternate(lambda: [method.classify(part) for part in features.split(100)],
                      lambda: method.classify(features), 1 if flags.quick else 3)  # fmt: skip
    difference = (found["once"] - found["each batch"]).abs().max().item()
    yield f"CoOp, {len(features)} pictures", dict(
        each_batch_s=times["plain_s"], once_s=times["fast_s"], ratio=times["ratio"],
        each_batch_calls=calls["each batch"], once_calls=calls["once"], logits_difference=difference,
    )  # fmt: skip


def gpu(flags):
    """Plain and fast on a GPU in three precisions: seconds, peak memory, NaNs in 20 steps."""
    if not torch.cuda.is_available():
        print("gpu: no CUDA device here, skipped", flush=True)
        return
    precisions = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
    cases = (("coop", 32, dict(n_ctx=16)), ("cocoop", 1, {}), ("cocoop", 8, {}), ("upt", 8, {}))
    for name, batch, options in cases:
        for K in (10, 100, 1000):
            for precision, dtype in precisions.items():
                for plain in (True, False):
                    label = f"{name} {'plain' if plain else 'fast'}, K = {K}, batch {batch}, {precision}"
                    yield label, on_gpu(name, K, batch, flags, options, plain, dtype)


def on_gpu(name, K, batch, flags, options, plain, dtype):
    """Twenty steps on the GPU; the first two are warm-up."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    method, step = build(name, K, batch, flags, device="cuda", **options)
    learned, times, broken = getattr(method, METHODS[name][2]), [], 0
    try:
        for _ in range(20):
            times.append(seconds(lambda: step(plain, dtype=dtype)))
            broken += not (learned.isfinite().all() and learned.grad.isfinite().all())
    except torch.cuda.OutOfMemoryError:
        return dict(not_measured="out of memory")
    peak = torch.cuda.max_memory_allocated() / 1e9
    return dict(seconds=statistics.median(times[2:]), peak_gb=peak, steps_with_nan=broken)


SECTIONS = dict(
    coop=coop, cocoop=cocoop, memory=memory, towers=towers, roof=roof, growth=growth, evaluation=evaluation, gpu=gpu,
)  # fmt: skip


# ---------------------------------------------------------------- the report


def tidy(value):
    """A number with three significant digits, anything else as it is."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def report(lines):
    """Print a Markdown table for each section; a case measured twice counts with its last line."""
    latest = {(line["section"], line["case"], line["machine"]): line for line in lines}
    for section in SECTIONS:
        rows = [line for (name, *_), line in latest.items() if name == section]
        columns = list(dict.fromkeys(key for row in rows for key in row["measured"]))
        machines = sorted({row["machine"] for row in rows})
        if rows:
            print(f"\n### {section}\n\n" + "\n".join(f"- {machine}" for machine in machines))
            print(f"\n| case | {' | '.join(columns)} |\n|{' --- |' * (1 + len(columns))}")
        for row in rows:
            case = row["case"] + ", default allocator" * ("default allocator" in row["machine"])
            print(f"| {case} | {' | '.join(tidy(row['measured'].get(key, '')) for key in columns)} |")
    return list(latest.values())


def growth_picture(lines):
    """Lines of `growth` → an SVG: seconds and GB of a step against K, both axes logarithmic."""
    points = [line["measured"] for line in lines if line["section"] == "growth" and "seconds" in line["measured"]]
    curves = {"CoOp, plain": ("coop", True, 32, "#d9772b"), "CoOp, fast": ("coop", False, 32, "#2a6fb0"),
              "CoCoOp, fast, batch 1": ("cocoop", False, 1, "#3a8f4a")}  # fmt: skip
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="720" height="330" font-family="sans-serif" '
             'font-size="12">']  # fmt: skip
    parts.append('<rect width="100%" height="100%" fill="white"/>')
    panels = ((60, "seconds", "seconds of a step"), (420, "peak_gb", "peak memory, GB"))
    for left, quantity, title in panels:
        values = [point[quantity] for point in points]
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

        def x(K):
            return left + 20 + 100 * (math.log10(K) - 1)  # K = 10, 100, 1000

        def y(value):
            return 270 - 230 * (math.log10(value) - low) / (high - low)

        parts.append(f'<text x="{left + 120}" y="20" text-anchor="middle">{title}</text>')
        for power in range(low, high + 1):
            parts.append(f'<line x1="{left}" x2="{left + 240}" y1="{y(10**power)}" y2="{y(10**power)}" stroke="#ddd"/>')
            parts.append(f'<text x="{left - 6}" y="{y(10**power) + 4}" text-anchor="end">{10**power:g}</text>')
        for K in (10, 100, 1000):
            parts.append(f'<text x="{x(K)}" y="288" text-anchor="middle">K = {K:,}</text>')
        for method, plain, batch, colour in curves.values():
            found = [p for p in points if (p["method"], p["plain"], p["batch"]) == (method, plain, batch)]
            found = sorted((x(p["K"]), y(p[quantity])) for p in found)
            places = " ".join(f"{across:.1f},{down:.1f}" for across, down in found)
            parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts += [f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="{colour}"/>' for across, down in found]
    for i, (label, (*_, colour)) in enumerate(curves.items()):
        parts.append(f'<rect x="{120 + 180 * i}" y="307" width="12" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{138 + 180 * i}" y="314">{label}</text>')
    return "\n".join([*parts, "</svg>\n"])


# ---------------------------------------------------------------- the program


def machine(flags):
    """The facts without which a time means nothing."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    device = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    facts = [*device, cpu[0] if cpu else "unknown CPU", f"{flags.threads} threads", f"torch {torch.__version__}"]
    facts += [f"seed {flags.seed}"] + ["default allocator"] * flags.default_allocator
    return ", ".join(facts + ["QUICK: toy sizes"] * flags.quick)


def run_section(section, flags):
    """Measure one section here and write each line as soon as it is there."""
    if not flags.default_allocator:
        keep_freed_memory()
    facts = machine(flags)
    for case, measured in SECTIONS[section](flags):
        busy = round(os.getloadavg()[0], 1)  # a quiet machine stays near the number of threads
        line = dict(section=section, case=case, measured=measured, machine=facts, load=busy)
        append_line(flags.out, json.dumps(line))
        text = ", ".join(f"{key} {tidy(value)}" for key, value in measured.items())
        print(f"{section}: {case}: {text} ({facts}, load {busy})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a toy CLIP and few classes: does everything run?")
    parser.add_argument("--report", action="store_true", help="print tables of --out, draw the picture beside it")
    parser.add_argument("--out", type=Path, help="default: notes/speed.jsonl, or runs/speed-quick.jsonl for --quick")
    parser.add_argument("--default-allocator", action="store_true",
                        help="do not keep freed memory (clip_min/allocator.py), as the published code does not")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)  # used by `in_fresh_process`
    flags = parser.parse_args()
    flags.out = flags.out or Path("runs/speed-quick.jsonl" if flags.quick else "notes/speed.jsonl")
    if wrong := set(flags.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(wrong))}")
    torch.set_num_threads(flags.threads)
    if flags.child:
        print(json.dumps(child(flags.child, flags)))
    elif flags.report:
        lines = report(read_json_lines(flags.out))
        if any(line["section"] == "growth" and "seconds" in line["measured"] for line in lines):
            flags.out.with_suffix(".svg").write_text(growth_picture(lines), encoding="utf-8")
    elif len(flags.sections) == 1 or flags.quick:
        for section in flags.sections or SECTIONS:
            run_section(section, flags)
    else:
        failed = []
        for section in flags.sections or SECTIONS:
            command = [sys.executable, "-m", "notes.speed", section, "--out", str(flags.out)]
            command += ["--threads", str(flags.threads), "--seed", str(flags.seed)]
            command += ["--default-allocator"] * flags.default_allocator
            failed += [section] if subprocess.run(command).returncode else []
        if failed:
            sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
