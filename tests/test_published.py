"""Prompts in the layout of KaiyangZhou/CoOp give here the logits that they give there."""

import collections
import copy
import doctest
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
from tests.golden.weights import golden_tensor
from tests.helpers import GOLDEN, LEARNERS, NAMES, ROOT, learned, published_tokenizer

READ_BACK = ["cat", "yellow rose", "annual crop land", "dog"]
FOLDER = "nctx4_cscFalse_ctpend"  # as the published scripts name it
VARIANTS = [
    ("coop", dict(n_ctx=4)),
    ("coop", dict(n_ctx=5, class_token_position="middle")),
    ("coop", dict(n_ctx=3, class_token_position="front")),
    ("coop", dict(n_ctx=4, class_specific=True)),
    ("coop", dict(n_ctx=2, class_specific=True, class_token_position="middle")),
    ("cocoop", dict(n_ctx=3, ctx_init=None)),
]


@pytest.fixture
def named_clip(clip, monkeypatch):
    """A CLIP with the name and the SHA-256 that `load_clip` gives."""
    monkeypatch.setattr(clip, "name", "small", raising=False)
    monkeypatch.setattr(clip, "sha256", 64 * "0", raising=False)
    return clip


def published_tensors(method, dtype=torch.float32, classnames=NAMES):
    """The state dict of their PromptLearner, after the same method here."""
    clip, M = method.clip, method.ctx.shape[-2]
    tokens = clip.tokenizer(
        [f"{name.replace('_', ' ')}." for name in classnames], clip.context_length - M
    )
    tokens = torch.cat(
        [tokens[:, :1], tokens[:, :1].expand(-1, M), tokens[:, 1:]], dim=1
    )  # there: M times "X"
    words = clip.token_embedding(tokens)  # [K, L, D_t]
    tensors = {
        "ctx": method.ctx.detach(),
        "token_prefix": words[:, :1],
        "token_suffix": words[:, 1 + M :],
    }
    tensors |= {name: p.detach() for name, p in learned(method).items() if name != "ctx"}
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


def rebuilt(prompt, clip):
    """A prompt's dict → its method."""
    method = METHODS[prompt["method"]](clip, prompt["classnames"], **prompt["options"])
    assert {n: p.shape for n, p in learned(method).items()} == {
        n: x.shape for n, x in prompt["learned"].items()
    }
    for name, parameter in learned(method).items():
        assert prompt["learned"][name].dtype == torch.float32
        parameter.data = prompt["learned"][name]
    return method


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


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("name, options", VARIANTS, ids=str)
def test_a_published_prompt_gives_the_logits_of_its_method(
    named_clip, tmp_path, name, options, dtype
):
    torch.manual_seed(0)
    original = METHODS[name](named_clip, NAMES, **options)
    for parameter in learned(original).values():
        parameter.data = torch.randn_like(parameter).to(dtype).float()
    (tmp_path / FOLDER).mkdir()
    path = write(published_tensors(original, dtype), tmp_path / FOLDER / "model.pth.tar-50")
    position = (
        {"class_token_position": options.get("class_token_position", "end")}
        if name == "coop"
        else {}
    )
    prompt = load(path, name, named_clip, position)
    features = torch.randn(5, named_clip.text_projection.shape[1])
    assert (
        rebuilt(prompt, named_clip).classify(features) - original.classify(features)
    ).abs().max() < 1e-5
    assert prompt["classnames"] == READ_BACK
    told = dict(n_ctx=options["n_ctx"], ctx_init=None)
    told |= dict(class_specific=options.get("class_specific", False)) if name == "coop" else {}
    assert prompt["options"] == told | position
    assert (prompt["model"], prompt["sha256"]) == (named_clip.name, named_clip.sha256)
    assert (
        all(prompt[key] is None for key in ("dataset", "shots", "seed"))
        and prompt["classes"] == "all"
    )
    assert prompt["method"] == load(path, None, named_clip, position)["method"] == name


@torch.no_grad()
@pytest.mark.parametrize("case", [case for case in LEARNERS["cases"] if not case.endswith("init")])
def test_the_published_logits_survive_the_way_through_a_file(
    golden_clip, monkeypatch, tmp_path, case
):
    """CoOp Eqs. (2) to (4) and CoCoOp Eq. (3), against tests/golden/prompt_learners.json."""
    expected, name = LEARNERS["cases"][case], case.split(".")[0]
    tokenizer = published_tokenizer(golden_clip.tokenizer)
    texts = [f"{name.replace('_', ' ')}." for name in LEARNERS["classnames"]]
    names_of = {tuple(tokenizer.encode(text)): text for text in texts}
    tokenizer.decode = lambda ids: names_of[tuple(ids)]
    for key, value in dict(tokenizer=tokenizer, name="golden", sha256="0").items():
        monkeypatch.setattr(golden_clip, key, value, raising=False)
    keys = ("class_token_position", "class_specific")
    options = {key: expected[key] for key in keys} if name == "coop" else dict(ctx_init=None)
    original = METHODS[name](
        golden_clip, LEARNERS["classnames"], n_ctx=expected["n_ctx"], **options
    )
    for key, parameter in learned(original).items():
        kind = dict(kind="image") if key == "ctx" else {}
        parameter.data = (0.2 if key == "ctx" else 1) * golden_tensor(
            f"{case}.{key}", tuple(parameter.shape), **kind
        )
    path = write(
        published_tensors(original, classnames=LEARNERS["classnames"]),
        tmp_path / "model.pth.tar-200",
    )
    given = {key: value for key, value in options.items() if key == "class_token_position"}
    image = GOLDEN["vit"]["image"]
    logits = rebuilt(load(path, name, golden_clip, given), golden_clip)(
        golden_tensor(image["name"], image["shape"], kind="image")
    )
    assert (logits - torch.tensor(expected["logits"])).abs().max() < 1e-3


def test_the_names_may_be_given_the_spelling_of_a_data_set_with_the_same_tokens(file, tiny):
    prompt = load(file, "coop", tiny, {})
    ours = ["Cat", "yellow_rose", "Annual Crop Land", "dog"]
    assert respell(prompt, ours, tiny.tokenizer) == prompt | dict(classnames=ours)
    for others in (ours[::-1], ours[:3], ["Cat", "yellowrose", "annual crop land", "dog"]):
        assert respell(prompt, others, tiny.tokenizer) is prompt


@pytest.mark.parametrize(
    "name, back",
    [
        ("F-16A/B", "f - 1 6 a / b"),
        ("St. Mary's", "st . mary 's"),
        ("What?!", "what ?!"),
        ("café", "café"),
        ("Pomacea No.", "pomacea no ."),
    ],
)
def test_a_name_is_read_back_up_to_its_full_stop(golden_clip, name, back):
    ids = golden_clip.tokenizer.encode(f"{name}.")
    assert class_name("file", ids, golden_clip.tokenizer) == back
    assert golden_clip.tokenizer.encode(f"{back}.") == ids


def test_the_names_of_a_vocabulary_of_49408_words_are_read_back():
    """Cars, with their digits and hyphens."""
    path = find_openai_merges() or ROOT.parent / "shared" / "vocab" / OPENAI_FILE
    if not path.is_file():
        pytest.skip(
            f"{OPENAI_FILE} is not on this computer (put it in $CLIP_MIN_CACHE or ~/.cache/clip)"
        )
    tokenizer = Tokenizer(path)
    for name in (
        "2012 Ram C/V Cargo Van Minivan",
        "ruby-lipped cattleya",
        "black-eyed susan",
        "colt's foot",
    ):
        ids = tokenizer.encode(f"{name}.")
        assert tokenizer.encode(class_name("file", ids, tokenizer) + ".") == ids


def test_names_that_this_tokenizer_reads_otherwise_are_refused(golden_clip):
    tokenizer = golden_clip.tokenizer
    without_stop, broken = (
        tokenizer.encode("cat"),
        [*tokenizer.encode("é")[:1], *tokenizer.encode(".")],
    )
    for ids in (without_stop, broken):
        with pytest.raises(ValueError, match="tokenizer reads otherwise: put the merges"):
            class_name("file", ids, tokenizer)


def test_a_published_file_is_known_by_its_name_or_its_content(file, tmp_path):
    content = file.read_bytes()
    ours = tmp_path / "prompt.pt"
    save_tensors(ours, dict(method="coop", learned={"ctx": torch.ones(4, 8)}))
    assert is_published(file) and is_published("elsewhere/model-best.pth.tar")
    assert is_published(file.rename(tmp_path / "renamed.pt"))
    assert not is_published(ours) and not is_published(tmp_path / "not there.pt")
    (tmp_path / "short.pt").write_bytes(content[:3000])
    assert not is_published(tmp_path / "short.pt")


# --- files that do not fit ---


def refusal(tensors, tmp_path, clip, method=None, **options):
    path = tmp_path / "model.pth.tar-1"
    write(tensors, path)
    with pytest.raises(ValueError) as error:
        load(path, method, clip, options)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    return str(error.value)


def test_a_method_that_the_file_contradicts_is_refused(original, tmp_path, tiny):
    coop = published_tensors(original)
    cocoop = published_tensors(METHODS["cocoop"](tiny, NAMES))
    assert "no meta_net: give --method coop, not cocoop" in refusal(coop, tmp_path, tiny, "cocoop")
    assert "a meta_net: give --method cocoop, not coop" in refusal(cocoop, tmp_path, tiny, "coop")
    assert "give --method coop or cocoop, not upt" in refusal(coop, tmp_path, tiny, "upt")


def test_options_that_the_file_contradicts_are_refused(original, tmp_path, tiny, file):
    assert "says n_ctx=4, not 16" in refusal(published_tensors(original), tmp_path, tiny, n_ctx=16)
    complaint = refusal(published_tensors(original), tmp_path, tiny, class_specific=True)
    assert "says class_specific=False, not True" in complaint
    assert load(file, "coop", tiny, dict(n_ctx=4))["options"]["n_ctx"] == 4


@pytest.mark.parametrize("name", ["ctx", "token_prefix", "token_suffix"])
def test_a_file_without_one_of_its_tensors_is_refused(original, tmp_path, tiny, name):
    tensors = published_tensors(original)
    del tensors[name]
    assert f"has no tensor {name}, but " in refusal(tensors, tmp_path, tiny)


def test_a_prompt_of_another_clip_is_refused(original, tmp_path, tiny):
    tensors = published_tensors(original)
    wide = {name: torch.cat([x, x], dim=-1) for name, x in tensors.items()}
    assert "ctx is [4, 256], and [4, 128] would fit tiny: give --model" in refusal(
        wide, tmp_path, tiny
    )
    for name, what in (
        ("token_prefix", "another embedding of"),
        ("token_suffix", "other word embeddings than tiny"),
    ):
        other = copy.deepcopy(tensors)
        other[name] *= 1.01
        assert what in refusal(other, tmp_path, tiny)
    strange = copy.deepcopy(tensors)
    strange["token_suffix"][2, 0] *= 1.01
    assert "other word embeddings" in refusal(strange, tmp_path, tiny)
    no_end = copy.deepcopy(tensors)
    no_end["token_suffix"][1] = no_end["token_suffix"][1, :1]  # the first token all along
    assert "other word embeddings" in refusal(no_end, tmp_path, tiny)


@pytest.mark.parametrize(
    "name, cut",
    [
        ("token_suffix", lambda x: x[:, :-1]),
        ("token_suffix", lambda x: x[0, 0, 0]),
        ("token_prefix", lambda x: x[:-1]),
        ("ctx", lambda x: x[:-1]),
        ("ctx", lambda x: x[0]),
        ("ctx", lambda x: x[0, 0]),
        ("ctx", lambda x: x.expand(3, -1, -1)),
        ("ctx", lambda x: x.expand(1, 4, -1, -1)),
    ],
)
def test_shapes_that_contradict_each_other_are_refused(original, tmp_path, tiny, name, cut):
    tensors = published_tensors(original)
    tensors[name] = cut(tensors[name]).clone()
    assert "would fit tiny" in refusal(tensors, tmp_path, tiny)


def test_a_meta_net_of_another_shape_or_without_a_part_is_refused(tmp_path, tiny):
    tensors = published_tensors(METHODS["cocoop"](tiny, NAMES))
    specific = tensors | {"ctx": tensors["ctx"].repeat(len(NAMES), 1, 1)}
    assert "ctx is [4, " in refusal(specific, tmp_path, tiny)
    del tensors["meta_net.linear2.bias"]
    assert "meta_net.linear2.bias is missing" in refusal(tensors, tmp_path, tiny)
    tensors["meta_net.linear2.bias"] = torch.ones(1)
    assert "meta_net.linear2.bias is [1], and [128] would fit" in refusal(tensors, tmp_path, tiny)


def test_a_missing_file_is_reported(tiny, tmp_path):
    with pytest.raises(ValueError, match="There is no prompt file"):
        load(tmp_path / "model.pth.tar-50", "coop", tiny, {})


# --- where the class token stands ---


@torch.no_grad()
@pytest.mark.parametrize("position", ["end", "middle", "front"])
def test_the_class_token_stands_where_the_name_of_the_folder_says(tmp_path, tiny, position):
    """CoOp Eq. (4): the file itself does not tell it."""
    torch.manual_seed(0)
    original = METHODS["coop"](tiny, NAMES, n_ctx=4, class_token_position=position)
    folder = tmp_path / f"nctx4_cscFalse_ctp{position}" / "seed1" / "prompt_learner"
    folder.mkdir(parents=True)
    path = write(published_tensors(original), folder / "model.pth.tar-50")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prompt = load(path, None, tiny, {})
        by_hand = load(path, None, tiny, dict(class_token_position="front"))
        elsewhere = write(published_tensors(original), tmp_path / "model.pth.tar-50")
        load(elsewhere, None, tiny, dict(class_token_position=position))
    assert prompt["options"]["class_token_position"] == position
    assert by_hand["options"]["class_token_position"] == "front"
    features = torch.randn(5, tiny.text_projection.shape[1])
    assert (
        rebuilt(prompt, tiny).classify(features) - original.classify(features)
    ).abs().max() < 1e-5


def test_a_path_that_does_not_say_where_the_class_token_stands_gives_a_note(
    tmp_path, tiny, original, monkeypatch
):
    path = write(published_tensors(original), tmp_path / "model.pth.tar-50")
    with pytest.warns(
        UserWarning, match="does not say where the class token stands, so the end is taken"
    ):
        assert "class_token_position" not in load(path, None, tiny, {})["options"]
    (tmp_path / "x_ctpmiddle").mkdir()
    monkeypatch.chdir(tmp_path / "x_ctpmiddle")  # and the path is relative
    path = write(published_tensors(original), "model.pth.tar-50")
    assert load(path, None, tiny, {})["options"]["class_token_position"] == "middle"


def test_cocoop_has_no_position_and_no_note(tmp_path, tiny):
    path = write(published_tensors(METHODS["cocoop"](tiny, NAMES)), tmp_path / "model.pth.tar-50")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(path, None, tiny, {})["options"] == dict(n_ctx=4, ctx_init=None)


# --- odd files ---


def endless():
    module = torch.nn.Module()
    module.add_module("itself", module)
    return module


@pytest.mark.parametrize(
    "content",
    [
        lambda: {"state_dict": endless()},
        lambda: {"state_dict": {"ctx": endless()}},
        lambda: {"state_dict": []},
        lambda: {"state_dict": {"ctx": 4}},
        lambda: {"state_dict": {1: torch.ones(4, 8)}},
        lambda: [torch.ones(3)],
        lambda: {"state_dict": {"ctx": torch.ones(4, 8).to_sparse()}},
    ],
    ids=str,
)
def test_an_odd_file_is_one_sentence(tmp_path, tiny, content):
    path = tmp_path / "model.pth.tar-1"
    torch.save(content(), path)
    with pytest.raises(ValueError) as error:
        load(path, None, tiny, {})
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "error", [RecursionError("deep"), AttributeError("x"), TypeError("x")], ids=str
)
def test_whatever_the_reader_raises_is_one_sentence(monkeypatch, file, tiny, error):
    def read(path):
        raise error

    monkeypatch.setattr(published, "read_checkpoint", read)
    with pytest.raises(
        ValueError, match=f"cannot be read as a prompt of CoOp's code .{type(error).__name__}"
    ):
        load(file, None, tiny, {})


def test_tensors_of_whole_numbers_and_of_nan_are_refused(original, tmp_path, tiny):
    for name in ("ctx", "token_prefix", "token_suffix"):
        tensors = published_tensors(original)
        tensors[name] = tensors[name].long()
        assert f"{name} is of type torch.int64: it cannot be" in refusal(tensors, tmp_path, tiny)
    others = published_tensors(original) | {"steps": torch.ones(1, dtype=torch.int64)}
    (tmp_path / FOLDER).mkdir()
    load(write(others, tmp_path / FOLDER / "model.pth.tar-1"), None, tiny, {})  # which is not read
    tensors = published_tensors(original)
    tensors["ctx"][1, 1] = float("nan")
    assert "ctx holds numbers that are not finite: its training diverged" in refusal(
        tensors, tmp_path, tiny
    )


def test_a_zip_that_grows_is_not_unpacked_to_look_into_it(tmp_path, monkeypatch):
    path = tmp_path / "prompt.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 10_000_000 + b"token_suffix")
    read = zipfile.ZipExtFile.read
    sizes = []

    def read_and_count(self, n=-1):
        data = read(self, n)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", read_and_count)
    assert not is_published(path)
    assert sizes and max(sizes) <= published.PICKLE_BYTES


def test_the_examples_are_true():
    result = doctest.testmod(published)
    assert (result.attempted, result.failed) == (1, 0)
