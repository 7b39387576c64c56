"""The rows of one table as one file, in the format that its name ends in, or as CSV for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from plotsim_core.errors import UsageError
from plotsim_core.output.format import FORMATS, Batches
from plotsim_core.output.parquet import encoding_of, write_parquet
from plotsim_core.output.usage_errors import usage_errors
from plotsim_core.plan.plan import Plan, TablePlan

ENDINGS = (".csv", ".jsonl", ".parquet")
"""What the name of such a file can end in."""


def as_csv(plan: Plan, table: TablePlan, rows: pa.Table) -> str:
    """Return rows of a table as the CSV that a run writes."""
    with TemporaryDirectory() as folder:
        FORMATS["csv"].write(plan, table, rows.to_batches(), Path(folder))
        return (Path(folder) / FORMATS["csv"].file(plan, table)).read_text(encoding="utf-8")


def is_file_name(path: Path) -> bool:
    """Return whether a path names a file of rows rather than a folder, by its ending."""
    return path.suffix in ENDINGS and not path.is_dir()


def has_other_ending(path: Path) -> bool:
    """Return whether a path of nothing that is there has an ending, letters first, that is none of a file of rows. What
    follows the point of `data.2024` or `run1.5` is no ending."""
    return re.fullmatch(r"\.[A-Za-z]\w*", path.suffix) is not None and path.suffix not in ENDINGS and not path.exists()


def write_single(plan: Plan, table: TablePlan, schema: pa.Schema, batches: Batches, output: Path) -> int:
    """Write rows of a table to a file, in the place of one that is there, and return how many they are. The file is whole
    when it is there. Raises UsageError where its name ends in none of ENDINGS, or where it cannot be written."""
    if output.suffix not in ENDINGS:
        raise UsageError(f"cannot tell the format of {output}: let its name end in {', '.join(ENDINGS)}")
    rows = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for batch in batches:
            rows += batch.num_rows
            yield batch

    with usage_errors(f"cannot write {output}"):
        output.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=output.parent) as folder:
            path = Path(folder) / f"{table.name}{output.suffix}"
            if output.suffix == ".parquet":
                write_parquet(path, schema, counted(), encoding_of(plan, schema.names))
            else:
                FORMATS[output.suffix[1:]].write(plan, table, counted(), Path(folder))
            path.replace(output)
    return rows
