"""Stored data judged against its config: checks, their report, pictures. Importing this package registers the checks.

May import: families, errors, run_files, version, numerics, arrow, config, plan, engine, columns, tables, rules.
"""

# the order in which checks are reported
from plotsim_core.validation import (  # isort: skip
    structure,
    relations,
    quality,
    row_counts,
    time,
    cadence,
    state_replay,
    values,
    labels,
    funnels,
    levels,
    trajectory,
    seasons,
    rhythm,
    correlation,
    counts,
    effects,
    segments,
    linkage,
)

__all__ = [
    "cadence",
    "correlation",
    "counts",
    "effects",
    "funnels",
    "labels",
    "levels",
    "linkage",
    "quality",
    "relations",
    "rhythm",
    "row_counts",
    "seasons",
    "segments",
    "state_replay",
    "structure",
    "time",
    "trajectory",
    "values",
]
