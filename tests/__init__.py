"""The specification.

    equations/    to read beside the papers: CLIP and the methods
    test_*.py     one file for each other room; its first lines say what the room promises
    hostile/      attacks: run by .ci/run, left out of a plain `pytest`
    golden/       figures of the published implementations, and what they were computed from
    helpers.py    what the tests of the methods share
    scripts.py    what the tests of the scripts share
    answers.py    students' answers to the exercises, given to their checks
    data_helpers.py, weight_files.py    small trees of files, and files of weights in every layout
    servers.py    a server on this computer, and archives
    beside.py     programs that run on the second core, while the tests run on the first
    conftest.py   CLIPs that many tests use, and the start of those programs
"""
