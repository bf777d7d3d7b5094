"""Prose, figures, exercises and measurements; nothing below imports them.

    figures/           the figures of the papers, drawn from the miniature world
    beside/            pages with each equation beside the code that computes it
    first/             CoOp in one file, and a project from an empty file
    exercises/         exercises, and their checks
    mistakes.py        measures well-known mistakes
    speed.py           measures the steps of the methods beside the published way
    rehearsal.py       goes through the real experiments, and says how long they take
    random_weights.py  writes weights of the official shapes for it, with random numbers
    notebook.py        writes evening.ipynb and runs its cells
    curve.py           draws the pre-training curve
    what_helped.py     pre-trains with one trick less
"""
