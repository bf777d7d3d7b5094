"""What may only show a number, never change one.

    rows.py         which rows of results.jsonl count
    lines.py        rows → the lines of a table or a plot
    tables.py       lines as text, Markdown and CSV, beside the papers' figures
    plots.py        lines as curves and bars
    svg.py          the elements of SVG that all pictures are made of
    colours.py      one colour for each method and each data set, in all pictures
    papers.py       the figures of the papers' tables (papers.csv)
    summary.py      what train.py prints at its end
    predictions.py  the most probable classes of your own pictures
    variance.py     UPT Eqs. (6) to (8)
"""
