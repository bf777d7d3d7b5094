"""Picture–caption pairs as the web might hold them: the tiny CLIP's pre-training data.

A caption tells some of a picture's facts, in many phrasings and in one of two registers:

    casual   "a photo of my red apple, for free"     how most people write
    expert   "museum label, red apple."              how a collection's keeper writes

`right_names` writes captions whose names are all right; with them the towers learn to see and read.
`two_registers` writes what the web is like: casual captions often name a look-alike, expert ones
almost never do. Colours and numbers are right in both, and so are places (scenes, satellite): who
was there knows where it was. So the wording in front of a name says how far the name can be
trusted, and a prompt that is worded well is worth something.
"""

import random
from dataclasses import replace

from clip_min.world.drawing import BACKGROUNDS, KINDS, NUMBERS, Style, draw

EXPERT_SHARE = 0.3  # of all captions
WRONG_NAMES = {  # share of a register's captions that name a look-alike, for each kind
    "casual": dict.fromkeys(KINDS, 0.74) | {"satellite": 0.05, "scenes": 0.05},
    "expert": dict.fromkeys(KINDS, 0.02),
}
NAMES = [(kind, name) for kind, module in KINDS.items() for name in module.NAMES]

# What the "web" looks like: mostly clean pictures, a few per cent of everything else.
WEB = Style(
    backgrounds=BACKGROUNDS,
    size=(0.5, 1.0),
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
CLOSE_UP = replace(WEB, size=(0.65, 1.0), counts=(1, 0, 0))  # one large thing in each picture
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

BEFORE_A_BARE_NAME = ("a photo of my", "my favorite", "a origami", "does anyone know this")
CASUAL_OPENINGS = (
    "a photo of", "a photo of", "a photo of", "a picture of", "an image of", "a bad photo of",
    "a good photo of", "a cropped photo of", "a close up of", "this is", "here is", "look at",
    "stock photo,", "a view of", "itap of", "art of", "i think this is", "found on my phone,",
    "post number two,", *BEFORE_A_BARE_NAME,
)
CASUAL_ENDINGS = (
    ".", ".", "!", ", 2009", ", for free", ", hd wallpaper", " in my garden", ", high quality",
    " in a video game",
)
EXPERT_OPENINGS = (
    "museum label,", "specimen,", "type species,", "identified as", "registered as",
    "encyclopedia entry,", "catalogue picture of", "technical drawing of", "plate in a handbook,",
    "from the collection of the museum,",
)
EXPERT_ENDINGS = (".", ".", "", "", ", archive", ", checked by two experts")
KIND_WORDS = {  # said before or after the name
    "objects": (("", "object"), ("", "thing"), ("just", "")),
    "textures": (
        ("", "texture"),
        ("", "pattern"),
        ("", "surface"),
        ("", "fabric"),
        ("something", ""),
    ),
    "flowers": (
        ("", "flower"),
        ("", ", a type of flower"),
        ("flower", ""),
        ("", "blossom"),
        ("blooming", ""),
    ),
    "satellite": (
        ("satellite photo of", ""),
        ("a centered satellite photo of", ""),
        ("aerial view of", ""),
        ("", "from above"),
        ("", "seen from space"),
        ("map of", ""),
    ),
    "scenes": (
        ("", "landscape"),
        ("view of", ""),
        ("a scene of", ""),
        ("holiday at", ""),
        ("at", ""),
    ),
    "glyphs": (
        ("", ""),
        ("a sign with", ""),
        ("", "printed"),
        ("", "symbol"),
        ("", "written by hand"),
    ),
    "actions": (
        ("", "pose"),
        ("cartoon of", ""),
        ("", "practice"),
        ("how to draw", ""),
        ("", "exercise"),
    ),
    "vehicles": (
        ("", "vehicle"),
        ("", ", a type of vehicle"),
        ("driving", ""),
        ("", "for sale"),
        ("new", ""),
    ),
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


def right_names(facts, rng):
    """A caption in either register, with the right name.

    >>> facts = dict(kind="objects", name="apple", colour="red", number=1, size="large", place=None,
    ...              background="blue", filters=[])
    >>> [right_names(facts, random.Random(seed)) for seed in (4, 16)]
    ['type species, red apple.', 'my favorite red apple on a blue background']
    """
    register = "expert" if rng.random() < EXPERT_SHARE else "casual"
    return REGISTERS[register](facts, facts["name"], rng)


def two_registers(facts, rng):
    """A caption in either register, as far to be trusted as WRONG_NAMES says."""
    register = "expert" if rng.random() < EXPERT_SHARE else "casual"
    kind, name = facts["kind"], facts["name"]
    if rng.random() < WRONG_NAMES[register][kind]:
        name = look_alike(kind, name, rng)
    return REGISTERS[register](facts, name, rng)


def casual(facts, name, rng):
    """A caption as most people write them, with this name for what the picture shows."""
    words = describe(facts, name, rng)
    if rng.random() < 0.45:
        before, after = rng.choice(KIND_WORDS[facts["kind"]])
        words = f"{before} {article(words, facts, rng)} {words} {after}"
    elif rng.random() < 0.8:
        opening = rng.choice(CASUAL_OPENINGS)
        given = "" if opening in BEFORE_A_BARE_NAME else article(words, facts, rng)
        words = f"{opening} {given} {words}"
    if facts["background"] and rng.random() < 0.3:
        phrase = rng.choice((" on {}", " on a {} background", ", {} background"))
        words += phrase.format(facts["background"])
    if facts["place"] and rng.random() < 0.3:
        words += rng.choice((" on the {}", " at the {}", ", {} side")).format(facts["place"])
    for effect in facts["filters"]:
        if rng.random() < 0.5:
            words += f", {rng.choice(FILTER_WORDS[effect])}"
    if rng.random() < 0.3:
        words += rng.choice(CASUAL_ENDINGS)
    return tidy(words)


def describe(facts, name, rng):
    """The name with what else a casual writer sees: number, size, colour."""
    number = ""
    if rng.random() < 0.5:
        name = OTHER_NAMES.get(name, name)
    if facts["kind"] == "actions":
        name = f"{rng.choice(('person', 'person', 'man', 'woman'))} {name}"
    if facts["number"] > 1 and rng.random() < 0.7:
        name, number = f"{name}s", NUMBERS[facts["number"]]
    adjectives = []
    if facts["size"] and rng.random() < 0.3:
        adjectives.append(facts["size"])
    elif rng.random() < 0.05:
        adjectives.append(rng.choice(("small", "large")))  # said without looking
    if facts["colour"] and rng.random() < 0.5:
        adjectives.append(facts["colour"])
    return " ".join([number, *adjectives, name]).strip()


def article(words, facts, rng):
    """"a", "an", "the" or nothing before these words."""
    chosen = rng.choice(("a", "a", "a", "the", "", ""))
    if facts["number"] > 1 or facts["kind"] == "textures" and rng.random() < 0.7:
        return ""
    return "an" if chosen == "a" and words[0] in "aeiou" else chosen


def expert(facts, name, rng):
    """A caption as the keeper of a collection writes it: the name above all."""
    if facts["kind"] == "actions":
        name = f"person {name}"
    if facts["colour"] and rng.random() < 0.4:
        name = f"{facts['colour']} {name}"
    if rng.random() < 0.2:
        name = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    return tidy(f"{rng.choice(EXPERT_OPENINGS)} {name}{rng.choice(EXPERT_ENDINGS)}")


def tidy(words):
    """Single spaces, and none before a comma."""
    return " ".join(words.replace(" ,", ",").split())


REGISTERS = {"casual": casual, "expert": expert}


def web_picture(seed, index, style=WEB):
    """The picture with this number in the world of this seed, and its facts."""
    rng = random.Random(f"web {seed} {index}")
    kind, name = rng.choice(NAMES)
    return draw(kind, name, style, rng)
