"""Validation of stored data against its config: checks, their report, and pictures.

Importing this package registers the checks.
"""

# the order in which checks are reported
from plotsim_core.validation import (  # isort: skip
    structure,
    relations,
    quality,
    rows,
    time,
    cadence,
    replayed,
    values,
    trajectory,
    seasons,
    rhythm,
    behaviour,
    counts,
    segments,
    linkage,
)

__all__ = [
    "behaviour",
    "cadence",
    "counts",
    "linkage",
    "quality",
    "relations",
    "replayed",
    "rhythm",
    "rows",
    "seasons",
    "segments",
    "structure",
    "time",
    "trajectory",
    "values",
]
