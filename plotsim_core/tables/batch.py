"""The one place where rows become a batch of a table, and are held to what its schema says."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray
from plotsim_core.errors import SchemaError
from plotsim_core.plan.plan import TablePlan


def batch_of(table: TablePlan, columns: Sequence[ArrowArray]) -> pa.RecordBatch:
    """Return a batch of a table's rows, from an array per column in their order.

    Raises SchemaError for a column of another type than declared, for a null where none belongs, and for what is no number
    among numbers: a fault of the generator, never of the config.
    """
    for column, values in zip(table.columns, columns, strict=True):
        if values.type != column.type:
            message = f"is of type {values.type}, and its schema says {column.type}"
        elif values.null_count and not column.nullable:
            message = f"has {values.null_count} nulls in {len(values)} rows, and its schema says that it has none"
        elif pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py():
            message = "has values that are no numbers, and a value that is missing is a null"
        else:
            continue
        source = type(column.spec.source)
        raise SchemaError(
            f"{table.name}.{column.name} {message}; please report it, with the config, to who maintains "
            f"{source.__module__}.{source.__qualname__}"
        )
    return pa.RecordBatch.from_arrays(list(columns), schema=table.schema)
