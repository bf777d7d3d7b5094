"""Prompts in the layout of the published code give here the logits that they give there, and a file
that does not fit is refused in one sentence.
"""

import collections
import copy
import json
import warnings
import zipfile

import pytest
import torch

from clip_min import load_clip
from clip_min.files import save_tensors
from clip_min.tokenizer import OPENAI_FILE, Tokenizer, find_openai_merges
from prompts import METHODS
from prompts.runs import published
from prompts.runs.published import class_name, is_published, load, respell
from prompts.runs.store import load_learned
from tests.golden.weights import golden_tensor
from tests.helpers import GOLDEN, LEARNERS, NAMES, ROOT, learned, published_tokenizer

READ_BACK = ["cat", "yellow rose", "annual crop land", "dog"]
FOLDER = "nctx4_cscFalse_ctpend"  # as the published scripts name it
AFTER = ROOT / "tests" / "golden" / "after.json"
VARIANTS = [
    ("coop", dict(n_ctx=4)),
    ("coop", dict(n_ctx=5, class_token_position="middle")),
    ("coop", dict(n_ctx=3, class_token_position="front")),
    ("coop", dict(n_ctx=4, class_specific=True)),
    ("coop", dict(n_ctx=2, class_specific=True, class_token_position="middle")),
    ("cocoop", dict(n_ctx=3, ctx_init=None)),
]


def cases_after():
    """tests/golden/after.json → list of (method, name of a case) of the methods that are here."""
    found = json.loads(AFTER.read_text()) if AFTER.exists() else {}
    methods = [method for method in ("kgcoop", "maple", "promptsrc") if method in METHODS]
    return [(method, case) for method in methods for case in found.get(method, {})]


@pytest.fixture
def named_clip(clip, monkeypatch):
    """A CLIP with the name and the SHA-256 that `load_clip` gives."""
    monkeypatch.setattr(clip, "name", "small", raising=False)
    monkeypatch.setattr(clip, "sha256", 64 * "0", raising=False)
    return clip


@pytest.fixture(scope="module")
def tiny():
    return load_clip("tiny")


@pytest.fixture
def original(tiny):
    torch.manual_seed(0)
    return METHODS["coop"](tiny, NAMES, n_ctx=4)


@pytest.fixture
def file(original, tmp_path):
    (tmp_path / FOLDER).mkdir()
    return write(published_tensors(original), tmp_path / FOLDER / "model.pth.tar-50")


def frozen_tensors(clip, M, classnames, words=()):
    """The words around a context of M vectors, whose last tokens after the M-th are `words`."""
    texts = [f"{name.replace('_', ' ')}." for name in classnames]
    tokens = clip.tokenizer(texts, clip.context_length - M - len(words))
    kept = torch.tensor([words], dtype=tokens.dtype).reshape(1, -1).expand(len(texts), -1)
    tokens = torch.cat([tokens[:, :1], tokens[:, :1].expand(-1, M), kept, tokens[:, 1:]], dim=1)
    embedded = clip.token_embedding(tokens).detach()  # [K, L, D_t]; there, M times "X"
    return {"token_prefix": embedded[:, :1], "token_suffix": embedded[:, 1 + M :]}


def published_tensors(method, dtype=torch.float32, classnames=NAMES):
    """The state dict of CoOp's and CoCoOp's PromptLearner, after the same method here."""
    own = {name: p.detach() for name, p in learned(method).items()}
    tensors = own | frozen_tensors(method.clip, method.ctx.shape[-2], classnames)
    return collections.OrderedDict((name, x.clone().to(dtype)) for name, x in tensors.items())


def write(tensors, path):
    """As Dassl's save_checkpoint writes it, with an optimizer and with a schedule that holds Python
    objects.
    """
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(3))], lr=0.002, momentum=0.9)
    optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
    optimizer.step()
    successor = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    content = {"state_dict": tensors, "epoch": 50, "optimizer": optimizer.state_dict()}
    content |= {"scheduler": {"successor": successor, "last_epoch": 50}, "val_result": None}
    torch.save(content, path)
    return path


def rebuilt(prompt, clip, classnames=None):
    """A prompt's dict → its method."""
    names = classnames or prompt["classnames"]
    method = METHODS[prompt["method"]](clip, names, **prompt["options"])
    assert all(x.dtype == torch.float32 for x in prompt["learned"].values())
    load_learned(method, prompt["learned"], "the file")
    return method


@torch.no_grad()
@pytest.mark.parametrize("name, options", VARIANTS, ids=str)
def test_a_published_prompt_gives_the_logits_of_its_method(named_clip, tmp_path, name, options):
    torch.manual_seed(0)
    original = METHODS[name](named_clip, NAMES, **options)
    (tmp_path / FOLDER).mkdir()
    features = torch.randn(5, named_clip.text_projection.shape[1])
    position = {}
    if name == "coop":
        position["class_token_position"] = options.get("class_token_position", "end")
    told = dict(n_ctx=options["n_ctx"], ctx_init=None, **position)
    if name == "coop":
        told["class_specific"] = options.get("class_specific", False)
    for dtype in (torch.float32, torch.float16):
        for parameter in learned(original).values():
            parameter.data = torch.randn_like(parameter).to(dtype).float()
        path = tmp_path / FOLDER / "model.pth.tar-50"
        write(published_tensors(original, dtype), path)
        prompt = load(path, name, named_clip, position)
        logits = rebuilt(prompt, named_clip).classify(features)
        assert (logits - original.classify(features)).abs().max() < 1e-5
        assert (prompt["classnames"], prompt["options"]) == (READ_BACK, told)
        assert (prompt["model"], prompt["sha256"]) == (named_clip.name, named_clip.sha256)
        assert {prompt[key] for key in ("dataset", "shots", "seed")} == {None}
        assert prompt["classes"] == "all"
        assert load(path, None, named_clip, position)["method"] == name


def give_tokenizer(clip, tokenizer, classnames, monkeypatch):
    """A golden CLIP gets a tokenizer that knows these names' tokens, and from these the texts."""
    texts = [f"{name.replace('_', ' ')}." for name in classnames]
    names_of = {tuple(tokenizer.encode(text)): text for text in texts}
    tokenizer.decode = lambda ids: names_of[tuple(ids)]
    for key, value in dict(tokenizer=tokenizer, name="golden", sha256="0").items():
        monkeypatch.setattr(clip, key, value, raising=False)


@torch.no_grad()
@pytest.mark.parametrize("case", [case for case in LEARNERS["cases"] if not case.endswith("init")])
def test_the_published_logits_survive_the_way_through_a_file(
    golden_clip, monkeypatch, tmp_path, case
):
    """CoOp Eqs. (2) to (4) and CoCoOp Eq. (3), against tests/golden/prompt_learners.json."""
    expected, name = LEARNERS["cases"][case], case.split(".")[0]
    tokenizer = published_tokenizer(golden_clip.tokenizer)
    give_tokenizer(golden_clip, tokenizer, LEARNERS["classnames"], monkeypatch)
    keys = ("class_token_position", "class_specific")
    options = {key: expected[key] for key in keys} if name == "coop" else dict(ctx_init=None)
    n_ctx = expected["n_ctx"]
    original = METHODS[name](golden_clip, LEARNERS["classnames"], n_ctx=n_ctx, **options)
    for key, parameter in learned(original).items():
        parameter.data = golden_value(f"{case}.{key}", parameter.shape, key == "ctx")
    path = tmp_path / "model.pth.tar-200"
    write(published_tensors(original, classnames=LEARNERS["classnames"]), path)
    given = {key: value for key, value in options.items() if key == "class_token_position"}
    logits = rebuilt(load(path, name, golden_clip, given), golden_clip)(golden_images())
    assert (logits - torch.tensor(expected["logits"])).abs().max() < 1e-3


@torch.no_grad()
@pytest.mark.parametrize("name, case", cases_after())
def test_published_logits_of_kgcoop_maple_and_promptsrc_survive_it_too(
    golden_clip, monkeypatch, tmp_path, name, case
):
    """tests/golden/after.json, in the names under which the published code saves."""
    content = json.loads(AFTER.read_text())
    expected, classnames = content[name][case], content["classnames"]
    tokenizer = copy.copy(golden_clip.tokenizer)
    tokenizer.encode = content["token_ids"].__getitem__
    give_tokenizer(golden_clip, tokenizer, classnames, monkeypatch)
    n_ctx, D_t = expected.get("n_ctx", expected.get("n_ctx_text")), len(golden_clip.ln_final.weight)
    words = content["token_ids"]["a photo of a"]
    kept = words[n_ctx:] if expected.get("ctx_init") else []
    tensors = frozen_tensors(golden_clip, n_ctx, classnames, kept)
    for key, shape in expected.get("params", {"ctx": [n_ctx, D_t]}).items():
        is_prompt = "weight" not in key and "bias" not in key
        tensors[key] = golden_value(f"{case}.{key}", shape, is_prompt)
    if expected["first_words"]:
        tensors["ctx"] = golden_clip.token_embedding.weight[words[:n_ctx]]
    more = {}
    if name == "kgcoop":
        tensors["bias_vectors"] = torch.zeros(1, 512)
    else:  # the whole CLIP is in the file
        inside = ("ctx", "token_", "proj", "compound")
        tensors = {f"prompt_learner.{key}" if key.startswith(inside) else key: x
                   for key, x in tensors.items()}
        tensors["image_encoder.proj"] = golden_clip.visual.proj
    if name == "promptsrc":
        more["templates"] = "dataset"  # of the loss; the tokenizer does not know the sixty
    prompt = load(write(tensors, tmp_path / "model.pth.tar-5"), None, golden_clip, more)
    assert prompt["method"] == name
    assert prompt["classnames"] == [each.replace("_", " ") for each in classnames]
    logits = rebuilt(prompt, golden_clip, classnames)(golden_images())
    assert (logits - torch.tensor(expected["logits"])).abs().max() < 1e-3


def golden_value(name, shape, is_prompt):
    """A tensor of the golden files: prompts are small pictures, all else weights."""
    if is_prompt:
        return 0.2 * golden_tensor(name, tuple(shape), kind="image")
    return golden_tensor(name, tuple(shape))


def golden_images():
    image = GOLDEN["vit"]["image"]
    return golden_tensor(image["name"], image["shape"], kind="image")


# Class names


def test_the_names_may_be_given_the_spelling_of_a_data_set_with_the_same_tokens(file, tiny):
    prompt = load(file, "coop", tiny, {})
    ours = ["Cat", "yellow_rose", "Annual Crop Land", "dog"]
    assert respell(prompt, ours, tiny.tokenizer) == prompt | dict(classnames=ours)
    for others in (ours[::-1], ours[:3], ["Cat", "yellowrose", "annual crop land", "dog"]):
        assert respell(prompt, others, tiny.tokenizer) is prompt


def test_a_name_is_read_back_up_to_its_full_stop(golden_clip):
    tokenizer = golden_clip.tokenizer
    for name, back in [("F-16A/B", "f - 1 6 a / b"), ("St. Mary's", "st . mary 's"),
                       ("What?!", "what ?!"), ("café", "café"), ("Pomacea No.", "pomacea no .")]:
        ids = tokenizer.encode(f"{name}.")
        assert class_name("file", ids, tokenizer) == back
        assert tokenizer.encode(f"{back}.") == ids
    broken = [*tokenizer.encode("é")[:1], *tokenizer.encode(".")]
    for ids in (tokenizer.encode("cat"), broken):
        with pytest.raises(ValueError, match="tokenizer reads otherwise: put the merges"):
            class_name("file", ids, tokenizer)


def test_the_names_of_a_vocabulary_of_49408_words_are_read_back():
    """Cars, with their digits and hyphens."""
    path = find_openai_merges() or ROOT.parent / "shared" / "vocab" / OPENAI_FILE
    if not path.is_file():
        pytest.skip(f"{OPENAI_FILE} is not on this computer (in $CLIP_MIN_CACHE or ~/.cache/clip)")
    tokenizer = Tokenizer(path)
    for name in ("2012 Ram C/V Cargo Van Minivan", "ruby-lipped cattleya", "colt's foot"):
        ids = tokenizer.encode(f"{name}.")
        assert tokenizer.encode(class_name("file", ids, tokenizer) + ".") == ids


def test_words_stay_before_the_name_only_where_all_classes_have_them(tiny):
    """MaPLe learns "a photo" and keeps "of a"; a class may be called "of a kind"."""
    encode, words = tiny.tokenizer.encode, "a photo of a"
    n = len(encode("a photo"))
    cat, dog = encode("cat."), encode("dog.")
    kept = encode(words)[n:]
    both = [[*kept, *cat], [*kept, *dog]]
    assert published.without_words(both, n, words, tiny.tokenizer) == (words, [cat, dog])
    for ids, n_ctx, given in [([both[0], dog], n, words), (both, n, None), (both, 5, words)]:
        assert published.without_words(ids, n_ctx, given, tiny.tokenizer) == (None, ids)


# Where the class token stands


@torch.no_grad()
def test_the_class_token_stands_where_the_name_of_the_folder_says(tmp_path, tiny):
    """CoOp Eq. (4): the file itself does not tell it."""
    for position in ("end", "middle", "front"):
        torch.manual_seed(0)
        original = METHODS["coop"](tiny, NAMES, n_ctx=4, class_token_position=position)
        folder = tmp_path / f"nctx4_cscFalse_ctp{position}" / "seed1" / "prompt_learner"
        folder.mkdir(parents=True)
        path = write(published_tensors(original), folder / "model.pth.tar-50")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            prompt = load(path, None, tiny, {})
            by_hand = load(path, None, tiny, dict(class_token_position="front"))
        assert prompt["options"]["class_token_position"] == position
        assert by_hand["options"]["class_token_position"] == "front"
        features = torch.randn(5, tiny.text_projection.shape[1])
        logits = rebuilt(prompt, tiny).classify(features)
        assert (logits - original.classify(features)).abs().max() < 1e-5


def test_a_path_that_does_not_say_where_the_class_token_stands_gives_a_note(
    tmp_path, tiny, original, monkeypatch
):
    path = write(published_tensors(original), tmp_path / "model.pth.tar-50")
    with pytest.warns(UserWarning, match="does not say where the class token stands, so the end"):
        assert "class_token_position" not in load(path, None, tiny, {})["options"]
    (tmp_path / "x_ctpmiddle").mkdir()
    monkeypatch.chdir(tmp_path / "x_ctpmiddle")  # and the path is relative
    path = write(published_tensors(original), "model.pth.tar-50")
    assert load(path, None, tiny, {})["options"]["class_token_position"] == "middle"
    cocoop = write(published_tensors(METHODS["cocoop"](tiny, NAMES)), tmp_path / "model.pth.tar-50")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # CoCoOp's stands at the end
        assert load(cocoop, None, tiny, {})["options"] == dict(n_ctx=4, ctx_init=None)


# Files that do not fit


def test_a_published_file_is_known_by_its_name_or_its_content(file, tmp_path):
    content = file.read_bytes()
    ours = tmp_path / "prompt.pt"
    save_tensors(ours, dict(method="coop", learned={"ctx": torch.ones(4, 8)}))
    assert is_published(file) and is_published("elsewhere/model-best.pth.tar")
    assert is_published(file.rename(tmp_path / "renamed.pt"))
    assert not is_published(ours) and not is_published(tmp_path / "not there.pt")
    (tmp_path / "short.pt").write_bytes(content[:3000])
    assert not is_published(tmp_path / "short.pt")


def refusal(tensors, tmp_path, clip, method=None, **options):
    path = tmp_path / "model.pth.tar-1"
    write(tensors, path)
    with pytest.raises(ValueError) as error:
        rebuilt(load(path, method, clip, options), clip)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_method_or_an_option_that_the_file_contradicts_is_refused(original, tmp_path, tiny, file):
    coop, cocoop = published_tensors(original), published_tensors(METHODS["cocoop"](tiny, NAMES))
    assert "a prompt of coop: give --method coop, not cocoop" in refusal(
        coop, tmp_path, tiny, "cocoop")
    assert "a prompt of cocoop: give --method cocoop, not coop" in refusal(
        cocoop, tmp_path, tiny, "coop")
    kgcoop = coop | {"bias_vectors": torch.ones(1, 512), "meta_net.linear1.weight": torch.ones(2)}
    assert "a prompt of kgcoop" in refusal(kgcoop, tmp_path, tiny, "coop")
    assert "says n_ctx=4, not 16" in refusal(coop, tmp_path, tiny, n_ctx=16)
    complaint = refusal(coop, tmp_path, tiny, class_specific=True)
    assert "says class_specific=False, not True" in complaint and "model.pth.tar-1" in complaint
    assert load(file, "coop", tiny, dict(n_ctx=4))["options"]["n_ctx"] == 4


def test_a_prompt_of_another_clip_is_refused(original, tmp_path, tiny):
    tensors = published_tensors(original)
    wide = {name: torch.cat([x, x], dim=-1) for name, x in tensors.items()}
    assert "ctx is [4, 256], and [4, 128] would fit tiny: give --model" in refusal(
        wide, tmp_path, tiny)
    strange, no_end = copy.deepcopy(tensors), copy.deepcopy(tensors)
    strange["token_suffix"][2, 0] *= 1.01
    no_end["token_suffix"][1] = no_end["token_suffix"][1, :1]  # the first token all along
    for other in (tensors | {"token_suffix": 1.01 * tensors["token_suffix"]}, strange, no_end):
        assert "other word embeddings than tiny" in refusal(other, tmp_path, tiny)
    other = tensors | {"token_prefix": 1.01 * tensors["token_prefix"]}
    assert "another embedding of [SOS]" in refusal(other, tmp_path, tiny)


def test_a_part_that_is_missing_or_of_another_shape_or_kind_is_refused(original, tmp_path, tiny):
    tensors = published_tensors(original)
    for name in ("ctx", "token_prefix", "token_suffix"):
        rest = {other: x for other, x in tensors.items() if other != name}
        assert f"has no tensor {name}, but " in refusal(rest, tmp_path, tiny)
    for name, cut in [("token_suffix", lambda x: x[:, :-1]), ("token_suffix", lambda x: x[0, 0, 0]),
                      ("token_prefix", lambda x: x[:-1]), ("ctx", lambda x: x[:-1]),
                      ("ctx", lambda x: x[0]), ("ctx", lambda x: x[0, 0]),
                      ("ctx", lambda x: x.expand(3, -1, -1)),
                      ("ctx", lambda x: x.expand(1, 4, -1, -1))]:
        cut_off = tensors | {name: cut(tensors[name]).clone()}
        assert "would fit tiny" in refusal(cut_off, tmp_path, tiny)
    cocoop = published_tensors(METHODS["cocoop"](tiny, NAMES))
    specific = cocoop | {"ctx": cocoop["ctx"].repeat(len(NAMES), 1, 1)}
    narrow = cocoop | {"meta_net.linear2.bias": torch.ones(1)}
    for other in (specific, narrow):
        assert "not those of CoCoOp with its options" in refusal(other, tmp_path, tiny)
    del cocoop["meta_net.linear2.bias"]
    assert "no tensor meta_net.linear2.bias" in refusal(cocoop, tmp_path, tiny)
    whole = tensors | {"ctx": tensors["ctx"].long()}
    assert "ctx of decimal numbers" in refusal(whole, tmp_path, tiny)
    tensors["ctx"][1, 1] = float("nan")
    assert "numbers that are not finite" in refusal(tensors, tmp_path, tiny)
    with pytest.raises(ValueError, match="There is no prompt file"):
        load(tmp_path / "model.pth.tar-50", "coop", tiny, {})


# Odd files


def test_an_odd_file_is_one_sentence(tmp_path, tiny):
    endless = torch.nn.Module()
    endless.add_module("itself", endless)
    sparse = torch.ones(4, 8).to_sparse()
    path = tmp_path / "model.pth.tar-1"
    for content in [{"state_dict": endless}, {"state_dict": {"ctx": endless}}, {"state_dict": []},
                    {"state_dict": {"ctx": 4}}, {"state_dict": {1: torch.ones(4, 8)}},
                    [torch.ones(3)], {"state_dict": {"ctx": sparse}}]:
        torch.save(content, path)
        with pytest.raises(ValueError) as error:
            load(path, None, tiny, {})
        assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_whatever_the_reader_raises_is_one_sentence(monkeypatch, file, tiny):
    for error in (RecursionError("deep"), AttributeError("x"), TypeError("x")):
        def read(path, error=error):
            raise error

        monkeypatch.setattr(published, "read_tensors", read)
        with pytest.raises(ValueError, match=f"prompt .{type(error).__name__}.: save it"):
            load(file, None, tiny, {})


def test_a_zip_that_grows_is_not_unpacked_to_look_into_it(tmp_path, monkeypatch):
    path = tmp_path / "prompt.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 10_000_000 + b"token_suffix")
    read, sizes = zipfile.ZipExtFile.read, []

    def read_and_count(self, n=-1):
        data = read(self, n)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", read_and_count)
    assert not is_published(path)
    assert sizes and max(sizes) <= published.PICKLE_BYTES
