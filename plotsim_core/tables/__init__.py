"""Table kinds, one file each: the words of a kind, and which rows its tables have. Importing this package registers
them, in the order in which texts list them; a test compares the list to the folder.

May import: families, errors, run_files, version, numerics, arrow, config, plan, engine, columns.
"""

from plotsim_core.tables import date  # isort: skip
from plotsim_core.tables import (
    bridge,
    cell_rows,
    changes,
    child,
    detail,
    fact,
    features,
    grid,
    holdout,
    ledger,
    period,
    plain_child,
    proportional,
    reference,
    snapshot,
    sources,
    threshold,
    time,
    timed_plain,
    unit,
    unit_descendants,
    variable,
    wide,
)

__all__ = [
    "bridge",
    "cell_rows",
    "changes",
    "child",
    "date",
    "detail",
    "fact",
    "features",
    "grid",
    "holdout",
    "ledger",
    "period",
    "plain_child",
    "proportional",
    "reference",
    "snapshot",
    "sources",
    "threshold",
    "time",
    "timed_plain",
    "unit",
    "unit_descendants",
    "variable",
    "wide",
]
