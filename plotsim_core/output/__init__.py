"""Output formats, one file each. Importing this package is what makes them known."""

from plotsim_core.output import csv, duckdb, jsonl, parquet, sql

__all__ = ["csv", "duckdb", "jsonl", "parquet", "sql"]
