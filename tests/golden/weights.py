"""Rebuilds the weights and inputs behind the golden figures from names and shapes alone.

Each tensor comes from NumPy's legacy generator, seeded with the CRC-32 of the tensor's name;
NumPy promises never to change that stream.
"""

import zlib

import numpy as np
import torch

NORM_NAMES = (".ln_", "ln_pre", "ln_post", "ln_final", ".bn", "downsample.1")


def golden_tensor(name, shape, kind="weight"):
    """The tensor called `name`; kind="image" gives standard normal values whatever the name."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return torch.zeros(tuple(shape), dtype=torch.long)
    if name == "logit_scale":
        return torch.tensor(np.log(20.0), dtype=torch.float32)
    x = rng.standard_normal(tuple(shape))
    if kind == "image":
        scale, shift = 1.0, 0.0
    elif name.endswith("running_var"):  # uniform in [0.5, 1.5], drawn after the normal values
        x, scale, shift = rng.random_sample(tuple(shape)), 1.0, 0.5
    elif name.endswith(("running_mean", "bias")):
        scale, shift = 0.1, 0.0
    elif name.endswith("weight") and any(part in name for part in NORM_NAMES):
        scale, shift = 0.1, 1.0
    elif name.endswith("token_embedding.weight"):
        scale, shift = 0.02, 0.0
    elif name.endswith(("positional_embedding", "class_embedding")):
        scale, shift = 0.1, 0.0
    elif name.endswith(
        ("proj", "text_projection")
    ):  # used as x @ proj: the fan-in is its first size
        scale, shift = 1 / np.sqrt(shape[0]), 0.0
    else:
        scale, shift = 1 / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else shape[0]), 0.0
    return torch.from_numpy(np.asarray(scale * x + shift, np.float32))


def golden_state_dict(shapes):
    """{name: tensor} for {name: shape}."""
    return {name: golden_tensor(name, shape) for name, shape in shapes.items()}
