"""CSV: UTF-8, LF, a header, text quoted and nulls left empty (or the word of the config), so that an empty text ("") and a
null differ. Amounts of money have two decimals (12.50), other numbers as many as they need; what is nested is JSON. With
`escape_formulas` a text that a spreadsheet would run gets a ' before it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from plotsim_core.arrow import joined
from plotsim_core.config.output import FORMULA
from plotsim_core.output.format import FORMATS, Batches, Format
from plotsim_core.output.text_types import plain_batches, plain_schema
from plotsim_core.plan.plan import Plan, TablePlan


def _write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
    options = pacsv.WriteOptions(include_header=True, quoting_style="needed")
    options.null_string = plan.dataset.output.csv_null  # type: ignore[attr-defined] # the stubs are older than it
    with pacsv.CSVWriter(directory / _file(plan, table), plain_schema(table), write_options=options) as writer:
        for batch in plain_batches(table, batches):
            writer.write_batch(_escaped(batch) if plan.dataset.output.escape_formulas else batch)


def _escaped(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with a ' before each text that begins as a formula does."""
    columns = [
        pc.if_else(pc.match_substring_regex(values, FORMULA), joined("'", values), values)
        if pa.types.is_string(values.type)
        else values
        for values in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _file(plan: Plan, table: TablePlan) -> str:
    return f"{table.name}.csv"


FORMATS.add("csv", Format(_write, _file))
