"""The pictures: of the papers' figures in miniature, of the methods, of learning.

    __main__.py         the command: python -m notes.figures NAME
    drawing.py          what they share: colours of heat, PNG files, a trained prompt
    charts.py           a panel with axes, a legend
    methods.py          how CLIP, CoOp, CoCoOp, VPT and UPT work
    film.py             what CoOp and UPT have learned, epoch by epoch
    gain.py             what learning gains on each data set
    ablations.py        start, length and number of parameters of a context
    words.py            the words nearest to each context vector
    wordings.py         one picture, several hand-written prompts
    variance.py         variances against gains
    sphere.py           features and class weights on a sphere
    attention.py        what looks at visual prompts, and where they look
    matrices.py         cosines of pictures and captions; which class is taken for which
    tree.py             the prompts of all classes as one tree, and its mask

Colours and elements of SVG stand in prompts/reports/colours.py and svg.py, for every picture.
"""
