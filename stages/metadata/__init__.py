"""What a study's pictures and networks are, told to those who use them elsewhere.

Here: the table of pictures, Croissant, the data card, model cards. Not here: how a number comes
about (statistics), and what the study found out (figures).
"""
