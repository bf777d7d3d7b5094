"""The smallest version: CoOp in one file, and a project that begins with an empty one.

    coop_in_one_file.py    CoOp from the words to the learned prompt
    README.md              the project: seven steps from an empty file
    __main__.py            checks a step: python -m notes.first check 4
    steps.py               what each step must do
    solution.py            one way to write it
"""
