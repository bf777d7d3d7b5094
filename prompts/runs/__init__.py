"""What may change a number: everything between the command line and a row of results.jsonl.

    script.py      how a script runs and ends
    job.py         the command lines of train.py and eval.py
    protocols.py   what each protocol learns on and is tested on, and what each paper used
    plan.py        which runs a command asks for
    run.py         one run: method, data, recipe, folder, rows
    batches.py     what the learning loop is fed with
    features.py    frozen image features, computed once and kept on disk
    evaluation.py  accuracy on pictures
    store.py       methods by name, and prompt files
    published.py   prompts that were learned with the code published with CoOp
    identity.py    what identifies a result: setting, code, CLIP, pictures
    code.py        the code that a result depends on, as digests
    results.py     the rows of results.jsonl
    progress.py    what an interrupted run goes on from, and what a run says
    parallel.py    one run on several GPUs; several processes at one sweep

Nothing here imports ../reports, and every file here is part of what identifies a result.
"""
