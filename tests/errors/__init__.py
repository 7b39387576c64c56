"""Broken configs and the exact texts that a user reads, a file per theme.

A theme's `base` is a sound config. A case is what it takes away from the base (`without`) and puts into it (`patch`), by the
paths that errors name; where the YAML itself is the point, it is a whole `config`. `text` is what the user reads.
`python -m tests.errors NAME` prints the file of a case, `python -m tests.errors.update` writes the texts anew.
"""
