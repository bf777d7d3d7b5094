"""Words from outside (file names, class names, result rows) that can be shown safely."""

import unicodedata

JOINERS = "\u200c\u200d"  # invisible, and needed to write Persian, Hindi and some emoji
NO_LETTERS = "\ufffe\uffff"  # which no file in XML may hold


def printable(words):
    r"""Any words → the same with everything escaped that could steer a terminal or break a line.

    Escaped are control characters, line breaks, marks that turn the direction of writing, and the
    lone surrogates that stand for the bytes of a file name that is not UTF-8.

    >>> print(printable("caf\u00e9\x1b[2J\n"))
    café\x1b[2J\n
    """
    return "".join(map(visible, str(words)))


def visible(letter):
    """One character → itself, or its escape if it is not a visible one."""
    hidden = unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    if hidden and letter not in JOINERS or letter in NO_LETTERS:
        return letter.encode("unicode_escape", errors="surrogatepass").decode("ascii")
    return letter
