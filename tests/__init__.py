"""The specification.

    equations/    to read beside the papers: CLIP and the methods
    reliability/  the rest: files, flags, runs, tables, notes, style
    golden/       figures of the published implementations, and what they were computed from
    helpers.py    what the tests of the methods share
    conftest.py   CLIPs that many tests use
"""
