"""Prose, figures, exercises and measurements; nothing below imports them.

    figures/     the figures of the papers, drawn from the miniature world
    exercises/   exercises, and their checks
    mistakes.py  measures well-known mistakes
    speed.py     measures the steps of the methods beside the published way
    curve.py     draws the pre-training curve
"""
