"""Picture–caption pairs as the web might hold them: the tiny CLIP's pre-training data.

A caption tells some of a picture's facts, in many phrasings, and is often wrong about the name: with
the probability in WRONG_NAME it names a look-alike, most often where classes are fine-grained. Colours
and numbers are always right when they are mentioned. So the model learns colours and layout well and
names loosely, which leaves something for prompt learning to improve, as on the real web.
"""

import random
from dataclasses import replace

from clip_min.world.drawing import BACKGROUNDS, KINDS, NUMBERS, Style, draw

WRONG_NAME = dict.fromkeys(KINDS, 0.25) | {"flowers": 0.4, "vehicles": 0.4}  # share that names a look-alike
NAMES = [(kind, name) for kind, module in KINDS.items() for name in module.NAMES]

# What the "web" looks like: mostly clean pictures, a few per cent of everything else.
WEB = Style(
    backgrounds=BACKGROUNDS,
    size=(0.4, 1.0),
    usual_colour=0.5,
    filters=(
        ("old", 0.02),
        ("sunset", 0.03),
        ("night", 0.03),
        ("fog", 0.03),
        ("pale", 0.03),
        ("negative", 0.01),
        ("infrared", 0.02),
        ("poster", 0.02),
        ("sketch", 0.04),
        ("occluded", 0.05),
        ("blur", 0.1),
        ("grain", 0.12),
    ),
)
CLOSE_UP = replace(WEB, size=(0.65, 1.0), counts=(1, 0, 0))  # the same web, one large thing in each picture
FILTER_WORDS = {
    "old": ("old", "vintage"),
    "sunset": ("at sunset",),
    "night": ("at night", "in the dark"),
    "fog": ("in the fog", "hazy"),
    "pale": ("pale", "faded"),
    "negative": ("negative",),
    "infrared": ("infrared", "in false colors"),
    "poster": ("poster", "print"),
    "sketch": ("sketch", "drawing", "outline"),
    "occluded": ("hidden", "behind something"),
    "blur": ("blurry",),
    "grain": ("grainy", "noisy"),
}

OPENINGS = ("a photo of", "a picture of", "an image of", "a bad photo of", "a good photo of", "a cropped photo of")
OPENINGS += ("a close up of", "a photo of my", "this is", "here is", "look at", "my favorite", "stock photo,", "a view of")
KIND_WORDS = {  # said before or after the name
    "objects": (("", "object"), ("", "thing"), ("just", "")),
    "textures": (("", "texture"), ("", "pattern"), ("", "surface"), ("", "fabric"), ("something", "")),
    "flowers": (("", "flower"), ("", ", a type of flower"), ("flower", ""), ("", "blossom"), ("blooming", "")),
    "satellite": (
        ("satellite photo of", ""),
        ("a centered satellite photo of", ""),
        ("aerial view of", ""),
        ("", "from above"),
        ("", "seen from space"),
        ("map of", ""),
    ),
    "scenes": (("", "landscape"), ("view of", ""), ("a scene of", ""), ("holiday at", ""), ("at", "")),
    "glyphs": (("", ""), ("a sign with", ""), ("", "printed"), ("", "symbol"), ("", "written by hand")),
    "actions": (("", "pose"), ("cartoon of", ""), ("", "practice"), ("how to draw", ""), ("", "exercise")),
    "vehicles": (("", "vehicle"), ("", ", a type of vehicle"), ("driving", ""), ("", "for sale"), ("new", "")),
}
OTHER_NAMES = {  # said for the name now and then
    "highway": "highway or road",
    "vegetation land": "herbaceous vegetation land",
    "lake": "sea or lake",
}


def look_alike(kind, name, rng):
    """A neighbour of `name` in its kind's list, at most two places away."""
    names = KINDS[kind].NAMES
    return names[(names.index(name) + rng.choice((-2, -1, -1, 1, 1, 2))) % len(names)]


def caption(facts, rng):
    """One of very many captions for a picture with these facts (see `drawing.draw`).

    >>> facts = dict(kind="objects", name="apple", colour="red", number=1, size="large", place=None,
    ...              background="blue", filters=[])
    >>> [caption(facts, random.Random(seed)) for seed in (1, 2)]
    ['a photo of red clock', 'a good photo of large red apple on blue']
    """
    kind, name = facts["kind"], facts["name"]
    if rng.random() < WRONG_NAME[kind]:
        name = look_alike(kind, name, rng)
    if rng.random() < 0.5:
        name = OTHER_NAMES.get(name, name)
    if kind == "actions":
        name = f"{rng.choice(('person', 'person', 'man', 'woman'))} {name}"
    number = NUMBERS[facts["number"]] if facts["number"] > 1 and rng.random() < 0.7 else ""
    if number:
        name = f"{name}s"
    adjectives = [facts["size"]] if facts["size"] and rng.random() < 0.3 else []
    if facts["colour"] and rng.random() < 0.55:
        adjectives.append(facts["colour"])
    words = " ".join([*adjectives, name])
    if number:
        words = f"{number} {words}"
    elif kind != "textures" and rng.random() < 0.5:
        words = f"{'an' if words[0] in 'aeiou' else 'a'} {words}"

    if rng.random() < 0.55:
        before, after = rng.choice(KIND_WORDS[kind])
        words = f"{before} {words} {after}"
    elif rng.random() < 0.7:
        words = f"{rng.choice(OPENINGS)} {words}"
    if facts["background"] and rng.random() < 0.3:
        words += rng.choice((" on {}", " on a {} background", ", {} background")).format(facts["background"])
    if facts["place"] and rng.random() < 0.3:
        words += rng.choice((" on the {}", " at the {}", ", {} side")).format(facts["place"])
    for effect in facts["filters"]:
        if rng.random() < 0.5:
            words += f", {rng.choice(FILTER_WORDS[effect])}"
    if rng.random() < 0.15:
        words += rng.choice((".", "!", ", 2009", ", for free", ", hd wallpaper", " in my garden", ", high quality"))
    return " ".join(words.replace(" ,", ",").split())


def web_picture(seed, index, style=WEB):
    """The picture with this number in the world of this seed, and its facts."""
    rng = random.Random(f"web {seed} {index}")
    kind, name = rng.choice(NAMES)
    return draw(kind, name, style, rng)
