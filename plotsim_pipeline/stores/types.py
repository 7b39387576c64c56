"""The types in which people's own assets take tables from a store and hand them over, an entry each.

A store reads and writes streams of Arrow batches. An entry says how a value of its type becomes a stream, and a stream a
value. A library that is not installed here is imported only by who asks for a type of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.types as pt

from plotsim_core.families import Family
from plotsim_core.plan.sql import quoted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableType:
    """`to_reader` takes a value and the column that places its rows in time (None if there is none), and returns the rows in
    that order; `from_reader` takes a stream that can be read once."""

    to_reader: Callable[[Any, str | None], pa.RecordBatchReader]
    from_reader: Callable[[pa.RecordBatchReader], Any]


TYPES: Family[TableType] = Family("type of table")
"""By library and class, as an annotation names them."""


def _ordered(table: pa.Table, time: str | None) -> pa.RecordBatchReader:
    return (table if time is None else table.sort_by(time)).to_reader()


def _unchanged(reader: pa.RecordBatchReader, time: str | None) -> pa.RecordBatchReader:
    """Return a stream unchanged: its rows must be sorted already, and the store refuses a stream that is not."""
    return reader


TYPES.add("pyarrow.Table", TableType(_ordered, pa.RecordBatchReader.read_all))
TYPES.add("pyarrow.RecordBatchReader", TableType(_unchanged, lambda reader: reader))


def _pandas_reader(frame: "pd.DataFrame", time: str | None) -> pa.RecordBatchReader:
    """Return the rows of a frame. Levels of its index that have a name are columns; others are numbers of rows, and go."""
    levels = [name for name in frame.index.names if name is not None]
    columns = frame.reset_index(level=levels) if levels else frame
    return _ordered(pa.Table.from_pandas(columns, preserve_index=False), time)


TYPES.add("pandas.DataFrame", TableType(_pandas_reader, pa.RecordBatchReader.read_pandas))


def _relation_reader(relation: duckdb.DuckDBPyRelation, time: str | None) -> pa.RecordBatchReader:
    reader: pa.RecordBatchReader = (relation if time is None else relation.order(quoted(time))).to_arrow_reader()
    return reader


def _relation_of(reader: pa.RecordBatchReader) -> duckdb.DuckDBPyRelation:
    """Return a relation over rows in memory, of DuckDB's default connection, which `duckdb.sql` uses too. One on the store's
    file would hold the file, and keep writers waiting, for as long as anybody has it."""
    return duckdb.from_arrow(reader.read_all())


TYPES.add("duckdb.DuckDBPyRelation", TableType(_relation_reader, _relation_of))


def _polars_frame(reader: pa.RecordBatchReader) -> Any:
    import polars

    return polars.from_arrow(reader.read_all())


TYPES.add("polars.DataFrame", TableType(lambda frame, time: _ordered(frame.to_arrow(), time), _polars_frame))
TYPES.add(
    "polars.LazyFrame",
    TableType(lambda frame, time: _ordered(frame.collect().to_arrow(), time), lambda reader: _polars_frame(reader).lazy()),
)


def type_of_input(context: dg.InputContext) -> TableType:
    """Return the type that an input is annotated with; one without an annotation is an Arrow table.

    Raises Failure for a type that no table comes in.
    """
    annotation = context.dagster_type.typing_type
    if annotation is Any:
        return TYPES["pyarrow.Table"]
    name = _type_name(annotation)
    if name in TYPES:
        return TYPES[name]
    raise _refusal(f"{context.asset_key.to_user_string()} is asked for as {name or annotation}, in which no table comes")


def reader_of(value: Any, time: str | None, subject: str) -> pa.RecordBatchReader:
    """Return the rows of a value that an asset hands over, ordered by a column of time if there is one; `subject` names the
    table. Raises Failure for a type that is no table."""
    for class_ in type(value).__mro__:
        name = _type_name(class_)
        if name in TYPES:
            return TYPES[name].to_reader(value, time)
    raise _refusal(f"{subject}: the asset gives {_type_name(type(value))}, which is no table")


def _type_name(class_: Any) -> str:
    """Return the name of a class with that of its library, without the module."""
    library = getattr(class_, "__module__", "").partition(".")[0]
    return f"{library}.{getattr(class_, '__qualname__', class_)}"


def _refusal(message: str) -> dg.Failure:
    names = list(TYPES)
    return dg.Failure(
        f"{message}. A store reads and writes {', '.join(names[:-1])} and {names[-1]}; an input without an annotation is a "
        f"{names[0]}.",
        allow_retries=False,
    )


def storable(reader: pa.RecordBatchReader, subject: str) -> pa.RecordBatchReader:
    """Return rows in the types that every store has: texts and lists with short offsets, signed numbers, moments in UTC
    without a zone, to the microsecond. What a schema says of the table that it came from is left out.

    Raises Failure that names a column of a type that no store has.
    """
    fields = []
    for field in reader.schema:
        type_ = _storable_type(field.type)
        if type_ is None:
            raise dg.Failure(
                f"{subject}: no store has the type {field.type} of the column {field.name}. Cast it before you return it.",
                allow_retries=False,
            )
        fields.append(pa.field(field.name, type_, field.nullable))
    schema = pa.schema(fields)
    return reader if reader.schema.equals(schema, check_metadata=True) else reader.cast(schema)


_WIDER_TYPES = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64()}
_STORABLE = (pt.is_boolean, pt.is_signed_integer, pt.is_float32, pt.is_float64, pt.is_decimal128, pt.is_date32)


def _storable_type(type_: pa.DataType) -> pa.DataType | None:
    if type_ in _WIDER_TYPES:
        return _WIDER_TYPES[type_]
    if any(test(type_) for test in _STORABLE):
        return type_
    if pt.is_string(type_) or pt.is_large_string(type_) or pt.is_string_view(type_):
        return pa.string()
    if pt.is_timestamp(type_):
        return pa.timestamp("us")
    if pt.is_date64(type_):
        return pa.date32()
    if pt.is_dictionary(type_):
        return _storable_type(type_.value_type)
    if pt.is_list(type_) or pt.is_large_list(type_):
        value_type = _storable_type(type_.value_type)
        return None if value_type is None else pa.list_(value_type)
    return None
