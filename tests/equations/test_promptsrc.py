"""PromptSRC against the published figures and its equations, and without its three terms."""

import hashlib

import pytest
import torch
import torch.nn.functional as F

from clip_min.prompting.recipe import Recipe
from clip_min.prompting.words import SIXTY, word_vectors
from prompts import promptsrc
from prompts.promptsrc import PAPER, PromptSRC, gaussian_weights
from prompts.runs import progress
from tests.equations.test_maple import plain_class_weights as plain
from tests.golden.weights import golden_tensor
from tests.helpers import (
    AFTER,
    NAMES,
    difference,
    full_size_clip,
    golden_images,
    learned,
    letters_tokenizer,
    make,
    pictures,
    tokenizer_of_after,
)
from train import train

LABELS = torch.tensor(AFTER["labels"])


@pytest.fixture
def published_clip(golden_clip, monkeypatch):
    """The golden CLIP, whose tokenizer knows the ids that the figures were made with; the figures'
    three sentences are there for the sixty."""
    monkeypatch.setattr(golden_clip, "tokenizer", tokenizer_of_after(golden_clip.tokenizer))
    monkeypatch.setattr(promptsrc, "SIXTY", AFTER["templates"])
    return golden_clip


def in_published_form(tensors):
    """{"T": …, "V": …}, prompts or their gradients → {published name: tensor}."""
    T, V = tensors["T"], tensors["V"]
    found = {"ctx": T[0], "image_encoder.VPT": V[0]}
    for tower, deeper in (("image", V[1:]), ("text", T[1:])):
        for i, prompts in enumerate(deeper, start=1):
            found[f"{tower}_encoder.transformer.resblocks.{i}.VPT_shallow"] = prompts
    return found


def published_case(clip, case):
    """A case of after.json → (its figures, the method with its prompts)."""
    expected = AFTER["promptsrc"][case]
    sizes = dict(n_ctx=expected["n_ctx_text"], n_visual=expected["n_ctx_vision"])
    layers = dict(depth=expected["depth_vision"], text_depth=expected["depth_text"])
    method = PromptSRC(clip, AFTER["classnames"], ctx_init=expected["ctx_init"], **sizes, **layers)
    published = in_published_form(learned(method))
    assert {name: list(p.shape) for name, p in published.items()} == expected["params"]
    for name, prompts in published.items():
        if not (name == "ctx" and expected["first_words"]):
            value = golden_tensor(f"{case}.{name}", prompts.shape, "image")
            prompts.data.copy_(0.2 * value)
    return expected, method


@pytest.mark.parametrize("case", AFTER["promptsrc"])
def test_logits_losses_and_gradients_are_the_published_codes(published_clip, case):
    """PromptSRC Eqs. (1) to (5) (tests/golden/after.json)."""
    expected, method = published_case(published_clip, case)
    logits, loss = method.loss(golden_images(), LABELS)
    assert (logits - torch.tensor(expected["logits"])).abs().max() < 1e-3
    assert difference(method(golden_images()), logits) < 1e-6
    assert abs(loss.item() / expected["loss"] - 1) < 1e-4
    loss.backward()
    gradients = in_published_form({name: p.grad for name, p in learned(method).items()})
    for name, gradient in gradients.items():
        assert abs(gradient.norm().item() / expected["grad_norms"][name] - 1) < 1e-4, name
        first = torch.tensor(expected["grad_first16"][name])
        assert difference(gradient.flatten()[:16], first) < 1e-3, name


@pytest.mark.parametrize("case", AFTER["promptsrc"])
def test_each_term_of_the_loss_is_the_published_codes(published_clip, case):
    """PromptSRC Eqs. (2) and (3), each by itself: the loss is linear in its three weights."""
    expected, method = published_case(published_clip, case)
    found = []
    for weights in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
        method.loss_weights = weights
        found.append(method.loss(golden_images(), LABELS)[1].item())
    assert abs(found[0] / expected["loss_ce"] - 1) < 1e-4
    names = ("l1_image_unweighted", "l1_text_unweighted", "loss_logits")
    for loss, name in zip(found[1:], names):
        assert abs(loss - found[0] - expected[name]) < 1e-4 * max(expected[name], 0.02), name
    f = F.normalize(published_clip.encode_image(golden_images()), dim=-1)
    frozen = 20 * f @ F.normalize(method.g, dim=-1).T
    assert (frozen - torch.tensor(expected["frozen_logits"])).abs().max() < 1e-3


@pytest.mark.parametrize("setting", AFTER["gaussian_weights"])
def test_the_weights_of_the_epochs_are_the_published_codes(setting):
    """PromptSRC Eq. (6): the epochs count from 1, and the second number is the deviation."""
    epochs, mean, deviation = (int(words.split()[-1]) for words in setting.split(","))
    expected = torch.tensor(AFTER["gaussian_weights"][setting], dtype=torch.float64)
    found = gaussian_weights(epochs, mean, deviation)
    assert (found - expected).abs().max() < 1e-8 and abs(found.sum() - 1) < 1e-12


def test_a_mean_far_behind_the_last_epoch_gives_the_last_prompts():
    assert gaussian_weights(1, mean=60, deviation=1).tolist() == [1]
    assert gaussian_weights(3, mean=500, deviation=1).tolist()[-1] > 0.999


def test_four_epochs_end_in_the_published_codes_average(published_clip):
    """PromptSRC Eq. (7), over four steps of SGD."""
    expected = AFTER["average_of_prompts"]
    _, method = published_case(published_clip, expected["case"])
    method.mean, method.deviation = expected["mean"], expected["sd"]
    optimiser = torch.optim.SGD(learned(method).values(), expected["lr"])
    for epoch, known in enumerate(expected["losses"]):
        _, loss = method.loss(golden_images(), LABELS)
        assert abs(loss.item() / known - 1) < 1e-4
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        method.after_epoch(epoch, expected["epochs"])
    averaged = in_published_form(learned(method))
    for name, norm in expected["averaged_param_norms"].items():
        assert abs(averaged[name].norm().item() / norm - 1) < 1e-4, name
    firsts = {"ctx": "averaged_ctx_first16", "image_encoder.VPT": "averaged_VPT_first16"}
    for name, key in firsts.items():
        assert difference(averaged[name].flatten()[:16], torch.tensor(expected[key])) < 1e-4
    logits = method(golden_images())
    assert (logits - torch.tensor(expected["averaged_logits"])).abs().max() < 1e-3


def test_the_average_holds_what_was_learned_and_nothing_else(clip):
    method = make(clip, "promptsrc", mean=2, deviation=1)
    before = {name: p.clone() for name, p in clip.state_dict().items()}
    w = gaussian_weights(3, 2, 1)
    for epoch in range(3):
        method.T.data.fill_(10.0**epoch)
        method.after_epoch(epoch, 3)
    assert torch.allclose(method.T, (w[0] + 10 * w[1] + 100 * w[2]).float())
    assert all(torch.equal(p, before[name]) for name, p in clip.state_dict().items())


def test_a_second_run_of_a_method_begins_its_average_anew(clip):
    method = make(clip, "promptsrc", mean=1, deviation=1)
    for _ in range(2):
        for epoch in range(2):
            method.T.data.fill_(1)
            method.after_epoch(epoch, 2)
    assert torch.allclose(method.T, torch.ones_like(method.T))


def test_the_state_of_the_average_is_in_persistent_buffers(clip):
    """So an interrupted run that has them goes on as if nothing had been."""
    straight, stopped = (make(clip, "promptsrc", mean=2, deviation=1) for _ in range(2))
    for method in (straight, stopped):
        method.T.data.fill_(1)
        method.after_epoch(0, 2)
    own = {n: x for n, x in stopped.state_dict().items() if not n.startswith("clip.")}
    assert set(own) == {"T", "V", "T_mean", "V_mean"}
    resumed = make(clip, "promptsrc", mean=2, deviation=1)
    resumed.load_state_dict(own, strict=False)
    for method in (straight, resumed):
        method.T.data.fill_(5)
        method.after_epoch(1, 2)
    assert torch.equal(straight.T, resumed.T) and torch.equal(straight.V, resumed.V)


def test_an_interrupted_run_ends_in_the_same_prompts(golden_clip, tmp_path, monkeypatch):
    """Bit for bit: what the average has summed up so far is kept with the run's progress."""
    monkeypatch.setattr(progress, "SAVE_EVERY", 0)
    recipe = Recipe(lr=0.01, epochs=4, batch_size=3)
    batch = (pictures(golden_clip), torch.tensor([0, 1, 3]))

    def learn(kept, stop_before):
        method = make(golden_clip, "promptsrc", templates="dataset", mean=2, deviation=2)

        def batches_of_epoch(epoch):
            if epoch == stop_before:
                raise KeyboardInterrupt
            return [batch]

        try:
            losses = train(method, batches_of_epoch, recipe, seed=1, progress=kept)
        except KeyboardInterrupt:
            return None
        return method, losses

    straight, losses = learn(None, stop_before=None)
    path = tmp_path / "progress.pt"
    assert learn(progress.Progress(path, {}), stop_before=2) is None and path.exists()
    resumed, losses_again = learn(progress.Progress(path, {}), stop_before=1)
    assert losses == losses_again and len(losses) == 4
    assert torch.equal(straight.T, resumed.T) and torch.equal(straight.V, resumed.V)
    assert torch.equal(straight.T, straight.T_mean)  # what is used in the end is the average
    first = make(golden_clip, "promptsrc", templates="dataset").loss(*batch)[1]
    assert abs(losses[0] - first.item()) < 1e-6  # the loop asks the method for its loss


def test_without_its_weights_and_with_one_epoch_it_is_independent_prompts(clip):
    """PromptSRC Sec. 3.1: IVLP, whose loss is the cross-entropy, Eq. (1)."""
    method = make(clip, "promptsrc", image_weight=0, text_weight=0, logits_weight=0)
    images, labels = pictures(clip), torch.tensor([0, 1, 3])
    logits, loss = method.loss(images, labels)
    assert torch.equal(loss, F.cross_entropy(logits, labels))
    before = method.T.detach().clone()
    method.after_epoch(0, 1)
    assert torch.equal(method.T, before)


@pytest.mark.parametrize("n_ctx", [1, 3, 4, 5])
def test_the_tree_equals_the_prompts_one_by_one(clip, n_ctx):
    """To 2e-6 of the largest number, and the gradient of T to 1e-4."""
    method = make(clip, "promptsrc", n_ctx=n_ctx)
    method.P = method.T  # as MaPLe calls its text prompts
    fast, one_by_one = method.class_weights(), plain(method, NAMES)
    assert difference(fast, one_by_one) < 2e-6
    towards = torch.randn_like(fast)
    ours, theirs = (
        torch.autograd.grad((w * towards).sum(), method.T)[0] for w in (fast, one_by_one)
    )
    assert difference(ours, theirs) < 1e-4 and theirs.abs().amax(dim=-1).min() > 0


def test_only_the_first_layers_prompts_pass_ln_pre_and_all_stand_last(clip):
    method, images = make(clip, "promptsrc", depth=2, n_visual=3), pictures(clip)
    visual, V = clip.visual, method.V
    x = torch.cat([visual.embed(images), visual.ln_pre(V[0]).expand(3, -1, -1)], dim=1)
    first, second, *others = visual.transformer.resblocks
    x = torch.cat([first(x)[:, :-3], V[1].expand(3, -1, -1)], dim=1)
    for block in [second, *others]:
        x = block(x)
    assert difference(method.encode_image(images), visual.pool(x)) < 1e-5


def test_the_towers_know_nothing_of_each_other(clip):
    method, images = make(clip, "promptsrc"), pictures(clip)
    f_p, g_p = method.encode_image(images), method.class_weights()
    method.T.data += 1
    assert torch.equal(method.encode_image(images), f_p)
    assert not torch.equal(method.class_weights(), g_p)


def test_the_teacher_is_the_frozen_clip_and_gets_no_gradient(clip):
    """f of the same pictures, g of the classes at hand: neither depends on a prompt."""
    method, images, labels = make(clip, "promptsrc"), pictures(clip), torch.tensor([0, 1, 3])
    method.loss(images, labels)
    assert not method.g.requires_grad and "g" not in method.state_dict()
    frozen_only = make(clip, "promptsrc", image_weight=0, text_weight=0)
    with torch.no_grad():
        for prompts in learned(frozen_only).values():
            prompts += torch.randn_like(prompts)
    logits, loss = frozen_only.loss(images, labels)
    f, g = clip.encode_image(images), method.g
    p0 = (clip.logit_scale.exp() * F.normalize(f) @ F.normalize(g).T).softmax(dim=-1)
    kl = (p0 * (p0.log() - logits.log_softmax(dim=-1))).sum() / logits.numel()
    assert torch.allclose(loss - F.cross_entropy(logits, labels), kl, atol=1e-5)
    method.set_classes(["tiger", "lion"])
    assert method.g is None  # sixty sentences a class: not before they are needed
    method.loss(images, torch.tensor([0, 1, 1]))[1].backward()
    assert difference(method.g, word_vectors(clip, ["tiger", "lion"], SIXTY)) < 1e-6
    assert all(p.grad is None for p in clip.parameters())


def test_the_sixty_sentences_are_the_papers(clip):
    """PromptSRC App. A: sixty different ones, each with one place for the name; `templates` may say
    that the data set's own is used instead."""
    assert len(set(SIXTY)) == 60 and all(template.count("{}") == 1 for template in SIXTY)
    digest = hashlib.sha256("\n".join(sorted(SIXTY)).encode()).hexdigest()
    assert digest == "8f771e15e049b36e398434aa16bf33a1da2a6b4ac682961301fb4c0f9d5d58c5"
    own = PromptSRC(clip, NAMES, "a {} from above.", templates="dataset")
    own.loss(pictures(clip), torch.tensor([0, 1, 3]))
    texts = [f"a {name.replace('_', ' ')} from above." for name in NAMES]
    assert difference(own.g, clip.encode_text(clip.tokenizer(texts, clip.context_length))) < 1e-5


def test_the_number_of_learned_numbers_is_the_papers(tmp_path):
    """PromptSRC, Sec. 4.3: 46 K with ViT-B/16, 9 layers of 4 prompts in each tower."""
    assert round(9 * 4 * (512 + 768) / 1000) == 46
    clip = full_size_clip(letters_tokenizer(tmp_path, openai_ids=False))  # 1 layer, 512 and 64 wide
    method = PromptSRC(clip, ["cat", "dog"])
    assert sum(p.numel() for p in learned(method).values()) == 4 * (512 + 64)


def test_each_protocol_has_the_published_recipe():
    """PromptSRC Sec. 4.1, "Implementation details", and its App. A."""
    base_to_new, few_shot = PAPER.in_protocol("base-to-new"), PAPER.in_protocol("few-shot")
    transfer = PAPER.in_protocol("cross-dataset")
    assert (base_to_new.lr, base_to_new.epochs, base_to_new.batch_size) == (0.0025, 20, 4)
    assert base_to_new.options == {} and transfer.epochs == 20
    assert (few_shot.epochs, few_shot.options) == (50, {"mean": 30, "deviation": 30})
    assert transfer.options == {"depth": 3, "text_depth": 3, "mean": 6, "deviation": 10}


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(depth=99), "depth must be .*, not 99"),
        (dict(text_depth=99), "text_depth must be .*, not 99"),
        (dict(n_visual=0), "n_visual must be .*, not 0"),
        (dict(templates="seven"), 'templates must be "sixty" or "dataset", not \'seven\''),
        (dict(deviation=0), "deviation must be a positive number, not 0"),
        (dict(text_weight=-1), "text_weight must be a number of at least 0, not -1"),
    ],
    ids=str,
)
def test_impossible_options_are_refused_in_one_sentence(clip, options, words):
    with pytest.raises(ValueError, match=words) as error:
        make(clip, "promptsrc", **options)
    assert "\n" not in str(error.value)
