"""Table kinds, one file each. Importing this package is what makes them known, in the order in which texts list them; a test
compares it to the folder."""

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
