"""What is declared is what the data shows, within tolerances that follow from the size of the sample. Half a minute.

Yours goes here if it is a number that a user declares.
"""
