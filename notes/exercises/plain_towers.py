"""Both towers run plainly: whole sequences through every block, nothing shared, nothing left out.

What is right is defined here once more, without any of the savings of the prompts' tree. The checks
of the exercises and the tests compare with it.
"""

import torch

from clip_min.model import causal_mask


def plain_image_features(clip, images, V):
    """Pictures [B, 3, H, W] and visual prompts V [depth, n, D_v] → image features [B, E].

    As the textbook has it (UPT Eq. (4)): insert this layer's prompts, run the layer, throw away
    what came out in their place. After the last layer with prompts it goes on through the tower.
    """
    visual, (depth, n, _) = clip.visual, V.shape
    x = visual.embed(images)  # [B, 1+S, D_v]
    for i, block in enumerate(visual.transformer.resblocks):
        if i < depth:
            x = torch.cat([x[:, :1], V[i].repeat(len(images), 1, 1), x[:, 1:]], dim=1)
        x = block(x)  # [B, 1+n+S, D_v]
        if i + 1 < depth:  # the next layer brings its own
            x = torch.cat([x[:, :1], x[:, 1 + n :]], dim=1)
    return visual.pool(x)


def plain_class_weights(clip, names, T):
    """K class names and text prompts T [depth, n, D_t] → class weights [K, E], not normalised.

    As CoOp's code does it: every class is a whole sequence, padded to the context length. The
    prompts stand in the places of n placeholders "x"; deeper layers replace what stands there.
    """
    depth, n, _ = T.shape
    texts = ["x " * n + name.replace("_", " ") + "." for name in names]
    tokens = clip.tokenizer(texts, clip.context_length)
    x, eos = clip.token_embedding(tokens), tokens.argmax(dim=-1)  # [K, 77, D_t], [K]
    for i, block in enumerate(clip.transformer.resblocks):
        if i < depth:
            x = torch.cat([x[:, :1], T[i].repeat(len(names), 1, 1), x[:, 1 + n :]], dim=1)
        if i == 0:
            x = x + clip.positional_embedding
        x = block(x, causal_mask(clip.context_length))
    return clip.pool_text(x[torch.arange(len(names)), eos])


def plain_prompts(clip, names, contexts, position="end"):
    """K class names and their contexts [K, M, D_t] → class weights [K, E], not normalised.

    CoOp Eqs. (2) and (4), prompt by prompt: the vectors of the context and of the words are put in
    a row, and all blocks read this one prompt. position: of the name, as in `splice`.
    """
    weights = []
    for name, context in zip(names, contexts, strict=True):
        before = {"end": len(context), "middle": len(context) // 2, "front": 0}[position]
        ids = clip.tokenizer.encode(name.replace("_", " "))
        sos, *words, full_stop, eos = clip.token_embedding.weight[
            [clip.tokenizer.sot, *ids, *clip.tokenizer.encode("."), clip.tokenizer.eot]]
        x = torch.stack([sos, *context[:before], *words, *context[before:], full_stop, eos])
        x = (x + clip.positional_embedding[: len(x)])[None]  # [1, L, D_t]
        for block in clip.transformer.resblocks:
            x = block(x, causal_mask(x.shape[1]))
        weights.append(clip.pool_text(x[0, -1]))
    return torch.stack(weights)
