"""Figures of the published implementations (*.json), and what they were computed from.

weights.py  weights and inputs, from names and shapes alone
images.py   pictures, from a name and a size
"""
