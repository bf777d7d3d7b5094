"""Tests of what surrounds the methods: one file for each module, and a few for the whole project.

answers.py       students' answers to the exercises, given to their checks
helpers.py       what the tests of the scripts share
data_helpers.py  small trees of files, for the tests of data sets
weight_files.py  files of weights in every layout
"""
