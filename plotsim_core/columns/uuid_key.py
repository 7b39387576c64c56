"""`uuid`: the key of a row as a UUID of version 4, unique by construction.

The 122 free bits of a UUID hold all that tells a row of a table apart: the number of its segment and that of its unit in it
(50 bits), its period (32), and its place among its siblings, paired with that of its parent row (40). A keyed permutation of
all 122 bits, a table's own, makes them look random.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.identifier_patterns import ascii_texts
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, row_noun
from plotsim_core.errors import Problem, UsageError
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.codes import ORDINAL_BITS, segment_number
from plotsim_core.numerics.pairing import pair_numbers
from plotsim_core.numerics.permutation import permute_pairs
from plotsim_core.numerics.random import Words, key
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_HALF = 61
"""Bits of each half of what is permuted."""
_PERIOD_BITS, _NUMBER_BITS = 32, 40
_FIRST_PERIOD = -(1 << (_PERIOD_BITS - 1))
_LOW_PERIOD_BITS = _HALF - _NUMBER_BITS
_VERSION, _VARIANT = 4, 2


@add_source
class UuidKey(ColumnSource):
    """A UUID of version 4 in 36 signs, in no order; no two rows of a table have one."""

    word = "uuid"
    example = "uuid"
    needs = frozenset({"key"})
    is_breakable = False
    is_drifting = False
    in_wide_tables = False

    @property
    def is_key(self) -> bool:
        return True

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if key_column(table) is not column:
            yield Problem("type", f"{table.name} has another key already")
        if table.is_date_dimension or table.is_time_dimension:
            yield Problem("type", f"the keys of {table.name} are its dates or times, as numbers", "write id")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"Key of the {row_noun(table)}, a UUID; one for each row."

    def stored_bytes(self, type_: pa.DataType) -> float:
        return 22.0

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        population, number = rows.block.population, _place(table, rows)
        if int(number.max(initial=0)) >= 1 << _NUMBER_BITS:
            raise UsageError(f"{table.name} has more rows that belong together than a UUID has room for")
        unit, period = np.zeros(len(rows), dtype=np.uint64), np.zeros(len(rows), dtype=np.uint64)
        if len(rows.unit) == len(rows) and table.spec.has_unit_rows:
            segments = np.array([segment_number(segment.spec.name) for segment in population.segments], dtype=np.uint64)
            units = rows.block.units
            codes = (segments[units.segment] << np.uint64(ORDINAL_BITS)) | units.ordinal.astype(np.uint64)
            unit = codes[rows.unit]
        if len(rows.period) == len(rows) and not table.spec.comes_with_units:
            period = (rows.period - _FIRST_PERIOD).astype(np.uint64)
        high = (unit << np.uint64(_PERIOD_BITS - _LOW_PERIOD_BITS)) | (period >> np.uint64(_LOW_PERIOD_BITS))
        low = (period & np.uint64((1 << _LOW_PERIOD_BITS) - 1)) << np.uint64(_NUMBER_BITS) | number.astype(np.uint64)
        stream = key(population.seed, "uuid", table.stream)
        return _texts(*permute_pairs(high, low, _HALF, stream))


def _place(table: TablePlan, rows: Rows) -> Integers:
    """Return a number that tells each row from the others of its unit and period."""
    number = rows.ordinal if len(rows.ordinal) == len(rows) else np.zeros(len(rows), dtype=np.int64)
    return number if rows.parent is None else pair_numbers(_place(table, rows.parent)[rows.owner], number)


def _texts(high: Words, low: Words) -> ArrowArray:
    """Return UUIDs of version 4, from twice 61 free bits each."""
    first = high >> np.uint64(1)
    first = ((first >> np.uint64(12)) << np.uint64(16)) | np.uint64(_VERSION << 12) | (first & np.uint64(0xFFF))
    second = np.uint64(_VARIANT << 62) | ((high & np.uint64(1)) << np.uint64(_HALF)) | low
    digits = np.hstack([_hexadecimal(first), _hexadecimal(second)])
    letters = np.full((len(digits), 36), ord("-"), dtype=np.uint8)
    for start, stop, offset in ((0, 8, 0), (8, 12, 1), (12, 16, 2), (16, 20, 3), (20, 32, 4)):
        letters[:, start + offset : stop + offset] = digits[:, start:stop]
    return ascii_texts(letters)


def _hexadecimal(numbers: Words) -> NDArray[np.uint8]:
    shifts = np.arange(60, -1, -4, dtype=np.uint64)
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    return digits[((numbers[:, None] >> shifts) & np.uint64(15)).astype(np.intp)]
