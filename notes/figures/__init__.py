"""The figures of the papers, drawn from the miniature world: python -m notes.figures NAME.

    __main__.py         the command
    drawing.py          what the figures share: SVG, colours, PNG files
    gain.py             what learning gains on each data set
    ablations.py        start, length and number of parameters of a context
    ablation_charts.py  how these are drawn
    words.py            the words nearest to each context vector
    wordings.py         one picture, several hand-written prompts
    variance.py         variances against gains
    sphere.py           features and class weights on a sphere
    attention.py        what visual prompts and [CLS] look at
    heat.py             how this is drawn
    matrices.py         cosines of pictures and captions; which class is taken for which
    tree.py             the prompts of all classes as one tree, and its mask
"""
