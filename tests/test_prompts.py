"""The prompt methods against their papers' equations, each written out once more in the plainest way."""

import json
import re
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from clip_min import load_clip
from clip_min.model import CLIP, VisionTransformer, build_clip
from clip_min.tokenizer import Tokenizer, save_merges
from prompts import FILES, METHODS
from prompts import zero_shot as zero_shot_file
from prompts.upt import UPT, Theta
from prompts.variance import inter_class_variance, intra_class_variance
from tests.golden.weights import golden_state_dict, golden_tensor

ROOT = Path(__file__).parents[1]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "clip.json").read_text())
VPT = json.loads((ROOT / "tests" / "golden" / "vpt.json").read_text())
NAMES = ["cat", "yellow_rose", "annual crop land", "dog"]
VARIANTS = [(name, {}) for name in METHODS] + [
    ("zero_shot", dict(templates="ensemble")),
    ("upt", dict(depth=1)),
    ("upt", dict(n_ctx=8, heads=2, dropout=0.1)),
    ("upt", dict(attention="released")),
]
every_method = pytest.mark.parametrize("name, options", VARIANTS, ids=str)
depths = pytest.mark.parametrize("depth", [1, 2, "deep"])


def letters_tokenizer(folder, openai_ids):
    """No merges, so every letter is a token; `openai_ids`: [SOS] and [EOS] are those of a 49,408-word CLIP."""
    save_merges([], folder / "merges.txt")
    tokenizer = Tokenizer(folder / "merges.txt")
    if openai_ids:
        tokenizer.sot, tokenizer.eot = 49406, 49407
    return tokenizer


@pytest.fixture(scope="module")
def golden_clip(tmp_path_factory):
    """The small vision transformer of the golden figures, with a tokenizer that needs no vocabulary file."""
    clip = build_clip(golden_state_dict(GOLDEN["vit"]["shapes"]))
    clip.tokenizer = letters_tokenizer(tmp_path_factory.mktemp("merges"), openai_ids=True)
    return clip


@pytest.fixture(scope="module", params=["golden", "tiny"])
def clip(request, golden_clip):
    return golden_clip if request.param == "golden" else load_clip("tiny")


def pictures(clip, number=3):
    return torch.randn(number, 3, clip.image_size, clip.image_size, generator=torch.Generator().manual_seed(0))


def make(clip, name="upt", **options):
    torch.manual_seed(0)
    return METHODS[name](clip, NAMES, **options).eval()


def learned(method):
    return {name: p for name, p in method.named_parameters() if p.requires_grad}


def difference(ours, theirs):
    """Largest absolute difference, relative to the largest absolute value."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


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
    method = make(clip, name, **options)
    features = method.encode_image(pictures(clip))
    logits = method.classify(features)
    assert torch.allclose(method.classify(7 * features), logits, atol=1e-3)
    assert logits.abs().max() <= clip.logit_scale.exp() * 1.0001


@every_method
def test_every_learned_parameter_gets_a_gradient(clip, name, options):
    method = make(clip, name, **options).train()
    parameters = learned(method)
    assert bool(parameters) == (FILES[name].PAPER is not None)
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


@pytest.mark.parametrize("name", METHODS)
def test_a_class_name_too_long_for_the_context_is_refused_by_name(golden_clip, name):
    with pytest.raises(ValueError, match="'(a photo of a )?longlonglong"):
        METHODS[name](golden_clip, ["cat", "long" * 20])


# Zero-shot CLIP


def text_feature(clip, text):
    """One text → its feature [E] as an array of length 1."""
    w = clip.encode_text(clip.tokenizer([text], clip.context_length))[0].double().numpy()
    return w / np.linalg.norm(w)


def test_zero_shot_is_the_softmax_over_cosines_written_out(clip):
    """CoOp Eq. (1) = UPT Eq. (1): p(y=i|x) = exp(cos(w_i, f)/tau) / sum_j exp(cos(w_j, f)/tau)."""
    method = make(clip, "zero_shot", template="a {} texture.")
    images, tau = pictures(clip), np.exp(-clip.logit_scale.item())
    words = [text_feature(clip, f"a {name.replace('_', ' ')} texture.") for name in NAMES]
    for image, ours in zip(images, method(images).softmax(dim=-1)):
        f = clip.encode_image(image[None])[0].double().numpy()
        cosines = [w @ f / np.linalg.norm(f) for w in words]
        total = sum(np.exp(c / tau) for c in cosines)
        assert np.allclose(ours.numpy(), [np.exp(c / tau) / total for c in cosines], atol=1e-5)


def test_an_ensemble_is_normalised_averaged_and_normalised(clip):
    """CoOp, Sec. 4.2, prompt ensembling: the seven published templates and the data set's own."""
    templates = [
        "itap of a {}.", "a bad photo of the {}.", "a origami {}.", "a photo of the large {}.",
        "a {} in a video game.", "art of the {}.", "a photo of the small {}.", "a centered satellite photo of {}.",
    ]  # fmt: skip
    method = make(clip, "zero_shot", template=templates[-1], templates="ensemble")
    for name, ours in zip(NAMES, method.weights):
        mean = np.mean([text_feature(clip, t.format(name.replace("_", " "))) for t in templates], axis=0)
        assert np.allclose(ours.numpy(), mean / np.linalg.norm(mean), atol=1e-5)


def test_an_ensemble_of_one_template_is_that_template(clip, monkeypatch):
    monkeypatch.setattr(zero_shot_file, "ENSEMBLE", ("a {} texture.",) * 7)
    alone = make(clip, "zero_shot", template="a {} texture.")
    together = make(clip, "zero_shot", template="a {} texture.", templates="ensemble")
    assert torch.allclose(alone.weights, together.weights, atol=1e-6)
    assert not torch.allclose(alone.weights, make(clip, "zero_shot").weights, atol=1e-3)


def test_zero_shot_refuses_an_unknown_choice_of_templates(golden_clip):
    with pytest.raises(ValueError, match='"dataset" or "ensemble", not \'foo\''):
        make(golden_clip, "zero_shot", templates="foo")


# UPT, inside the towers: Eqs. (2), (3) and (4)


def plain_image_features(clip, images, V):
    """VPT as the textbook has it: insert prompts, run the layer, throw away what came out in their place."""
    visual, (depth, n, _) = clip.visual, V.shape
    x = visual.embed(images)
    for i, block in enumerate(visual.transformer.resblocks):
        if i < depth:
            x = torch.cat([x[:, :1], V[i].repeat(len(images), 1, 1), x[:, 1:]], dim=1)
        x = block(x)
        if i + 1 < depth:  # the next layer brings its own
            x = torch.cat([x[:, :1], x[:, 1 + n :]], dim=1)
    return visual.pool(x[:, 0])


def plain_class_weights(clip, names, T):
    """Every class a whole sequence, padded to the context length, through every block; as CoOp's code does it."""
    depth, n, _ = T.shape
    tokens = clip.tokenizer(["x " * n + name.replace("_", " ") + "." for name in names], clip.context_length)
    x, eos = clip.token_embedding(tokens), tokens.argmax(dim=-1)
    for i, block in enumerate(clip.transformer.resblocks):
        if i < depth:
            x = torch.cat([x[:, :1], T[i].repeat(len(names), 1, 1), x[:, 1 + n :]], dim=1)
        if i == 0:
            x = x + clip.positional_embedding
        x = block(x)
    return clip.pool_text(x[torch.arange(len(names)), eos])


@depths
def test_visual_prompts_are_inserted_and_dropped_at_each_layer(clip, depth):
    """UPT Eqs. (3) and (4)."""
    method, images = make(clip, depth=depth), pictures(clip)
    layers = len(clip.visual.transformer.resblocks)
    assert len(method.U) == (layers if depth == "deep" else depth)
    V = method.prompts()[1].detach()
    assert difference(method.encode_image(images), plain_image_features(clip, images, V)) < 1e-5
    assert difference(method.encode_image(images), clip.encode_image(images)) > 1e-3


@pytest.mark.parametrize("case, depth", [("none", 0), ("shallow", 1), ("deep", 3)])
def test_visual_prompts_give_the_published_features(golden_clip, monkeypatch, case, depth):
    """UPT Eq. (4) with VPT's prompts: figures of openai/CLIP's blocks (tests/golden/vpt.json)."""
    V = torch.zeros(depth, 4, 128)
    for layer in range(depth):
        V[layer] = 0.2 * golden_tensor(f"vpt.prompt.{layer}", (4, 128), "image")
    method, image = make(golden_clip), GOLDEN["vit"]["image"]
    monkeypatch.setattr(method, "prompts", lambda: (torch.randn(3, 4, 128), V))
    features = method.encode_image(golden_tensor(image["name"], image["shape"], kind="image"))
    assert difference(features, torch.tensor(VPT["image_features"][case])) < 1e-4


@depths
def test_the_shared_prefix_gives_the_class_weights_of_whole_sequences(clip, depth):
    """UPT Eq. (2), with prompts at each layer: the features, and the gradient that reaches U."""
    method = make(clip, depth=depth)
    weights, plain = method.class_weights(), plain_class_weights(clip, NAMES, method.prompts()[0])
    assert weights.shape == (len(NAMES), clip.text_projection.shape[1])
    assert (weights - plain).abs().max() < 1e-5
    towards = torch.randn_like(weights)
    ours, theirs = (torch.autograd.grad((w * towards).sum(), method.U)[0] for w in (weights, plain))
    assert difference(ours, theirs) < 1e-4
    assert not theirs[:, 4:].eq(0).all()  # the text tower reaches the visual half too, through theta


def test_a_class_name_may_fill_the_context_to_its_last_place(golden_clip):
    """UPT Eq. (2): [SOS], 4 prompts, 70 letters, the full stop and [EOS] are 77 tokens."""
    method = make(golden_clip)
    names = ["cat", "a" * 70]
    method.set_classes(names)
    assert (method.class_weights() - plain_class_weights(golden_clip, names, method.prompts()[0])).abs().max() < 1e-5
    with pytest.raises(ValueError, match="aaaaa"):
        method.set_classes(["cat", "a" * 71])


def test_prompts_that_are_word_embeddings_make_zero_shot_clip(clip, monkeypatch):
    """UPT Eq. (2) with t_1 ... t_m = the words "a photo of a", in the first layer, is the hand-written prompt."""
    ids = torch.tensor(clip.tokenizer.encode("a photo of a"))
    method = make(clip, n_ctx=len(ids), depth=1)
    T = clip.token_embedding(ids)[None]
    monkeypatch.setattr(method, "prompts", lambda: (T, torch.zeros(0, len(ids), 128)))
    images = pictures(clip)
    assert torch.allclose(method(images), make(clip, "zero_shot")(images), atol=1e-3)


# UPT, theta: Eq. (5)


def theta_written_out(theta, U):
    """UPT Eq. (5), one layer, one prompt, one head at a time. U and the result: arrays [depth, 2n, D]."""
    weight = {name: p.detach().numpy() for name, p in theta.named_parameters()}
    D, H = U.shape[-1], theta.heads

    def linear(name, x):
        return weight[f"{name}.weight"] @ x + weight[f"{name}.bias"]

    def LN(name, x):
        std = np.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
        return (x - x.mean()) / std * weight[f"{name}.weight"] + weight[f"{name}.bias"]

    def FFN(x):
        return linear("ffn.2", np.maximum(linear("ffn.0", x), 0))

    U_hat = np.zeros_like(U)
    for i, prompts in enumerate(U):
        q, k, v = zip(*[np.split(linear("in_proj", u), 3) for u in prompts])
        for j, u in enumerate(prompts):
            mixed = np.zeros(D)
            for h in range(H):
                head = slice(h * D // H, (h + 1) * D // H)
                e = [np.exp(q[j][head] @ key[head] / np.sqrt(D / H)) for key in k]
                mixed[head] = sum(e_l / sum(e) * value[head] for e_l, value in zip(e, v))
            if theta.attention == "paper":
                u = linear("out_proj", mixed) + LN("ln_1", u)
                U_hat[i, j] = FFN(LN("ln_2", u)) + LN("ln_2", u)
            else:  # a prompt that sees itself alone mixes in nothing but its own value
                u = LN("ln_1", u + linear("out_proj", v[j]))
                U_hat[i, j] = u + FFN(LN("ln_2", u))
    return U_hat


@pytest.mark.parametrize("attention, heads", [("paper", 1), ("paper", 2), ("released", 1)])
def test_theta_is_its_equation_written_out(attention, heads):
    """UPT Eq. (5), and the layer of the author's release."""
    torch.manual_seed(0)
    theta = Theta(8, heads, 0.0, attention).double()
    for parameter in theta.parameters():
        nn.init.normal_(parameter)  # LayerNorm's gains and biases too, which start as ones and zeros
    U = torch.randn(3, 6, 8, dtype=torch.float64)
    assert np.allclose(theta(U).detach().numpy(), theta_written_out(theta, U.numpy()), atol=1e-9)


@pytest.mark.parametrize("attention", ["paper", "released"])
@pytest.mark.parametrize("half", ["text", "visual"])
def test_a_prompt_changes_the_other_towers_prompts_only_as_the_paper_has_it(golden_clip, attention, half):
    """UPT Eq. (5): self-attention mixes the two modalities; in the release each prompt sees itself alone."""
    method = make(golden_clip, attention=attention)
    T, V = (x.detach() for x in method.prompts())
    with torch.no_grad():
        method.U[1, 0 if half == "text" else 4] += torch.randn(128)
    changed = [(new - old).abs().amax(dim=-1) > 1e-6 for new, old in zip(method.prompts(), (T, V))]
    expected = [torch.zeros(3, 4, dtype=torch.bool) for _ in range(2)]
    if attention == "paper":
        expected[0][1] = expected[1][1] = True  # all prompts of that layer, and of no other one
    else:
        expected[half == "visual"][1, 0] = True
    assert torch.equal(changed[0], expected[0]) and torch.equal(changed[1], expected[1])


def test_dropout_acts_in_training_only(golden_clip):
    method, without = make(golden_clip, dropout=0.5), make(golden_clip)
    assert torch.equal(method.prompts()[0], without.prompts()[0])
    method.train()
    assert not torch.equal(method.prompts()[0], method.prompts()[0])


def test_upt_on_vit_b_16_learns_1_98_million_numbers(tmp_path):
    """At depth 1, as many as the author's release: U, theta, and the linear map to the vision width."""
    visual = VisionTransformer(image_size=16, patch_size=16, width=768, layers=1, embed_dim=512)
    clip = CLIP(visual, 16, embed_dim=512, vocab_size=514, context_length=77, width=512, layers=1)
    clip.requires_grad_(False).tokenizer = letters_tokenizer(tmp_path, openai_ids=False)
    U, attention, norms = 2 * 4 * 512, 4 * 512 * 512 + 4 * 512, 2 * 2 * 512
    ffn, to_visual = 2 * (512 * 512 + 512), 512 * 768 + 768
    count = sum(p.numel() for p in learned(make(clip, n_ctx=4, depth=1)).values())
    assert count == U + attention + norms + ffn + to_visual == 1_976_064


# UPT, options


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(depth=0), "depth.* 1 to 3, not 0"),
        (dict(depth=4), "depth.* 1 to 3, not 4"),
        (dict(depth=-1), "depth.* 1 to 3, not -1"),
        (dict(depth="shallow"), "depth.*'shallow'"),
        (dict(depth=1.5), "depth.* not 1.5"),
        (dict(n_ctx=0), "n_ctx.* not 0"),
        (dict(n_ctx=2.5), "n_ctx.* not 2.5"),
        (dict(n_ctx=77), "n_ctx.* not 77"),
        (dict(n_ctx=100), "n_ctx.* not 100"),
        (dict(heads=3), "heads must divide.* 128, which 3 "),
        (dict(heads=0), "heads must divide.* 128, which 0 "),
        (dict(dropout=2), "dropout.* 2"),
        (dict(attention="foo"), '"paper" or "released", not \'foo\''),
    ],
    ids=str,
)
def test_an_impossible_option_is_refused_in_one_sentence(golden_clip, options, words):
    with pytest.raises(ValueError, match=words) as error:
        make(golden_clip, **options)
    assert "\n" not in str(error.value)


def test_upt_refuses_a_resnet_and_zero_shot_takes_it(golden_clip):
    clip = build_clip(golden_state_dict(GOLDEN["rn"]["shapes"]))
    clip.tokenizer = golden_clip.tokenizer
    with pytest.raises(ValueError, match="vision transformer"):
        make(clip)
    assert make(clip, "zero_shot")(pictures(clip)).shape == (3, len(NAMES))


# The variances that UPT is motivated by


def test_the_variance_within_classes_is_its_equations_written_out():
    """UPT Eqs. (6) and (7), on features of length 1."""
    features = np.random.RandomState(0).standard_normal((7, 5))
    labels = [2, 0, 2, 1, 0, 2, 1]
    unit = [f / np.sqrt((f**2).sum()) for f in features]
    variances = []
    for c in (0, 1, 2):
        X_c = [f for f, label in zip(unit, labels) if label == c]
        mean = sum(X_c) / len(X_c)
        variances.append(sum(((f - mean) ** 2).sum() for f in X_c) / len(X_c))
    ours = intra_class_variance(torch.tensor(features), torch.tensor(labels))
    assert abs(ours - sum(variances) / 3) < 1e-9


def test_the_variance_between_classes_is_its_equation_written_out():
    """UPT Eq. (8), on class vectors of length 1."""
    weights = np.random.RandomState(1).standard_normal((4, 5))
    unit = [w / np.sqrt((w**2).sum()) for w in weights]
    mean = sum(unit) / 4
    expected = sum(((w - mean) ** 2).sum() for w in unit) / 4
    assert abs(inter_class_variance(torch.tensor(weights)) - expected) < 1e-9


def test_equal_pictures_have_no_variance_and_opposite_classes_the_largest():
    """UPT Eqs. (6) to (8): 0, and 1 where the class vectors are w and -w."""
    feature = torch.randn(4)
    assert intra_class_variance(torch.stack([feature, 3 * feature]), torch.tensor([0, 0])) < 1e-12
    assert abs(inter_class_variance(torch.stack([feature, -2 * feature])) - 1) < 1e-6


# How the files are written


@pytest.mark.parametrize("paper, number", [("UPT", n) for n in range(1, 9)] + [("CoOp", 1)])
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
    assert f"\n    python train.py --method {name}" in head


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_file_has_the_recipes_of_the_paper_and_of_the_tiny_clip(golden_clip, name):
    assert FILES.keys() == METHODS.keys() and isinstance(FILES[name], types.ModuleType)
    paper, tiny = FILES[name].PAPER, FILES[name].TINY
    assert (paper is None) == (tiny is None) == (not learned(make(golden_clip, name)))
    for recipe in filter(None, (paper, tiny)):
        assert recipe.keys() == {"lr", "epochs", "batch_size", "crop_scale", "flip", "max_norm", "options"}
        assert recipe["epochs"].keys() == {1, 2, 4, 8, 16}
        make(golden_clip, name, **recipe["options"])


def test_upt_is_trained_as_the_papers_say():
    """UPT, Appendix B; epochs: CoOp, Sec. 4.1."""
    recipe = FILES["upt"].PAPER
    assert (recipe["lr"], recipe["batch_size"], recipe["options"]) == (0.002, 32, {})
    assert recipe["epochs"] == {1: 50, 2: 100, 4: 100, 8: 200, 16: 200}
    assert (UPT(load_clip("tiny"), NAMES).n_ctx, recipe["max_norm"]) == (4, None)
