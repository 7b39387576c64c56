"""The hash of rows: the same for the same rows in the same order, whatever batches they came in and wherever they are kept.

Each part of a column is a stream of bytes (values, lengths of texts and lists, places of nulls) with a hash of its own,
so that nothing depends on where one batch ends, on what lies under a null, or on how Arrow keeps a table.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray, buffer_numbers


class ContentHash:
    """The hash of a table's rows, fed batch by batch. All batches have the columns of `schema`."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._columns = tuple(f"{field.name} {_plain_name(field.type)}" for field in schema)
        self._streams: dict[str, Any] = {}
        self._lengths: dict[str, int] = {}

    def update(self, batch: pa.RecordBatch) -> None:
        """Take the rows of a batch."""
        self.rows += batch.num_rows
        for name, array in zip(self._columns, batch.columns, strict=True):
            self._array(name, array)

    def hexdigest(self) -> str:
        """Return the hash of all rows so far: 32 hexadecimal digits."""
        digest = hashlib.sha256(repr((self.rows, self._columns)).encode())
        for stream in sorted(self._streams):
            digest.update(stream.encode() + self._streams[stream].digest())
        return digest.hexdigest()[:32]

    def _array(self, stream: str, array: ArrowArray) -> None:
        if isinstance(array, pa.DictionaryArray):
            array = array.dictionary_decode()
        offset = self._lengths.get(stream, 0)
        self._lengths[stream] = offset + len(array)
        nulls = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)) if array.null_count else None
        if nulls is not None:
            self._add(f"{stream} nulls", (nulls + offset).astype("<i8"))
        if isinstance(array, pa.StructArray):
            for field, values in zip(array.type, array.flatten(), strict=True):
                self._array(f"{stream}.{field.name}", values)
        elif isinstance(array, pa.ListArray | pa.LargeListArray):
            lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
            self._add(f"{stream} lengths", lengths.astype("<i4", copy=False))
            self._array(f"{stream} values", array.flatten())
        elif not pa.types.is_null(array.type):
            self._values(stream, array, nulls)

    def _values(self, stream: str, array: ArrowArray, nulls: NDArray[np.int64] | None) -> None:
        if pa.types.is_boolean(array.type):
            self._add(f"{stream} values", array.fill_null(False).to_numpy(zero_copy_only=False).astype("u1"))
        elif (offset_type := _offset_type(array.type)) is not None:
            array = array if nulls is None else array.fill_null("" if pa.types.is_unicode(array.type) else b"")
            edges = buffer_numbers(array, 1, offset_type, len(array) + 1, array.offset * np.dtype(offset_type).itemsize)
            self._add(f"{stream} lengths", np.diff(edges).astype("<i4", copy=False))
            letters = array.buffers()[2]
            if letters is not None:
                self._add(f"{stream} values", memoryview(letters)[int(edges[0]) : int(edges[-1])])
        else:
            width = array.type.bit_width // 8
            data = buffer_numbers(array, 1, "u1", len(array) * width, array.offset * width)
            if nulls is not None:  # what lies under a null is nobody's
                data = data.reshape(len(array), width).copy()
                data[nulls] = 0
            self._add(f"{stream} values", data)

    def _add(self, stream: str, data: memoryview | NDArray[Any]) -> None:
        self._streams.setdefault(stream, hashlib.sha256()).update(data)


def _plain_name(type_: pa.DataType) -> str:
    """Return a type's name, without its encoding or offset size."""
    return str(type_.value_type if pa.types.is_dictionary(type_) else type_).removeprefix("large_")


def _offset_type(type_: pa.DataType) -> str | None:
    """Return the NumPy type of the offsets of texts; None for a type without offsets."""
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        return "<i4"
    return "<i8" if pa.types.is_large_string(type_) or pa.types.is_large_binary(type_) else None
