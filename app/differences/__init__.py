"""How the pictures of two revisions differ.

Here: a revision read without a checkout, the kinds of differences, their words and their page. Not
here: the command that puts them together (app/data_diff.py).
"""
