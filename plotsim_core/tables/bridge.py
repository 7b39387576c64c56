"""A bridge: which rows of one dimension go with which of another, as of the latest period.

On the left each unit (or each of its children), on the right the rows of a listed dimension, of children, of units of the
same or of another kind. Columns that refer to both come by themselves; where units have versions, also to the one that is
valid. `directed: false` makes one row of A-B and B-A.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from plotsim_core.columns.identity import key_column
from plotsim_core.columns.reference import children, history_column, target
from plotsim_core.columns.rows import Integers, Rows, numbered
from plotsim_core.columns.scd import Options as History
from plotsim_core.columns.version import ROW_ID
from plotsim_core.columns.version import column as version
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name
from plotsim_core.config.read_tables import column
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import SOURCE_WORDS, Column, KindWords, Table
from plotsim_core.config.words import bounds
from plotsim_core.engine.block import Block
from plotsim_core.engine.elsewhere import everyone, last_periods
from plotsim_core.engine.history import expected_shares, since
from plotsim_core.engine.life import ends
from plotsim_core.engine.means import Means
from plotsim_core.engine.race import NOBODY, field
from plotsim_core.engine.roster import Units, select
from plotsim_core.engine.slice import Slice, lives, whole
from plotsim_core.engine.trajectories import positions
from plotsim_core.errors import Problem, shown
from plotsim_core.numerics.random import Floats, Words, fold, key, words
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.links import Links, Targets, begun, linked
from plotsim_core.tables.sample import Sample

_MOST = 10_000
_MEANS = {"metric", "true", "expected", "trajectory"}
"""Sources that read a value of a unit in a period, and so have a mean over its life."""


def _bounds(value: Any) -> Any:
    whole = isinstance(value, list | tuple) and len(value) == 2 and all(type(end) is int for end in value)
    if not whole or not 0 <= value[0] <= value[1] <= _MOST or value[1] == 0:
        says = f"[least, most], whole numbers with 0 <= least <= most, most from 1 to {_MOST}"
        raise ValueError(f"expected {says}, found {shown(value)}")
    return value


class Bridge(Table):
    """`left` rows are each linked to at least `cardinality[0]` and at most `cardinality[1]` rows of `right`, the more the
    higher the `driver` (without one, the trajectory) has been so far.

    `directed`: whether a and b is another link than b and a, in a bridge from a dimension to itself.

    `left`: the dimension whose rows have links. `right`: the dimension that they lead to. `cardinality`: the least
    and the most links of a row. `driver`: the metric that decides how many.
    """

    columns: Annotated[tuple[Column, ...], Field(max_length=20)] = ()
    left: Name
    right: Name
    cardinality: Annotated[tuple[int, int], BeforeValidator(_bounds)]
    driver: Name | None = None
    directed: Flag = True


def _check(table: Bridge, scope: Scope) -> Iterable[Problem]:
    for side, name in (("left", table.left), ("right", table.right)):
        yield from scope.unknown_table(name, side)
    left, right = scope.tables.get(table.left), scope.tables.get(table.right) or scope.foreign.get(table.right)
    if left is not None and left.kind not in ("unit", "child", None):
        yield Problem("left", f"{table.left} has no rows of a {scope.unit}", f"give dim_{scope.unit} or its children")
    if left is None and table.left in scope.foreign:
        yield Problem("left", f"{table.left} is of another kind of unit", "declare the bridge there, or exchange the sides")
    if right is not None and right.kind == "date":
        yield Problem("right", f"{table.right} has the periods; a bridge links to units, children or listed rows")
    if table.driver is not None:
        yield from scope.unknown_metric(table.driver, "driver")
        if table.cardinality[0] == table.cardinality[1]:
            yield Problem("driver", f"has no effect: every row has {table.cardinality[0]} links")
    if table.left != table.right and not table.directed:
        yield Problem("directed", f"has no effect: {table.left} and {table.right} are two tables, so no link has a reverse")
    if right is not None and right.table is not None:
        yield from _check_right(table, right.kind or "", right.table, scope, table.right in scope.foreign)
    for number, own in enumerate(table.columns):
        if SOURCE_WORDS[own.word].needs & {"cell", "metrics"} and own.word not in _MEANS:
            says = f"'{own.word}' has no place in {table.name}: a link is not of one period"
            yield Problem(f"columns[{number}].type", says, f"with means over the life so far: {', '.join(sorted(_MEANS))}")


def _check_right(table: Bridge, kind: str, right: Table, scope: Scope, foreign: bool) -> Iterable[Problem]:
    units = sum(segment.count for segment in scope.segments)
    rows = getattr(right, "length", None)
    if kind == "unit" and not foreign:
        rows = units - (table.left == table.right)
    if kind == "child":
        least = right.per_unit[0]  # type: ignore[attr-defined]
        rows = units * least - (table.left == table.right)
        if least == 0:
            yield Problem("right", f"there may be {scope.unit}s without a row of {right.name}", "begin its count at 1")
            return
    if rows is not None and scope.segments and table.cardinality[1] > rows:
        others = "other rows" if table.left == table.right else "rows"
        yield Problem("cardinality", f"expected at most {rows}, the {others} of {right.name}, found {table.cardinality[1]}")


def keys_of(table: Bridge, dataset: Dataset) -> tuple[str, str]:
    """Return the names of the columns that refer to the left and to the right."""
    left, right = (key_column(target(name, dataset)) for name in (table.left, table.right))
    assert left is not None and right is not None
    return (left.name, right.name) if left.name != right.name else (f"{left.name}_a", f"{right.name}_b")


def _leading(table: Bridge, dataset: Dataset) -> tuple[Column, ...]:
    left, right = keys_of(table, dataset)
    versions: tuple[Column, ...] = ()
    if target(table.left, dataset).sourced("scd"):
        own = key_column(target(table.left, dataset))
        stem = "" if own is None else own.name.removesuffix("_id")
        end = "_a" if left.endswith("_a") and left != own.name else ""  # type: ignore[union-attr]
        versions = (version("row_id", f"{stem}_{ROW_ID}{end}"),)
    return (column(left, f"ref.{table.left}"), *versions, column(right, f"ref.{table.right}"))


def _describe(table: Bridge, dataset: Dataset) -> str:
    return f"Links of each row of {table.left} to {bounds(table.cardinality)} rows of {table.right}."


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    specs = [table.spec for table in plan.own if table.kind == "bridge"]
    paired = any(isinstance(spec, Bridge) and not spec.directed for spec in specs)  # all must be as of one moment
    return lives(plan, slice_, over=not paired)


@lru_cache(maxsize=4)
def _arriving(plan: Plan, name: str, stop: int) -> Targets:
    """Return the rows of a dimension of units or of their children, all that can be linked to before the period `stop`."""
    table, block = plan.table(name), everyone(plan, stop)
    counts = np.ones(len(block.units), dtype=np.int64)
    if table.kind == "child":
        counts = children(plan, table.spec, block.units.address)
    rows = _left_rows(plan, table, block, counts)
    last = last_periods(plan, stop)[rows.unit]
    return Targets(rows, field(plan, counts, np.ones(len(rows)), rows.address, rows.period, last))


def _left_rows(plan: Plan, table: TablePlan, block: Block, counts: Integers) -> Rows:
    """Return the rows of units, or `counts` children of each."""
    unit, ordinal = numbered(counts)
    own = block.units.address[unit]
    arrival = block.units.arrival[unit]
    if table.kind == "unit":
        return Rows(block=block, address=own, unit=unit, period=arrival)
    return Rows(block=block, address=fold(own, words(ordinal)), unit=unit, period=arrival, ordinal=ordinal)


def _targets(spec: Bridge, block: Block) -> Targets:
    plan = block.plan
    right = plan.table(spec.right)
    if right.kind != "reference":
        return _arriving(plan.owner(spec.right), spec.right, block.slice.stop)
    listed = np.arange(right.spec.length, dtype=np.int64)  # type: ignore[attr-defined]
    return Targets(Rows(block=block, address=words(listed), ordinal=listed))


@dataclass(frozen=True, eq=False)
class _Left:
    """The left rows of a block, with a key each, and the place of the first of them among all left rows."""

    rows: Rows
    keys: Words
    first: int


def _left(table: TablePlan, block: Block) -> _Left:
    spec, plan = table.spec, block.plan
    assert isinstance(spec, Bridge)
    left = plan.table(spec.left)
    counts = np.ones(len(block.units), dtype=np.int64)
    if left.kind == "child":
        counts = children(plan, left.spec, block.units.address)
    rows = _left_rows(plan, left, block, counts)
    keys = fold(rows.address, np.full(1, key(plan.seed, "bridge", table.stream)))
    first = block.units.start if left.kind == "unit" else _children_before(plan, left, block.units.start)
    return _Left(rows, keys, first)


def _links(table: TablePlan, block: Block, left: _Left, to: Targets) -> Links:
    """Return the links of left rows, as they are drawn: of a pair perhaps both directions."""
    spec, plan = table.spec, block.plan
    assert isinstance(spec, Bridge)
    driver = None if spec.driver is None else plan.metric_index(spec.driver)
    reached, began = begun(block, driver, *spec.cardinality)
    itself = left.first + np.arange(len(left.rows), dtype=np.int64)
    own = itself if spec.left == spec.right else np.full(len(left.rows), NOBODY, dtype=np.int64)
    return linked(block, left.rows.unit, left.keys, own, reached, began, to)


def _children_before(plan: Plan, table: TablePlan, start: int) -> int:
    """Return how many rows of children are those of units before `start`."""
    return int(children(plan, table.spec, select(plan, 0, start).address).sum()) if start else 0


@lru_cache(maxsize=2)
def _pairs(plan: Plan, name: str, stop: int) -> Integers:
    """Return all links of a table to itself, each as left * rows + right, in order."""
    table, found = plan.table(name), []
    assert isinstance(table.spec, Bridge)
    for part in lives(plan, whole(plan, None, stop), over=False):
        block = Block(plan, part)
        left, to = _left(table, block), _targets(table.spec, block)
        links = _links(table, block, left, to)
        found.append((left.first + links.left) * len(to.rows) + links.right)
    return np.sort(np.concatenate(found))


def _rows(table: TablePlan, block: Block) -> Rows:
    spec, plan = table.spec, block.plan
    assert isinstance(spec, Bridge)
    own, to = _left(table, block), _targets(spec, block)
    links = _links(table, block, own, to)
    if not spec.directed:
        links = _merged(links, own, to, _pairs(plan, table.name, block.slice.stop))
    rows, unit = own.rows, own.rows.unit[links.left]
    history = history_column(plan.dataset) if plan.table(spec.left).spec.sourced("scd") else None
    left, right = keys_of(spec, plan.dataset)
    return Rows(
        block=Means(block),
        address=fold(own.keys[links.left], to.rows.address[links.right]),
        unit=unit,
        period=links.since,
        cell=unit,
        since=_versions(block, history[1])[unit] if history else np.empty(0, dtype=np.int64),
        targets={left: (rows, links.left), right: (to.rows, links.right)},
    )


def _merged(links: Links, own: _Left, to: Targets, pairs: Integers) -> Links:
    """Return links without those whose reverse is one too and begins at the row with the smaller address."""
    start = own.first + links.left
    reverse = links.right * len(to.rows) + start
    found = pairs[np.minimum(np.searchsorted(pairs, reverse), len(pairs) - 1)] == reverse if len(pairs) else start < 0
    kept: NDArray[np.bool_] = ~found | (to.rows.address[start] < to.rows.address[links.right])
    return Links(links.left[kept], links.right[kept], links.since[kept])


def _versions(block: Block, history: Column) -> Integers:
    """Return when the version began that is valid at the end of the block, or of the unit's life, shape (units,)."""
    options = history.source
    assert isinstance(options, History)
    begins = since(block, block.plan.metric_index(options.tracks), options.at)
    last = np.minimum(ends(block), block.slice.stop - 1) - block.slice.first
    return begins[last, np.arange(len(block.units))]


def _expect(table: TablePlan, sample: Sample) -> Floats:
    spec, plan = table.spec, sample.plan
    assert isinstance(spec, Bridge)
    low, high = spec.cardinality

    def links(units: Units) -> Floats:
        here = sample.arrived(units)
        if spec.driver is None:
            share = positions(plan, units, sample.periods)
        else:
            at = plan.metric_index(spec.driver)
            share = sample.by_period(lambda periods: expected_shares(plan, at, units, periods))
        so_far = np.cumsum(np.where(here, share, 0.0), axis=0) / np.maximum(np.cumsum(here, axis=0), 1)
        rows = 1.0 if plan.table(spec.left).kind == "unit" else children(plan, plan.table(spec.left).spec, units.address)
        return here * rows * (low + np.rint((high - low) * np.clip(so_far, 0, 1)))

    return sample.total(links)


add_kind(
    "bridge",
    KindWords(
        section="bridges",
        recognise=lambda raw, unit: True,
        model=Bridge,
        knows=frozenset({"unit", "period", "cell", "metrics"}),
        key=keys_of,
        describe=_describe,
        check=_check,
        leading=_leading,
    ),
    Kind(_cut, _rows, _expect, state=True),
)
