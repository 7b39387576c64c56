"""Breaking rows on purpose. Which rows follows from their ranks, how from their addresses, so that any slice is broken as
the whole is.

Issues are dealt with in the order of the list: those that change cells first, then those that copy or drop rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.decimals import as_decimals, as_floats
from plotsim_core.columns.primary_key import date_keys
from plotsim_core.columns.recorded_moments import moments
from plotsim_core.columns.rows import Rows
from plotsim_core.config.quality import ARRIVAL, DELIVERED, drift_column, orphan_mark
from plotsim_core.config.tables import extreme_keys, is_number
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import choose, key, uniforms
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.delivery import ACTIONS, HELD_BACK, IN_TIME, Deliveries
from plotsim_core.tables.issue_rows import Hit, find_hits

ROW = "*"
"""Stands for the whole row where the name of a column is expected."""
_LATEST = 5
"""Most periods that a row arrives late."""
_CODES = 1000
_DIGITS = 6
"""Decimals of an estimate of a number without fixed decimals."""
_NONE: Integers = np.empty(0, dtype=np.int64)

Columns = dict[str, ArrowArray]


@dataclass(frozen=True, eq=False)
class Change:
    """What issue `number` did to one column (or to whole rows: `ROW`): `rows` are the indices of rows, `clean_texts` and
    `stored_texts` their values."""

    number: int
    issue: str
    action: str
    column: str
    rows: Integers
    clean_texts: ArrowArray
    stored_texts: ArrowArray


@dataclass(frozen=True, eq=False)
class Broken:
    """Rows after all issues: the columns of each clean row, how often it is stored (0: not at all), and what was done."""

    columns: Columns
    times: Integers
    changes: list[Change]


def break_rows(
    table: TablePlan, rows: Rows, columns: Mapping[str, ArrowArray], deliveries: Deliveries | None = None
) -> Broken:
    """Return rows, which have ranks, with the issues of their table; `columns` are the clean ones, all or those that issues
    are about. In a table with issues of delivery, `deliveries` are those of the rows, one each."""
    broken = dict(columns)
    changes: list[Change] = []
    periods = rows.period if deliveries is None else deliveries.period
    for number, issue in table.issues:
        if issue.issue in _CELL_ISSUES:
            # a source has the columns of the day on which it delivers
            hit_periods = periods if issue.issue == "schema_drift" else None
            changes.append(_CELL_ISSUES[issue.issue](find_hits(table, rows, number, issue, hit_periods), broken))
        elif issue.issue == "restatement" and deliveries is not None:
            provisional_hit = replace(find_hits(table, rows, number, issue), mask=deliveries.provisional(number))
            decimals = next(column.decimals for column in table.columns if column.name == issue.column)
            changes.append(_provisional(provisional_hit, broken, columns[provisional_hit.column], decimals, changes))
    changes += _cdc_changes(table, rows, broken, changes, deliveries)
    times = np.ones(len(rows), dtype=np.int64)
    copied: list[Change] = []
    dropped: list[Change] = []
    if deliveries is not None:
        broken[DELIVERED] = pa.array(date_keys(rows.block.population, deliveries.period))
        times[~deliveries.stored] = 0
        copied += _delivery_changes(table, deliveries)
        dropped += _held_back_changes(table, columns, deliveries)
    for number, issue in table.issues:
        positions = np.flatnonzero(find_hits(table, rows, number, issue).mask) if issue.copies or issue.drops else _NONE
        if issue.copies:
            positions = positions if deliveries is None else positions[deliveries.first[positions]]
            times[positions] += times[positions] > 0
            copied.append(Change(number, issue.issue, "copied", ROW, positions, *_null_texts(len(positions), 2)))
        elif issue.drops:
            positions = positions[times[positions] > 0]
            times[positions] = 0
            for name, values in columns.items():
                clean = text_of(values.take(positions))
                dropped.append(
                    Change(number, issue.issue, "dropped", name, positions, clean, *_null_texts(len(positions), 1))
                )
    return Broken(broken, times, [*(_stored_change(change, times) for change in (*changes, *copied)), *dropped])


def stored_rows(table: TablePlan, broken: Broken) -> pa.RecordBatch:
    """Return broken rows as they are stored: a copy follows its original."""
    batch = batch_of(table, [broken.columns[column.name] for column in table.columns])
    if bool(np.all(broken.times == 1)):
        return batch
    return batch.take(np.repeat(np.arange(len(broken.times), dtype=np.int64), broken.times))


def _delivery_changes(table: TablePlan, deliveries: Deliveries) -> Iterator[Change]:
    """Yield a change for rows that are delivered at another time than their own, or again."""
    for number, issue in table.issues:
        for code in range(IN_TIME + 1, HELD_BACK) if issue.delivers else ():
            positions = np.flatnonzero((deliveries.number == number) & (deliveries.action == code))
            yield Change(number, issue.issue, ACTIONS[code], ROW, positions, *_null_texts(len(positions), 2))


def _held_back_changes(table: TablePlan, columns: Mapping[str, ArrowArray], deliveries: Deliveries) -> Iterator[Change]:
    """Yield a change for each column of rows that are not delivered in time."""
    for number, issue in table.issues:
        positions = (
            np.flatnonzero((deliveries.number == number) & (deliveries.action == HELD_BACK)) if issue.delivers else _NONE
        )
        for name, values in columns.items() if len(positions) else ():
            clean = text_of(values.take(positions))
            yield Change(number, issue.issue, ACTIONS[HELD_BACK], name, positions, clean, *_null_texts(len(positions), 1))


def _cell_change(hit: Hit, name: str, mask: NDArray[np.bool_], before: ArrowArray, after: ArrowArray) -> Change:
    positions = np.flatnonzero(mask)
    clean, stored = (text_of(values.take(positions)) for values in (before, after))
    return Change(hit.number, hit.issue.issue, "changed", name, positions, clean, stored)


def _null(hit: Hit, columns: Columns) -> Change:
    before = columns[hit.column]
    mask = hit.mask & _is_valid(before)
    columns[hit.column] = _with_nulls(before, mask)
    return _cell_change(hit, hit.column, mask, before, columns[hit.column])


def _drift(hit: Hit, columns: Columns) -> Change:
    before, new_column = columns[hit.column], drift_column(hit.column)
    mask = hit.mask & _is_valid(before)
    columns[hit.column] = _with_nulls(before, mask)
    moved_values = _with_nulls(before, ~mask)
    columns[new_column] = pc.coalesce(columns[new_column], moved_values) if new_column in columns else moved_values
    return _cell_change(hit, hit.column, mask, before, columns[hit.column])


def _mismatch(hit: Hit, columns: Columns) -> Change:
    before = columns[hit.column]
    mask = hit.mask & _is_valid(before)
    texts = misspell(before.filter(pa.array(mask)), hit.stream("spelling"), hit.rows.address[mask])
    columns[hit.column] = pc.replace_with_mask(pc.cast(before, pa.string()), pa.array(mask), texts)
    return _cell_change(hit, hit.column, mask, before, columns[hit.column])


def _orphan(hit: Hit, columns: Columns) -> Change:
    before = columns[hit.column]
    mask = hit.mask & _is_valid(before)
    mark = _orphan_mark(hit)
    orphans = pc.add(before, mark) if isinstance(mark, int) else joined(before, pa.scalar(""), between=mark)
    columns[hit.column] = pc.if_else(pa.array(mask), orphans, before)
    return _cell_change(hit, hit.column, mask, before, columns[hit.column])


def _orphan_mark(hit: Hit) -> str | int:
    """Return what makes orphans of the keys that an issue's column refers to."""
    population = hit.rows.block.population
    column = next(column.spec for column in population.table(hit.issue.table).columns if column.name == hit.column)
    name, key_name = column.source.target(population.dataset) or ("", "")
    owner = population.table(name)
    mark = orphan_mark(extreme_keys(key_name, owner.spec, population.population_of(owner).dataset))
    assert mark is not None  # or the config would have been refused
    return mark


def _late(hit: Hit, columns: Columns) -> Change:
    rows = hit.rows
    before = columns.get(ARRIVAL, pa.nulls(len(rows), pa.int64()))
    mask = hit.mask & ~_is_valid(before)
    arrival: Integers = rows.period + 1 + choose(hit.stream("periods"), rows.address, _LATEST)
    columns[ARRIVAL] = pc.if_else(pa.array(mask), pa.array(date_keys(rows.block.population, arrival)), before)
    return _cell_change(hit, ARRIVAL, mask, before, columns[ARRIVAL])


_CELL_ISSUES: dict[str, Callable[[Hit, Columns], Change]] = {
    "null_injection": _null,
    "schema_drift": _drift,
    "type_mismatch": _mismatch,
    "orphaned_keys": _orphan,
    "late_arrival": _late,
}
"""Issue about cells to its function: it changes the columns and returns the change."""


def _provisional(hit: Hit, columns: Columns, clean: ArrowArray, decimals: int | None, changes: list[Change]) -> Change:
    """Replace values that are put right later by estimates, but where an issue before this one broke them."""
    before = columns[hit.column]
    mask = hit.mask & _is_valid(before)
    for change in changes:
        if change.column == hit.column:
            mask[change.rows] = False
    estimates = estimate(clean.filter(pa.array(mask)), decimals, hit.stream("estimate"), hit.rows.address[mask])
    # not replace_with_mask, which knows no structs
    positions = np.where(mask, len(before) + np.cumsum(mask) - 1, np.arange(len(before)))
    columns[hit.column] = pa.concat_arrays([before, pc.cast(estimates, before.type)]).take(positions)
    return _cell_change(hit, hit.column, mask, before, columns[hit.column])


def estimate(values: ArrowArray, decimals: int | None, stream: np.uint64, address: NDArray[np.uint64]) -> ArrowArray:
    """Return provisional estimates of values: numbers between half and one and a half
    of them, yes and no the other way round, all else not at all. None is the right one."""
    if pa.types.is_boolean(values.type):
        inverted: ArrowArray = pc.invert(values)
        return inverted
    if not is_number(values.type):
        nothing: ArrowArray = pa.nulls(len(values), values.type)
        return nothing
    is_exact = pa.types.is_decimal(values.type)
    numbers: Floats = as_floats(values) if is_exact else values.to_numpy(zero_copy_only=False)
    estimates = numbers * ((50 + choose(stream, address, 101)) / 100)
    digits = 0 if pa.types.is_integer(values.type) else _DIGITS if decimals is None else decimals
    is_right = np.round(estimates, digits) == numbers
    result: ArrowArray = pa.array(np.round(np.where(is_right, numbers + 1, estimates), digits))
    return as_decimals(result, values.type.scale) if is_exact else pc.cast(result, values.type)


def misspell(values: ArrowArray, stream: np.uint64, address: NDArray[np.uint64]) -> ArrowArray:
    """Return values as texts of another type: numbers that no program reads as such, texts that are numbers, days written
    the other way round, times with points, yes and no as letters."""
    if pa.types.is_string(values.type) or pa.types.is_dictionary(values.type):
        return pc.cast(pa.array(choose(stream, address, _CODES)), pa.string())
    if pa.types.is_time(values.type):
        clock_texts: ArrowArray = pc.utf8_slice_codeunits(pc.cast(values, pa.string()), 0, 5)
        return pc.replace_substring(clock_texts, ":", ".")
    if pa.types.is_temporal(values.type):
        moments: ArrowArray = pc.cast(values, pa.timestamp("us"))
        return pc.strftime(moments, format="%d.%m.%Y")
    if pa.types.is_boolean(values.type):
        letters: ArrowArray = pc.if_else(values, "Y", "N")
        return letters
    texts = pc.cast(values, pa.string())
    with_comma = pc.if_else(
        pc.match_substring(texts, "."),
        pc.replace_substring(texts, ".", ","),
        joined(texts, "0", between=","),
    )
    with_prefix = joined("ca.", texts, between=" ")
    misspelt: ArrowArray = pc.choose(pa.array(choose(stream, address, 3)), pa.scalar("n/a"), with_comma, with_prefix)
    return misspelt


def text_of(values: ArrowArray) -> ArrowArray:
    """Return values as texts that they can be read back from; lists and structures as JSON."""
    if pa.types.is_nested(values.type):
        texts = [None if value is None else json.dumps(value, default=str) for value in values.to_pylist()]
        return pa.array(texts, pa.string())
    return pc.cast(values, pa.string())


def _cdc_changes(
    table: TablePlan, rows: Rows, columns: Columns, changes: list[Change], deliveries: Deliveries | None
) -> list[Change]:
    """Change the CDC columns of a table with the changes of its rows: the first issue that changes a cell of a row corrects
    it, before the end of its period. A row of a whole period was then written earlier in it. A row that is restated
    was updated in the period of that."""
    changes_by_name = ((c.spec.source.change_part, c.name) for c in table.columns if c.name in columns)
    parts = {part: name for part, name in changes_by_name if part is not None}
    if not parts or not len(rows):
        return []
    issue_numbers = np.zeros(len(rows), dtype=np.int64)
    for change in changes:
        if change.column != ARRIVAL and change.issue != "restatement":
            issue_numbers[change.rows] = np.where(issue_numbers[change.rows] == 0, change.number, issue_numbers[change.rows])
    period_ends = rows.block.population.grain.instants(rows.period + 1)
    share = uniforms(key(rows.block.population.seed, "quality", table.stream, "corrected"), rows.address)
    since, has_moments = moments(table, rows), len(rows.moment) == len(rows)
    remaining = (period_ends - since).astype(np.int64) - 1
    corrected_at = since + np.ceil(share * remaining).astype("timedelta64[us]")
    times = (since, corrected_at) if has_moments else (corrected_at, period_ends - np.timedelta64(1, "us"))
    stamps = dict(zip(("inserted_at", "updated_at"), times, strict=True))
    is_corrected = (issue_numbers > 0) & (stamps["updated_at"] > stamps["inserted_at"])
    numbers = {part: np.where(is_corrected, issue_numbers, 0) for part in parts}
    if deliveries is not None:
        number, period = deliveries.restated()
        is_restated = number > 0
        starts, stops = (rows.block.population.grain.instants(period[is_restated] + offset) for offset in (0, 1))
        corrected_at = starts + np.floor(share[is_restated] * (stops - starts).astype(np.int64)).astype("timedelta64[us]")
        stamps["updated_at"] = stamps["updated_at"].copy()
        stamps["updated_at"][is_restated] = corrected_at
        numbers = {
            part: corrected if part == "inserted_at" else np.where(is_restated, number, corrected)
            for part, corrected in numbers.items()
        }
    cdc_changes: list[Change] = []
    for part, name in parts.items():
        before = columns[name]
        after = pa.scalar("U") if part == "op" else pa.array(rows.block.population.grain.local(stamps[part]), before.type)
        columns[name] = pc.if_else(pa.array(numbers[part] > 0), after, before)
        is_changed = pc.not_equal(before, columns[name]).to_numpy(zero_copy_only=False)
        for issue_number, issue in table.issues:
            mask = is_changed & (numbers[part] == issue_number)
            cdc_changes.append(_cell_change(Hit(issue_number, issue, rows, mask, ()), name, mask, before, columns[name]))
    return cdc_changes


def _stored_change(change: Change, times: Integers) -> Change:
    """Return a change without the rows that are dropped."""
    is_stored = times[change.rows] > 0
    if bool(np.all(is_stored)):
        return change
    mask = pa.array(is_stored)
    rows, clean, stored = change.rows[is_stored], change.clean_texts.filter(mask), change.stored_texts.filter(mask)
    return Change(change.number, change.issue, change.action, change.column, rows, clean, stored)


def _is_valid(values: ArrowArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return mask


def _with_nulls(values: ArrowArray, mask: NDArray[np.bool_]) -> ArrowArray:
    with_nulls: ArrowArray = pc.if_else(pa.array(mask), pa.scalar(None, values.type), values)
    return with_nulls


def _null_texts(count: int, columns: int) -> list[ArrowArray]:
    return [pa.nulls(count, pa.string())] * columns
