"""What surrounds a prompt method: everything between the command line and the tables.

    flags.py        the command line of train.py, eval.py and the notes
    plan.py         which runs a command asks for, and what each is evaluated on
    store.py        prompt files, evaluation, and the rows of results.jsonl
    features.py     frozen image features, computed once and kept on disk
    predictions.py  the most probable classes of your own pictures
    published.py    prompts that were learned with the code published with CoOp
    variance.py     UPT Eqs. (6) to (8)
    tables.py       results.jsonl as tables, beside the papers' figures
    plots.py        results.jsonl as plots
    papers.py       the figures of the papers' tables (papers.csv)
"""
