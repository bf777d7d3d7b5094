"""Class vectors of hand-written words, and sixty sentences for them.

The sixty are among the 80 of CLIP's authors (github.com/openai/CLIP, its notebook on ImageNet);
PromptSRC (arXiv:2307.06948, App. A) has chosen them. Here they stand by kind: for their mean the
order does not matter.
"""

import torch

from clip_min.prompting.names import readable_names

A_AND_THE = (  # for "_", there is one with "a" and one with "the"
    "a photo of _ {}.", "a bad photo of _ {}.", "a blurry photo of _ {}.",
    "a bright photo of _ {}.", "a close-up photo of _ {}.", "a cropped photo of _ {}.",
    "a low resolution photo of _ {}.", "a pixelated photo of _ {}.", "a photo of _ clean {}.",
    "a photo of _ dirty {}.", "a photo of _ hard to see {}.", "a doodle of _ {}.",
    "a painting of _ {}.", "a rendering of _ {}.", "a rendition of _ {}.", "a sculpture of _ {}.",
    "a sketch of _ {}.", "_ embroidered {}.", "_ origami {}.", "_ plastic {}.",
    "_ {} in a video game.",
)
ONE_OF_ITS_KIND = (
    "a jpeg corrupted photo of a {}.", "a photo of a large {}.", "a photo of a nice {}.",
    "a photo of a weird {}.", "a black and white photo of the {}.", "a dark photo of the {}.",
    "a good photo of the {}.", "a photo of the cool {}.", "a photo of many {}.",
    "a photo of my {}.", "a photo of one {}.", "a drawing of a {}.", "a tattoo of a {}.",
    "art of a {}.", "graffiti of a {}.", "itap of the {}.", "a cartoon {}.", "the toy {}.",
)
SIXTY = (
    *[template.replace("_", "a", 1) for template in A_AND_THE],
    *[template.replace("_", "the", 1) for template in A_AND_THE],
    *ONE_OF_ITS_KIND,
)

@torch.no_grad()
def word_vectors(clip, classnames, templates):
    """K class names, sentences with {} for the name → [K, E], the mean over the sentences.

    Not normalised, neither before the mean nor after it.
    """
    device, features = clip.positional_embedding.device, []
    for template in templates:
        texts = [template.replace("{}", name) for name in readable_names(classnames)]
        features.append(clip.encode_text(clip.tokenizer(texts, clip.context_length).to(device)))
    return torch.stack(features).mean(dim=0)  # [number of sentences, K, E] → [K, E]
