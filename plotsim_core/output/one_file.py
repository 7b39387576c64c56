"""The rows of one table as one file, in the format that its name ends in, or as CSV for a terminal."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from plotsim_core.errors import UsageError
from plotsim_core.output.format import FORMATS
from plotsim_core.output.parquet import write_parquet
from plotsim_core.plan.plan import Plan, TablePlan

ENDINGS = (".csv", ".jsonl", ".parquet")
"""What the name of such a file can end in."""


def as_csv(plan: Plan, table: TablePlan, rows: pa.Table) -> str:
    """Return rows of a table as the CSV that a run writes."""
    with TemporaryDirectory() as folder:
        FORMATS["csv"].write(plan, table, rows.to_batches(), Path(folder))
        return (Path(folder) / FORMATS["csv"].file(plan, table)).read_text(encoding="utf-8")


def write_single(plan: Plan, table: TablePlan, rows: pa.Table, output: Path) -> None:
    """Write rows of a table to a file, which is whole when it is there. Raises UsageError where its name ends in none of
    ENDINGS, where there is one already, or where it cannot be written."""
    if output.suffix not in ENDINGS:
        raise UsageError(f"cannot tell the format of {output}: let its name end in {', '.join(ENDINGS)}")
    if output.exists():
        raise UsageError(f"{output} exists; choose another name, or remove it")
    try:
        with TemporaryDirectory(dir=output.parent) as folder:
            path = Path(folder) / f"{table.name}{output.suffix}"
            if output.suffix == ".parquet":
                write_parquet(path, rows.schema, rows.to_batches())
            else:
                FORMATS[output.suffix[1:]].write(plan, table, rows.to_batches(), Path(folder))
            path.rename(output)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None
