"""One colour for each method and each data set, the same in every picture of the project.

Text prompts are warm, visual prompts are blue. The colours were chosen by a search: any two of a
table stay apart for readers who see red and green alike. tests/test_figures.py measures it.
"""

METHODS = {
    "zero_shot": "#000000",
    "linear_probe": "#a7a7a7",
    "coop": "#ff8602",
    "cocoop": "#e6082b",
    "vpt": "#2458ef",
    "upt": "#005756",
    "joint": "#68aadd",
    "shared": "#ce40a0",
    "mlp": "#9b7ef2",
    "kgcoop": "#4a2e1a",
    "maple": "#2c1a7a",
    "promptsrc": "#4f6712",
}
DATASETS = {
    "toy-objects": "#123a7a",
    "toy-textures": "#e39a00",
    "toy-flowers": "#cf4aa6",
    "toy-satellite": "#14a37f",
    "toy-scenes": "#5b9bf0",
    "toy-glyphs": "#5a5a5a",
    "toy-actions": "#8c1c13",
    "toy-vehicles": "#8f7227",
}
OTHERS = tuple(DATASETS.values())  # of data sets that have no place in the table, in turn


def of_datasets(names):
    """Names of data sets → {name: colour}; a name without a place in the table gets the next of
    those that are free.

    >>> of_datasets(["toy-objects", "eurosat"])
    {'toy-objects': '#123a7a', 'eurosat': '#e39a00'}
    """
    free = [colour for name, colour in DATASETS.items() if name not in names] or OTHERS
    strangers = [name for name in names if name not in DATASETS]
    spare = {name: free[i % len(free)] for i, name in enumerate(strangers)}
    return {name: DATASETS.get(name) or spare[name] for name in names}


def lighter(colour, share):
    """A colour on its way to white: share 0 leaves it, 1 is white. For variants of one method.

    >>> lighter("#005756", 0.5)
    '#80abaa'
    """
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part + share * (255 - part)):02x}" for part in parts)
