"""What the methods' files share: checks of options, and the start of a learned context."""

import math

import torch


def check_choice(name, value, choices):
    """Raises ValueError if the value is not one of the choices.

    >>> check_choice("attention", "foo", ("literal", "normed", "released"))
    Traceback (most recent call last):
    ValueError: attention must be "literal", "normed" or "released", not 'foo'.
    """
    if value not in choices:
        words = [f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in choices]
        listed = f"{', '.join(words[:-1])} or {words[-1]}"
        raise ValueError(f"{name} must be {listed}, not {value!r}.")


def check_count(name, value):
    """Raises ValueError if the value is not a whole number of at least 1.

    >>> check_count("heads", "two")
    Traceback (most recent call last):
    ValueError: heads must be a whole number of at least 1, not 'two'.
    """
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")


def check_share(name, value):
    """Raises ValueError if the value is not a number from 0 to less than 1."""
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be a number from 0 to less than 1, not {value!r}.")


def check_positive(name, value):
    """Raises ValueError if the value is not a positive number."""
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise ValueError(f"{name} must be a positive number, not {value!r}.")


def check_weight(name, value):
    """Raises ValueError if the value is not a number of at least 0."""
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a number of at least 0, not {value!r}.")


def checked_weights(**weights):
    """Weights of a loss by their names → a list of them. Raises ValueError as `check_weight`."""
    for name, weight in weights.items():
        check_weight(name, weight)
    return list(weights.values())


def check_heads(heads, width):
    """Raises ValueError if this is not a number of attention heads for this width."""
    check_count("heads", heads)
    if width % heads:
        raise ValueError(f"heads must divide the text width {width}, which {heads!r} does not.")


def check_n_ctx(clip, n_ctx):
    """Raises ValueError if n_ctx is not a number of vectors that leaves room for a class name."""
    most = clip.context_length - 4  # room for [SOS], a name, the full stop and [EOS]
    if type(n_ctx) is not int or n_ctx not in range(1, most + 1):
        raise ValueError(f"n_ctx must be a whole number from 1 to {most}, not {n_ctx!r}.")


def check_vision_transformer(clip, method):
    """Raises ValueError if the image tower is a ResNet."""
    if not hasattr(clip.visual, "transformer"):
        raise ValueError(
            f"{method} puts prompts between patches, which a ResNet does not have: use a vision "
            "transformer, such as --model ViT-B/16, or --method coop."
        )


def number_of_layers(depth, layers, name="depth"):
    """The option `depth` of a tower with so many layers → a number: all of them for "deep", 9 or
    all there are for None."""
    if depth is None:
        return min(9, layers)
    if depth == "deep":
        return layers
    if type(depth) is not int or depth not in range(1, layers + 1):
        raise ValueError(
            f'{name} must be "deep" or a whole number from 1 to {layers}, not {depth!r}.'
        )
    return depth


def layers_of_towers(clip, method, n_visual, depth, text_depth):
    """The options of PromptSRC, checked → how many layers of the image tower and how many of the
    text tower get prompts."""
    check_vision_transformer(clip, method)
    check_count("n_visual", n_visual)
    return (number_of_layers(depth, len(clip.visual.transformer.resblocks)),
            number_of_layers(text_depth, len(clip.transformer.resblocks), "text_depth"))


def prompted_layers(clip, method, n_ctx, depth, text_depth):
    """The options of UPT and its relatives, checked → how many layers of the image tower and of the
    text tower get prompts. text_depth: at most `depth`; "deep": as many."""
    check_vision_transformer(clip, method)
    check_n_ctx(clip, n_ctx)
    towers = (clip.transformer, clip.visual.transformer)
    depth = number_of_layers(depth, min(len(tower.resblocks) for tower in towers))
    return depth, number_of_layers(text_depth, depth, "text_depth")


def initial_prompts(clip, depth, n_ctx, ctx_init):
    """→ text prompts [depth, n, D_t] of MaPLe and PromptSRC, random with deviation 0.02, and the
    tokens of `ctx_init`. The first n tokens are the start of the first layer's prompts.

    As published, words count only for n_ctx up to 4; without words there are no tokens: [].
    Raises ValueError for fewer tokens than n_ctx.
    """
    check_n_ctx(clip, n_ctx)
    embedding = clip.token_embedding.weight
    prompts = 0.02 * torch.randn(depth, n_ctx, embedding.shape[1])
    if not ctx_init or n_ctx > 4:
        return prompts, []
    words = clip.tokenizer.encode(str(ctx_init).replace("_", " "))
    if len(words) < n_ctx:
        raise ValueError(
            f"ctx_init={ctx_init!r} has {len(words)} tokens, too few for n_ctx={n_ctx}: give more "
            "words, or ctx_init=None for a random start."
        )
    prompts[0] = embedding[words[:n_ctx]]
    return prompts, words


def initial_context(clip, n_ctx, ctx_init, default, default_words=None):
    """→ M context vectors [M, D_t]: the embeddings of words, or random with deviation 0.02.

    n_ctx: M; None: as many as ctx_init has tokens, or `default`. default_words: ctx_init as it is
    if nobody gives it; they make room for an n_ctx that does not fit them.
    Raises ValueError if other words contradict n_ctx, or if there is no room for a class name.
    """
    embedding = clip.token_embedding.weight
    if ctx_init is not None:
        words = clip.tokenizer.encode(str(ctx_init).replace("_", " "))
        if words and n_ctx in (None, len(words)):
            check_n_ctx(clip, len(words))
            return embedding[words].clone()
        if ctx_init != default_words:
            raise ValueError(
                f"ctx_init={ctx_init!r} has {len(words)} tokens, which contradicts "
                f"n_ctx={n_ctx!r}: give one, or ctx_init=None for a random start."
            )
    n_ctx = default if n_ctx is None else n_ctx
    check_n_ctx(clip, n_ctx)
    return 0.02 * torch.randn(n_ctx, embedding.shape[1])  # on the CPU: one seed, one start
