"""What is written is what was made, in each format, layout and place, whatever breaks in between. A minute.

Yours goes here if it is a format, an option of writing, or what a run finds where it writes.
"""
