"""The hash of rows is that of the rows: not of batches, of what lies under nulls, or of how Arrow keeps a column."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pytest

from plotsim_core.output.content import ContentHash

ROWS = pa.table(
    {
        "key": pa.array(range(7), pa.int64()),
        "name": pa.array(["a", "", None, "été", "b", "a", None]),
        "value": pa.array([1.5, None, 0.0, -2.25, None, 3.0, 4.0]),
        "flag": pa.array([True, None, False, True, True, False, None]),
        "day": pa.array([date(2024, 1, 1), None, date(2024, 2, 29), None, *[date(2025, 1, 1)] * 3]),
        "at": pa.array([datetime(2024, 1, 1, 12), None, *[datetime(2025, 1, 1, 1, 1, 1)] * 5], pa.timestamp("us")),
        "tags": pa.array([["x"], [], None, ["y", None], ["z"], [], ["x", "x"]], pa.list_(pa.string())),
        "place": pa.array(
            [{"lat": 1.0, "of": "x"}, None, *[{"lat": None, "of": "y"}] * 5],
            pa.struct([("lat", pa.float64()), ("of", pa.string())]),
        ),
    }
)


def hashed(*tables: pa.Table) -> str:
    content = ContentHash(tables[0].schema)
    for table in tables:
        for batch in table.to_batches():
            content.update(batch)
    return content.hexdigest()


def test_the_hash_is_known() -> None:
    """The same rows have this hash on any machine."""
    assert hashed(ROWS) == "6af9c46bb1b459960a8df31a3ff45cb9"


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_batches_do_not_show(size: int) -> None:
    """Rows in slices of any size have the hash of the whole; empty batches add nothing."""
    pieces = [ROWS.slice(begin, size) for begin in range(0, ROWS.num_rows, size)]
    assert hashed(*pieces) == hashed(ROWS) == hashed(ROWS.slice(0, 0), ROWS)
    joined = pa.concat_tables(pieces).combine_chunks()
    assert hashed(joined) == hashed(ROWS)


def test_a_dictionary_is_the_values_that_it_stands_for() -> None:
    encoded = ROWS.set_column(1, "name", ROWS["name"].dictionary_encode())
    assert hashed(encoded) == hashed(ROWS)


def test_what_lies_under_a_null_does_not_show() -> None:
    """Arrow leaves the bytes of a null to chance."""
    mask = pa.py_buffer(bytes([0b101]))
    one, other = (
        pa.Array.from_buffers(pa.int64(), 3, [mask, pa.py_buffer(b"".join(n.to_bytes(8, "little") for n in (1, under, 3)))])
        for under in (2, 99)
    )
    assert one.equals(other)
    assert hashed(pa.table({"n": one})) == hashed(pa.table({"n": other}))


@pytest.mark.parametrize("column", range(ROWS.num_columns))
def test_every_column_shows(column: int) -> None:
    """A value that moves to another row gives another hash, in a column of any type, and so does the column's name."""
    order = pa.array([1, 0, 2, 3, 4, 5, 6])
    moved = ROWS.set_column(column, ROWS.schema.field(column), ROWS.column(column).take(order))
    assert hashed(moved) != hashed(ROWS)
    named = ROWS.rename_columns([name if place != column else "other" for place, name in enumerate(ROWS.column_names)])
    assert hashed(named) != hashed(ROWS)


def test_texts_do_not_run_into_each_other() -> None:
    assert hashed(pa.table({"a": ["xy", "z"]})) != hashed(pa.table({"a": ["x", "yz"]}))
    assert hashed(pa.table({"a": ["", None]})) != hashed(pa.table({"a": [None, ""]}))
