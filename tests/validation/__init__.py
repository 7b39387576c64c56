"""Sound data passes every check and broken data fails the one that names the fault. A minute.

Yours goes here if it is a check: `test_known_bad.py` wants data that breaks it.
"""
