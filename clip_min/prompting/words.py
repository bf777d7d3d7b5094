"""Class vectors of hand-written words."""

import torch


@torch.no_grad()
def word_vectors(clip, classnames, templates):
    """K class names, sentences with {} for the name → [K, E], the mean over the sentences.

    Not normalised, neither before the mean nor after it.
    """
    device, features = clip.positional_embedding.device, []
    for template in templates:
        texts = [template.replace("{}", name) for name in classnames]
        features.append(clip.encode_text(clip.tokenizer(texts, clip.context_length).to(device)))
    return torch.stack(features).mean(dim=0)  # [number of sentences, K, E] → [K, E]
