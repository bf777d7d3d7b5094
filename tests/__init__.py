"""The specification.

    equations/    to read beside the papers: CLIP and the methods
    reliability/  the rest: files, flags, runs, tables, notes, style
    golden/       figures of the published implementations, and what they were computed from
    helpers.py    what the tests of the methods share
    beside.py     programs that run on the second core, while the tests run on the first
    conftest.py   CLIPs that many tests use, and the start of those programs
"""
