"""The configuration next to a file of weights: config.json (Hugging Face), open_clip_config.json.

Each key of both is treated in one of four ways (config_keys.py), and no key is passed over:
  - followed: the activation; in pictures.py, mean and std
  - compared with the shapes of the weights: widths, layers, heads, sizes
  - refused unless it has the value that clip_min builds, in a sentence that names file, key and
    value
  - harmless, because it changes nothing in a finished model's features
A key that is in no list is refused, unless its value is null: it may describe another computation.

Where the weights have Hugging Face's names, config.json counts, else open_clip_config.json; if that
one is missing, the other. What a key means: transformers' `CLIPConfig`, open_clip's `CLIPVisionCfg`
and `CLIPTextCfg`, and their defaults, which hold for a key that is not there.
"""

from dataclasses import dataclass, field
from pathlib import Path

from clip_min.files import printable, read_json
from clip_min.model import HEAD_WIDTH
from clip_min.weights.config_keys import BUILT, GELUS, HARMLESS, NEVER_NULL, SIZES


@dataclass
class Config:
    """What a configuration says: `gelu`, and `sizes`, {(tower, what): (key, value)}."""

    path: Path
    gelu: str = "quick"
    sizes: dict = field(default_factory=dict)

    def check(self, section, values):
        """Raises ValueError for a key of this section that clip_min would not follow."""
        if not isinstance(values, dict):
            raise ValueError(f"{printable(self.path)} should hold an object as {section}.")
        tower = section.split("_")[0] if section.startswith(("text", "vision")) else "joint"
        for key, value in values.items():
            where = f"{printable(self.path)} sets {printable(key)} of {section} to {shown(value)}"
            if value is None and key not in NEVER_NULL:
                continue
            if key in BUILT[section]:
                if value not in BUILT[section][key]:
                    built = " or ".join(map(str, BUILT[section][key])) or "models without it"
                    raise ValueError(f"{where}, but clip_min builds only {built}.")
            elif key in SIZES[section]:
                self.sizes[tower, SIZES[section][key]] = (key, value)
            elif key not in HARMLESS[section]:
                raise ValueError(
                    f"{where}, which clip_min does not know: "
                    "take the line out if it does not change the model's computation."
                )


def shown(value):
    """A value of a configuration, as short text."""
    return printable(repr(value), 100)


def read_config(folder: Path, hugging_face: bool) -> Config | None:
    """The configuration in a folder, or None if there is none.

    hugging_face: whether the weights have Hugging Face's names.
    Raises ValueError, in one sentence, if it describes a CLIP that clip_min does not build.
    """
    for read in (read_hugging_face, read_open_clip)[:: 1 if hugging_face else -1]:
        config = read(folder)
        if config:
            return config
    return None


def read_hugging_face(folder):
    """config.json → Config; None if there is none, or if it belongs to something else."""
    path = folder / "config.json"
    content = read_json(path) if path.is_file() else {}
    towers = {}
    for tower in ("text_config", "vision_config"):  # the older name, with _dict, wins there
        towers[tower] = content.get(f"{tower}_dict") or content.get(tower) or {}
    if not any(towers.values()) and content.get("model_type") != "clip":
        return None
    config = Config(path)
    config.check("config.json", content)
    for tower, values in towers.items():
        config.check(tower, values)
        heads = 8 if tower == "text_config" else 12
        config.sizes.setdefault((tower.split("_")[0], "heads"), ("num_attention_heads", heads))
    acts = {values.get("hidden_act") or "quick_gelu" for values in towers.values()}
    if len(acts) > 1:
        raise ValueError(
            f"{printable(path)} asks for {' and '.join(sorted(acts))}, "
            "but clip_min builds the same activation in both towers."
        )
    config.gelu = GELUS[acts.pop()]
    if config.sizes.get(("text", "id of [EOS]"), (None, 2))[1] == 2:  # there: the largest id, too
        config.sizes.pop(("text", "id of [EOS]"), None)
    return config


def read_open_clip(folder):
    """open_clip_config.json → Config, or None."""
    path = folder / "open_clip_config.json"
    if not path.is_file():
        return None
    config, content = Config(path), read_json(path)
    model = content.get("model_cfg") or {}
    config.check("open_clip_config.json", content)
    config.check("model_cfg", model)
    for tower in ("vision_cfg", "text_cfg"):
        config.check(tower, model.get(tower) or {})
    if model.get("text_cfg"):
        config.sizes.setdefault(("text", "heads"), ("heads", 8))
    config.gelu = "quick" if model.get("quick_gelu") else "exact"
    return config


def check_sizes(config: Config, clip) -> None:
    """Raises ValueError if a size in the configuration is not that of the weights."""
    actual = sizes_of(clip)
    for (tower, what), (key, value) in config.sizes.items():
        if isinstance(value, list) and what != "layers" and len(set(map(str, value))) == 1:
            value = value[0]  # [224, 224]
        where = printable(config.path)
        if (tower, what) not in actual or value == actual[tower, what]:
            continue
        if what == "heads":
            width = actual[tower, "width"]
            raise ValueError(
                f"{where} gives {shown(value)} heads to a width of {width}, "
                f"but clip_min's heads are {HEAD_WIDTH} wide."
            )
        raise ValueError(
            f"{where} sets {key} of the {tower} part to {shown(value)}, "
            f"but by the weights the {what} is {actual[tower, what]}."
        )


def sizes_of(clip):
    """A CLIP → {(tower, what): size}, as read off the shapes of its weights."""
    text_width, joint_width = clip.text_projection.shape
    sizes = {
        ("joint", "joint width"): joint_width,
        ("text", "words"): clip.vocab_size,
        ("text", "context length"): clip.context_length,
        ("text", "id of [EOS]"): clip.vocab_size - 1,
        ("text", "layers"): len(clip.transformer.resblocks),
        ("vision", "image size"): clip.image_size,
        ("vision", "channels"): 3,
    }
    widths = {"text": text_width}
    if hasattr(clip.visual, "transformer"):
        widths["vision"], _, sizes["vision", "patch size"], _ = clip.visual.conv1.weight.shape
        sizes["vision", "layers"] = len(clip.visual.transformer.resblocks)
    else:  # a ResNet, which only open_clip's configuration describes
        sizes["vision", "width"] = clip.visual.layer1[0].conv1.weight.shape[0]
        stages = (clip.visual.layer1, clip.visual.layer2, clip.visual.layer3, clip.visual.layer4)
        sizes["vision", "layers"] = [len(stage) for stage in stages]
    for tower, width in widths.items():
        sizes[tower, "width"] = width
        sizes[tower, "width of the MLP"] = 4 * width
        sizes[tower, "heads"] = width // HEAD_WIDTH
    return sizes
