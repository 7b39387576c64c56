"""Rows as aligned text, for a terminal."""

from __future__ import annotations

import pyarrow as pa

from plotsim_core.output.text_types import plain_batches, plain_schema
from plotsim_core.plan.plan import TablePlan

_WIDEST = 40
"""So many letters of a value are shown at most."""
_NULL = "null"


def aligned_rows(table: TablePlan, rows: pa.Table) -> str:
    """Return rows of a table as text: a line of its columns' names and a line per row, numbers on the right. Values stand as
    in CSV, long ones cut short."""
    columns = pa.Table.from_batches(plain_batches(table, rows.to_batches()), plain_schema(table))
    cells = [
        [name, *(_NULL if value is None else _shortened(value) for value in column.cast(pa.string()).to_pylist())]
        for name, column in zip(columns.column_names, columns.columns, strict=True)
    ]
    widths = [max(map(len, column)) for column in cells]
    is_number = [pa.types.is_integer(type_) or pa.types.is_floating(type_) for type_ in rows.schema.types]
    lines = [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in zip(*cells, strict=True)
    ]
    return "\n".join(lines)


def _shortened(value: str) -> str:
    text = " ".join(value.split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
