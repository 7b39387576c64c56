"""The command line: run, check, validate, info, explain, format, import, templates and the schema of the language.

Data goes to files and what was asked for to stdout; progress, warnings and errors go to stderr. Exit codes: 0 done,
1 the data or (with --strict) a warning failed, 2 the config or the request makes no sense. One more is a function in a
file of its kind, and its line in `COMMANDS` (`group.py`).

May import: families, errors, run_files, version, numerics, arrow, config, plan, engine, columns, tables, rules, importers,
output, truth, validation.
"""

from plotsim_core.cli.group import main

__all__ = ["main"]
