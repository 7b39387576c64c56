"""Rows for formats that are text: amounts of money with all their decimals, nested values as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.numerics.decimals import PRECISION
from plotsim_core.output.format import Batches
from plotsim_core.plan.plan import TablePlan

if TYPE_CHECKING:
    import duckdb


def plain_schema(table: TablePlan) -> pa.Schema:
    """Return the schema of a table's rows as text formats write them: decimals where they are fixed, neither enums nor
    nested types."""
    return pa.schema([pa.field(c.name, _plain(c.type, c.decimals), c.nullable) for c in table.columns])


def plain_batches(table: TablePlan, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield the same rows with the types of `plain_schema`."""
    import duckdb  # slow to import, and few need it

    schema = plain_schema(table)
    nested = [column.name for column in table.columns if pa.types.is_nested(column.type)]
    with duckdb.connect() as connection:
        for batch in batches:
            texts = json_texts(connection, batch, nested)
            arrays = [texts.get(field.name, batch[field.name]).cast(field.type) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def json_texts(connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch, names: list[str]) -> dict[str, ArrowArray]:
    """Return columns of a batch as JSON texts, by name; null where a value is."""
    if not names or batch.num_rows == 0:
        return {name: pa.nulls(0, pa.string()) for name in names}
    rows = pa.table({name: batch[name].cast(_with_texts(batch[name].type)) for name in names})
    connection.register("rows", rows)
    expressions = ", ".join(f"CAST(to_json(#{index}) AS VARCHAR)" for index in range(1, len(names) + 1))
    texts = connection.sql(f"SELECT {expressions} FROM rows").to_arrow_table()
    return {name: texts.column(index).combine_chunks() for index, name in enumerate(names)}


def _with_texts(type_: pa.DataType) -> pa.DataType:
    """Return a nested type with texts for moments: they are written as they are outside."""
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(_with_texts(field.type)) for field in type_])
    if pa.types.is_list(type_):
        return pa.list_(type_.value_field.with_type(_with_texts(type_.value_type)))
    return pa.string() if pa.types.is_timestamp(type_) else type_


def _plain(type_: pa.DataType, decimals: int | None) -> pa.DataType:
    if decimals is not None and pa.types.is_floating(type_):
        return pa.decimal128(PRECISION, decimals)
    return pa.string() if pa.types.is_nested(type_) or pa.types.is_dictionary(type_) else type_
