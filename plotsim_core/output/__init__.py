"""Output formats, one file each, and how a run writes them so that nothing is half-written. Importing this package
registers them.

May import: families, errors, run_files, version, numerics, arrow, config, plan, engine, columns, tables, rules.
"""

from plotsim_core.output import csv, duckdb, jsonl, parquet, sql

__all__ = ["csv", "duckdb", "jsonl", "parquet", "sql"]
