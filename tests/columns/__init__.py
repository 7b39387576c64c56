"""What single columns promise beyond a row: identifiers that are valid and unique, texts of one locale. Seconds.

Yours goes here if it is about the values of a source; what a source says of one row is in `families/test_sources.py`.
"""
