"""Table kinds, one file each: the words of a kind, and which rows its tables have. Importing this package registers
them, in the order in which texts list them; a test compares the list to the folder.

May import: families, errors, run_files, version, numerics, arrow, config, plan, engine, columns.
"""

from plotsim_core.tables import date  # isort: skip
from plotsim_core.tables import (
    bridge,
    changes,
    child,
    detail,
    fact,
    features,
    holdout,
    ledger,
    period,
    proportional,
    reference,
    snapshot,
    sources,
    threshold,
    time,
    unit,
    variable,
    wide,
)

__all__ = [
    "bridge",
    "changes",
    "child",
    "date",
    "detail",
    "fact",
    "features",
    "holdout",
    "ledger",
    "period",
    "proportional",
    "reference",
    "snapshot",
    "sources",
    "threshold",
    "time",
    "unit",
    "variable",
    "wide",
]
