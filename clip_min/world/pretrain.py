"""Pre-training of the tiny CLIP on the miniature world, in three stages.

    python -m clip_min.world.pretrain --out OUT                      all three, about two hours
    python -m clip_min.world.pretrain --out OUT --stage registers    the last one again, in minutes
    python -m clip_min.world.pretrain --out OUT --pairs 2_000        all three, shortened

Radford et al. 2021, arXiv:2103.00020, Sec. 2.3 and Fig. 3: a batch holds B pictures and their B
captions; each picture must find its caption among the B, and each caption its picture.

1. web: all kinds of pictures, right names. Half of the patches of each picture are left out at
   random, so that a step takes less time (FLIP: Li et al. 2022, arXiv:2212.00794).
2. close-ups: one large thing in each picture, all patches. Each batch holds one kind of things
   only. Their captions differ in the name, so only the shape can tell them apart: hard negatives
   (Robinson et al. 2020, arXiv:2010.04592).
3. registers: the image tower is locked and only the text tower learns (LiT: Zhai et al. 2021,
   arXiv:2111.07991), from captions of two registers, one of which is often wrong (captions.py).
   The pictures' features are computed once, so this stage takes minutes.

A run is a function of its flags: a fixed number of steps, everything random from the seed. The
same command carries on where an interrupted run stopped. OUT holds web.pt, close-ups.pt and
registers.pt (the last one is what tiny.pt is), merges.txt, log.jsonl, and web-100k.pt, ... after
each 100,000 pairs, to see how accuracy grows.
"""

import argparse
import json
import math
import random
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from clip_min import load_clip
from clip_min.allocator import keep_freed_memory
from clip_min.files import append_line, load_tensors, save_tensors
from clip_min.model import CLIP, CLS, VisionTransformer
from clip_min.tokenizer import Tokenizer, learn_merges, save_merges
from clip_min.world.canvas import SIZE
from clip_min.world.captions import right_names
from clip_min.world.recipe import STAGES, augment, batches, draw_pictures

WIDTH, LAYERS, PATCH, EMBED, CONTEXT = 128, 4, 5, 128, 32
MERGES = 1200  # words and parts of words that the tokenizer learns
LOG_EVERY, SAVE_EVERY = 100, 200  # steps
SNAPSHOT = 100_000  # pairs between two files of weights that are kept


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


def encode_image(visual, images, masked, generator):
    """The image tower, without a share of the patches: images [B, 3, S, S] → [B, E]."""
    x = visual.embed(images)  # [B, 1+S, D]
    if masked:
        x = drop_patches(x, masked, generator)  # [B, 1+kept, D]
    return visual.pool(visual.transformer(x, rows=CLS))


def drop_patches(x, masked, generator):
    """x [B, 1+S, D] → [B, 1+kept, D]: the class token, and other random patches of each picture.

    FLIP, arXiv:2212.00794, Sec. 3. Positions were added before, so the tower knows what is where.
    """
    B, S = len(x), x.shape[1] - 1
    kept = S - round(masked * S)
    patches = 1 + torch.rand(B, S, generator=generator).argsort(dim=1)[:, :kept]  # [B, kept]
    rows = torch.cat([torch.zeros(B, 1, dtype=torch.long), patches], dim=1)  # [B, 1+kept]
    return x[torch.arange(B)[:, None], rows]


def initialise(clip):
    """Random weights with CLIP's spread: smaller the wider and the deeper a tower is."""
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
    visual = clip.visual
    for parameter in (visual.class_embedding, visual.positional_embedding, visual.proj):
        nn.init.normal_(parameter, std=WIDTH**-0.5)


def new_clip(facts, folder, seed):
    """A CLIP with random weights, and a tokenizer that is learned from captions of these facts.

    The tokenizer's merges are kept in `folder`.
    """
    rng = random.Random(f"captions {seed}")
    captions = [right_names(picture, rng) for picture in facts[:50_000]]
    save_merges(learn_merges(captions, MERGES), folder / "merges.txt")
    tokenizer = Tokenizer(folder / "merges.txt")
    torch.manual_seed(seed)
    visual = VisionTransformer(SIZE, PATCH, WIDTH, LAYERS, EMBED)
    clip = CLIP(visual, SIZE, EMBED, tokenizer.vocab_size, CONTEXT, WIDTH, LAYERS)
    clip.tokenizer = tokenizer
    initialise(clip)
    return clip


def adamw(parameters, lr):
    """AdamW as in CLIP's Table 18: no weight decay on gains, biases and the logit scale."""
    matrices = [p for p in parameters if p.ndim >= 2]
    others = [p for p in parameters if p.ndim < 2]
    groups = [dict(params=matrices, weight_decay=0.1), dict(params=others, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=True)


def learning_rate(stage, step, share):
    """A warm-up over 200 steps, the full rate, half a cosine to 0; `share` of the pairs is seen."""
    fallen = max(0.0, share - stage.steady) / (1 - stage.steady)  # 0 to 1
    return stage.lr * min(1, (step + 1) / 200) * (1 + math.cos(math.pi * fallen)) / 2


def learned_parameters(stage, clip):
    """The list of those that the stage trains; the others are frozen."""
    for name, parameter in clip.named_parameters():
        image_side = name.startswith("visual.") or name == "logit_scale"
        parameter.requires_grad_(not (stage.locked and image_side))
    return [parameter for parameter in clip.parameters() if parameter.requires_grad]


@torch.no_grad()
def locked_features(clip, images, seed):
    """Every picture's feature, of one augmented view: uint8 [N, 3, S, S] → [N, E]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.cat([clip.encode_image(augment(part, generator)) for part in images.split(256)])


def train(stage, clip, pictures, folder, seed):
    """One optimiser step for each batch of the stage → folder/<stage>.pt.

    Every SAVE_EVERY steps all that is needed to carry on goes into folder/<stage>-progress.pt.
    """
    images, facts = pictures
    schedule, progress = batches(stage, facts, seed), folder / f"{stage.name}-progress.pt"
    learned = learned_parameters(stage, clip)
    features = locked_features(clip, images, seed) if stage.locked else None
    optimiser, first, seconds = adamw(learned, stage.lr), 0, 0.0
    if progress.exists():
        state = load_tensors(progress)
        clip.load_state_dict(state["clip"])
        optimiser.load_state_dict(state["optimiser"])
        first, seconds = state["step"], state["seconds"]
        print(f"{stage.name}: carrying on from step {first}", flush=True)
    pairs, seen = sum(map(len, schedule)), sum(map(len, schedule[:first]))
    start, losses = time.time() - seconds, []
    for step in range(first, len(schedule)):
        index, last = schedule[step], step + 1 == len(schedule)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(stage, step, seen / pairs)
        rng = random.Random(f"{stage.name} {seed} {step}")
        generator = torch.Generator().manual_seed(step)
        texts = [stage.caption(facts[i], rng) for i in index]
        text_features = clip.encode_text(clip.tokenizer(texts, CONTEXT, truncate=True))  # [B, E]
        if stage.locked:
            image_features = features[index]  # [B, E]
        else:
            views = augment(images[index], generator)  # [B, 3, S, S]
            image_features = encode_image(clip.visual, views, stage.masked, generator)
        loss = contrastive_loss(image_features, text_features, clip.logit_scale)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(max=math.log(100))  # as CLIP does: tau is never below 0.01
        losses.append(loss.item() - math.log(len(index)))  # 0 = no better than guessing
        seen += len(index)
        if (step + 1) % LOG_EVERY == 0 or last:
            loss, tau = sum(losses) / len(losses), 1 / clip.logit_scale.exp().item()
            line = dict(stage=stage.name, step=step + 1, pairs=seen)
            line |= dict(loss_below_chance=round(loss, 4), tau=round(tau, 4))
            line |= dict(seconds=round(time.time() - start))
            append_line(folder / "log.jsonl", json.dumps(line))
            print(json.dumps(line), flush=True)
            losses = []
        if (step + 1) % SAVE_EVERY == 0 or last:
            state = dict(clip=clip.state_dict(), optimiser=optimiser.state_dict())
            save_tensors(progress, state | dict(step=step + 1, seconds=time.time() - start))
        if seen // SNAPSHOT > (seen - len(index)) // SNAPSHOT:
            save_half(clip, folder / f"{stage.name}-{seen // SNAPSHOT * SNAPSHOT // 1000}k.pt")
    save_half(clip, folder / f"{stage.name}.pt")
    progress.unlink()


def save_half(clip, path):
    """The weights in half precision, as OpenAI's files hold them."""
    save_tensors(path, {name: tensor.half() for name, tensor in clip.state_dict().items()})


def main():
    """The stages in turn, each from the weights of the one before."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for everything that comes out")
    add("--stage", choices=[stage.name for stage in STAGES], help="only this one")
    add("--pairs", type=int, help="pairs of each stage, and at most so many pictures")
    add("--pictures", type=Path, help="folder to keep drawn pictures in (default: --out)")
    add("--seed", type=int, default=0)
    flags = parser.parse_args()
    keep_freed_memory()
    flags.out.mkdir(parents=True, exist_ok=True)
    for stage, before in zip(STAGES, (None, *STAGES)):
        weights, progress = flags.out / f"{stage.name}.pt", flags.out / f"{stage.name}-progress.pt"
        if flags.stage not in (None, stage.name):
            continue
        if weights.exists() and not progress.exists():
            print(f"{weights} is there already: remove it to make it again.", flush=True)
            continue
        if flags.pairs:
            stage = replace(stage, pairs=flags.pairs, pictures=min(flags.pairs, stage.pictures))
        drawn, world = flags.pictures or flags.out, f"{stage.name}-{flags.seed}"
        pictures = draw_pictures(world, stage.pictures, stage.style, drawn)
        if before is None:
            clip = new_clip(pictures.facts, flags.out, flags.seed)
        else:
            clip = load_clip(flags.out / f"{before.name}.pt")
        train(stage, clip, pictures, flags.out, flags.seed)


if __name__ == "__main__":
    main()
