"""The tokenizer: OpenAI's ids, and BPE learned as in Sennrich et al. 2016 (arXiv:1508.07909)."""

import copy
import doctest
import gzip
import json
import random
from pathlib import Path

import pytest
import torch

import clip_min.tokenizer
from clip_min.tokenizer import (
    OPENAI_FILE,
    OPENAI_VOCAB_SIZE,
    Tokenizer,
    byte_alphabet,
    clean,
    find_openai_merges,
    learn_merges,
    read_merges,
    save_merges,
    split_words,
)

TESTS = Path(__file__).parents[1]
GOLDEN = json.loads((TESTS / "golden" / "tokenizer.json").read_text(encoding="utf-8"))
# Word counts of the example in Sennrich et al. 2016, Algorithm 1.
SENNRICH = ["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3


@pytest.fixture(scope="module")
def openai_tokenizer():
    path = find_openai_merges() or TESTS.parent.parent / "shared" / "vocab" / OPENAI_FILE
    if not path.is_file():
        pytest.skip(
            f"{OPENAI_FILE} is not on this computer (put it in $CLIP_MIN_CACHE or ~/.cache/clip)"
        )
    return Tokenizer(path)


@pytest.fixture
def small_tokenizer(tmp_path):
    save_merges(learn_merges(SENNRICH, 100), tmp_path / "merges.txt")
    return Tokenizer(tmp_path / "merges.txt")


def random_texts(count, seed=0):
    """Texts of 0 to 30 characters in turn from ASCII, below U+3000, and all of Unicode."""
    rng = random.Random(seed)
    tops = [0x7F, 0x3000, 0x10FFFF] * count  # the last includes lone surrogates
    return [
        "".join(chr(rng.randint(0, top)) for _ in range(rng.randint(0, 30))) for top in tops[:count]
    ]


# OpenAI's vocabulary


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: ascii(case["text"])[:40])
def test_ids_equal_those_of_openai(openai_tokenizer, case):
    assert openai_tokenizer.encode(case["text"]) == case["ids"]


def test_openai_vocabulary_has_49408_words_and_the_special_ids_are_its_last_two(openai_tokenizer):
    assert openai_tokenizer.vocab_size == GOLDEN["vocab_size"] == 49408
    assert (
        (openai_tokenizer.sot, openai_tokenizer.eot)
        == (GOLDEN["sot"], GOLDEN["eot"])
        == (49406, 49407)
    )
    assert len(openai_tokenizer.encoder) == len(openai_tokenizer.decoder) == 49408


def test_openai_ids_decode_to_the_words_they_came_from(openai_tokenizer):
    assert openai_tokenizer.decode([320, 1125, 539, 320, 2368, 269]) == "a photo of a cat . "
    assert (
        openai_tokenizer.decode([49406, 320, 2368, 49407]) == "<|startoftext|>a cat <|endoftext|>"
    )


def test_a_caption_becomes_start_words_end_and_zeros_up_to_77(openai_tokenizer):
    tokens = openai_tokenizer("a cat")
    assert tokens.dtype == torch.int64 and tokens.shape == (1, 77)
    assert tokens[0, :5].tolist() == [49406, 320, 2368, 49407, 0] and tokens[0, 4:].sum() == 0


# Cleaning and bytes


def test_cleaning_repairs_unescapes_collapses_and_lowers():
    assert clean(" \tSÃ¡  &amp;lt;B&amp;gt;\r\n ") == "sá <b>"


def test_entities_are_resolved_twice_even_where_ftfy_leaves_them_alone():
    assert (
        clean("< &amp;amp;") == "< &"
    )  # ftfy takes a text with "<" for HTML and keeps its entities


def test_contractions_are_cut_off_whatever_their_case():
    assert split_words("IT'S they'll Don't") == ["it", "'s", "they", "'ll", "don", "'t"]
    assert split_words("it'ſx") == [
        "it",
        "'ſ",
        "x",
    ]  # the long s stays itself in lower case, yet matches s


def test_every_byte_has_its_own_visible_character():
    alphabet = byte_alphabet()
    assert sorted(alphabet) == list(range(256)) and len(set(alphabet.values())) == 256
    assert not any(char.isspace() or not char.isprintable() for char in alphabet.values())


# Learning merges


def test_merges_of_the_paper_example_come_in_the_order_worked_out_by_hand():
    assert learn_merges(SENNRICH, 100) == [
        *[("e", "s"), ("es", "t</w>")],  # 9 times: newest, widest
        *[("l", "o")],  # 7 times: low, lower
        *[("e", "w"), ("ew", "est</w>"), ("n", "ewest</w>")],  # 6 times; ties by the alphabet
        *[("lo", "w</w>")],  # 5 times
        *[("d", "est</w>"), ("i", "dest</w>"), ("w", "idest</w>")],  # 3 times
        *[("e", "r</w>"), ("lo", "w"), ("low", "er</w>")],  # twice
    ]


def test_learning_stops_at_the_number_asked_for_or_when_no_pair_occurs_twice():
    assert learn_merges(SENNRICH, 2) == [("e", "s"), ("es", "t</w>")]
    assert learn_merges(SENNRICH, 0) == learn_merges([], 5) == learn_merges(["abc def"], 5) == []


def test_learning_does_not_depend_on_the_order_of_the_texts():
    assert learn_merges(SENNRICH[::-1], 100) == learn_merges(SENNRICH, 100)


def test_learning_never_merges_inside_special_tokens_or_across_words():
    assert learn_merges(["<|endoftext|> a b"] * 9, 5) == []


def test_a_learned_word_is_one_id_and_an_unseen_word_is_made_of_learned_parts(small_tokenizer):
    assert small_tokenizer.encode("newest") == [small_tokenizer.encoder["newest</w>"]]
    parts = [small_tokenizer.decoder[i] for i in small_tokenizer.encode("lowest")]
    assert parts == ["low", "est</w>"]


# Encoding and decoding, with learned merges and any text


def test_without_merges_a_word_is_its_bytes_and_the_last_one_ends_it(tmp_path):
    save_merges([], tmp_path / "none.txt")
    tokenizer = Tokenizer(tmp_path / "none.txt")
    assert (tokenizer.vocab_size, tokenizer.sot, tokenizer.eot) == (514, 512, 513)
    assert tokenizer.encode("!a") == [256, 256 + ord("a") - ord("!")]  # two words of one byte
    assert tokenizer.encode("ab") == [ord("a") - ord("!"), 256 + ord("b") - ord("!")]


def test_the_special_ids_are_the_last_two_of_any_vocabulary(small_tokenizer):
    assert small_tokenizer.vocab_size == 512 + 13 + 2
    assert (small_tokenizer.sot, small_tokenizer.eot) == (525, 526)
    assert small_tokenizer.encode("<|startoftext|> <|EndOfText|>") == [525, 526]
    assert all(
        small_tokenizer.encoder[symbol] == i for i, symbol in small_tokenizer.decoder.items()
    )


def test_any_unicode_text_comes_back_apart_from_its_spaces(small_tokenizer):
    for text in random_texts(600) + ["naïve 日本語 👩‍👩‍👧 İ", "", "can't 3.14", "lowest newer"]:
        back = small_tokenizer.decode(small_tokenizer.encode(text))
        assert "".join(back.split()) == "".join(clean(text).split())


def test_plain_words_come_back_with_a_space_after_each(small_tokenizer):
    assert (
        small_tokenizer.decode(small_tokenizer.encode(" The  LOWEST, newest"))
        == "the lowest , newest "
    )


def test_bytes_that_are_no_text_are_decoded_to_replacement_characters(small_tokenizer):
    first_byte_of_e_acute = small_tokenizer.encode("é")[0]
    assert small_tokenizer.decode([first_byte_of_e_acute]) == "\N{REPLACEMENT CHARACTER}"


def test_ids_may_come_as_a_row_of_a_tensor(small_tokenizer):
    row = small_tokenizer("low", context_length=3)[0]
    assert small_tokenizer.decode(row) == "<|startoftext|>low <|endoftext|>"


# Rows of fixed length


def test_rows_are_start_ids_end_and_zeros(small_tokenizer):
    sot, eot, low = small_tokenizer.sot, small_tokenizer.eot, small_tokenizer.encoder["low</w>"]
    rows = small_tokenizer(["low low", ""], context_length=5)
    assert rows.tolist() == [[sot, low, low, eot, 0], [sot, eot, 0, 0, 0]]
    assert small_tokenizer([]).shape == (0, 77)


def test_a_text_that_just_fits_is_kept_and_one_more_word_is_an_error(small_tokenizer):
    assert small_tokenizer("low " * 75)[0, 76] == small_tokenizer.eot
    with pytest.raises(
        ValueError, match="'low low .* has 78 tokens .* limit of 77: .*truncate=True"
    ):
        small_tokenizer(["fine", "low " * 76])


def test_truncating_keeps_the_first_ids_and_the_end_mark(small_tokenizer):
    low = small_tokenizer.encoder["low</w>"]
    row = small_tokenizer("low " * 9, context_length=4, truncate=True)[0]
    assert row.tolist() == [small_tokenizer.sot, low, low, small_tokenizer.eot]


# Files


@pytest.mark.parametrize("name", ["merges.txt", "merges.txt.gz"])
def test_merges_come_back_from_their_file_and_nothing_else_is_left(tmp_path, name):
    merges = learn_merges(SENNRICH + ["é…"] * 2, 100)
    save_merges(merges, tmp_path / name)
    assert read_merges(tmp_path / name) == merges
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_gzipped_file_has_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    save_merges([("a", "b")], tmp_path / "1.gz")
    monkeypatch.setattr("time.time", lambda: 2e9)
    save_merges([("a", "b")], tmp_path / "2.gz")
    assert (tmp_path / "1.gz").read_bytes() == (tmp_path / "2.gz").read_bytes()
    assert (tmp_path / "1.gz").read_bytes()[4:8] == bytes(4)  # the time field of the gzip header


def test_a_file_like_openai_s_is_cut_where_clip_cuts_it(tmp_path):
    (tmp_path / "long.txt.gz").write_bytes(gzip.compress(b"header\n" + b"a b\n" * 50000))
    assert len(read_merges(tmp_path / "long.txt.gz")) == 48894


def test_a_line_that_is_no_pair_is_named(tmp_path):
    (tmp_path / "bad.txt").write_text("header\na b\nabc\n")
    with pytest.raises(ValueError, match="Line 3 of .*bad.txt"):
        read_merges(tmp_path / "bad.txt")


@pytest.mark.parametrize(
    "name, data",
    [
        ("bad.txt", b"\xff\xfe"),
        ("bad.txt.gz", b"\xff\xfe"),
        ("bad.txt.gz", gzip.compress(b"a b\n" * 99)[:-9]),
        ("bad.txt.gz", gzip.compress(b"\xff\xfe")),
    ],
)
def test_a_damaged_file_of_merges_is_refused_by_its_name(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=f"{name} is not a file of merges"):
        Tokenizer(tmp_path / name)


def test_a_small_file_of_merges_does_not_unpack_to_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(clip_min.tokenizer, "MAX_BYTES", 1007)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"header\n" + b"a b\n" * 10_000))
    assert len(read_merges(tmp_path / "bomb.gz")) == 250


def test_openai_s_merges_are_looked_for_when_a_text_is_first_encoded(tmp_path, monkeypatch):
    """A stand-in for OpenAI's file: as many merges, none of them useful."""
    looked = []
    pairs = [(str(i), "x") for i in range(OPENAI_VOCAB_SIZE - 514)]

    def find():
        looked.append(tmp_path)
        save_merges(pairs, tmp_path / "merges.txt")
        return tmp_path / "merges.txt"

    monkeypatch.setattr(clip_min.tokenizer, "openai_merges", find)
    tokenizer = Tokenizer()
    assert (tokenizer.vocab_size, tokenizer.sot, tokenizer.eot) == (49408, 49406, 49407)
    copied = copy.deepcopy(tokenizer)
    assert looked == []
    assert tokenizer.encode("a") == copied.encode("a") == [320]
    assert tokenizer.encode("b a") == [321, 320] and tokenizer.decode([320]) == "a "
    assert len(looked) == 2  # once for each of the two
    pairs.pop()
    with pytest.raises(ValueError, match="holds 48,893 merges, but OpenAI's CLIP has 48,894"):
        Tokenizer().encode("a")


def test_openai_file_is_looked_for_in_the_cache_then_home_then_installed_packages(
    tmp_path, monkeypatch
):
    cache, home, package = tmp_path / "cache", tmp_path / "home", tmp_path / "site" / "clip"
    monkeypatch.setenv("CLIP_MIN_CACHE", str(cache))
    monkeypatch.setattr(Path, "home", lambda: home)
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('only located, never imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for folder in (
        package,
        home / ".cache" / "clip",
        cache,
    ):  # each comes before the one created earlier
        folder.mkdir(parents=True, exist_ok=True)
        (folder / OPENAI_FILE).touch()
        assert find_openai_merges() == folder / OPENAI_FILE


def test_openai_file_that_is_nowhere_is_none(tmp_path, monkeypatch):
    monkeypatch.delenv("CLIP_MIN_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_openai_merges() is None


def test_the_examples_in_the_docstrings_are_true():
    result = doctest.testmod(clip_min.tokenizer)
    assert result.attempted > 8 and result.failed == 0
