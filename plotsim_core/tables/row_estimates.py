"""How large tables will be, told before anything is written.

Dates, listed values and, while a segment has no more than some thousand units, dimensions are exact, and so are the rows of
facts and events, which are counted (not filled) to know who leaves and which rows happen. Beyond that units are sampled, and
numbers lie within 2 % of what is made or three standard deviations of it, whichever is more.

Bytes are those of Parquet files (zstd), from typical compressed widths by column type: right within a factor of
three.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.config.quality import Issue
from plotsim_core.engine.slice import Slice, all_units_in
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.tables.estimate import delivered_after, expected_rows
from plotsim_core.tables.estimate_sample import Sample, sample
from plotsim_core.tables.issue_rows import covers
from plotsim_core.tables.kind import table_kind

_WIDTHS = {
    pa.bool_(): 0.1,
    pa.int64(): 0.7,
    pa.float64(): 2.5,
    pa.date32(): 0.6,
    pa.timestamp("us"): 7.5,
    pa.string(): 0.3,
}
"""Compressed bytes per value; of a text, where it is one of a few."""
_OTHER_WIDTH = 2.0
_LIST_LENGTH = 3
"""Assumed number of values of a list."""
_FOOTER = 450
"""Bytes per column, whatever the rows."""


@dataclass(frozen=True)
class Size:
    """What is expected of one table: `rows` in all (of a state: at the end), `per_period` on average (of a state: as it
    stands at the end of a period), and the `bytes` of its Parquet file."""

    table: str
    rows: int
    per_period: float
    bytes: int


def sizes(plan: Plan, tables: tuple[TablePlan, ...], slice_: Slice) -> tuple[Size, ...]:
    """Return the expected sizes of tables (or stages) in a slice of all units. No value is made."""
    samples: dict[tuple[str, bool], Sample] = {}
    result = []
    for table in tables:
        population = plan.population_of(table)
        key = (population.unit, table.spec.is_state)  # a state knows all lives so far
        if key not in samples:
            broken = tuple(other for other in plan.tables_of(population) if other.issues)
            unit_slice = all_units_in(population, slice_)
            samples[key] = sample(population, replace(unit_slice, first=plan.first) if key[1] else unit_slice, broken)
        unit_sample = samples[key]
        rows = _stored(table, unit_sample, expected_rows(table, unit_sample))
        is_whole = table.periods is None and not table.issues
        total = table_kind(table).rows_between(population, slice_.first, slice_.stop) if is_whole else None
        result.append(_size(table, rows, unit_sample.periods, slice_, total))
    return tuple(result)


def _size(table: TablePlan, sampled_rows: Floats, periods: NDArray[np.int64], slice_: Slice, total: float | None) -> Size:
    per_period = np.interp(slice_.periods, periods, sampled_rows)
    rows = round(float(per_period[-1] if table.spec.is_state else per_period.sum()) if total is None else total)
    widths = sum(_width(column) for column in table.columns)
    return Size(table.name, rows, float(per_period.mean()), round(rows * widths + _FOOTER * len(table.columns)))


def _stored(table: TablePlan, unit_sample: Sample, rows: Floats) -> Floats:
    """Return how many rows are stored in each of the sample's periods, where `rows` happen: not outside those that the
    table has rows of, less and more where rows are dropped, copied and delivered at other times on purpose."""
    for _, issue in table.issues:
        share = issue.rate * covers(unit_sample.population, issue, unit_sample.periods)
        rows = rows * (1.0 + share * (int(issue.copies) - int(issue.drops)))
    if table.periods is not None:
        rows = rows * ((unit_sample.periods >= table.periods[0]) & (unit_sample.periods < table.periods[1]))
    for is_late in (True, False):  # what comes again does so after it has come
        issues = [issue for _, issue in table.issues if issue.delivers and (issue.issue == "late_delivery") == is_late]
        rows = rows + sum(_shifted_rows(issue, unit_sample, rows) for issue in issues)
    return rows


def _shifted_rows(issue: Issue, unit_sample: Sample, rows: Floats) -> Floats:
    """Return how many rows an issue of delivery adds to each of the sample's periods, and takes from them."""
    affected = issue.rate * rows * covers(unit_sample.population, issue, unit_sample.periods)
    deliveries = delivered_after(issue, unit_sample, affected)
    return deliveries - affected if issue.issue == "late_delivery" else deliveries


def _width(column: ColumnPlan) -> float:
    width = column.spec.source.stored_bytes(column.type)
    return _type_width(column.type) if width is None else width


def _type_width(type_: pa.DataType) -> float:
    """Return the compressed bytes per value of a type: of a nested one, those of its parts (a list is taken to be short)."""
    if pa.types.is_struct(type_):
        return sum(_type_width(field.type) for field in type_)
    if pa.types.is_list(type_):
        return _LIST_LENGTH * _type_width(type_.value_type)
    return _WIDTHS.get(pa.timestamp("us") if pa.types.is_timestamp(type_) else type_, _OTHER_WIDTH)
