"""Tables as pandas frames, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from plotsim_core.errors import UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import Plan, TablePlan

if TYPE_CHECKING:
    import pandas as pd


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame."""
    import pandas as pd  # slow to import, and needed here alone

    frame: pd.DataFrame = table.to_pandas()
    for field in table.schema:
        if field.nullable and pa.types.is_struct(field.type):  # whole numbers in one stay whole where another is missing
            frame[field.name] = pd.Series(table[field.name].to_pylist(), dtype=object)
        if field.nullable and field.type == pa.int64():  # whole numbers stay whole where some are missing
            frame[field.name] = table[field.name].to_pandas(types_mapper=lambda type_: pd.Int64Dtype())
    return frame


def rows_of(plan: Plan, table: TablePlan, frame: pd.DataFrame) -> pa.Table:
    """Return a frame with the columns of a table as an Arrow table of its schema, whatever the order of the columns.

    Raises UsageError for what is no frame of pandas, for a column that is missing, for one that the table has not, and for
    values of another type.
    """
    if not hasattr(frame, "iloc"):
        kind = f"{type(frame).__module__.partition('.')[0]} {type(frame).__name__}"
        raise UsageError(f"{table.name}: expected a pandas DataFrame, found a {kind}; its `to_pandas()` may give one")
    schema = plan.schema(table)
    missing = [name for name in schema.names if name not in frame.columns]
    extra = [str(name) for name in frame.columns if name not in schema.names]
    if missing:
        raise UsageError(f"the frame of {table.name} lacks the column {missing[0]!r}")
    if extra:
        raise UsageError(f"{table.name} has no column {extra[0]!r}; {did_you_mean(extra[0], schema.names)}")
    try:
        return pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
        raise UsageError(f"the frame of {table.name} does not hold what its columns are: {error}") from None
