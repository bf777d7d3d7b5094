"""How much one prompt moves the others in UPT's theta (exercise 24).

Zang et al., "Unified Vision and Language Prompt Learning", arXiv:2210.07225, Eq. (5).

    python -m notes.exercises.influence     both readings of Eq. (5), with a fresh U
"""

import torch

from clip_min import load_clip
from prompts import METHODS


@torch.no_grad()
def influence(function, U, i):
    """How far the other prompts of a layer move when prompt i is changed, as part of their length.

    function: U [depth, 2n, D] → the same shape. The numbers of prompt i are turned around (`flip`),
    in all layers. → the mean of |new - old| / |old| over the other prompts and over the layers, a
    float.

    >>> influence(lambda U: 2 * U, torch.randn(2, 6, 8), i=0)
    0.0
    """
    changed = U.clone()
    changed[:, i] = U[:, i].flip(-1)
    old, new = function(U), function(changed)
    moved = (new - old).norm(dim=-1) / old.norm(dim=-1)  # [depth, 2n]
    others = [place for place in range(U.shape[1]) if place != i]
    return moved[:, others].mean().item()


def main():
    """Print the influence of prompt 0 in both readings, with the start of a seed."""
    for attention in ("literal", "normed"):
        torch.manual_seed(1)
        upt = METHODS["upt"](load_clip("tiny"), ["cat", "dog"], attention=attention)
        moved = influence(upt.theta, upt.U, 0)
        print(f"attention={attention:8} one prompt moves the others by {moved:.1e}")


if __name__ == "__main__":
    main()
