"""What holds for every prompt method, and how their files are written."""

import copy
import difflib
import inspect
import io
import re
import tokenize
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from clip_min.prompting.recipe import Recipe
from prompts import METHODS, recipe_of
from tests.helpers import NAMES, ROOT, learned, make, pictures

VARIANTS = [(name, {}) for name in METHODS] + [
    ("zero_shot", dict(templates="ensemble")),
    ("coop", dict(class_token_position="middle")),
    ("coop", dict(class_token_position="front", n_ctx=3)),
    ("coop", dict(class_specific=True)),
    ("coop", dict(ctx_init="a photo of a", class_specific=True)),
    ("cocoop", dict(n_ctx=2, ctx_init=None)),
    ("vpt", dict(depth=1, before_ln_pre=True)),
    ("upt", dict(depth=1)),
    ("upt", dict(n_ctx=8, heads=2, dropout=0.1)),
    ("upt", dict(attention="normed", start=1.0)),
    ("upt", dict(attention="released")),
    ("upt", dict(text_depth=1)),
    ("shared", dict(depth=2)),
    ("mlp", dict(text_depth=1)),
    ("kgcoop", dict(n_ctx=3, ctx_init=None)),
    ("maple", dict(n_ctx=5, depth=1)),
    ("promptsrc", dict(n_ctx=3, n_visual=2, depth=1, text_depth=2)),
]
NUMBERED = dict(CoOp=4, CoCoOp=3, UPT=8, MaPLe=3, PromptSRC=7)  # KgCoOp's numbers: not seen
EQUATIONS = [(paper, n) for paper, most in NUMBERED.items() for n in range(1, most + 1)]
every_method = pytest.mark.parametrize("name, options", VARIANTS, ids=str)


# Every method


@every_method
def test_a_method_gives_one_logit_per_picture_and_class(clip, name, options):
    logits = make(clip, name, **options)(pictures(clip))
    assert logits.shape == (3, len(NAMES)) and logits.isfinite().all()


@every_method
def test_calling_a_method_is_encoding_and_then_classifying(clip, name, options):
    method, images = make(clip, name, **options), pictures(clip)
    features = method.encode_image(images)
    assert features.shape == (3, clip.text_projection.shape[1])
    assert torch.equal(method(images), method.classify(features))


@every_method
def test_the_logits_are_cosines_over_tau(clip, name, options):
    """UPT and CoOp Eq. (1): a longer image feature changes nothing; logits are at most 1 / tau."""
    if name == "linear_probe":
        pytest.skip("a linear probe has no cosines")
    method = make(clip, name, **options)
    features = method.encode_image(pictures(clip))
    logits = method.classify(features)
    assert torch.allclose(method.classify(7 * features), logits, atol=1e-3)
    assert logits.abs().max() <= clip.logit_scale.exp() * 1.0001


@every_method
def test_every_learned_parameter_gets_a_gradient(clip, name, options):
    method = make(clip, name, **options).train()
    parameters = learned(method)
    assert bool(parameters) == (name != "zero_shot")
    if parameters:
        F.cross_entropy(method(pictures(clip)), torch.tensor([0, 1, 2])).backward()
    for key, parameter in parameters.items():
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key
    if name == "upt":  # down to the last prompt of the last layer
        assert (method.U.grad.norm(dim=-1) > 0).all()


@every_method
def test_a_step_leaves_the_backbone_bit_identical_and_changes_the_prompt(clip, name, options):
    method = make(clip, name, **options).train()
    before = {key: value.clone() for key, value in clip.state_dict().items()}
    prompt = {key: value.clone() for key, value in learned(method).items()}
    if prompt:
        optimiser = torch.optim.SGD(method.parameters(), lr=0.1, weight_decay=5e-4)
        F.cross_entropy(method(pictures(clip)), torch.tensor([0, 1, 2])).backward()
        optimiser.step()
    assert all(torch.equal(value, before[key]) for key, value in clip.state_dict().items())
    assert all(not torch.equal(value, prompt[key]) for key, value in learned(method).items())


@every_method
def test_other_classes_keep_the_learned_prompt(clip, name, options):
    method, images = make(clip, name, **options), pictures(clip)
    if name == "linear_probe" or options.get(
        "class_specific"
    ):  # what is learned belongs to its classes
        with pytest.raises(ValueError, match="other classes"):
            method.set_classes(["dog", "cow"])
        method.set_classes(NAMES)
        return
    before = {key: value.clone() for key, value in learned(method).items()}
    logits = method(images)
    method.set_classes(["dog", "cat"])
    assert torch.allclose(
        method(images), logits[:, [3, 0]], atol=1e-3
    )  # those two columns, in the new order
    assert all(torch.equal(value, before[key]) for key, value in learned(method).items())
    method.set_classes(NAMES)
    assert torch.equal(method(images), logits)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "names, word", [(["cat", ""], "empty"), (["cat", " _"], "empty"), (["cat"], "two classes")]
)
def test_empty_and_single_class_names_are_refused(golden_clip, name, names, word):
    with pytest.raises(ValueError, match=word):
        METHODS[name](golden_clip, names)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "linear_probe"])
def test_a_class_name_too_long_for_the_context_is_refused_by_name(golden_clip, name):
    with pytest.raises(ValueError, match="'(a photo of a )?longlonglong"):
        METHODS[name](golden_clip, ["cat", "long" * 20])


@pytest.mark.parametrize("name", METHODS)
def test_a_resnet_takes_the_methods_that_leave_its_tower_alone(golden_resnet, name):
    """VPT's and UPT's prompts stand between patches, which only a vision transformer has."""
    if METHODS[name].image_tower_is_frozen:
        assert make(golden_resnet, name)(pictures(golden_resnet)).shape == (3, len(NAMES))
    else:
        with pytest.raises(ValueError, match="use a vision transformer, such as --model ViT-B/16"):
            make(golden_resnet, name)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_truly_whether_it_leaves_the_image_tower_alone(clip, name):
    method, images = make(clip, name), pictures(clip)
    is_clips = torch.equal(method.encode_image(images), clip.encode_image(images))
    assert method.image_tower_is_frozen == is_clips


@every_method
def test_a_method_has_one_vector_for_each_class_or_says_that_it_has_none(clip, name, options):
    """CoOp Eq. (1): w_i. CoCoOp has others for each picture, and a linear probe no text at all."""
    method = make(clip, name, **options)
    assert method.has_class_weights == (name not in ("cocoop", "linear_probe"))
    if method.has_class_weights:
        w, f = method.class_weights(), method.encode_image(pictures(clip))
        logits = clip.logit_scale.exp() * F.cosine_similarity(f[:, None], w, dim=-1)
        assert torch.allclose(method.classify(f), logits, atol=1e-3)


# Devices and precision


def tensors_of(module):
    """Every tensor that a module and its parts hold, in whatever way."""
    for part in module.modules():
        for value in vars(part).values():
            yield from (x for x in tensors_within(value) if isinstance(x, torch.Tensor))


def tensors_within(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors_within(each)
    else:
        yield value


@every_method
def test_a_method_can_be_moved_after_it_was_built(golden_clip, name, options):
    """Nothing stays behind ("meta" plays another device), and nothing of it is in a prompt file."""
    method = make(copy.deepcopy(golden_clip), name, **options)
    names, images = set(method.state_dict()), pictures(golden_clip)
    more = {key for key in names - learned(method).keys() if not key.startswith("clip.")}
    assert not more or hasattr(method, "after_epoch")  # what it keeps from epoch to epoch
    method.to("meta")
    assert {x.device.type for x in tensors_of(method)} == {"meta"}
    features = method.clip.encode_image(images.to("meta"))  # another device's tower runs whole
    assert features.is_meta
    if method.has_class_weights:
        assert method.class_weights().is_meta


@every_method
def test_under_autocast_logits_have_the_resolution_of_fp32(clip, name, options):
    """bf16 has steps of 0.125 near 20: the two best classes of one picture in ten would tie."""
    method, images = make(clip, name, **options), pictures(clip)
    if name == "linear_probe":
        nn.init.normal_(method.weight, std=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        features = method.encode_image(images)
        for logits in (method(images), method.classify(features)):
            assert logits.dtype == torch.float32
            assert not torch.equal(logits, logits.bfloat16().float())
    assert torch.allclose(logits, method(images), atol=0.2 * method(images).abs().max().item())


# How the files are written


def source_of(name):
    """The name of a method → the text of its file."""
    return Path(inspect.getfile(METHODS[name])).read_text(encoding="utf-8")


@pytest.mark.parametrize("paper, number", EQUATIONS)
def test_every_numbered_equation_has_a_tag_in_the_code(paper, number):
    files = [*ROOT.glob("prompts/**/*.py"), *ROOT.glob("clip_min/**/*.py")]
    texts = [path.read_text(encoding="utf-8") for path in files]
    code = [text.split('"""', 2)[-1] for text in texts]  # without the files' heads
    assert any(f"{paper} Eq. ({number})" in text for text in code)


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_file_has_the_head_that_every_file_has(name):
    head = inspect.getmodule(METHODS[name]).__doc__
    reference = r'^[A-Z]\w+[^"\n]*, "[^"]+",\s+([^,\n]+ \d{4}, )?arXiv:\d{4}\.\d{5}'
    assert re.search(reference, head, re.MULTILINE)
    assert re.search(r"^\| Eq\. +\| paper +\| code +\| shape +\|$", head, re.MULTILINE)
    assert "\nDiffers from the paper" in head
    assert re.search(rf"^    python train.py --method .*\b{name}\b", head, re.MULTILINE)


@pytest.mark.parametrize("name", METHODS)
def test_every_name_in_a_heads_code_column_exists_in_the_file(name):
    source = source_of(name)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    names = {token.string for token in tokens if token.type == tokenize.NAME}
    rows = [line.split("|") for line in source.splitlines() if line.startswith("| ")]
    column = [row[3] for row in rows if not set(row[3]) <= set("- ") and row[3].strip() != "code"]
    words = re.findall(r"[A-Za-z_]\w*", " ".join(column))
    assert len(words) >= 4 and set(words) <= names, set(words) - names


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_file_is_short_and_imports_torch_and_clip_min_only(name):
    lines = source_of(name).splitlines()
    most = {"joint": 210, "shared": 210, "mlp": 210, "linear_probe": 155, "upt": 140}
    assert len(lines) <= most.get(name, 130)
    imported = re.findall(r"^(?:from|import) (\w+)", "\n".join(lines), re.MULTILINE)
    assert set(imported) <= {"torch", "clip_min", "functools", "math"}


def test_coop_and_cocoop_differ_in_as_many_lines_as_the_readme_says():
    """So that `diff -d prompts/coop.py prompts/cocoop.py` shows CoCoOp, and little else."""
    first, second = (source_of(name).splitlines() for name in ("coop", "cocoop"))
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    alike = sum(block.size for block in matcher.get_matching_blocks())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    said = re.search(r"differ\s+in\s+(\d+)\s+lines", readme)
    assert int(said[1]) == len(first) + len(second) - 2 * alike


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_file_has_the_recipes_of_the_paper_and_of_the_tiny_clip(golden_clip, name):
    paper, tiny = recipe_of(name, "ViT-B/16"), recipe_of(name, "tiny")
    if name in ("zero_shot", "linear_probe"):
        assert paper is tiny is None  # there is no gradient descent
        return
    for recipe in (paper, tiny):
        assert isinstance(recipe, Recipe)
        assert type(recipe.epochs) is int or recipe.epochs.keys() == {1, 2, 4, 8, 16}
        make(golden_clip, name, **recipe.options)
