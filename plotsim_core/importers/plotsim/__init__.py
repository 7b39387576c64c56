"""plotsim's engine layer: `time_window`, `entities`, `archetypes` and `tables` with sources. A file for each part of it.

May import: families, errors, run_files, version, numerics, arrow, config, plan, engine, columns, tables, rules, importers.
"""

from plotsim_core.importers.plotsim.engine import EngineLayer

__all__ = ["EngineLayer"]
