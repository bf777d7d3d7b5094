"""Exercises: files of this project with some lines taken out, and a check for each.

tasks.py         what is asked, which lines are taken out, and why they are right
variants.py      what another year gets instead
checks/          what the check of each number asks
judge.py         runs a check, and puts what is wrong into words
cut.py           starters and solutions, cut from the project's files
plain_towers.py  both towers, run plainly: what is right
influence.py     how much one prompt moves the others in UPT's theta (exercise 24)
sheets.py        equations, figures and drawings of the pages to print
page.py          a page to print
classroom.py     checks of a student's files, and of a class, each in a process of its own
reports.py       their tables as CSV, JSON, JUnit and Gradescope's results.json
student_copy.py  a copy of the project without the answers
__main__.py      the command: python -m notes.exercises
"""
