"""Class names, templates and notes: how they are checked and compared."""

import functools
import warnings


@functools.cache
def note_once(text):
    """A warning that is given once in a process, however often it is asked for."""
    warnings.warn(text, stacklevel=2)


def check_utf8(names):
    """Raises ValueError for a name that is not UTF-8, for it cannot be stored or shown."""
    for name in names:
        if name != name.encode(errors="replace").decode():
            raise ValueError(f"The name {ascii(name)} is not UTF-8: rename it.")


def is_empty(name):
    """Whether nothing is left of a class name in a prompt, where "_" becomes a space."""
    return not name.replace("_", " ").strip()


def check_template(template):
    """Raises ValueError unless a prompt has one "{}", for the class name, and no other braces.

    >>> check_template("a photo of a {}.")
    """
    is_text = isinstance(template, str)
    if not is_text or not template.count("{}") == template.count("{") == template.count("}") == 1:
        must = 'must hold "{}" for the class name once, and no other braces'
        raise ValueError(f'The template {template!r} {must}, as in "a photo of a {{}}."')


def same_names(classnames):
    """K class names → those that CLIP reads alike, for it knows no capital letters.

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
        text = f"{where}: to CLIP the classes {names} have the same name{more}."
        warnings.warn(text, stacklevel=2)
