"""Names and texts: how they are checked, compared, and shown on a terminal."""

import warnings

from clip_min.files import printable


def shown(text):
    r"""A text as a terminal may show it: control characters, which could move the cursor, escaped.

    >>> print(shown("red\x1b[31m\ncat é"))
    red\x1b[31m\ncat é
    """
    return printable(text, limit=10_000)


def note(text):
    """One warning, in which names are shown without control characters."""
    warnings.warn(shown(text), stacklevel=3)


def check_utf8(names):
    """Raises ValueError for a name that is not UTF-8, for it cannot be stored or shown."""
    for name in names:
        if name != name.encode(errors="replace").decode():
            raise ValueError(f"The name {ascii(name)} is not UTF-8: rename it.")


def check_template(template):
    """Raises ValueError unless a hand-written prompt has one "{}", for the class name, and no other
    braces.

    >>> check_template("a photo of a {}.")
    """
    is_text = isinstance(template, str)
    if not is_text or not template.count("{}") == template.count("{") == template.count("}") == 1:
        problem = (
            'must hold "{}" for the class name once, and no other braces, as in "a photo of a {}."'
        )
        raise ValueError(f"The template {template!r} {problem}")


def same_names(classnames):
    """K class names → those that CLIP reads alike, for it knows no capital letters: [[name, name],
    ...].

    >>> same_names(["Apple", "pear", "apple", "red_cat", "red  cat"])
    [['Apple', 'apple'], ['red_cat', 'red  cat']]
    """
    alike = {}
    for name in classnames:
        alike.setdefault(" ".join(name.replace("_", " ").lower().split()), []).append(name)
    return [names for names in alike.values() if len(names) > 1]


def note_same_names(classnames, where):
    """One note if CLIP reads some names alike, so that no prompt tells these classes apart."""
    groups = same_names(classnames)
    if groups:
        names = " and ".join(repr(name) for name in groups[0])
        more = f", and {len(groups) - 1} more such groups" if len(groups) > 1 else ""
        note(f"{where}: to CLIP the classes {names} have the same name{more}.")
