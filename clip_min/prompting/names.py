"""Class names as they stand in a prompt."""


def readable_names(classnames):
    """K class names as they stand in a prompt: underscores become spaces, outer spaces go.

    Raises ValueError for fewer than two classes and for an empty name.

    >>> readable_names(["yellow_rose", "cat "])
    ['yellow rose', 'cat']
    """
    names = [name.replace("_", " ").strip() for name in classnames]
    if len(names) < 2:
        raise ValueError(
            f"There must be at least two classes to tell apart, not {len(names)}: {names}."
        )
    if "" in names:
        raise ValueError(
            f"Class number {names.index('')} of {len(names)} has an empty name: give it one."
        )
    return names
