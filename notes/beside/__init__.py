"""The equations of each method beside the code that computes them: python -m notes.beside OUT.

    __main__.py    the command: one page for each method, and an index
    rows.py        what stands on the pages: one row for each equation
    scenario.py    the run whose shapes and values they show
    run.py         notes down what happens in it: statements, calls, shapes, values
    printed.py     the statements of a row, each call below the line that makes it
    symbols.py     symbols: where they stand in a formula and in the code
    mathml.py      LaTeX → MathML
    page.py        all of this → HTML (its looks: style.css)
"""
