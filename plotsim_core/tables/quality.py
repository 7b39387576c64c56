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

from plotsim_core.columns.decimals import as_decimals, as_floats
from plotsim_core.columns.identity import date_keys
from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.timestamp import moments
from plotsim_core.config.quality import ARRIVAL, DELIVERED, drifted, orphan_mark
from plotsim_core.config.tables import SOURCE_WORDS, is_number
from plotsim_core.numerics.random import choose, key, uniforms
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.delivery import ACTIONS, HELD, IN_TIME, Deliveries
from plotsim_core.tables.hit import Hit, hit

ROW = "*"
"""Stands for the whole row where the name of a column is expected."""
_LATEST = 5
"""So many periods late a row arrives at most."""
_CODES = 1000
_DIGITS = 6
"""Decimals of an estimate of a number that has as many as it likes."""
_NONE: Integers = np.empty(0, dtype=np.int64)

Columns = dict[str, pa.Array]


@dataclass(frozen=True, eq=False)
class Change:
    """What issue `number` did to one column (or to whole rows: `ROW`): `rows` are places, `clean` and `stored` texts."""

    number: int
    issue: str
    action: str
    column: str
    rows: Integers
    clean: pa.Array
    stored: pa.Array


@dataclass(frozen=True, eq=False)
class Broken:
    """Rows after all issues: the columns of each clean row, how often it is stored (0: not at all), and what was done."""

    columns: Columns
    times: Integers
    changes: list[Change]


def break_rows(table: TablePlan, rows: Rows, columns: Mapping[str, pa.Array], found: Deliveries | None = None) -> Broken:
    """Return rows, which have ranks, with the issues of their table; `columns` are the clean ones, all or those that issues
    are about. In a table with issues of delivery, `found` are the deliveries that the rows are of, one each."""
    broken = dict(columns)
    changes: list[Change] = []
    when = rows.period if found is None else found.period
    for number, issue in table.issues:
        if issue.issue in _CELLS:
            by = when if issue.issue == "schema_drift" else None  # a source has the columns of the day on which it delivers
            changes.append(_CELLS[issue.issue](hit(table, rows, number, issue, by), broken))
        elif issue.issue == "restatement" and found is not None:
            spoilt = replace(hit(table, rows, number, issue), here=found.provisional(number))
            decimals = next(column.decimals for column in table.columns if column.name == issue.column)
            changes.append(_provisional(spoilt, broken, columns[spoilt.column], decimals, changes))
    changes += _told(table, rows, broken, changes, found)
    times = np.ones(len(rows), dtype=np.int64)
    copied: list[Change] = []
    gone: list[Change] = []
    if found is not None:
        broken[DELIVERED] = pa.array(date_keys(rows.block.plan, found.period))
        times[~found.stored] = 0
        copied += _deliveries(table, found)
        gone += _held(table, columns, found)
    for number, issue in table.issues:
        places = np.flatnonzero(hit(table, rows, number, issue).here) if issue.copies or issue.drops else _NONE
        if issue.copies:
            places = places if found is None else places[found.first[places]]
            times[places] += times[places] > 0
            copied.append(Change(number, issue.issue, "copied", ROW, places, *_nothing(len(places), 2)))
        elif issue.drops:
            places = places[times[places] > 0]
            times[places] = 0
            for name, values in columns.items():
                clean = text_of(values.take(pa.array(places)))
                gone.append(Change(number, issue.issue, "dropped", name, places, clean, *_nothing(len(places), 1)))
    return Broken(broken, times, [*(_kept(change, times) for change in (*changes, *copied)), *gone])


def stored_rows(table: TablePlan, broken: Broken) -> pa.RecordBatch:
    """Return broken rows as they are stored: a copy follows its original."""
    batch = batch_of(table, [broken.columns[column.name] for column in table.columns])
    if bool(np.all(broken.times == 1)):
        return batch
    return batch.take(pa.array(np.repeat(np.arange(len(broken.times), dtype=np.int64), broken.times)))


def _deliveries(table: TablePlan, found: Deliveries) -> Iterator[Change]:
    """Tell of rows that are delivered at another time than their own, or again."""
    for number, issue in table.issues:
        for code in range(IN_TIME + 1, HELD) if issue.delivers else ():
            places = np.flatnonzero((found.number == number) & (found.action == code))
            yield Change(number, issue.issue, ACTIONS[code], ROW, places, *_nothing(len(places), 2))


def _held(table: TablePlan, columns: Mapping[str, pa.Array], found: Deliveries) -> Iterator[Change]:
    """Tell of rows that are not delivered in time, cell by cell."""
    for number, issue in table.issues:
        places = np.flatnonzero((found.number == number) & (found.action == HELD)) if issue.delivers else _NONE
        for name, values in columns.items() if len(places) else ():
            clean = text_of(values.take(pa.array(places)))
            yield Change(number, issue.issue, ACTIONS[HELD], name, places, clean, *_nothing(len(places), 1))


def _changed(hit: Hit, name: str, here: NDArray[np.bool_], before: pa.Array, after: pa.Array) -> Change:
    places = np.flatnonzero(here)
    clean, stored = (text_of(values.take(pa.array(places))) for values in (before, after))
    return Change(hit.number, hit.issue.issue, "changed", name, places, clean, stored)


def _null(hit: Hit, columns: Columns) -> Change:
    before = columns[hit.column]
    here = hit.here & _there(before)
    columns[hit.column] = _without(before, here)
    return _changed(hit, hit.column, here, before, columns[hit.column])


def _drift(hit: Hit, columns: Columns) -> Change:
    before, new = columns[hit.column], drifted(hit.column)
    here = hit.here & _there(before)
    columns[hit.column] = _without(before, here)
    moved = _without(before, ~here)
    columns[new] = pc.coalesce(columns[new], moved) if new in columns else moved
    return _changed(hit, hit.column, here, before, columns[hit.column])


def _mismatch(hit: Hit, columns: Columns) -> Change:
    before = columns[hit.column]
    here = hit.here & _there(before)
    wrong = misspelt(before.filter(pa.array(here)), hit.stream("spelling"), hit.rows.address[here])
    columns[hit.column] = pc.replace_with_mask(pc.cast(before, pa.string()), pa.array(here), wrong)
    return _changed(hit, hit.column, here, before, columns[hit.column])


def _orphan(hit: Hit, columns: Columns) -> Change:
    before = columns[hit.column]
    here = hit.here & _there(before)
    mark = _orphan_mark(hit)
    lost = pc.add(before, mark) if isinstance(mark, int) else pc.binary_join_element_wise(before, pa.scalar(""), mark)
    columns[hit.column] = pc.if_else(pa.array(here), lost, before)
    return _changed(hit, hit.column, here, before, columns[hit.column])


def _orphan_mark(hit: Hit) -> str | int:
    """Return what makes orphans of the keys that an issue's column refers to."""
    plan = hit.rows.block.plan
    column = next(column.spec for column in plan.table(hit.issue.table).columns if column.name == hit.column)
    name, key_ = SOURCE_WORDS[column.word].refers(column.source, plan.dataset) or ("", "")
    own = next(other.spec.source for other in plan.table(name).columns if other.name == key_)
    mark = orphan_mark(getattr(own, "values", None))
    assert mark is not None  # or the config would have been refused
    return mark


def _late(hit: Hit, columns: Columns) -> Change:
    rows = hit.rows
    before = columns.get(ARRIVAL, pa.nulls(len(rows), pa.int64()))
    here = hit.here & ~_there(before)
    arrived: Integers = rows.period + 1 + choose(hit.stream("periods"), rows.address, _LATEST)
    columns[ARRIVAL] = pc.if_else(pa.array(here), pa.array(date_keys(rows.block.plan, arrived)), before)
    return _changed(hit, ARRIVAL, here, before, columns[ARRIVAL])


_CELLS: dict[str, Callable[[Hit, Columns], Change]] = {
    "null_injection": _null,
    "schema_drift": _drift,
    "type_mismatch": _mismatch,
    "orphaned_keys": _orphan,
    "late_arrival": _late,
}
"""What each issue about cells does to the columns, and what it tells of it."""


def _provisional(hit: Hit, columns: Columns, clean: pa.Array, decimals: int | None, changes: list[Change]) -> Change:
    """Put another value in the place of those that are put right later, but where an issue before this one broke them."""
    before = columns[hit.column]
    here = hit.here & _there(before)
    for change in changes:
        if change.column == hit.column:
            here[change.rows] = False
    wrong = estimate(clean.filter(pa.array(here)), decimals, hit.stream("estimate"), hit.rows.address[here])
    places = np.where(here, len(before) + np.cumsum(here) - 1, np.arange(len(before)))  # replace_with_mask knows no structs
    columns[hit.column] = pa.concat_arrays([before, pc.cast(wrong, before.type)]).take(pa.array(places))
    return _changed(hit, hit.column, here, before, columns[hit.column])


def estimate(values: pa.Array, decimals: int | None, stream: np.uint64, address: NDArray[np.uint64]) -> pa.Array:
    """Return values as somebody knows them who is still waiting for the right ones: numbers between half and one and a half
    of them, yes and no the other way round, all else not at all. None is the right one."""
    if pa.types.is_boolean(values.type):
        return pc.invert(values)
    if not is_number(values.type):
        return pa.nulls(len(values), values.type)
    exact = pa.types.is_decimal(values.type)
    right = as_floats(values) if exact else values.to_numpy(zero_copy_only=False)
    about = right * ((50 + choose(stream, address, 101)) / 100)
    about = np.round(about, 0 if pa.types.is_integer(values.type) else _DIGITS if decimals is None else decimals)
    wrong = pa.array(np.where(about == right, right + 1, about))
    return as_decimals(wrong, values.type.scale) if exact else pc.cast(wrong, values.type)


def misspelt(values: pa.Array, stream: np.uint64, address: NDArray[np.uint64]) -> pa.Array:
    """Return values as texts of another type: numbers that no program reads as such, texts that are numbers, days written
    the other way round, yes and no as letters."""
    if pa.types.is_string(values.type):
        return pc.cast(pa.array(choose(stream, address, _CODES)), pa.string())
    if pa.types.is_temporal(values.type):
        return pc.strftime(pc.cast(values, pa.timestamp("us")), format="%d.%m.%Y")
    if pa.types.is_boolean(values.type):
        return pc.if_else(values, "Y", "N")
    plain = pc.cast(values, pa.string())
    comma = pc.if_else(
        pc.match_substring(plain, "."),
        pc.replace_substring(plain, ".", ","),
        pc.binary_join_element_wise(plain, "0", ","),
    )
    about = pc.binary_join_element_wise("ca.", plain, " ")
    return pc.choose(pa.array(choose(stream, address, 3)), pa.scalar("n/a"), comma, about)


def text_of(values: pa.Array) -> pa.Array:
    """Return values as texts that they can be read back from; lists and structures as JSON."""
    if pa.types.is_nested(values.type):
        made = [None if value is None else json.dumps(value, default=str) for value in values.to_pylist()]
        return pa.array(made, pa.string())
    return pc.cast(values, pa.string())


def _told(table: TablePlan, rows: Rows, columns: Columns, changes: list[Change], found: Deliveries | None) -> list[Change]:
    """Let a table that tells when its rows were written tell of these changes: the first issue that changes a cell of a row
    corrects it, before the end of its period. A row of a whole period was then written earlier in it. A row that is restated
    was updated in the period of that."""
    parts = {c.spec.type.partition(".")[2]: c.name for c in table.columns if c.spec.word == "cdc" and c.name in columns}
    if not parts or not len(rows):
        return []
    by = np.zeros(len(rows), dtype=np.int64)
    for change in changes:
        if change.column != ARRIVAL and change.issue != "restatement":
            by[change.rows] = np.where(by[change.rows] == 0, change.number, by[change.rows])
    ends = rows.block.plan.grain.starts(rows.period + 1).astype("datetime64[us]")
    share = uniforms(key(rows.block.plan.seed, "quality", table.stream, "corrected"), rows.address)
    since, timed = moments(table, rows), len(rows.moment) == len(rows)
    left = (ends - since).astype(np.int64) - 1
    drawn = since + np.ceil(share * left).astype("timedelta64[us]")
    times = (since, drawn) if timed else (drawn, ends - np.timedelta64(1, "us"))
    new = dict(zip(("inserted_at", "updated_at"), times, strict=True))
    hit = (by > 0) & (new["updated_at"] > new["inserted_at"])
    numbers = {part: np.where(hit, by, 0) for part in parts}
    if found is not None:
        number, period = found.restated()
        right = number > 0
        begins, stops = (rows.block.plan.grain.starts(period[right] + more).astype("datetime64[us]") for more in (0, 1))
        drawn = begins + np.floor(share[right] * (stops - begins).astype(np.int64)).astype("timedelta64[us]")
        new["updated_at"] = new["updated_at"].copy()
        new["updated_at"][right] = drawn
        numbers = {part: own if part == "inserted_at" else np.where(right, number, own) for part, own in numbers.items()}
    told: list[Change] = []
    for part, name in parts.items():
        before = columns[name]
        after = pa.scalar("U") if part == "op" else pa.array(new[part], before.type)
        columns[name] = pc.if_else(pa.array(numbers[part] > 0), after, before)
        moved = pc.not_equal(before, columns[name]).to_numpy(zero_copy_only=False)
        for number_, issue in table.issues:
            here = moved & (numbers[part] == number_)
            told.append(_changed(Hit(number_, issue, rows, here, ()), name, here, before, columns[name]))
    return told


def _kept(change: Change, times: Integers) -> Change:
    """Return a change without the rows that are dropped."""
    stay = times[change.rows] > 0
    if bool(np.all(stay)):
        return change
    mask = pa.array(stay)
    rows, clean, stored = change.rows[stay], change.clean.filter(mask), change.stored.filter(mask)
    return Change(change.number, change.issue, change.action, change.column, rows, clean, stored)


def _there(values: pa.Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return found


def _without(values: pa.Array, hit: NDArray[np.bool_]) -> pa.Array:
    return pc.if_else(pa.array(hit), pa.scalar(None, values.type), values)


def _nothing(count: int, columns: int) -> list[pa.Array]:
    return [pa.nulls(count, pa.string())] * columns
