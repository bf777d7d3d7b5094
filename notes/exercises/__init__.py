"""Exercises: files of this project with some lines taken out, and a check for each.

tasks.py         what is asked, which lines are taken out, typical mistakes
checks.py        what the check of each number asks
judge.py         runs a check, and puts what is wrong into words
cut.py           starters, solutions and mistakes, cut from the project's files
plain_towers.py  both towers, run plainly: what is right
__main__.py      the command: python -m notes.exercises
"""
