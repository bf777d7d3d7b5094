"""CLIPs of the official shapes with random numbers, in the layout of OpenAI's files.

They stand in for the official weights wherever the numbers do not matter: how long a step takes,
how much memory it needs, whether a command goes through.
"""

import shutil
import warnings
from functools import partial

import torch
from torch import nn

from clip_min import load_clip
from clip_min.model import CLIP, VisionTransformer
from clip_min.resnet import ModifiedResNet
from clip_min.tokenizer import OPENAI_VOCAB_SIZE
from clip_min.weights.locate import TINY

TEXT = (77, 512, 12)  # tokens, width, layers
TOWERS = {  # OpenAI's: image tower, image size, joint width
    "RN50": (partial(ModifiedResNet, 224, (3, 4, 6, 3), 64), 224, 1024),
    "ViT-B/32": (partial(VisionTransformer, 224, 32, 768, 12), 224, 512),
    "ViT-B/16": (partial(VisionTransformer, 224, 16, 768, 12), 224, 512),
}
SMALL_TEXT = (77, 128, 2)
SMALL_TOWERS = {
    "RN50": (partial(ModifiedResNet, 32, (1, 1, 1, 1), 16), 32, 128),
    "ViT-B/32": (partial(VisionTransformer, 32, 16, 128, 2), 32, 128),
    "ViT-B/16": (partial(VisionTransformer, 32, 8, 128, 2), 32, 128),
}


def random_clip(name, small=False):
    """"RN50", "ViT-B/32" or "ViT-B/16" → a CLIP of that shape in fp16, random numbers.

    small: a tower of the same kind with few layers, and with the tiny CLIP's words.
    """
    visual, image_size, embed_dim = (SMALL_TOWERS if small else TOWERS)[name]
    words = load_clip("tiny").vocab_size if small else OPENAI_VOCAB_SIZE
    torch.manual_seed(0)
    text = SMALL_TEXT if small else TEXT
    clip = CLIP(visual(embed_dim), image_size, embed_dim, words, *text)
    for parameter_name, x in clip.named_parameters():
        if x.ndim > 1:
            nn.init.normal_(x, std=x[0].numel() ** -0.5)
        elif parameter_name.endswith("class_embedding"):
            nn.init.normal_(x, std=0.02)
    return clip.half()


def write_archive(weights, path, **integers):
    """{name: tensor} and a path → the path of a TorchScript archive, like OpenAI's files.

    Modules are nested as the names are. integers: attributes of the whole, such as vocab_size.
    """

    class Branch(nn.Module):
        def forward(self, x):
            return x

    root = Branch()
    for name, tensor in weights.items():
        *parents, leaf = name.split(".")
        module = root
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, Branch())
            module = getattr(module, parent)
        if tensor.is_floating_point():
            module.register_parameter(leaf, nn.Parameter(tensor))
        else:
            module.register_buffer(leaf, tensor)
    for name, number in integers.items():
        setattr(root, name, number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript as a whole
        torch.jit.script(root).save(str(path))
    return path


def weights_file(folder, name, small=False):
    """A folder and a name → its file of weights, written if it is not there."""
    path = folder / f"{name.replace('/', '-')}.pt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        clip = random_clip(name, small)
        if small:
            shutil.copy(TINY.with_name("merges.txt"), folder)
        integers = dict(input_resolution=clip.image_size, context_length=clip.context_length)
        write_archive(clip.state_dict(), path, **integers, vocab_size=clip.vocab_size)
    return path
