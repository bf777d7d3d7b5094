"""What surrounds a prompt method: everything between the command line and the tables.

flags.py        the command lines of train.py and eval.py, and how errors end
setups.py       what each paper used: train.py --paper
plan.py         which runs a command asks for, and what each is evaluated on
runs.py         one run: method, data, recipe, folder, rows
sharing.py      several processes at one sweep
batches.py      what the learning loop is fed with
distributed.py  one run on several GPUs
progress.py     what an interrupted run goes on from, and what a run says
evaluation.py   accuracy on pictures
features.py     frozen image features, computed once and kept on disk
store.py        methods by name, and prompt files
identity.py     what identifies a result: setting, code, pictures
results.py      the rows of results.jsonl
summary.py      what train.py prints at its end
predictions.py  the most probable classes of your own pictures
published.py    prompts that were learned with the code published with CoOp
variance.py     UPT Eqs. (6) to (8)
rows.py         which rows of results.jsonl count
lines.py        rows → the lines of a table or a plot
tables.py       lines as text, Markdown and CSV, beside the papers' figures
plots.py        lines as curves and bars
papers.py       the figures of the papers' tables (papers.csv)
"""
