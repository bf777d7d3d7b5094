"""The miniature world: what a laptop has instead of the web and the benchmarks.

    canvas.py, pen.py    sizes, colours, and shapes in the unit square
    objects.py, vehicles.py, flowers.py, actions.py, glyphs.py     things, drawn on a background
    textures.py, satellite.py, scenes.py                           pictures that fill the frame
    drawing.py           a picture: background, things, filters
    captions.py          captions as the web might write them, and the pictures they belong to
    benchmarks.py        eight miniature benchmarks, and four shifted versions of the first
    sheet.py             contact sheets of the benchmarks and of pre-training pairs
    recipe.py, pretrain.py  what the tiny CLIP is pre-trained on, and its three stages of training
    tiny.pt, merges.txt  the CLIP that came out, and its vocabulary
"""
