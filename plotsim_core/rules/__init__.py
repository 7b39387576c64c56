"""Rules that a config declares about its data (`checks`), one kind a file. Importing this package registers them, in the
order in which texts list them.

May import: families, errors, run_files, version, numerics, arrow, config, plan, engine, columns, tables.
"""

from plotsim_core.rules import (  # isort: skip
    formula,
    unique,
    included,
    order,
    grows,
    pattern,
    total,
    reconciles,
    statistics,
)

__all__ = ["formula", "grows", "included", "order", "pattern", "reconciles", "statistics", "total", "unique"]
