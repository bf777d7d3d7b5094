"""Where visual prompts and [CLS] look: attention over the patches of a picture (UPT Fig. 6).

    weights = softmax(Q Kᵀ / sqrt(d))    (arXiv:1706.03762, Eq. 1), a row for each token that looks

`clip_min/model.py` never keeps these weights. Here they are computed once more, from the block's
own projections and from what came into the block. The model stays as it is.
"""

import math

import torch
import torch.nn.functional as F

from clip_min import load_clip
from clip_min.data import PictureSet, load_dataset
from clip_min.model import HEAD_WIDTH
from notes.figures.drawing import png, read_method, zero_shot
from notes.figures.heat import draw

PICTURES = 5


def weights_of(attention, x):
    """An Attention and its input x [B, S, D] → weights [B, H, S, S], no mask; rows sum to 1."""
    D = x.shape[2]
    W_q, W_k, _ = attention.in_proj_weight.split(D)
    b_q, b_k, _ = attention.in_proj_bias.split(D)
    q, k = F.linear(x, W_q, b_q), F.linear(x, W_k, b_k)  # [B, S, D] each
    q, k = (y.unflatten(-1, (attention.heads, -1)).transpose(1, 2) for y in (q, k))
    return (q @ k.mT / math.sqrt(HEAD_WIDTH)).softmax(dim=-1)


@torch.no_grad()
def of_every_block(method, images):
    """images [B, 3, H, W] → attention weights [B, H, S, S] of each block, a list."""
    found = []
    blocks = method.clip.visual.transformer.resblocks
    hooks = [
        b.attn.register_forward_pre_hook(lambda attn, x: found.append(weights_of(attn, x[0])))
        for b in blocks
    ]
    try:
        method.encode_image(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def some_pictures(dataset):
    """The first test picture of each of PICTURES classes, evenly spread → list of Items."""
    K = len(dataset.classnames)
    step = max(1, K // PICTURES)
    return [
        next(item for item in dataset.test if item.label == label)
        for label in range(0, min(K, step * PICTURES), step)
    ]


def images_of(items, preprocess):
    """N items → images [N, 3, S, S] as CLIP sees them."""
    pictures = PictureSet(items, preprocess)
    return torch.stack([pictures[i][0] for i in range(len(items))])


def prompts_figure(inputs, flags):
    """Prompt files of VPT and UPT for one data set → {file name: PNG}.

    A column for each prompt of the last block, mean over the heads.
    """
    if not inputs:
        raise ValueError(
            "attention needs prompt files with visual prompts, such as one of vpt and one of upt."
        )
    columns, names = [], set()
    for path in inputs:
        method, dataset, prompt = read_method(path, flags.data_root)
        if getattr(method, "image_tower_is_frozen", False):
            raise ValueError(
                f"{path} holds a prompt of {prompt['method']}, which has no visual prompts: "
                "give one of vpt, upt, joint, shared or mlp."
            )
        names.add(dataset.name)
        items, clip = some_pictures(dataset), method.clip
        weights = of_every_block(method, images_of(items, clip.preprocess))[-1].mean(
            dim=1
        )  # [B, S, S]
        patches = len(clip.visual.positional_embedding) - 1
        n = weights.shape[1] - 1 - patches  # prompts stand between [CLS] and the patches
        for p in range(1, 1 + n):
            to_patches = weights[:, p, -patches:]  # [B, patches]
            words = [f"{100 * share:.0f} %" for share in to_patches.sum(dim=-1).tolist()]
            columns.append((f"{prompt['method'].upper()}\nprompt {p}", to_patches, words))
        to_prompts = weights[:, 0, 1 : 1 + n].sum(dim=-1).mean().item()
        to_patches = weights[:, 1 : 1 + n, -patches:].sum(dim=-1).mean().item()
        print(
            f"{prompt['method']}: in the last block the {n} prompts give {100 * to_patches:.1f} % "
            "of their attention "
            f"to patches (evenly: {100 * patches / weights.shape[1]:.1f} %), and [CLS] gives "
            f"{100 * to_prompts:.1f} % to the prompts (evenly: {100 * n / weights.shape[1]:.1f} %)"
        )
    if len(names) > 1:
        raise ValueError(
            f"The prompt files belong to several data sets, {', '.join(sorted(names))}: give one's "
            "only."
        )
    note = "Below each: the share of all patches together. Last block, mean over the heads."
    return {f"attention-{dataset.name}.png": png(draw(items, dataset, columns, note))}


def cls_figure(inputs, flags):
    """A data set's name → {file name: PNG}: what [CLS] of zero-shot CLIP looks at.

    A column for each block, mean over the heads.
    """
    dataset = load_dataset(*(inputs or ["toy-objects"]), flags.data_root)
    clip = load_clip(flags.model)
    if not hasattr(clip.visual, "transformer"):
        raise ValueError("A ResNet has no [CLS]: give --model a vision transformer.")
    method, items = zero_shot(dataset, clip), some_pictures(dataset)
    columns = []
    for n, weights in enumerate(
        of_every_block(method, images_of(items, method.clip.preprocess)), start=1
    ):
        from_cls = weights.mean(dim=1)[:, 0]  # [B, 1+patches]
        words = [f"{100 * share:.0f} %" for share in from_cls[:, 0].tolist()]
        columns.append((f"[CLS]\nblock {n}", from_cls[:, 1:], words))
    note = "Below each: what [CLS] gives to itself. Mean over the heads."
    return {f"cls-attention-{dataset.name}.png": png(draw(items, dataset, columns, note))}
