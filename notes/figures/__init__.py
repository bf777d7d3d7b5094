"""The figures of the papers, drawn from the miniature world: python -m notes.figures NAME.

    __main__.py         the command
    drawing.py          what the figures share: SVG, colours, PNG files
    gain.py             what learning gains on each data set
    ablations.py        start, length and number of parameters of a context
    words.py            the words nearest to each context vector
    wordings.py         one picture, several hand-written prompts
    variance.py         variances against gains
    sphere.py           features and class weights on a sphere
    attention.py        what visual prompts and [CLS] look at
    matrices.py         cosines of pictures and captions; which class is taken for which
    methods.py          drawings of CLIP, CoOp, CoCoOp, VPT and UPT
    film.py             two runs while they learn, as a strip and a page
    charts.py           panels with axes
    tree.py             the prompts of all classes as one tree, and its mask
"""
