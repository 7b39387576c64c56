"""Arrow arrays: the names of their types, and typed forms of calls that the stubs of Arrow type too narrowly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

ArrowArray: TypeAlias = "pa.Array[Any]"
"""Values of one type, whichever it is."""
ArrowChunks: TypeAlias = "pa.ChunkedArray[Any]"
"""The same in pieces, as a table has them."""
ArrowField: TypeAlias = "pa.Field[Any]"

_joined = cast("Callable[..., pa.StringArray]", pc.binary_join_element_wise)


def joined(*parts: ArrowArray | pa.Scalar[Any] | str, between: str = "") -> pa.StringArray:
    """Return the texts of each row side by side, with a text between them; null where one of them is null. At least one
    part is an array."""
    return _joined(*parts, between)


def taken(values: ArrowArray, indexes: NDArray[np.integer[Any]], is_null: NDArray[np.bool_]) -> ArrowArray:
    """Return the values at some indexes, and null where `is_null`."""
    nullable_indexes: ArrowArray = pa.array(indexes, mask=is_null)
    return values.take(nullable_indexes)


def has_zone(type_: pa.DataType) -> bool:
    """Return whether values are moments whose type says in which time zone they are shown."""
    return isinstance(type_, pa.TimestampType) and type_.tz is not None


def in_utc(type_: pa.DataType) -> pa.DataType:
    """Return a type with UTC for the zone of moments that have one."""
    if isinstance(type_, pa.StructType):
        return pa.struct([field.with_type(in_utc(field.type)) for field in fields_of(type_)])
    if isinstance(type_, pa.ListType):
        return pa.list_(type_.value_field.with_type(in_utc(type_.value_type)))
    return pa.timestamp("us", "UTC") if has_zone(type_) else type_


def plain_type(type_: pa.DataType) -> pa.DataType:
    """Return a type without a dictionary: that of the values of an enum."""
    return type_.value_type if isinstance(type_, pa.DictionaryType) else type_


def repeated(value: object, type_: pa.DataType, count: int) -> ArrowArray:
    """Return a value of an Arrow type `count` times."""
    scalar: Any = pa.scalar(value, type_)
    values: ArrowArray = pa.repeat(scalar, count)
    return values


def lists(edges: NDArray[np.int32] | list[int], values: ArrowArray) -> ArrowArray:
    """Return lists of values: the first from the first of the edges to the second, and so on."""
    offsets: Any = pa.array(edges, pa.int32())
    arrays: ArrowArray = pa.ListArray.from_arrays(offsets, values)
    return arrays


def joined_lists(texts: ArrowArray, between: str = "") -> pa.StringArray:
    """Return the texts of each list one after the other, with a text between them."""
    return cast("pa.StringArray", pc.binary_join(texts, between))


def buffer_numbers(values: ArrowArray, buffer: int, type_: str, count: int, offset: int) -> NDArray[Any]:
    """Return `count` numbers of a NumPy type from one of the buffers of an array, from byte `offset` of it on."""
    data: Any = values.buffers()[buffer]
    return np.frombuffer(data, type_, count, offset)


def fields_of(struct: pa.DataType) -> list[ArrowField]:
    """Return the fields of a type of structs."""
    return list(cast("pa.StructType", struct))


def struct_values(structs: ArrowArray | ArrowChunks, name: str) -> ArrowArray:
    """Return the values of a field of structs, in one piece."""
    values: Any = pc.struct_field(structs, name)
    array: ArrowArray = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return array


def schema_of(fields: Iterable[ArrowField], like: pa.Schema | None = None) -> pa.Schema:
    """Return the schema of fields, with the metadata of another one."""
    metadata: Any = None if like is None else like.metadata
    return pa.schema(fields, metadata)
