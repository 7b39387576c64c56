"""Breaking rows on purpose. Every row decides for itself, by its address, so that any slice is broken as the whole is.

Issues are dealt with in the order of the list: those that change cells first, then those that copy or drop rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.columns.identity import date_keys
from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.config.quality import ARRIVAL, Issue, drifted
from plotsim_core.numerics.random import choose, key, uniforms
from plotsim_core.plan.plan import TablePlan

ROW = "*"
"""Stands for the whole row where the name of a column is expected."""
LOST = "-X"
"""What is appended to the key that an orphan refers to: no key ends so."""
_LATEST = 5
"""So many periods late a row arrives at most."""
_CODES = 1000

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


def break_rows(table: TablePlan, rows: Rows, columns: Mapping[str, pa.Array]) -> Broken:
    """Return rows with the issues of their table; `columns` are the clean ones, all or those that issues are about."""
    broken = dict(columns)
    changes: list[Change] = []
    for number, issue in table.issues:
        if issue.issue in _CELLS:
            changes.append(_CELLS[issue.issue](_hit(table, rows, number, issue), broken))
    changes += _told(table, rows, broken, changes)
    times = np.ones(len(rows), dtype=np.int64)
    copied: list[Change] = []
    dropped: list[Change] = []
    for number, issue in table.issues:
        if issue.issue in _CELLS:
            continue
        places = np.flatnonzero(_hit(table, rows, number, issue).here)
        if issue.copies:
            times[places] += times[places] > 0
            copied.append(Change(number, issue.issue, "copied", ROW, places, *_nothing(len(places), 2)))
        elif issue.drops:
            places = places[times[places] > 0]
            times[places] = 0
            for name, values in columns.items():
                clean = text_of(values.take(pa.array(places)))
                dropped.append(Change(number, issue.issue, "dropped", name, places, clean, *_nothing(len(places), 1)))
    return Broken(broken, times, [*(_kept(change, times) for change in (*changes, *copied)), *dropped])


def stored_rows(table: TablePlan, broken: Broken) -> pa.RecordBatch:
    """Return broken rows as they are stored: a copy follows its original."""
    batch = pa.RecordBatch.from_arrays([broken.columns[column.name] for column in table.columns], schema=table.schema)
    if bool(np.all(broken.times == 1)):
        return batch
    return batch.take(pa.array(np.repeat(np.arange(len(broken.times), dtype=np.int64), broken.times)))


@dataclass(frozen=True, eq=False)
class Hit:
    """The rows that issue `number` is about (`here`), and what its draws are addressed by."""

    number: int
    issue: Issue
    rows: Rows
    here: NDArray[np.bool_]
    names: tuple[int | str, ...]

    @property
    def column(self) -> str:
        """The column that the issue is about."""
        return self.issue.column or ""

    def stream(self, what: str) -> np.uint64:
        """Return the key of one of the issue's streams."""
        return key(self.rows.block.plan.seed, *self.names, what)


def _hit(table: TablePlan, rows: Rows, number: int, issue: Issue) -> Hit:
    """Return which rows an issue is about. The same issue a second time draws for itself."""
    plan = rows.block.plan
    before = sum(other.draws == issue.draws for place, other in table.issues if place < number)
    names = ("quality", *issue.draws, before)
    here = uniforms(key(plan.seed, *names), rows.address) < issue.rate
    if issue.issue == "schema_drift":
        since = plan.span // 2 if issue.period is None else issue.period
        here &= rows.period >= plan.first + since
    elif issue.issue == "volume_anomaly":
        here &= np.isin(rows.period, plan.first + np.array(issue.offsets, dtype=np.int64))
    return Hit(number, issue, rows, here, names)


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
    lost = pc.binary_join_element_wise(before, pa.scalar(""), LOST)
    columns[hit.column] = pc.if_else(pa.array(here), lost, before)
    return _changed(hit, hit.column, here, before, columns[hit.column])


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


def _told(table: TablePlan, rows: Rows, columns: Columns, changes: list[Change]) -> list[Change]:
    """Let a table that tells when its rows were written tell of these changes: the first issue that changes a cell of a row
    corrects it, before the end of its period. A row of a whole period was then written earlier in it."""
    parts = {c.spec.type.partition(".")[2]: c.name for c in table.columns if c.spec.word == "cdc" and c.name in columns}
    if not parts or not len(rows):
        return []
    by = np.zeros(len(rows), dtype=np.int64)
    for change in changes:
        if change.column != ARRIVAL:
            by[change.rows] = np.where(by[change.rows] == 0, change.number, by[change.rows])
    starts, ends = (rows.block.plan.grain.starts(rows.period + more).astype("datetime64[us]") for more in (0, 1))
    share = uniforms(key(rows.block.plan.seed, "quality", table.stream, "corrected"), rows.address)
    since = rows.moment if len(rows.moment) == len(rows) else starts
    left = (ends - since).astype(np.int64) - 1
    drawn = since + np.ceil(share * left).astype("timedelta64[us]")
    times = (since, drawn) if since is rows.moment else (drawn, ends - np.timedelta64(1, "us"))
    new = dict(zip(("inserted_at", "updated_at"), times, strict=True))
    hit = (by > 0) & (new["updated_at"] > new["inserted_at"])
    told: list[Change] = []
    for part, name in parts.items():
        before = columns[name]
        after = pa.scalar("U") if part == "op" else pa.array(new[part], before.type)
        columns[name] = pc.if_else(pa.array(hit), after, before)
        moved = hit & pc.not_equal(before, columns[name]).to_numpy(zero_copy_only=False)
        for number, issue in table.issues:
            here = Hit(number, issue, rows, moved & (by == number), ())
            told.append(_changed(here, name, here.here, before, columns[name]))
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
