"""What holds for every prompt method, and how their files are written."""

import re
import types

import pytest
import torch
import torch.nn.functional as F

from prompts import FILES, METHODS
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
    ("upt", dict(attention="released")),
    ("shared", dict(depth=2)),
]
EQUATIONS = [(paper, n) for paper, most in dict(CoOp=4, CoCoOp=3, UPT=8).items() for n in range(1, most + 1)]
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
    """UPT and CoOp Eq. (1): a longer image feature changes nothing, and no logit is above 1 / tau."""
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
    if name == "linear_probe" or options.get("class_specific"):  # what is learned belongs to its classes
        with pytest.raises(ValueError, match="other classes"):
            method.set_classes(["dog", "cat"])
        method.set_classes(NAMES)
        return
    before = {key: value.clone() for key, value in learned(method).items()}
    logits = method(images)
    method.set_classes(["dog", "cat"])
    assert torch.allclose(method(images), logits[:, [3, 0]], atol=1e-3)  # those two columns, in the new order
    assert all(torch.equal(value, before[key]) for key, value in learned(method).items())
    method.set_classes(NAMES)
    assert torch.equal(method(images), logits)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("names, word", [(["cat", ""], "empty"), (["cat", " _"], "empty"), (["cat"], "two classes")])
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
    if METHODS[name] in (METHODS["zero_shot"], METHODS["linear_probe"], METHODS["coop"], METHODS["cocoop"]):
        assert make(golden_resnet, name)(pictures(golden_resnet)).shape == (3, len(NAMES))
    else:
        with pytest.raises(ValueError, match="use a vision transformer, such as --model ViT-B/16"):
            make(golden_resnet, name)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_truly_whether_it_leaves_the_image_tower_alone(clip, name):
    method, images = make(clip, name), pictures(clip)
    assert method.image_tower_is_frozen == torch.equal(method.encode_image(images), clip.encode_image(images))


# How the files are written


@pytest.mark.parametrize("paper, number", EQUATIONS)
def test_every_numbered_equation_has_a_tag_in_the_code(paper, number):
    files = [*ROOT.glob("prompts/**/*.py"), *ROOT.glob("clip_min/**/*.py")]
    code = [path.read_text(encoding="utf-8").split('"""', 2)[-1] for path in files]  # without the files' heads
    assert any(f"{paper} Eq. ({number})" in text for text in code)


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_file_has_the_head_that_every_file_has(name):
    head = FILES[name].__doc__
    assert re.search(r'^[A-Z]\w+[^"\n]*, "[^"]+",\s+([^,\n]+ \d{4}, )?arXiv:\d{4}\.\d{5}', head, re.MULTILINE)
    assert re.search(r"^\| Eq\. +\| paper +\| code +\| shape +\|$", head, re.MULTILINE)
    assert "\nDiffers from the paper" in head
    assert re.search(rf"^    python train.py --method .*\b{name}\b", head, re.MULTILINE)


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_file_has_the_recipes_of_the_paper_and_of_the_tiny_clip(golden_clip, name):
    assert FILES.keys() == METHODS.keys() and isinstance(FILES[name], types.ModuleType)
    paper, tiny = FILES[name].PAPER, FILES[name].TINY
    assert (paper is None) == (tiny is None) == (name in ("zero_shot", "linear_probe"))  # no gradient descent
    for recipe in filter(None, (paper, tiny)):
        usual = {"lr", "epochs", "batch_size", "crop_scale", "flip", "max_norm", "options"}
        assert usual <= recipe.keys() <= usual | {"imagenet_epochs"}
        assert recipe["epochs"].keys() == {1, 2, 4, 8, 16}
        make(golden_clip, name, **recipe["options"])
