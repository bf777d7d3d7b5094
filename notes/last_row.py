"""What two savings in the towers are worth: `python -m notes.last_row` (random weights of ViT-B/16's shape).

Prints, as a median of five alternating pairs, how many times as fast clip_min's towers are as the same
blocks called plainly, and the largest difference between their features.
"""

import statistics
import time

import torch

from clip_min.allocator import keep_freed_memory
from clip_min.model import CLIP, VisionTransformer
from clip_min.pretrain import initialise


def plain(embedded, blocks, row, pool):
    """Every row of every block, then the pooled one."""
    for block in blocks:
        embedded = block(embedded)
    return pool(embedded[torch.arange(len(embedded)), row])


@torch.no_grad()
def compare(what, slow, fast):
    """Print the median ratio of times and the largest difference."""
    ratios = []
    for _ in range(5):
        start = time.time()
        expected = slow()
        middle = time.time()
        features = fast()
        ratios.append((middle - start) / (time.time() - middle))
    print(f"{what:45} {statistics.median(ratios):.2f} times   {(expected - features).abs().max():.0e}")


def main():
    keep_freed_memory()
    torch.manual_seed(0)
    clip = CLIP(VisionTransformer(224, 16, 768, 12, 512), 224, 512, 49408, 77, 512, 12)
    initialise(clip)
    images, visual, text = torch.randn(8, 3, 224, 224), clip.visual, clip.transformer.resblocks
    tokens = torch.randint(1, 400, (100, 24))
    tokens[:, -1] = 49407
    padded = torch.cat([tokens, torch.zeros(100, 53, dtype=torch.long)], dim=1)  # [100, 77]
    first, eos = torch.zeros(8, dtype=torch.long), torch.full((100,), 23)
    compare("images: only [CLS] in the last block",
            lambda: plain(visual.embed(images), visual.transformer.resblocks, first, visual.pool),
            lambda: clip.encode_image(images))  # fmt: skip
    compare("texts: only [EOS] in the last block",
            lambda: plain(clip.embed_text(tokens), text, eos, clip.pool_text),
            lambda: clip.encode_text(padded))  # fmt: skip
    compare("texts: that, and no padding to 77",
            lambda: plain(clip.embed_text(padded), text, eos, clip.pool_text),
            lambda: clip.encode_text(padded))  # fmt: skip


if __name__ == "__main__":
    main()
