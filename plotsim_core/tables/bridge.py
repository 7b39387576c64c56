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

from plotsim_core.columns.foreign_key import child_counts, referenced_table
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.rows import Integers, Rows, sibling_numbers
from plotsim_core.columns.version import ROW_ID
from plotsim_core.columns.version import column as version
from plotsim_core.config.column_source import SOURCES, History
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name
from plotsim_core.config.read_tables import column
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, KindWords, Table
from plotsim_core.config.words import range_text
from plotsim_core.engine.block import Block
from plotsim_core.engine.foreign_units import all_units, last_periods
from plotsim_core.engine.lifetimes import ends
from plotsim_core.engine.means import Means
from plotsim_core.engine.race import NOBODY, race_field
from plotsim_core.engine.roster import Units, select
from plotsim_core.engine.slice import Slice, full_slice, lives
from plotsim_core.engine.tiers import band_starts, expected_shares
from plotsim_core.engine.trajectories import positions
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.random import Floats, Words, fold, key, words
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.links import Links, Targets, link_counts, links_of

_MOST = 10_000


def _bounds(value: Any) -> Any:
    is_range = isinstance(value, list | tuple) and len(value) == 2 and all(type(end) is int for end in value)
    if not is_range or not 0 <= value[0] <= value[1] <= _MOST or value[1] == 0:
        expected = f"[least, most], whole numbers with 0 <= least <= most, most from 1 to {_MOST}"
        raise ValueError(f"expected {expected}, found {value_text(value)}")
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
    for index, spec in enumerate(table.columns):
        if spec.source.needs & {"cell", "metrics"} and not spec.source.has_life_mean:
            message = f"'{spec.word}' has no place in {table.name}: a link is not of one period"
            words = sorted(word for word, source in SOURCES.items() if source.has_life_mean)
            yield Problem(f"columns[{index}].type", message, f"with means over the life so far: {', '.join(words)}")


def _check_right(table: Bridge, kind: str, right: Table, scope: Scope, foreign: bool) -> Iterable[Problem]:
    units = sum(segment.count for segment in scope.segments)
    rows = getattr(right, "length", None)
    if kind == "unit" and not foreign:
        rows = units - (table.left == table.right)
    if kind == "child":
        minimum = right.per_unit[0]  # type: ignore[attr-defined]
        rows = units * minimum - (table.left == table.right)
        if minimum == 0:
            yield Problem("right", f"there may be {scope.unit}s without a row of {right.name}", "begin its count at 1")
            return
    if rows is not None and scope.segments and table.cardinality[1] > rows:
        others = "other rows" if table.left == table.right else "rows"
        yield Problem("cardinality", f"expected at most {rows}, the {others} of {right.name}, found {table.cardinality[1]}")


def keys_of(table: Bridge, dataset: Dataset) -> tuple[str, str]:
    """Return the names of the columns that refer to the left and to the right."""
    left, right = (key_column(referenced_table(name, dataset)) for name in (table.left, table.right))
    assert left is not None and right is not None
    return (left.name, right.name) if left.name != right.name else (f"{left.name}_a", f"{right.name}_b")


def _leading(table: Bridge, dataset: Dataset) -> tuple[Column, ...]:
    left, right = keys_of(table, dataset)
    versions: tuple[Column, ...] = ()
    if referenced_table(table.left, dataset).history is not None:
        left_key = key_column(referenced_table(table.left, dataset))
        stem = "" if left_key is None else left_key.name.removesuffix("_id")
        suffix = "_a" if left.endswith("_a") and left != left_key.name else ""  # type: ignore[union-attr]
        versions = (version("row_id", f"{stem}_{ROW_ID}{suffix}"),)
    return (column(left, f"ref.{table.left}"), *versions, column(right, f"ref.{table.right}"))


def _describe(table: Bridge, dataset: Dataset) -> str:
    return f"Links of each row of {table.left} to {range_text(table.cardinality)} rows of {table.right}."


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    specs = [table.spec for table in plan.own if table.kind == "bridge"]
    is_undirected = any(isinstance(spec, Bridge) and not spec.directed for spec in specs)  # all must be as of one moment
    return lives(plan, slice_, over=not is_undirected)


@lru_cache(maxsize=4)
def _arriving_targets(plan: Plan, name: str, stop: int) -> Targets:
    """Return the rows of a dimension of units or of their children, all that can be linked to before the period `stop`."""
    table, block = plan.table(name), all_units(plan, stop)
    counts = np.ones(len(block.units), dtype=np.int64)
    if table.kind == "child":
        counts = child_counts(plan, table.spec, block.units.address)
    rows = _left_rows(plan, table, block, counts)
    last_period = last_periods(plan, stop)[rows.unit]
    return Targets(rows, race_field(plan, counts, np.ones(len(rows)), rows.address, rows.period, last_period))


def _left_rows(plan: Plan, table: TablePlan, block: Block, counts: Integers) -> Rows:
    """Return the rows of units, or `counts` children of each."""
    unit, ordinal = sibling_numbers(counts)
    address = block.units.address[unit]
    arrival = block.units.arrival[unit]
    if table.kind == "unit":
        return Rows(block=block, address=address, unit=unit, period=arrival)
    return Rows(block=block, address=fold(address, words(ordinal)), unit=unit, period=arrival, ordinal=ordinal)


def _targets(spec: Bridge, block: Block) -> Targets:
    plan = block.plan
    right = plan.table(spec.right)
    if right.kind != "reference":
        return _arriving_targets(plan.owner(spec.right), spec.right, block.slice.stop)
    ordinals = np.arange(right.spec.length, dtype=np.int64)  # type: ignore[attr-defined]
    return Targets(Rows(block=block, address=words(ordinals), ordinal=ordinals))


@dataclass(frozen=True, eq=False)
class _Left:
    """The left rows of a block, with a key each, and the index of the first of them among all left rows."""

    rows: Rows
    keys: Words
    first: int


def _left(table: TablePlan, block: Block) -> _Left:
    spec, plan = table.spec, block.plan
    assert isinstance(spec, Bridge)
    left = plan.table(spec.left)
    counts = np.ones(len(block.units), dtype=np.int64)
    if left.kind == "child":
        counts = child_counts(plan, left.spec, block.units.address)
    rows = _left_rows(plan, left, block, counts)
    keys = fold(rows.address, np.full(1, key(plan.seed, "bridge", table.stream)))
    first = block.units.start if left.kind == "unit" else _children_before(plan, left, block.units.start)
    return _Left(rows, keys, first)


def _links(table: TablePlan, block: Block, left: _Left, targets: Targets) -> Links:
    """Return the links of left rows, as they are drawn: of a pair perhaps both directions."""
    spec, plan = table.spec, block.plan
    assert isinstance(spec, Bridge)
    driver = None if spec.driver is None else plan.metric_index(spec.driver)
    counts, starts = link_counts(block, driver, *spec.cardinality)
    left_index = left.first + np.arange(len(left.rows), dtype=np.int64)
    self_target = left_index if spec.left == spec.right else np.full(len(left.rows), NOBODY, dtype=np.int64)
    return links_of(block, left.rows.unit, left.keys, self_target, counts, starts, targets)


def _children_before(plan: Plan, table: TablePlan, start: int) -> int:
    """Return how many rows of children are those of units before `start`."""
    return int(child_counts(plan, table.spec, select(plan, 0, start).address).sum()) if start else 0


@lru_cache(maxsize=2)
def _pairs(plan: Plan, name: str, stop: int) -> Integers:
    """Return all links of a table to itself, each as left * rows + right, in order."""
    table, pairs = plan.table(name), []
    assert isinstance(table.spec, Bridge)
    for part in lives(plan, full_slice(plan, None, stop), over=False):
        block = Block(plan, part)
        left, targets = _left(table, block), _targets(table.spec, block)
        links = _links(table, block, left, targets)
        pairs.append((left.first + links.left) * len(targets.rows) + links.right)
    return np.sort(np.concatenate(pairs))


def _rows(table: TablePlan, block: Block) -> Rows:
    spec, plan = table.spec, block.plan
    assert isinstance(spec, Bridge)
    left, targets = _left(table, block), _targets(spec, block)
    links = _links(table, block, left, targets)
    if not spec.directed:
        links = _merged(links, left, targets, _pairs(plan, table.name, block.slice.stop))
    rows, unit = left.rows, left.rows.unit[links.left]
    history = plan.table(spec.left).spec.history
    left_key, right_key = keys_of(spec, plan.dataset)
    return Rows(
        block=Means(block),
        address=fold(left.keys[links.left], targets.rows.address[links.right]),
        unit=unit,
        period=links.since,
        cell=unit,
        since=_versions(block, history)[unit] if history is not None else np.empty(0, dtype=np.int64),
        targets={left_key: (rows, links.left), right_key: (targets.rows, links.right)},
    )


def _merged(links: Links, left: _Left, targets: Targets, pairs: Integers) -> Links:
    """Return links without those whose reverse is one too and begins at the row with the smaller address."""
    left_index = left.first + links.left
    reverse = links.right * len(targets.rows) + left_index
    has_reverse = (
        pairs[np.minimum(np.searchsorted(pairs, reverse), len(pairs) - 1)] == reverse if len(pairs) else left_index < 0
    )
    mask: NDArray[np.bool_] = ~has_reverse | (targets.rows.address[left_index] < targets.rows.address[links.right])
    return Links(links.left[mask], links.right[mask], links.since[mask])


def _versions(block: Block, history: History) -> Integers:
    """Return when the version began that is valid at the end of the block, or of the unit's life, shape (units,)."""
    starts = band_starts(block, block.plan.metric_index(history.tracks), history.at)
    last_index = np.minimum(ends(block), block.slice.stop - 1) - block.slice.first
    return starts[last_index, np.arange(len(block.units))]


def _expect(table: TablePlan, sample: Sample) -> Floats:
    spec, plan = table.spec, sample.plan
    assert isinstance(spec, Bridge)
    low, high = spec.cardinality

    def links(units: Units) -> Floats:
        has_arrived = sample.arrived(units)
        if spec.driver is None:
            share = positions(plan, units, sample.periods)
        else:
            metric = plan.metric_index(spec.driver)
            share = sample.by_period(lambda periods: expected_shares(plan, metric, units, periods))
        mean_share = np.cumsum(np.where(has_arrived, share, 0.0), axis=0) / np.maximum(np.cumsum(has_arrived, axis=0), 1)
        rows = 1.0 if plan.table(spec.left).kind == "unit" else child_counts(plan, plan.table(spec.left).spec, units.address)
        return has_arrived * rows * (low + np.rint((high - low) * np.clip(mean_share, 0, 1)))

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
