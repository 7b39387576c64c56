"""Output formats, one file each. Importing this package is what makes them known."""

from plotsim_core.output import csv, duckdb, parquet

__all__ = ["csv", "duckdb", "parquet"]
