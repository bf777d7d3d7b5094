"""What looks at visual prompts, and where they look (UPT Fig. 6).

    weights = softmax(Q Kᵀ / sqrt(d))    (arXiv:1706.03762, Eq. 1), a row for each token that looks

`clip_min/model.py` never keeps these weights. Here they are computed once more, from the block's
own projections and from what came into the block. The model stays as it is. Of the last block the
picture shows where [CLS] and the prompts look; the bars below show, block by block, how much [CLS]
looks at the prompts, for only that reaches a prediction.
"""

import math

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from clip_min.data import PictureSet, open_picture
from clip_min.model import HEAD_WIDTH
from notes.figures.drawing import font, png, read_method, zero_shot
from prompts.reports import colours

PICTURES, MANY = 4, 120  # that are shown, and about as many for the bars
CELL, GAP, LEFT, HEAD = 104, 10, 128, 46  # a map, a space, names at the left, titles, in pixels
BARS, BAR = 96, 16  # the height of the bars, and the width of one
INK = (190, 20, 20)  # of attention
GREY, FINE = (90, 90, 90), (205, 205, 205)


# Numbers


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
    hooks = [block.attn.register_forward_pre_hook(
                 lambda attention, x: found.append(weights_of(attention, x[0])))
             for block in method.clip.visual.transformer.resblocks]
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
    return [next(item for item in dataset.test if item.label == label)
            for label in range(0, min(K, step * PICTURES), step)]


def images_of(items, preprocess):
    """N items → images [N, 3, S, S] as CLIP sees them."""
    pictures = PictureSet(items, preprocess)
    return torch.stack([pictures[i][0] for i in range(len(items))])


def looks(method, images):
    """images [B, 3, H, W] → three tensors: where [CLS] looks [B, patches] and where the prompts
    look [B, patches] in the last block, and the share of [CLS] that goes to the prompts [blocks].
    All are means over the heads; the second is a mean over the prompts, empty without prompts.
    """
    patches = len(method.clip.visual.positional_embedding) - 1
    blocks = [weights.mean(dim=1) for weights in of_every_block(method, images)]  # [B, S, S] each
    last = blocks[-1]
    n = last.shape[1] - 1 - patches  # prompts stand between [CLS] and the patches
    prompts = last[:, 1 : 1 + n, -patches:]
    shares = [weights[:, 0, 1:-patches].sum(dim=-1).mean() for weights in blocks]
    return last[:, 0, -patches:], prompts.mean(dim=1) if n else None, torch.stack(shares)


# Picture


def heat(picture, shares, largest):
    """A picture, attention over its patches [S] → the pale grey picture, red where a patch gets
    more than an even share of it; `largest` is the darkest.
    """
    side = math.isqrt(len(shares))
    grey = picture.convert("L").point(lambda value: 120 + value * 135 // 255)
    grey = grey.convert("RGB").resize((CELL, CELL), Image.BICUBIC)
    mask = Image.new("L", (side, side))
    even = shares.mean().item()
    above = [max(0, share - even) / (largest - even) for share in shares.tolist()]
    mask.putdata([round(230 * min(1, share)) for share in above])
    grey.paste(INK, (0, 0), mask.resize((CELL, CELL), Image.BICUBIC))
    return grey


def draw(items, dataset, columns, bars):
    """Items, {title: attention [B, patches]}, {method: share of [CLS] to the prompts [blocks]}
    → a Pillow picture.

    One row for each item. The darkest red of a column is its largest attention to one patch.
    """
    width = LEFT + (len(columns) + 1) * (CELL + GAP) + GAP
    sheet = Image.new("RGB", (width, HEAD + len(items) * (CELL + GAP) + BARS + 84), "white")
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(["picture", *columns]):
        x = LEFT + column * (CELL + GAP) + CELL // 2
        pen.multiline_text((x, HEAD - 6), title, "black", font(13), anchor="md", align="center")
    for i, item in enumerate(items):
        picture, top = open_picture(item.path), HEAD + i * (CELL + GAP)
        name = dataset.classnames[item.label][:20]
        pen.text((LEFT - 8, top + CELL // 2), name, "black", font(13), anchor="rm")
        sheet.paste(picture.resize((CELL, CELL), Image.NEAREST), (LEFT, top))
        for column, shares in enumerate(columns.values(), start=1):
            tinted = heat(picture, shares[i], shares.max().item())
            sheet.paste(tinted, (LEFT + column * (CELL + GAP), top))
    draw_bars(pen, HEAD + len(items) * (CELL + GAP) + 8, bars)
    return sheet


def draw_bars(pen, top, bars):
    """{method: share of [CLS] to the prompts [blocks]} as groups of bars, a group a block."""
    words = "Red: more than an even share. Below: what [CLS] gives to the prompts, block by block."
    pen.text((LEFT, top), words, "black", font(13))
    bottom, largest = top + 30 + BARS, max(shares.max().item() for shares in bars.values())
    blocks = len(next(iter(bars.values())))
    group = len(bars) * BAR + 34
    for block in range(blocks):
        left = LEFT + block * group
        for j, (name, shares) in enumerate(bars.items()):
            x, share = left + j * BAR, shares[block].item()
            height = BARS * 0.8 * share / largest
            pen.rectangle((x, bottom - height, x + BAR - 3, bottom), colours.METHODS[name])
            percent = f"{100 * share:.0f}"
            pen.text((x + BAR // 2 - 1, bottom - height - 3), percent, GREY, font(11), anchor="md")
        pen.text((left + group // 2 - 17, bottom + 4), str(block + 1), "black", font(12), "ma")
    pen.line((LEFT - 4, bottom, LEFT + blocks * group - 24, bottom), FINE)
    pen.text((LEFT - 8, bottom + 4), "block", "black", font(12), anchor="ra")
    pen.text((LEFT - 8, bottom - BARS // 2), "per cent", "black", font(12), anchor="rm")
    for j, name in enumerate(bars):
        x = LEFT + j * 130
        pen.rectangle((x, bottom + 26, x + 10, bottom + 36), colours.METHODS[name])
        pen.text((x + 16, bottom + 24), name, "black", font(12))


def figure(inputs, flags):
    """Prompt files of VPT and UPT for one data set → {file name: PNG}."""
    if not inputs:
        raise ValueError(
            "attention needs prompt files with visual prompts, such as one of vpt and one of upt."
        )
    of_cls, of_prompts, bars, names = {}, {}, {}, set()
    for path in inputs:
        method, dataset, prompt = read_method(path, flags.data_root)
        name = prompt["method"]
        if getattr(method, "image_tower_is_frozen", False):
            raise ValueError(
                f"{path} holds a prompt of {name}, which has no visual prompts: "
                "give one of vpt, upt, joint, shared or mlp."
            )
        names.add(dataset.name)
        items = some_pictures(dataset)
        images = images_of(items, method.clip.preprocess)
        if not of_cls:
            of_cls["[CLS]\nzero-shot"] = looks(zero_shot(dataset, method.clip), images)[0]
        of_cls[f"[CLS]\n{name}"], of_prompts[f"prompts\n{name}"], _ = looks(method, images)
        many = dataset.test[:: max(1, len(dataset.test) // MANY)]
        bars[name] = looks(method, images_of(many, method.clip.preprocess))[2]
        shares = ", ".join(f"{100 * share:.1f}" for share in bars[name].tolist())
        patches = 100 * of_prompts[f"prompts\n{name}"].sum(dim=-1).mean().item()
        print(f"{name}: of its attention [CLS] gives {shares} % to the prompts, block by block; "
              f"in the last block the prompts give {patches:.1f} % of theirs to patches")
    if len(names) > 1:
        raise ValueError(
            f"The prompt files belong to {', '.join(sorted(names))}: give those of one data set."
        )
    return {f"attention-{dataset.name}.png": png(draw(items, dataset, of_cls | of_prompts, bars))}
