"""Pre-training of the tiny CLIP on the miniature world.

    python -m clip_min.world.pretrain --out FIRST
    python -m clip_min.world.pretrain --out SECOND --start FIRST/tiny.pt --close-up --pairs 700_000 --lr 1e-3 --seed 1

Radford et al. 2021, arXiv:2103.00020, Sec. 2.3 and Fig. 3: a batch holds B pictures and their B
captions; each picture must find its caption among the B, and each caption its picture.

The run is a function of its flags: a fixed number of steps, everything random from the seed. It
writes a checkpoint every few hundred steps, and the same command carries on from the last one.
"""

import argparse
import json
import math
import multiprocessing
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from clip_min import load_clip
from clip_min.allocator import keep_freed_memory
from clip_min.files import append_line, save_tensors, write_whole
from clip_min.model import CLIP, VisionTransformer
from clip_min.preprocess import MEAN, STD
from clip_min.tokenizer import Tokenizer, learn_merges, save_merges
from clip_min.world.canvas import SIZE
from clip_min.world.captions import CLOSE_UP, WEB, caption, web_picture

WIDTH, LAYERS, PATCH, EMBED, CONTEXT = 128, 4, 8, 128, 32
MERGES = 1200
SAVE_EVERY = 500  # steps
BATCHES = ((0.15, 64), (0.45, 128), (1.0, 256))  # up to this share of the pairs, batches of this size


def contrastive_loss(image_features, text_features, logit_scale):
    """CLIP's symmetric loss: image_features [B, E], text_features [B, E], row i a pair → scalar.

    The mean of two cross-entropies over the same B × B cosine similarities / tau: along the rows
    (which caption belongs to this picture?) and along the columns (which picture to this caption?).
    """
    image_features = F.normalize(image_features, dim=-1)
    text_features = F.normalize(text_features, dim=-1)
    logits = logit_scale.exp() * image_features @ text_features.T  # [B, B]
    labels = torch.arange(len(logits))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def initialise(clip):
    """Random weights with the spread that CLIP starts from: smaller the wider and the deeper a tower is."""
    for tower in (clip.visual.transformer, clip.transformer):
        width, layers = tower.resblocks[0].ln_1.weight.shape[0], len(tower.resblocks)
        for block in tower.resblocks:
            nn.init.normal_(block.attn.in_proj_weight, std=width**-0.5)
            nn.init.normal_(block.attn.out_proj.weight, std=width**-0.5 * (2 * layers) ** -0.5)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * width) ** -0.5)
            nn.init.normal_(block.mlp.c_proj.weight, std=width**-0.5 * (2 * layers) ** -0.5)
    nn.init.normal_(clip.token_embedding.weight, std=0.02)
    nn.init.normal_(clip.positional_embedding, std=0.01)
    nn.init.normal_(clip.text_projection, std=WIDTH**-0.5)
    for parameter in (clip.visual.class_embedding, clip.visual.positional_embedding, clip.visual.proj):
        nn.init.normal_(parameter, std=WIDTH**-0.5)


def draw_pictures(seed, count, style):
    """`count` pictures of the web in a style, uint8 [count, 3, SIZE, SIZE], and the list of their facts."""
    images, all_facts = np.empty((count, 3, SIZE, SIZE), np.uint8), []
    with multiprocessing.Pool() as pool:
        drawn = pool.imap(draw_one, ((seed, i, style) for i in range(count)), chunksize=256)
        for i, (pixels, facts) in enumerate(drawn):
            images[i] = pixels
            all_facts.append(facts)
            if i % 20_000 == 0:
                print(f"drawn {i:,} of {count:,} pictures", flush=True)
    return torch.from_numpy(images), all_facts


def draw_one(seed_index_style):
    """Pixels [3, SIZE, SIZE] and facts of one picture."""
    image, facts = web_picture(*seed_index_style)
    return np.asarray(image).transpose(2, 0, 1), facts


def augment(images, generator):
    """uint8 [B, 3, S, S] → float [B, 3, S, S]: shifts of up to 3 pixels, brightness, contrast, normalised."""
    B, _, S, _ = images.shape
    padded = F.pad(images.float() / 255, (3, 3, 3, 3), mode="replicate")
    dx, dy = torch.randint(0, 7, (2, B), generator=generator)
    rows = dy[:, None] + torch.arange(S)  # [B, S]
    columns = dx[:, None] + torch.arange(S)
    shifted = padded.permute(0, 2, 3, 1)[torch.arange(B)[:, None, None], rows[:, :, None], columns[:, None, :]]
    contrast, brightness = (torch.rand(2, B, 1, 1, 1, generator=generator) - 0.5) * 0.4
    shifted = ((shifted - 0.5) * (1 + contrast) + 0.5 + 0.5 * brightness).clamp(0, 1)  # [B, S, S, 3]
    return ((shifted - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)


def batches(pairs, pool, seed, sizes):
    """For each step: the indices into the pool, shuffled anew each time it has been gone through."""
    generator, done, order = torch.Generator().manual_seed(seed), 0, torch.empty(0, dtype=torch.long)
    while done < pairs:
        size = next(size for share, size in sizes if done < share * pairs)
        if len(order) < size:
            order = torch.cat([order, torch.randperm(pool, generator=generator)])
        yield order[:size]
        order, done = order[size:], done + size


def new_clip(facts, folder, seed):
    """A CLIP with random weights and a tokenizer learned from captions of these facts, kept in `folder`."""
    rng = random.Random(f"captions {seed}")
    save_merges(learn_merges([caption(f, rng) for f in facts[:50_000]], MERGES), folder / "merges.txt")
    tokenizer = Tokenizer(folder / "merges.txt")
    torch.manual_seed(seed)
    visual = VisionTransformer(SIZE, PATCH, WIDTH, LAYERS, EMBED)
    clip = CLIP(visual, SIZE, EMBED, tokenizer.vocab_size, CONTEXT, WIDTH, LAYERS)
    clip.tokenizer = tokenizer
    initialise(clip)
    return clip


def adamw(clip, lr):
    """AdamW as in CLIP's Table 18: weight decay on matrices, none on gains, biases and the logit scale."""
    matrices = [p for p in clip.parameters() if p.ndim >= 2]
    others = [p for p in clip.parameters() if p.ndim < 2]
    groups = [dict(params=matrices, weight_decay=0.1), dict(params=others, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=True)


def learning_rate(lr, step, share):
    """A warm-up over 200 steps, then half a cosine down to 0; `share` of the pairs has been seen."""
    return lr * min(1, (step + 1) / 200) * (1 + math.cos(math.pi * share)) / 2


def train(clip, images, facts, schedule, folder, lr, seed):
    """One optimiser step for each batch of indices in `schedule`; carries on from folder/progress.pt."""
    optimiser, progress, first = adamw(clip, lr), folder / "progress.pt", 0
    if progress.exists():
        state = torch.load(progress, weights_only=True)
        clip.load_state_dict(state["clip"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
        print(f"carrying on from step {first}")
    pairs, seen = sum(map(len, schedule)), sum(map(len, schedule[:first]))
    start, seen_before, losses = time.time(), seen, []
    for step in range(first, len(schedule)):
        index, last = schedule[step], step + 1 == len(schedule)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(lr, step, seen / pairs)
        rng, generator = random.Random(f"{seed} {step}"), torch.Generator().manual_seed(step)
        pictures = augment(images[index], generator)  # [B, 3, S, S]
        tokens = clip.tokenizer([caption(facts[i], rng) for i in index], CONTEXT, truncate=True)  # [B, L]
        loss = contrastive_loss(clip.encode_image(pictures), clip.encode_text(tokens), clip.logit_scale)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(max=math.log(100))  # as CLIP does: tau is never below 0.01
        losses.append(loss.item() - math.log(len(index)))  # 0 = no better than guessing
        seen += len(index)
        if (step + 1) % 100 == 0 or last:
            speed = (seen - seen_before) / (time.time() - start)
            line = dict(step=step + 1, pairs=seen, loss_below_chance=round(sum(losses) / len(losses), 4))
            line |= dict(tau=round(1 / clip.logit_scale.exp().item(), 4), pairs_per_second=round(speed))
            line |= dict(seconds=round(time.time() - start), minutes_left=round((pairs - seen) / speed / 60, 1))
            append_line(folder / "log.jsonl", json.dumps(line))
            print(json.dumps(line), flush=True)
            losses = []
        if (step + 1) % SAVE_EVERY == 0 or last:
            save_tensors(progress, dict(clip=clip.state_dict(), optimiser=optimiser.state_dict(), step=step + 1))
            save_tensors(folder / "tiny.pt", {name: tensor.half() for name, tensor in clip.state_dict().items()})


def main():
    """Draw the pool, make or load a CLIP, train it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for tiny.pt, merges.txt, progress and log")
    parser.add_argument("--start", type=Path, help="weights to go on from, with their merges.txt beside them")
    parser.add_argument("--close-up", action="store_true", help="one large thing in each picture")
    parser.add_argument("--pairs", type=int, default=1_000_000, help="picture–caption pairs seen in all")
    parser.add_argument("--pool", type=int, default=200_000, help="different pictures among them")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    keep_freed_memory()
    flags.out.mkdir(parents=True, exist_ok=True)
    images, facts = draw_pictures(flags.seed, flags.pool, CLOSE_UP if flags.close_up else WEB)
    if flags.start:
        clip, sizes = load_clip(flags.start).requires_grad_(), BATCHES[-1:]  # past the small batches
        write_whole(flags.out / "merges.txt", flags.start.with_name("merges.txt").read_bytes())
    else:
        clip, sizes = new_clip(facts, flags.out, flags.seed), BATCHES
    schedule = list(batches(flags.pairs, flags.pool, flags.seed, sizes))
    train(clip, images, facts, schedule, flags.out, flags.lr, flags.seed)


if __name__ == "__main__":
    main()
