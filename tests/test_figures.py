"""The figures: what they measure on tiny cases, and that each picture is well-formed and the same
when drawn again.
"""

import dataclasses
import doctest
import importlib
import io
import json
import re
import sys
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from clip_min import load_clip
from clip_min.data import load_dataset
from clip_min.files import read_json_lines
from notes.figures import __main__ as command
from notes.figures import (
    ablations,
    attention,
    drawing,
    gain,
    heat,
    matrices,
    sphere,
    variance,
    wordings,
    words,
)
from prompts.runs.evaluation import image_features
from tests.helpers import ROOT, make, pictures
from tests.scripts import train

HERE = ROOT / "notes" / "figures"
NUMBERS = torch.Generator().manual_seed(0)


def row(
    method, dataset, accuracy, seed=1, shots=16, classes="all", trained_classes="all", **options
):
    """A row as train.py writes it, with the keys that figures read."""
    options = dict(ctx_init="a photo of a") | options if method == "coop" else options
    result = dict(
        method=method, options=options, model="tiny", sha256="0", dataset=dataset, classes=classes
    )
    result |= dict(
        shots=shots, seed=seed, split="test", accuracy=accuracy, trainable_parameters=512
    )
    result |= dict(trained_on=dataset, trained_classes=trained_classes)
    return result | (dict(trained_on=None, trained_classes=None) if method == "zero_shot" else {})


def few_shot_rows():
    rows = [row("zero_shot", name, 50.0, seed=0, shots=0) for name in variance.EIGHT]
    for i, name in enumerate(variance.EIGHT):
        for method in variance.METHODS:
            rows += [row(method, name, 48.0 + i + seed, seed=seed) for seed in (1, 2)]
    return rows


def ablation_rows():
    rows = []
    for i, name in enumerate(ablations.SETS):
        rows += [row("coop", name, 60.0 + i)]
        rows += [row("coop", name, 50.0 + i + n, ctx_init=None, n_ctx=n) for n in ablations.LENGTHS]
        for classes, accuracy in (("base", 70.0), ("new", 50.0)):
            half = dict(classes=classes, trained_classes="base")
            rows += [
                row("coop", name, accuracy + i, **half),
                row("cocoop", name, accuracy + i + 1, **half),
            ]
            rows += [
                row("coop", name, accuracy - n, ctx_init=None, n_ctx=n, **half)
                for n in (4, ablations.BIG)
            ]
            rows += [
                row("cocoop", name, accuracy - n, ctx_init=None, n_ctx=n, **half)
                for n in ablations.LENGTHS
            ]
    return rows


@dataclasses.dataclass
class Flags:
    """What the command hands to a figure."""

    rows: list
    classes: str = None
    model: str = "tiny"
    dataset: list = None
    data_root: str = None
    paper: str = None


# What is measured


def test_the_nearest_word_of_a_words_own_embedding_is_that_word_at_distance_0(clip_tiny):
    """CoOp Table 4."""
    embedding, tokenizer = clip_tiny.token_embedding.weight, clip_tiny.tokenizer
    ids = tokenizer.encode("a photo of flower")
    found = words.nearest(embedding[ids], embedding, tokenizer)
    assert [pairs[0] for pairs in found] == [
        ("a", 0.0),
        ("photo", 0.0),
        ("of", 0.0),
        ("flower", 0.0),
    ]
    assert all(a[1] <= b[1] <= c[1] for a, b, c in found)


def test_distances_to_words_are_euclidean_and_special_tokens_are_no_words(clip_tiny):
    embedding, tokenizer = clip_tiny.token_embedding.weight, clip_tiny.tokenizer
    vectors = embedding[[tokenizer.sot, tokenizer.eot]]
    for vector, pairs in zip(vectors, words.nearest(vectors, embedding, tokenizer, most=2)):
        distances = [(vector - e).square().sum().sqrt().item() for e in embedding]
        distances[tokenizer.sot] = distances[tokenizer.eot] = 1e9
        assert [distance for _, distance in pairs] == pytest.approx(sorted(distances)[:2], rel=1e-5)


def test_a_piece_of_a_word_is_marked(clip_tiny):
    tokenizer = clip_tiny.tokenizer
    assert words.as_word(tokenizer, tokenizer.encoder["a</w>"]) == "a"
    assert words.as_word(tokenizer, tokenizer.encoder["a"]) == "a-"


def test_recomputed_attention_sums_to_1_and_reproduces_the_blocks_attention(clip):
    """UPT Fig. 6 reads what the model never keeps."""
    for block in clip.visual.transformer.resblocks:
        x = torch.randn(2, 7, len(clip.visual.ln_post.weight), generator=NUMBERS)
        weights = attention.weights_of(block.attn, x)
        assert torch.allclose(weights.sum(dim=-1), torch.ones(weights.shape[:-1]), atol=1e-5)
        qkv = F.linear(x, block.attn.in_proj_weight, block.attn.in_proj_bias)
        v = qkv.chunk(3, dim=-1)[2].unflatten(-1, (block.attn.heads, -1)).transpose(1, 2)
        again = block.attn.out_proj((weights @ v).transpose(1, 2).flatten(2))
        assert torch.allclose(again, block.attn(x), atol=1e-5)


def test_attention_is_found_for_every_block_with_the_prompts_and_leaves_no_hook_behind(clip_tiny):
    method, images = make(clip_tiny, "vpt"), pictures(clip_tiny)
    before = method.encode_image(images)
    found = attention.of_every_block(method, images)
    tokens = 1 + 4 + 64  # [CLS], prompts, patches
    assert [tuple(weights.shape) for weights in found] == [(3, 2, tokens, tokens)] * 4
    assert torch.equal(method.encode_image(images), before)
    assert not any(
        block.attn._forward_pre_hooks for block in clip_tiny.visual.transformer.resblocks
    )


@pytest.mark.parametrize("name", ["vpt", "upt"])
def test_what_a_deep_prompt_looks_at_changes_no_feature(clip_tiny, name):
    """What the attention figure warns of: UPT Eq. (4) drops what came out at the prompts."""
    method, images = make(clip_tiny, name), pictures(clip_tiny)
    expected = method.encode_image(images)

    def spoil(block, inputs, x):
        x = x.clone()
        x[:, 1:-64] = 1e3
        return x if x.shape[1] > 1 else None  # the last block returns [CLS] only

    hooks = [block.register_forward_hook(spoil) for block in clip_tiny.visual.transformer.resblocks]
    spoiled = method.encode_image(images)
    for hook in hooks:
        hook.remove()
    assert torch.equal(spoiled, expected)


def test_the_confusion_matrix_has_true_classes_as_rows_and_its_diagonal_sums_to_the_accuracy():
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    predictions = torch.tensor([0, 1, 1, 1, 2, 0])
    matrix = matrices.counts(predictions, labels, 3)
    assert matrix.tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 1]]
    assert matrix.diag().sum() == (labels == predictions).sum()


def test_points_on_the_sphere_have_length_1_and_three_weights_lose_nothing_there():
    """UPT Fig. 2: three vectors span three dimensions, so every cosine's order is kept."""
    w, z = torch.randn(3, 40, generator=NUMBERS), torch.randn(50, 40, generator=NUMBERS)
    V = sphere.main_directions(w)
    assert torch.allclose(V @ V.T, torch.eye(3), atol=1e-5)
    points, weights = sphere.on_sphere(z, V), sphere.on_sphere(w, V)
    assert torch.allclose(points.norm(dim=-1), torch.ones(50), atol=1e-6)
    assert torch.equal(
        (z @ F.normalize(w, dim=-1).T).argmax(dim=-1), (points @ weights.T).argmax(dim=-1)
    )
    y = (points @ weights.T).argmax(dim=-1)
    assert sphere.accuracy(z, w, y) == sphere.accuracy(points, weights, y) == 100


def test_turning_keeps_lengths_and_heights_and_a_full_turn_is_none():
    points = F.normalize(torch.randn(9, 3, generator=NUMBERS), dim=-1)
    turned = sphere.seen(points, 35)
    assert torch.allclose(turned.norm(dim=-1), torch.ones(9), atol=1e-6)
    assert torch.equal(turned[:, 1], points[:, 2])
    assert torch.allclose(sphere.seen(points, 360), sphere.seen(points, 0), atol=1e-5)


def test_gains_are_taken_over_zero_shot_and_sorted_with_the_largest_first():
    """CoOp Fig. 4."""
    found = gain.gains(Flags(few_shot_rows()), "coop")
    assert [name for name, *_ in found] == list(reversed(variance.EIGHT))
    assert found[0][1:] == (6.5, 0.5, 2) and found[-1][1] == -0.5


def test_a_gain_without_results_is_refused_with_the_command_that_makes_them():
    with pytest.raises(ValueError, match="python train.py --method cocoop"):
        gain.gains(Flags(few_shot_rows()), "cocoop")


def test_ablations_read_the_rows_that_their_labels_name():
    """CoOp Table 3, CoCoOp Table 5: means over the sets, H of the means."""
    flags = Flags(ablation_rows())
    flags.rows.extend(dict(row, precision="fp16", accuracy=1.0) for row in list(flags.rows))
    words_start = ablations.accuracies(flags, "few-shot", "coop", ablations.WORDS["coop"])
    random_start = ablations.accuracies(flags, "few-shot", "coop", ablations.random_start(8))
    assert words_start["average"][16] == 61 and random_start["average"][16] == 59
    halves = ablations.accuracies(flags, "base-to-new", "coop", ablations.WORDS["coop"])["average"]
    assert (
        halves["base"] == 71
        and halves["new"] == 51
        and halves["H"] == pytest.approx(2 * 71 * 51 / 122)
    )
    with pytest.raises(ValueError, match="few-shot results of coop with .* are not complete"):
        few = Flags(ablation_rows()[:4])
        ablations.accuracies(few, "few-shot", "coop", ablations.WORDS["coop"])


def test_a_bigger_coop_has_as_many_parameters_as_cocoop(clip_tiny):
    count = {
        name: sum(
            p.numel() for p in make(clip_tiny, name, **options).parameters() if p.requires_grad
        )
        for name, options in (("cocoop", {}), ("coop", dict(n_ctx=ablations.BIG)))
    }
    assert count == dict(cocoop=2696, coop=2688)


def test_the_accuracy_of_a_wording_is_that_of_zero_shot_clip_with_it(clip_tiny):
    """CoOp Fig. 1."""
    dataset = load_dataset("toy-satellite")
    dataset = dataclasses.replace(dataset, test=dataset.test[::40])
    item, (line,) = wordings.compare(clip_tiny, dataset, dataset.templates, 3)
    method = drawing.zero_shot(dataset, clip_tiny)
    z, labels = image_features(method, dataset.test)
    logits = method.classify(z)
    assert item.label == 3 and line[0] == "a centered satellite photo of harbor."
    assert line[2] == pytest.approx(100 * (logits.argmax(dim=-1) == labels).float().mean().item())
    place = dataset.test.index(item)
    assert line[1] == pytest.approx(100 * logits.softmax(dim=-1)[place, 3].item(), rel=1e-4)


def test_similarities_are_cosines(clip_tiny):
    items, captions = matrices.a_dozen()
    cosines = matrices.similarities(clip_tiny, items, captions)
    assert cosines.shape == (12, 12) and cosines.abs().max() <= 1
    tokens = clip_tiny.tokenizer(captions, clip_tiny.context_length)
    images = attention.images_of(items, clip_tiny.preprocess)
    assert torch.allclose(
        clip_tiny.logit_scale.exp() * cosines, clip_tiny(images, tokens), atol=1e-3
    )


# What is drawn


def svgs(clip):
    """Every SVG, from made-up numbers."""
    points = {name: (0.1 + i / 30, i - 2.0) for i, name in enumerate(variance.EIGHT)}
    columns = [
        ("toy", "random start", [[("flower", 0.1), ("pho-", 0.25), ("<&>", 0.5)]] * 4, [1.0] * 4)
    ] * 2
    flags = Flags(ablation_rows())
    return {
        "gain": gain.draw(
            {method: gain.gains(Flags(few_shot_rows()), method) for method in ("coop", "upt")}
        ),
        "variance": variance.draw(
            [(f"{method}: r", axis, points) for axis in "vt" for method in variance.METHODS]
        ),
        "nearest-words": words.draw(columns, (1.0, 0.7)),
        "confusion": matrices.draw_confusion(
            torch.tensor([[3, 1], [0, 4]]), ["a <b>", "c"], "toy, zero-shot"
        ),
        "initialisation": ablations.initialisation([], flags)["initialisation.svg"].decode(),
        "context-length": ablations.context_length([], flags)["context-length.svg"].decode(),
        "bigger-coop": ablations.bigger_coop([], flags)["bigger-coop.svg"].decode(),
    }


def bitmaps(clip):
    """Every picture made of pixels, from made-up numbers, as PNG files."""
    dataset = load_dataset("toy-objects")
    items = attention.some_pictures(dataset)[:2]
    shares = torch.rand(2, 25, generator=torch.Generator().manual_seed(1)) / 9
    points = F.normalize(torch.randn(6, 3, generator=torch.Generator().manual_seed(2)), dim=-1)
    panel = sphere.Panel(
        "coop",
        ("accuracy 90 %,", "on the sphere 80 %"),
        points,
        points[:3],
        torch.tensor([0, 1, 2, 0, 1, 2]),
    )
    found = {
        "attention": heat.draw(
            items, dataset, [("VPT\nprompt 1", shares, ["50 %", "60 %"])], "Mean."
        ),
        "similarities": matrices.draw_similarities(
            items, ["apple", "book"], torch.tensor([[0.5, 0.1], [0.0, 0.4]])
        ),
        "prompts-compared": wordings.draw(
            [("toy-objects", items[0], [("a photo.", 12.0, 34.5)], (50.0, 3))]
        ),
        "sphere": sphere.draw([panel, panel], ["a", "b", "c"], 20, 1),
    }
    return {name: drawing.png(picture) for name, picture in found.items()}


def test_every_svg_is_well_formed_and_the_same_when_drawn_again_with_all_of_it_inside(
    clip_tiny, capsys
):
    drawn = svgs(clip_tiny)
    assert drawn == svgs(clip_tiny)
    for name, svg in drawn.items():
        root = ElementTree.fromstring(svg)
        width, height = float(root.get("width")), float(root.get("height"))
        pairs = (("x", "y"), ("cx", "cy"), ("x1", "y1"))
        places = [
            (float(e.get(x)), float(e.get(y))) for e in root.iter() for x, y in pairs if e.get(x)
        ]
        assert len(places) > 10, name
        assert all(0 <= x <= width and 0 <= y <= height for x, y in places), name


@pytest.mark.parametrize("name", ["initialisation", "context-length", "variance"])
def test_panels_that_are_compared_have_one_range_of_values(clip_tiny, capsys, name):
    root = ElementTree.fromstring(svgs(clip_tiny)[name])
    marks = {}  # height of a tick: its numbers, one in each panel
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        if element.get("text-anchor") == "end":
            marks.setdefault(element.get("y"), []).append(element.text)
    assert len(marks) >= 3
    assert all(len(found) >= 2 and len(set(found)) == 1 for found in marks.values())


def test_every_bitmap_opens_and_is_the_same_when_drawn_again(clip_tiny):
    drawn = bitmaps(clip_tiny)
    assert drawn == bitmaps(clip_tiny)
    for content in drawn.values():
        picture = Image.open(io.BytesIO(content))
        picture.load()
        assert len(picture.convert("RGB").getcolors(10**6)) > 5


def test_heat_is_darkest_where_attention_is_largest():
    picture = Image.new("RGB", (40, 40), "white")
    shares = torch.zeros(25)
    shares[7] = 0.5
    tinted = heat.heat(picture, shares, 0.5).convert("L")
    side = heat.CELL // 5
    darkest = min(
        (tinted.getpixel((x * side + 5, y * side + 5)), 5 * y + x)
        for x in range(5)
        for y in range(5)
    )
    assert darkest[1] == 7


# The command and the note


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["figures", *map(str, arguments)])
    command.main()


def test_the_command_draws_into_the_folder_that_it_is_given(monkeypatch, tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps(row) for row in few_shot_rows()))
    call(monkeypatch, "gain", "upt", "--results", rows, "--out", tmp_path / "new")
    ElementTree.fromstring((tmp_path / "new" / "gain.svg").read_text())
    assert "toy-vehicles +6.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["gian"], "Did you mean gain"),
        (["gain", "svm"], "names of methods"),
        (["similarities", "toy-objects"], "takes no 'toy-objects'"),
        (["nearest-words"], "needs prompt files"),
        (["attention"], "needs prompt files"),
        (["sphere"], "one or more prompt files"),
        (["sphere", "nowhere/prompt.pt"], "There is no prompt file"),
        (["confusion"], "takes a data set"),
        (["confusion", "toy-object"], "Did you mean toy-objects"),
        (["prompts-compared", "toy-glyphs"], "has wordings for"),
        (["cls-attention", "toy-object"], "Did you mean toy-objects"),
        (["new-classes", "coop"], "takes two methods"),
        (["tree", "--model", "RN50"], "tree takes no --model"),
        (["sphere", "prompt.pt", "--dataset", "dtd"], "sphere takes no --dataset"),
        (["cls-attention", "--model", "ViT-B/61"], "Did you mean"),
        (["confusion", "eurosat"], "give --data-root"),
        (["gain", "--paper", "upt"], "no few-shot results: run .* --model ViT-B/16"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(monkeypatch, tmp_path, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(monkeypatch, *arguments, "--out", tmp_path)


REAL = ("caltech101", "dtd", "eurosat", "ucf101")


def real_rows():
    """Rows as `train.py --paper upt` and `cocoop` write them, with ViT-B/16."""
    words, rows = dict(ctx_init="a photo of a"), []

    def add(method, name, accuracy, options, **keys):
        made = row(method, name, accuracy, **keys) | dict(model="ViT-B/16", options=options)
        rows.append(made)

    for i, name in enumerate(REAL):
        add("zero_shot", name, 50.0, {}, seed=0, shots=0)
        rows.append(rows[-1] | dict(template="a photo of a {}.", accuracy=40.0))
        for method, options in (("coop", words), ("coop", {}), ("upt", {}), ("cocoop", {})):
            add(method, name, 70.0 + i + 2 * (not options), options)
        add("vpt", name, 60.0 + i, {})
        rows.append(rows[-1] | dict(template="a photo of a {}.", accuracy=55.0 + i))
        for n in ablations.PAPERS_LENGTHS:
            add("coop", name, 60.0 + n, dict(n_ctx=n))
        for classes, accuracy in (("base", 70.0), ("new", 50.0)):
            half = dict(classes=classes, trained_classes="base")
            add("coop", name, accuracy, words, **half)
            add("coop", name, accuracy - 4, dict(n_ctx=60), **half)
            add("cocoop", name, accuracy + i - 1, {}, **half)
            for n in ablations.PAPERS_LENGTHS:
                add("cocoop", name, accuracy - n, dict(ctx_init=None, n_ctx=n), **half)
    return rows


def real(**more):
    return Flags(real_rows(), model="ViT-B/16", dataset=list(REAL), **more)


def test_gains_are_those_of_the_methods_as_the_paper_used_them():
    """UPT, Appendix B: CoOp from words, and one prompt for zero-shot CLIP and VPT."""
    upts, usual = real(paper="upt"), real()
    assert gain.gains(upts, "coop")[0] == ("ucf101", 33.0, 0.0, 1)  # 73 - 40
    assert gain.gains(upts, "vpt")[0] == ("ucf101", 18.0, 0.0, 1)  # 58 - 40
    assert gain.gains(usual, "coop")[0] == ("ucf101", 25.0, 0.0, 1)  # 75 - 50
    assert gain.gains(usual, "vpt")[0] == ("ucf101", 13.0, 0.0, 1)  # 63 - 50
    one = Flags(real_rows(), model="ViT-B/16", dataset=["dtd"])
    assert [name for name, *_ in gain.gains(one, "upt")] == ["dtd"]


def test_cocoop_is_compared_with_coop_on_new_and_on_base_classes(capsys):
    """CoCoOp Fig. 3."""
    (svg,) = gain.new_classes([], real(paper="cocoop")).values()
    ElementTree.fromstring(svg)
    new, base = capsys.readouterr().out.splitlines()
    assert new == "new classes ucf101 +2.0, eurosat +1.0, dtd +0.0, caltech101 -1.0"
    assert base.startswith("base classes ucf101 +2.0") and "points of cocoop above coop" in str(svg)


def test_ablations_of_a_real_model_have_the_papers_lengths_and_sets(capsys):
    """CoOp Fig. 5(a), CoCoOp Fig. 4 and Table 5."""
    flags = real(paper="cocoop")
    title, curves = ablations.coop_lengths(flags)
    assert curves["average"] == {4: 64.0, 8: 68.0, 16: 76.0}
    title, curves = ablations.cocoop_lengths(flags)
    assert curves["base"] == {4: 66.0, 8: 62.0, 16: 54.0}
    _, pairs = ablations.coop_initialisation(flags)
    assert pairs["average"] == (64.0, 71.5) and pairs["dtd"] == (64.0, 71.0)
    one = Flags(real_rows(), model="ViT-B/16", dataset=["dtd"])
    for figure in (ablations.initialisation, ablations.context_length, ablations.bigger_coop):
        for content in [*figure([], flags).values(), *figure([], one).values()]:
            ElementTree.fromstring(content)
    assert "CoOp, 60 vectors (paper: 60), random  512  66.0  46.0" in capsys.readouterr().out


def test_a_panel_without_its_rows_is_left_out_with_a_line(capsys):
    rows = [row for row in real_rows() if row["method"] != "cocoop"]
    (svg,) = ablations.initialisation([], dataclasses.replace(real(), rows=rows)).values()
    assert b"CoCoOp" not in svg and "A panel is left out." in capsys.readouterr().out


@pytest.fixture
def made_eurosat(tmp_path):
    """A root folder with a EuroSAT of four classes, each of one colour."""
    colours, rows = ["red", "green", "blue", "black"], {"train": [], "val": [], "test": []}
    for label, colour in enumerate(colours):
        for number, part in enumerate(rows):
            path = tmp_path / "eurosat/2750" / colour / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 40), colour).save(path)
            rows[part].append([f"{colour}/{number}.png", label, colour])
    (tmp_path / "eurosat/split_zhou_EuroSAT.json").write_text(json.dumps(rows))
    return tmp_path


@pytest.mark.parametrize(
    "arguments, file",
    [
        (["confusion", "eurosat"], "confusion-eurosat-zero-shot.svg"),
        (["cls-attention", "EuroSAT"], "cls-attention-eurosat.png"),
        (["prompts-compared", "eurosat"], "prompts-compared.png"),
        (["similarities", "--dataset", "eurosat", "toy-objects"], "similarities.png"),
    ],
)
def test_figures_of_a_real_benchmark(monkeypatch, tmp_path, made_eurosat, arguments, file):
    call(monkeypatch, *arguments, "--data-root", made_eurosat, "--out", tmp_path / "new")
    assert (tmp_path / "new" / file).stat().st_size > 500


def test_figures_of_prompts_that_were_learned_on_a_real_benchmark(
    monkeypatch, tmp_path, made_eurosat
):
    command_line = ["--method", "vpt", "coop", "--shots", 1, "--epochs", 1, "--dataset", "eurosat"]
    assert train(tmp_path / "runs", *command_line, "--data-root", made_eurosat) == 0
    found = {path.parts[-3]: path for path in (tmp_path / "runs").rglob("prompt.pt")}
    where = ["--data-root", made_eurosat, "--out", tmp_path / "new"]
    call(monkeypatch, "sphere", found["coop"], found["vpt"], *where)
    call(monkeypatch, "attention", found["vpt"], *where)
    call(monkeypatch, "nearest-words", found["coop"], *where)
    call(monkeypatch, "confusion", "eurosat", found["vpt"], *where)
    assert len(list((tmp_path / "new").iterdir())) == 5


def test_every_picture_is_small_and_described_and_every_figure_has_its_command():
    note = (ROOT / "notes" / "figures.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\]\(figures/([\w.-]+\.(?:svg|png|gif))\)", note))
    committed = [path for path in HERE.iterdir() if path.suffix in (".svg", ".png", ".gif")]
    assert {path.name for path in committed} == shown
    most = {".gif": 250_000}  # ten pictures in one
    assert all(path.stat().st_size < most.get(path.suffix, 150_000) for path in committed)
    for name in command.FIGURES:
        assert f"python -m notes.figures {name}" in note
        assert f"    {name}" in command.__doc__


@pytest.mark.parametrize(
    "name, file",
    [
        ("initialisation", HERE / "ablations.jsonl"),
        ("context-length", HERE / "ablations.jsonl"),
        ("bigger-coop", HERE / "ablations.jsonl"),
        ("gain", ROOT / "notes" / "results.jsonl"),
        ("new-classes", ROOT / "notes" / "results.jsonl"),
    ],
)
def test_the_committed_picture_is_what_the_committed_rows_draw(name, file):
    for picture, content in command.FIGURES[name]([], Flags(read_json_lines(file))).items():
        assert (HERE / picture).read_bytes() == content, (
            f"draw it again: python -m notes.figures {name}"
        )


MODULES = [path.stem for path in HERE.glob("*.py") if not path.stem.startswith("__")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name):
    assert doctest.testmod(importlib.import_module(f"notes.figures.{name}")).failed == 0


@pytest.fixture(scope="module")
def clip_tiny():
    return load_clip("tiny")
