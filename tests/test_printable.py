"""Words from outside are shown so that they can do no harm to a terminal."""

import pytest

from clip_min.files import printable


@pytest.mark.parametrize(
    "words, shown",
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\x00\x07\x7f\x9b", r"\x00\x07\x7f\x9b"),
        ("gpj\u202e.exe", r"gpj\u202e.exe"),
        ("\u2028\ufeff", r"\u2028\ufeff"),
        ("caf\udce9\uffff", r"caf\udce9\uffff"),
    ],
)
def test_control_characters_are_escaped(words, shown):
    assert printable(words) == shown


@pytest.mark.parametrize(
    "words", ["café", "鳥", "नमस्ते", "می\u200cخواهم", "👩\u200d🔬", "a b|c\\d", "a\u00a0b", ""]
)
def test_letters_of_any_language_stay(words):
    assert printable(words) == words
