"""How much one prompt moves the others in UPT's theta (exercise 24).

Zang et al., "Unified Vision and Language Prompt Learning", arXiv:2210.07225, Eq. (5).

    python -m notes.exercises.influence     both readings of SA, with a fresh U
"""

import torch

from clip_min import load_clip
from prompts import METHODS


def theta_forward(theta, U):
    """U [depth, 2n, D] → U-hat [depth, 2n, D], with the modules of a `Theta` of prompts/upt.py."""
    LN_U = theta.ln_1(U)
    # UPT Eq. (5): U' = SA(...) + LN(U);  U-hat = FFN(LN(U')) + LN(U')
    U = theta.self_attention(LN_U) + LN_U
    normed = theta.ln_2(U)
    return theta.ffn(normed) + normed


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
    """Print the influence of prompt 0 for SA(U) and for SA(LN(U)), with the start of a seed."""
    torch.manual_seed(1)
    method = METHODS["upt"](load_clip("tiny"), ["cat", "dog"])
    theta = method.theta

    def literal(U):
        normed = theta.ln_2(theta.self_attention(U) + theta.ln_1(U))
        return theta.ffn(normed) + normed

    def with_LN(U):
        return theta_forward(theta, U)

    for words, function in (("SA(U)", literal), ("SA(LN(U))", with_LN)):
        print(f"{words:10} one prompt moves the others by {influence(function, method.U, 0):.1e}")


if __name__ == "__main__":
    main()
