"""The pictures: what they measure on tiny cases, that each is well-formed and inside its frame, and
that the committed ones are what the committed rows draw.
"""

import dataclasses
import io
import itertools
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
from clip_min.world.benchmarks import EIGHT
from notes.figures import __main__ as command
from notes.figures import (ablations, attention, drawing, film, gain, matrices, methods, sphere,
                           variance, wordings, words)
from prompts import METHODS
from prompts.reports import colours
from prompts.runs.evaluation import image_features
from tests.helpers import ROOT, make, pictures

HERE = ROOT / "notes" / "figures"
NUMBERS = torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def clip_tiny():
    return load_clip("tiny")


@dataclasses.dataclass
class Flags:
    """What the command hands to a picture."""

    rows: list
    classes: str = None
    model: str = "tiny"
    dataset: list = None
    data_root: str = None
    paper: str = None


def row(method, dataset, accuracy, options=None, **keys):
    """A row as train.py writes it, with the keys that the pictures read."""
    usual = dict(ctx_init="a photo of a") if method == "coop" else {}
    result = dict(method=method, options=usual if options is None else options, model="tiny",
                  sha256="0", dataset=dataset, classes="all", shots=16, seed=1, split="test",
                  accuracy=accuracy, trainable_parameters=512, trained_on=dataset,
                  trained_classes="all")
    if method == "zero_shot":
        result |= dict(trained_on=None, trained_classes=None, seed=0, shots=0)
    return result | keys


def few_shot_rows():
    rows = [row("zero_shot", name, 50.0) for name in EIGHT]
    for i, name in enumerate(EIGHT):
        rows += [row(method, name, 48.0 + i + seed, seed=seed)
                 for method in variance.METHODS for seed in (1, 2)]
    return rows


def ablation_rows(sets=ablations.SETS, big=ablations.BIG, lengths=ablations.LENGTHS, **keys):
    rows = []
    for i, name in enumerate(sets):
        random = {n: ablations.random_start(n) for n in (*lengths, big)}
        rows.append(row("coop", name, 60.0 + i, **keys))
        rows += [row("coop", name, 50.0 + i + n, random[n], **keys) for n in lengths]
        for classes, accuracy in (("base", 90.0), ("new", 70.0)):
            half = dict(classes=classes, trained_classes="base", **keys)
            rows += [row("coop", name, accuracy + i, **half),
                     row("cocoop", name, accuracy + i + 1, {}, **half)]
            rows += [row("coop", name, accuracy - n, random[n], **half) for n in (4, big)]
            rows += [row("cocoop", name, accuracy - n, random[n], **half) for n in lengths]
    return rows


def places_of(svg):
    """SVG text → its words, all its places [(x, y)], (width, height)."""
    root = ElementTree.fromstring(svg)
    size, found = (float(root.get("width")), float(root.get("height"))), []
    for element in root.iter():
        if element.tag.endswith("image"):
            assert element.get("href").startswith("data:")
        for x, y in (("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy")):
            if element.get(x):
                found.append((element.get(x), element.get(y)))
        found += [place.split(",") for place in element.get("points", "").split()]
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    return texts, [(float(x), float(y)) for x, y in found], size


# Colours


def in_eyes(colour):
    """A colour → what four kinds of eyes see, in L*a*b*: usual ones, without red, without green
    (Machado, Oliveira, Fernandes, 2009), and without blue.
    """
    parts = torch.tensor([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = torch.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    eyes = [[1, 0, 0, 0, 1, 0, 0, 0, 1],
            [0.152, 1.053, -0.205, 0.115, 0.786, 0.099, -0.004, -0.048, 1.052],
            [0.367, 0.861, -0.228, 0.280, 0.673, 0.047, -0.012, 0.043, 0.969],
            [1.256, -0.077, -0.179, -0.078, 0.931, 0.148, 0.005, 0.691, 0.304]]
    xyz = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722],
                        [0.0193, 0.1192, 0.9505]])
    for eye in eyes:
        seen = xyz @ (torch.tensor(eye, dtype=torch.float).view(3, 3) @ linear).clamp(0, 1)
        f = (seen / torch.tensor([0.9505, 1.0, 1.089])).clamp(min=1e-6) ** (1 / 3)
        yield torch.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_no_two_methods_and_no_two_data_sets_look_alike_to_any_eyes():
    assert set(METHODS) <= set(colours.METHODS) and set(EIGHT) == set(colours.DATASETS)
    for table in (colours.METHODS, colours.DATASETS):
        for (a, one), (b, other) in itertools.combinations(table.items(), 2):
            for first, second in zip(in_eyes(one), in_eyes(other)):
                assert (first - second).norm() > 12, (a, b)
    assert len(set(colours.of_datasets([*EIGHT[:6], "eurosat", "dtd"]).values())) == 8


# What is measured


def test_the_nearest_word_of_a_words_own_embedding_is_that_word_and_special_tokens_are_no_words(
    clip_tiny,
):
    """CoOp Table 4: Euclidean distances."""
    embedding, tokenizer = clip_tiny.token_embedding.weight, clip_tiny.tokenizer
    ids = tokenizer.encode("a photo of flower")
    found = words.nearest(embedding[ids], embedding, tokenizer)
    assert [pairs[0] for pairs in found] == [(w, 0.0) for w in ("a", "photo", "of", "flower")]
    for vector in embedding[[tokenizer.sot, tokenizer.eot]]:
        (pairs,) = words.nearest(vector[None], embedding, tokenizer, most=2)
        distances = [(vector - e).square().sum().sqrt().item() for e in embedding]
        distances[tokenizer.sot] = distances[tokenizer.eot] = 1e9
        assert [distance for _, distance in pairs] == pytest.approx(sorted(distances)[:2], rel=1e-5)
    names = [words.as_word(tokenizer, tokenizer.encoder[token]) for token in ("a</w>", "a")]
    assert names == ["a", "a-"]  # a piece of a word is marked


def test_recomputed_attention_is_the_blocks_own_in_every_block_and_leaves_no_hook(clip_tiny):
    """UPT Fig. 6 reads what the model never keeps."""
    block, x = clip_tiny.visual.transformer.resblocks[0], torch.randn(2, 7, 128, generator=NUMBERS)
    weights = attention.weights_of(block.attn, x)
    v = F.linear(x, block.attn.in_proj_weight, block.attn.in_proj_bias).chunk(3, dim=-1)[2]
    v = v.unflatten(-1, (block.attn.heads, -1)).transpose(1, 2)
    again = block.attn.out_proj((weights @ v).transpose(1, 2).flatten(2))
    assert torch.allclose(again, block.attn(x), atol=1e-5)
    method, images = make(clip_tiny, "vpt"), pictures(clip_tiny)
    before = method.encode_image(images)
    tokens = 1 + 4 + 64  # [CLS], prompts, patches
    found = attention.of_every_block(method, images)
    assert [tuple(weights.shape) for weights in found] == [(3, 2, tokens, tokens)] * 4
    to_patches, of_prompts, shares = attention.looks(method, images)
    last = found[-1].mean(dim=1)
    assert torch.allclose(to_patches, last[:, 0, 5:])
    assert torch.allclose(of_prompts, last[:, 1:5, 5:].mean(dim=1))
    assert torch.allclose(shares[-1], last[:, 0, 1:5].sum(dim=-1).mean())
    assert torch.equal(method.encode_image(images), before)


@pytest.mark.parametrize("name", ["vpt", "upt"])
def test_what_a_deep_prompt_looks_at_changes_no_feature(clip_tiny, name):
    """What the note warns of: UPT Eq. (4) drops what came out at the prompts."""
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


def test_points_on_the_sphere_have_length_1_keep_three_weights_apart_and_turn():
    """UPT Fig. 2: three vectors span three dimensions, so every cosine's order is kept."""
    w, z = torch.randn(3, 40, generator=NUMBERS), torch.randn(50, 40, generator=NUMBERS)
    V = sphere.main_directions(w)
    assert torch.allclose(V @ V.T, torch.eye(3), atol=1e-5)
    points, weights = sphere.on_sphere(z, V), sphere.on_sphere(w, V)
    assert torch.allclose(points.norm(dim=-1), torch.ones(50), atol=1e-6)
    y = (points @ weights.T).argmax(dim=-1)
    assert torch.equal((z @ F.normalize(w, dim=-1).T).argmax(dim=-1), y)
    assert sphere.accuracy(z, w, y) == sphere.accuracy(points, weights, y) == 100
    turned = sphere.seen(points, 35)
    assert torch.allclose(turned.norm(dim=-1), torch.ones(50), atol=1e-6)
    assert torch.equal(turned[:, 1], points[:, 2])  # heights stay
    assert torch.allclose(sphere.seen(points, 360), sphere.seen(points, 0), atol=1e-5)


def test_gains_are_taken_seed_by_seed_over_zero_shot_the_largest_first(capsys):
    """CoOp Fig. 4, CoCoOp Fig. 3."""
    found = gain.gains(Flags(few_shot_rows()), "coop")
    assert [each.dataset for each in found] == list(reversed(EIGHT))
    assert found[0][1:] == (6.5, 0.5, 2) and found[-1].mean == -0.5
    with pytest.raises(ValueError, match="python train.py --method cocoop"):
        gain.gains(Flags(few_shot_rows()), "cocoop")
    (svg,) = gain.new_classes([], Flags(ablation_rows())).values()
    assert capsys.readouterr().out.startswith("new classes toy-flowers +1.0")
    assert b"points of cocoop above coop" in svg and colours.METHODS["cocoop"].encode() in svg


def test_gains_are_those_of_the_methods_as_the_paper_used_them():
    """UPT, Appendix B: CoOp from words, and one prompt for zero-shot CLIP and VPT."""
    real, photo = dict(model="ViT-B/16"), dict(model="ViT-B/16", template="a photo of a {}.")
    rows = [row("zero_shot", "dtd", 50.0, **real), row("zero_shot", "dtd", 40.0, **photo),
            row("coop", "dtd", 70.0, **real), row("coop", "dtd", 72.0, {}, **real),
            row("vpt", "dtd", 60.0, **real), row("vpt", "dtd", 55.0, **photo)]
    for paper, means in (("upt", (30.0, 15.0)), (None, (22.0, 10.0))):
        flags = Flags(rows, model="ViT-B/16", dataset=["dtd"], paper=paper)
        assert tuple(gain.gains(flags, name)[0].mean for name in ("coop", "vpt")) == means


def test_ablations_read_the_rows_that_their_labels_name(capsys):
    """CoOp Table 3, CoCoOp Table 5: means over the sets, H of the means."""
    flags = Flags(ablation_rows())
    flags.rows.extend(dict(row, precision="fp16", accuracy=1.0) for row in list(flags.rows))
    found = [ablations.accuracies(flags, "few-shot", "coop", options)["average"][16]
             for options in (ablations.WORDS["coop"], ablations.random_start(8))]
    assert found == [61, 59]
    halves = ablations.accuracies(flags, "base-to-new", "coop", ablations.WORDS["coop"])["average"]
    assert (halves["base"], halves["new"]) == (91, 71)
    assert halves["H"] == pytest.approx(2 * 91 * 71 / 162)
    with pytest.raises(ValueError, match="few-shot results of coop with .* are not complete"):
        ablations.accuracies(Flags(ablation_rows()[:4]), "few-shot", "coop", {"ctx_init": "a"})
    without = [row for row in ablation_rows() if row["method"] != "cocoop"]
    (svg,) = ablations.initialisation([], Flags(without)).values()
    assert b"CoCoOp" not in svg and "A panel is left out." in capsys.readouterr().out


def test_ablations_of_a_real_model_have_the_papers_lengths_and_sets(capsys):
    """CoOp Fig. 5(a), CoCoOp Fig. 4 and Table 5."""
    sets = ("caltech101", "dtd", "eurosat", "ucf101")
    rows = ablation_rows(sets, 60, ablations.PAPERS_LENGTHS, model="ViT-B/16")
    for dataset in (list(sets), ["dtd"]):
        flags = Flags(rows, model="ViT-B/16", dataset=dataset)
        assert list(ablations.coop_lengths(flags)[1]["average"]) == [4, 8, 16]
        for draw in (ablations.initialisation, ablations.context_length, ablations.bigger_coop):
            for content in draw([], flags).values():
                places_of(content)
    assert "| CoOp, 60 vectors (paper: 60), random | 512 | 30.0 |" in capsys.readouterr().out


def test_a_bigger_coop_has_as_many_parameters_as_cocoop(clip_tiny):
    count = {name: sum(p.numel() for p in make(clip_tiny, name, **options).parameters()
                       if p.requires_grad)
             for name, options in (("cocoop", {}), ("coop", dict(n_ctx=ablations.BIG)))}
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
    matrix = matrices.confusion_of(method, z, labels, 12)  # rows are true classes
    assert torch.equal(matrix.sum(dim=1), labels.bincount(minlength=12))
    assert matrix.diag().sum() == (logits.argmax(dim=-1) == labels).sum()


def test_similarities_are_cosines(clip_tiny):
    items, captions = matrices.a_dozen()
    cosines = matrices.similarities(clip_tiny, items, captions)
    tokens = clip_tiny.tokenizer(captions, clip_tiny.context_length)
    logits = clip_tiny(attention.images_of(items, clip_tiny.preprocess), tokens)
    assert cosines.shape == (12, 12)
    assert torch.allclose(clip_tiny.logit_scale.exp() * cosines, logits, atol=1e-3)


def test_the_picture_of_variances_says_what_its_numbers_say():
    points = {name: (0.1 + i / 30, i - 2.0) for i, name in enumerate(EIGHT)}
    assert variance.correlation(*zip(*points.values())) == 1
    assert "less VPT" in variance.message(-0.5)[0] and "opposite" in variance.message(-0.5)[1]
    assert "more VPT" in variance.message(0.5)[0] and "opposite" not in variance.message(0.5)[1]
    gained = variance.with_difference(dict(coop={"a": 3, "b": 1}, vpt={"a": 5}, upt={}))
    assert gained["vpt - coop"] == {"a": 2}


# The film


def test_influence_in_theta_is_how_far_the_others_move_when_one_prompt_changes(clip_tiny):
    U = torch.randn(2, 4, 6, generator=NUMBERS)
    mixed = film.influence(lambda U: U + 0.5 * U[:, :1], U)  # all see prompt 0
    assert (mixed[:, 0] > 0).all() and torch.equal(mixed[:, 1:], mixed[:, 1:] * torch.eye(4)[:, 1:])


def test_a_short_film_has_its_frames_and_opens_without_a_network(clip_tiny, monkeypatch, capsys):
    monkeypatch.setattr(film, "SHOTS", 1)
    monkeypatch.setattr(film, "EPOCHS", (0, 2))
    dataset = load_dataset("toy-satellite")
    dataset = dataclasses.replace(dataset, test=dataset.test[::30])
    frames = [film.frames_of(name, clip_tiny, dataset, [0, 1, 2], epochs=2) for name in film.NAMES]
    assert [frame.epochs for frame in frames[0]] == [0, 2]
    assert [frame.words[0][:2] for frame in frames[0][:1]] == [("a", 0.0)]  # "a photo of a"
    assert frames[0][0].influence is None and frames[1][0].influence.shape == (8, 8)
    assert not torch.equal(frames[1][0].points[0], frames[1][-1].points[0])  # UPT moves features
    files = film.film_of(frames, dataset.classnames[:3], dataset)
    page = files["film.html"].decode()
    assert page.count("<figure>") == 2 and page.count("<img") == 4
    assert not re.search(r"(src|href)=\"(?!data:)", page) and "http" not in page
    assert Image.open(io.BytesIO(files["film.png"])).width == 2 * film.WIDTH


# What is drawn


def test_every_svg_lies_inside_its_frame_and_is_the_same_when_drawn_again(clip_tiny, capsys):
    rows = [[("<&>", 0.1), ("b", 0.2), ("c", 0.9)]] * 4
    column = words.Column("toy", "random start", rows, [1.0] * 4)
    points = {key: [{name: (0.1 + i / 30, i - 2.0) for i, name in enumerate(EIGHT)}] * 2
              for key in variance.ROWS}
    matrix = torch.tensor([[3, 1], [0, 4]])

    def drawn():
        made = methods.figure([], None) | {
            "variance": variance.draw(points, variance.message(-1)),
            "words": words.draw([column] * 4, (0.7, 0.6)),
            "confusion": matrices.draw_confusion(matrix, ["a <b>", "c"], "toy"),
            "tree": command.tree.figure([], None)["tree.svg"],
            **gain.figure(["coop", "upt"], Flags(few_shot_rows())),
            **ablations.initialisation([], Flags(ablation_rows())),
            **ablations.context_length([], Flags(ablation_rows())),
        }
        return {name: svg.decode() if isinstance(svg, bytes) else svg for name, svg in made.items()}

    first = drawn()
    assert first == drawn() and len(first) == 12
    for name, svg in first.items():
        _, places, (width, height) = places_of(svg)
        assert len(places) > 10 and "<script" not in svg, name
        assert all(0 <= x <= width and 0 <= y <= height for x, y in places), name
    shapes = places_of(first["method-upt.svg"])[0]
    assert {"4 × 8 × 128", "block 4:  2 × 69 × 128", "block 1:  3 × 32 × 128"} <= set(shapes)
    for name in ("initialisation.svg", "context-length.svg"):  # panels have one range of values
        ends = re.findall(r'y="([\d.]+)" text-anchor="end">(\d+)<', first[name])
        assert len(ends) >= 6 and len(set(ends)) == len(ends) / 2


def test_every_bitmap_opens_and_is_the_same_when_drawn_again():
    dataset = load_dataset("toy-objects")
    items = attention.some_pictures(dataset)[:2]
    shares = torch.rand(2, 25, generator=torch.Generator().manual_seed(1)) / 9
    points = F.normalize(torch.randn(6, 3, generator=torch.Generator().manual_seed(2)), dim=-1)
    panel = sphere.Panel("coop", ("90 %", "80 %"), points, points[:3], torch.tensor([0, 1, 2] * 2))

    def drawn():
        pictures_ = [
            attention.draw(items, dataset, {"[CLS]\nvpt": shares}, {"vpt": shares[0, :4]}),
            matrices.draw_similarities(items, ["a", "b"], torch.tensor([[0.5, 0.1], [0.0, 0.4]])),
            wordings.draw([("toy-objects", items[0], [("a photo.", 12.0, 34.5)], (50.0, 3))]),
            sphere.draw([panel, panel], ["a", "b", "c"], 20, 1),
        ]
        return [drawing.png(picture) for picture in pictures_]

    first = drawn()
    assert first == drawn()
    opened = [Image.open(io.BytesIO(file)).convert("RGB") for file in first]
    assert all(len(picture.getcolors(10**6)) > 5 for picture in opened)
    shares = torch.zeros(25)
    shares[7] = 0.5  # the darkest place is the largest attention
    tinted = attention.heat(Image.new("RGB", (40, 40), "white"), shares, 0.5).convert("L")
    side = attention.CELL / 5
    seen = {5 * y + x: tinted.getpixel((int((x + 0.5) * side), int((y + 0.5) * side)))
            for x in range(5) for y in range(5)}
    assert min(seen, key=seen.get) == 7


# The command and the note


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["figures", *map(str, arguments)])
    command.main()


def test_bad_input_is_refused_in_one_sentence(monkeypatch, tmp_path):
    for arguments, sentence in {
        "gian": "Did you mean gain",
        "gain svm": "names of methods",
        "similarities toy-objects": "takes no 'toy-objects'",
        "nearest-words": "needs prompt files",
        "attention": "needs prompt files",
        "sphere": "one or more prompt files",
        "sphere nowhere/prompt.pt": "There is no prompt file",
        "confusion": "takes a data set",
        "confusion toy-object": "Did you mean toy-objects",
        "confusion eurosat": "give --data-root",
        "prompts-compared toy-glyphs": "has wordings for",
        "new-classes coop": "takes two methods",
        "tree --model RN50": "tree takes no --model",
        "sphere prompt.pt --dataset dtd": "sphere takes no --dataset",
        "gain --paper upt": "no few-shot results: run .* --model ViT-B/16",
        "film toy-scenes --classes a,b": "takes three of",
    }.items():
        with pytest.raises(ValueError, match=sentence):
            call(monkeypatch, *arguments.split(), "--out", tmp_path)


def test_the_command_draws_into_its_folder_from_rows_and_from_a_real_benchmark(
    monkeypatch, tmp_path, capsys
):
    rows, lines = tmp_path / "rows.jsonl", {"train": [], "val": [], "test": []}
    rows.write_text("\n".join(json.dumps(row) for row in few_shot_rows()))
    call(monkeypatch, "gain", "upt", "--results", rows, "--out", tmp_path / "new")
    assert "toy-vehicles +6.5" in capsys.readouterr().out
    for label, colour in enumerate(["red", "green", "blue", "black"]):  # a small EuroSAT
        for number, part in enumerate(lines):
            path = tmp_path / "eurosat/2750" / colour / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 40), colour).save(path)
            lines[part].append([f"{colour}/{number}.png", label, colour])
    (tmp_path / "eurosat/split_zhou_EuroSAT.json").write_text(json.dumps(lines))
    for arguments in (["confusion", "eurosat"], ["prompts-compared", "eurosat"],
                      ["similarities", "--dataset", "eurosat", "toy-objects"]):
        call(monkeypatch, *arguments, "--data-root", tmp_path, "--out", tmp_path / "new")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"gain.svg", "confusion-eurosat-zero-shot.svg", "prompts-compared.png",
                     "similarities.png"}


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
    for page in ("clip", "coop", "cocoop", "vpt", "upt"):
        text = (ROOT / "notes" / f"{page if page != 'vpt' else 'upt'}.md").read_text("utf-8")
        assert f"(figures/method-{page}.svg)" in text


def vectors_of(svg):
    """An SVG without the pixels in it, which another version of zlib packs otherwise."""
    return re.sub(rb'href="data:[^"]*"', b"", svg)


def test_the_committed_pictures_are_what_the_committed_rows_draw(capsys):
    own = {name: HERE / "ablations.jsonl" for name in ("initialisation", "context-length")}
    for name in ("initialisation", "context-length", "gain", "new-classes", "methods", "tree"):
        rows = read_json_lines(own.get(name, ROOT / "notes" / "results.jsonl"))
        for picture, content in command.FIGURES[name]([], Flags(rows)).items():
            again = f"draw it again: python -m notes.figures {name}"
            assert vectors_of((HERE / picture).read_bytes()) == vectors_of(content), again
    capsys.readouterr()
    assert ablations.bigger_coop([], Flags(read_json_lines(HERE / "ablations.jsonl"))) == {}
    assert capsys.readouterr().out in (ROOT / "notes" / "figures.md").read_text(encoding="utf-8")
