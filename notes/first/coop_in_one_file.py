"""CoOp in one file: from the words to the learned prompt, in the order in which things happen.

    python -m notes.first.coop_in_one_file        16 shots, 200 epochs: train.py --method coop
    python -m notes.first.coop_in_one_file 2 6    2 shots, 6 epochs

The weights of CLIP and the pictures come from clip_min; the text tower, the prompt and the learning
are written here, with torch alone. With up to 60 epochs it prints what train.py prints, to the last
digit. After that, the sixth digit of a number, which is rounded in another order, reaches the third
one: a step of 0.02 makes small differences larger. Both end at about 66 to 67 %.
"""

import math
import sys
import zlib

import torch
import torch.nn.functional as F

from clip_min import load_clip
from clip_min.data import few_shot, load_dataset, open_picture

LR, BATCH, VIEWS, SEED = 0.02, 32, 16, 1


def seed_of(words):
    """Words → a seed for random numbers, the same on every machine."""
    return zlib.crc32(words.encode())


def prompts_of(clip, names, words):
    """Class names, and a sentence with {} → ids [K, L], and the place of each [EOS] [K]."""
    encode, rows = clip.tokenizer.encode, []
    for name in names:
        rows.append([clip.tokenizer.sot, *encode(words.format(name)), clip.tokenizer.eot])
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for row, numbers in zip(ids, rows):
        row[: len(numbers)] = torch.tensor(numbers)
    return ids, torch.tensor([len(row) - 1 for row in rows])


def attention(block, x, mask):
    """x [K, L, D] → [K, L, D]: each token looks at those that the mask [L, L] lets it see."""
    q, k, v = F.linear(x, block.in_proj_weight, block.in_proj_bias).chunk(3, dim=-1)
    q, k, v = (y.unflatten(-1, (-1, 64)).transpose(1, 2) for y in (q, k, v))  # [K, H, L, 64]
    scores = (q @ k.mT / math.sqrt(64)).masked_fill(~mask, -math.inf)
    return block.out_proj((scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))


def text_tower(clip, x, eos):
    """Vectors of tokens x [K, L, D], places of [EOS] [K] → class vectors of length 1, [K, E]."""
    L = x.shape[1]
    mask = torch.ones(L, L).tril().bool()
    x = x + clip.positional_embedding[:L]
    for block in clip.transformer.resblocks:
        x = x + attention(block.attn, block.ln_1(x), mask)
        x = x + block.mlp(block.ln_2(x))
    x = clip.ln_final(x[torch.arange(len(x)), eos]) @ clip.text_projection
    return F.normalize(x, dim=-1)


@torch.no_grad()
def features_of(clip, items, view=None):
    """N pictures → their features of length 1, [N, E]; view: the number of a random crop."""
    pictures = []
    for item in items:
        if view is None:
            pictures.append(clip.preprocess(open_picture(item.path)))
        else:
            words = " ".join([str(view), *item.path.split("/")[-3:]])
            random = torch.Generator().manual_seed(seed_of(words))
            picture = open_picture(item.path)  # a crop has 85 to 100 % of its area
            pictures.append(clip.preprocess.augment(picture, random, (0.85, 1.0), False))
    return F.normalize(clip.encode_image(torch.stack(pictures)), dim=-1)


def learn(shots=16, epochs=200):
    """Learns a prompt for toy-satellite, as train.py does → accuracies (before, after)."""
    clip, dataset = load_clip("tiny"), load_dataset("toy-satellite")
    train, _ = few_shot(dataset, shots, SEED)
    labels = torch.tensor([item.label for item in train])
    views = [features_of(clip, train, view) for view in range(min(VIEWS, epochs))]
    scale = clip.logit_scale.exp()  # 1 / tau

    # CoOp Eq. (2): t = [V]_1 … [V]_M [CLASS], which starts as "a photo of a" [CLASS]
    ids, eos = prompts_of(clip, dataset.classnames, "a photo of a {}.")
    words = clip.token_embedding(ids)  # [K, L, D]
    V = torch.nn.Parameter(words[0, 1:5].clone())  # [M, D]: behind [SOS]
    optimiser = torch.optim.SGD([V], LR, momentum=0.9, weight_decay=5e-4)
    print(f"  {len(train)} pictures, {V.numel()} learned parameters")

    def class_vectors():
        spliced = [words[:, :1], V.expand(len(ids), -1, -1), words[:, 5:]]
        return text_tower(clip, torch.cat(spliced, dim=1), eos)  # [K, E]

    for epoch in range(epochs):
        order = torch.Generator().manual_seed(seed_of(f"{SEED} {epoch}"))
        batches = torch.randperm(len(train), generator=order).split(BATCH)
        whole = [batch for batch in batches if len(batch) == BATCH] or batches
        lr = LR * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2 if epoch else 1e-5
        optimiser.param_groups[0]["lr"] = lr
        loss_sum = hits = 0
        for batch in whole:
            f, y = views[epoch % len(views)][batch], labels[batch]
            logits = scale * f @ class_vectors().T  # CoOp Eq. (3), before its softmax: [B, K]
            loss = F.cross_entropy(logits, y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss_sum += len(y) * loss.item()
            hits += (logits.argmax(dim=1) == y).sum().item()
        seen = sum(map(len, whole))
        print(f"  epoch {epoch + 1:3}/{epochs}  loss {loss_sum / seen:6.3f}  "
              f"training accuracy {100 * hits / seen:5.1f} %  lr {lr:.5f}")

    f, y = features_of(clip, dataset.test), torch.tensor([item.label for item in dataset.test])
    sentences = prompts_of(clip, dataset.classnames, dataset.templates[0])
    zero_shot = text_tower(clip, clip.token_embedding(sentences[0]), sentences[1])
    found = []
    for name, vectors in (("zero-shot", zero_shot), ("coop", class_vectors())):
        found.append(100 * ((f @ vectors.T).argmax(dim=1) == y).float().mean().item())
        print(f"  {name:12}  {found[-1]:.2f} %")
    return found


if __name__ == "__main__":
    learn(*map(int, sys.argv[1:]))
