"""Names of the files that a run writes into its folder, and of the tables in its database."""

CONFIG_FILE = "config.yaml"
"""The copy of the config."""
MANIFEST_FILE = "manifest.json"
MANIFEST_TABLES = "manifest.*.parquet"
"""The units of kinds that have many."""
REPORT_FILES = ("validation_report.txt", "validation_report.json", "validation_report.html")
"""The report of the checks: as text, as JSON, as a page."""
RUN_FILES = (CONFIG_FILE, MANIFEST_FILE, *REPORT_FILES)
"""Files that speak of a run as a whole: those of an older run go with it."""
SQL_FILE = "data.sql"
"""The dump of all tables."""
ORIGIN_TABLE = "_origin"
"""The table of one row that says what the others of a database were made from."""


def database_file(dataset: str) -> str:
    """Return the name of the DuckDB file of a dataset."""
    return f"{dataset}.duckdb"
