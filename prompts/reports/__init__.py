"""What may only show a number, never change one.

    rows.py         which rows of results.jsonl count
    tables.py       rows → the lines of a table or a plot, beside the papers' figures
    layout.py       a table as text, Markdown and CSV
    plots.py        lines as curves and bars
    svg.py          elements of SVG
    colours.py      one colour for each method
    papers.py       the figures of the papers' tables (papers.csv)
    summary.py      what train.py prints at its end
    predictions.py  the most probable classes of your own pictures
    variance.py     UPT Eqs. (6) to (8)
    outputs.py      what an output file may not replace
"""
