"""CSV: UTF-8, LF, a header, text quoted and nulls left empty (or the word of the config), so that an empty text ("") and a
null differ. Amounts of money have two decimals (12.50), other numbers as many as they need; what is nested is JSON."""

from __future__ import annotations

from pathlib import Path

import pyarrow.csv as pacsv

from plotsim_core.output.format import FORMATS, Batches, Format
from plotsim_core.output.plain import plain, plain_schema
from plotsim_core.plan.plan import Plan, TablePlan


def _write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
    options = pacsv.WriteOptions(include_header=True, quoting_style="needed", null_string=plan.dataset.output.csv_null)
    with pacsv.CSVWriter(directory / _file(plan, table), plain_schema(table), write_options=options) as writer:
        for batch in plain(table, batches):
            writer.write_batch(batch)


def _file(plan: Plan, table: TablePlan) -> str:
    return f"{table.name}.csv"


FORMATS.add("csv", Format(_write, _file))
