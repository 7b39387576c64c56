"""A bridge: which rows of one dimension go with which of another, as of the latest period.

On the left each unit (or each of its children), on the right the rows of a listed dimension, of children, of units of the
same or of another kind. Columns that refer to both come by themselves; where units have versions, also to the one that is
valid. `directed: false` makes one row of A-B and B-A.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.reference_options import referenced_table
from plotsim_core.columns.row_kind import row_kind
from plotsim_core.columns.row_relations import child_counts
from plotsim_core.columns.rows import Rows, rows_of_all_units, sibling_numbers
from plotsim_core.columns.version import ROW_ID
from plotsim_core.config.column_source import SOURCES, History
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name
from plotsim_core.config.read_columns import column
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.tables import Column, Table
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
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import Words, fold, key, words
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import TableKind, add_kind, key_name
from plotsim_core.tables.links import Links, Targets, link_counts, links_of

_MOST = 10_000


def _bounds(value: Any) -> Any:
    is_range = isinstance(value, list | tuple) and len(value) == 2 and all(type(end) is int for end in value)
    if not is_range or not 0 <= value[0] <= value[1] <= _MOST or value[1] == 0:
        expected = f"[least, most], whole numbers with 0 <= least <= most, most from 1 to {_MOST}"
        raise ValueError(f"expected {expected}, found {value_text(value)}")
    return value


@add_kind
class Bridge(TableKind):
    """`left` rows are each linked to at least `cardinality[0]` and at most `cardinality[1]` rows of `right`, the more the
    higher the `driver` (without one, the trajectory) has been so far."""

    kind: ClassVar[str] = "bridge"
    section: ClassVar[Section] = "bridges"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics"})
    is_state: ClassVar[bool] = True
    is_bridge: ClassVar[bool] = True
    is_sampled: ClassVar[bool] = False
    row_stage: ClassVar[str | None] = "trajectories"

    columns: Annotated[tuple[Column, ...], Field(max_length=20)] = ()
    """In their order."""
    left: Name
    """The dimension whose rows have links."""
    right: Name
    """The dimension that they lead to."""
    cardinality: Annotated[tuple[int, int], BeforeValidator(_bounds)]
    """The least and the most links of a row."""
    driver: Name | None = None
    """The metric that decides how many."""
    directed: Flag = True
    """Whether a and b is another link than b and a, in a bridge from a dimension to itself."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return cls.is_otherwise_unknown(raw, unit)

    def key_columns(self, dataset: Dataset) -> tuple[str, str]:
        """Return the names of the columns that refer to the left and to the right."""
        left, right = (key_name(referenced_table(name, dataset)) for name in (self.left, self.right))
        return (left, right) if left != right else (f"{left}_a", f"{right}_b")

    def made_references(self, name: str, scope: Scope) -> Sequence[str]:
        declared = scope.tables.get(name) or scope.foreign.get(name)
        key = None if declared is None or declared.table is None else key_column(declared.table)
        if key is None or name not in (self.left, self.right):
            return ()
        return (key.name,) if self.left != self.right else (f"{key.name}_a", f"{key.name}_b")

    def leading_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        left, right = self.key_columns(dataset)
        versions: tuple[Column, ...] = ()
        left_dimension = referenced_table(self.left, dataset)
        if left_dimension.history is not None:
            left_key = key_name(left_dimension)
            suffix = "_a" if left.endswith("_a") and left != left_key else ""
            versions = (column(f"{left_key.removesuffix('_id')}_{ROW_ID}{suffix}", "version.row_id"),)
        return (column(left, f"ref.{self.left}"), *versions, column(right, f"ref.{self.right}"))

    def describe(self, dataset: Dataset) -> str:
        return f"Links of each row of {self.left} to {range_text(self.cardinality)} rows of {self.right}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        for side, name in (("left", self.left), ("right", self.right)):
            yield from scope.unknown_table(name, side)
        left, right = scope.tables.get(self.left), scope.tables.get(self.right) or scope.foreign.get(self.right)
        if left is not None and left.kind is not None and not left.kind.is_of_units:
            unit_table = scope.unit_dimension.name if scope.unit_dimension is not None else f"dim_{scope.unit}"
            yield Problem("left", f"{self.left} has no rows of a {scope.unit}", f"give {unit_table} or its children")
        if left is None and self.left in scope.foreign:
            hint = "declare the bridge there, or exchange the sides"
            yield Problem("left", f"{self.left} is of another kind of unit", hint)
        if right is not None and right.kind is not None and right.kind.is_date_dimension:
            yield Problem("right", f"{self.right} has the periods; a bridge links to units, children or listed rows")
        if self.driver is not None:
            yield from scope.unknown_metric(self.driver, "driver")
            if self.cardinality[0] == self.cardinality[1]:
                yield Problem("driver", f"has no effect: every row has {self.cardinality[0]} links")
        if self.left != self.right and not self.directed:
            message = f"{self.left} and {self.right} are two tables, so no link has a reverse"
            yield Problem("directed", f"has no effect: {message}")
        for side, declared in (("left", left), ("right", right)):
            if declared is not None and declared.table is not None and key_column(declared.table) is None:
                hint = "give them a column of type id"
                yield Problem(side, f"the rows of {declared.name} have no key of their own", hint)
        if right is not None and right.table is not None:
            yield from self._check_right(right.table, scope, self.right in scope.foreign)
        for index, spec in enumerate(self.columns):
            if spec.source.needed & {"cell", "metrics"} and not spec.source.has_life_mean:
                message = f"'{spec.word}' has no place in {self.name}: a link is not of one period"
                words_of_means = sorted(word for word, source in SOURCES.items() if source.has_life_mean)
                hint = f"with means over the life so far: {', '.join(words_of_means)}"
                yield Problem(f"columns[{index}].type", message, hint)

    def _check_right(self, right: Table, scope: Scope, is_foreign: bool) -> Iterable[Problem]:
        units = sum(segment.count for segment in scope.segments)
        rows = right.length or None
        if right.is_of_units and not is_foreign:
            rows = units * right.per_unit[0] - (self.left == self.right)
            if right.per_unit[0] == 0:
                yield Problem("right", f"there may be {scope.unit}s without a row of {right.name}", "begin its count at 1")
                return
        if rows is not None and scope.segments and self.cardinality[1] > rows:
            others = "other rows" if self.left == self.right else "rows"
            message = f"expected at most {rows}, the {others} of {right.name}, found {self.cardinality[1]}"
            yield Problem("cardinality", message)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        specs = [table.spec for table in population.unit_tables]
        is_undirected = any(isinstance(spec, Bridge) and not spec.directed for spec in specs)  # all as of one moment
        return lives(population, slice_, over=not is_undirected)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        population = block.population
        left, targets = self._left(table, block), self._targets(block)
        links = self._links(block, left, targets)
        if not self.directed:
            links = _merged(links, left, targets, _pairs(population, table.name, block.slice.stop))
        rows, unit = left.rows, left.rows.unit[links.left]
        history = population.table(self.left).spec.history
        left_key, right_key = self.key_columns(population.dataset)
        return Rows(
            block=Means(block),
            address=fold(left.keys[links.left], targets.rows.address[links.right]),
            unit=unit,
            period=links.start_period,
            cell=unit,
            version_first=_versions(block, history)[unit] if history is not None else np.empty(0, dtype=np.int64),
            targets={left_key: (rows, links.left), right_key: (targets.rows, links.right)},
        )

    def _targets(self, block: Block) -> Targets:
        population = block.population
        right = population.table(self.right)
        if not right.spec.is_listed:
            return _arriving_targets(population.population_of(right), self.right, block.slice.stop)
        ordinals = np.arange(right.spec.length, dtype=np.int64)
        return Targets(Rows(block=block, address=words(ordinals), ordinal=ordinals))

    def _left(self, table: TablePlan, block: Block) -> _Left:
        population = block.population
        left = population.table(self.left)
        rows = _left_rows(left, block, child_counts(population, left.spec, block.units))
        keys = fold(rows.address, np.full(1, key(population.seed, "bridge", table.stream)))
        return _Left(rows, keys, _rows_before(population, left, block.units.start))

    def _links(self, block: Block, left: _Left, targets: Targets) -> Links:
        """Return the links of left rows, as they are drawn: of a pair perhaps both directions."""
        driver = None if self.driver is None else block.population.metric_index(self.driver)
        counts, starts = link_counts(block, driver, *self.cardinality)
        left_index = left.first + np.arange(len(left.rows), dtype=np.int64)
        self_target = left_index if self.left == self.right else np.full(len(left.rows), NOBODY, dtype=np.int64)
        return links_of(block, left.rows.unit, left.keys, self_target, counts, starts, targets)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        population = sample.population
        low, high = self.cardinality

        def links(units: Units) -> Floats:
            has_arrived = sample.has_arrived(units)
            if self.driver is None:
                share = positions(population, units, sample.periods)
            else:
                metric = population.metric_index(self.driver)
                share = sample.by_period(lambda periods: expected_shares(population, metric, units, periods))
            unit_periods = np.maximum(np.cumsum(has_arrived, axis=0), 1)
            mean_share = np.cumsum(np.where(has_arrived, share, 0.0), axis=0) / unit_periods
            rows = child_counts(population, population.table(self.left).spec, units)
            links: Floats = has_arrived * rows * (low + np.rint((high - low) * np.clip(mean_share, 0, 1)))
            return links

        return sample.total(links)


@lru_cache(maxsize=4)
def _arriving_targets(population: Population, name: str, stop: int) -> Targets:
    """Return the rows of a dimension of units, or of what comes with them, all that can be linked to before the period
    `stop`."""
    table, block = population.table(name), all_units(population, stop)
    every_unit = np.arange(len(block.units), dtype=np.int64)
    is_of_units = table.spec.is_unit_dimension
    rows = rows_of_all_units(population, stop) if is_of_units else row_kind(table).rows_of_units(table, block, every_unit)
    counts, arrivals = np.bincount(rows.unit, minlength=len(every_unit)), block.units.arrival[rows.unit]
    last_period = last_periods(population, stop)[rows.unit]
    return Targets(rows, race_field(population, counts, np.ones(len(rows)), rows.address, arrivals, last_period))


def _left_rows(table: TablePlan, block: Block, counts: Integers) -> Rows:
    """Return the rows of units, or `counts` children of each."""
    unit, ordinal = sibling_numbers(counts)
    address = block.units.address[unit]
    arrival = block.units.arrival[unit]
    if table.spec.is_unit_dimension:
        return Rows(block=block, address=address, unit=unit, period=arrival)
    return Rows(block=block, address=fold(address, words(ordinal)), unit=unit, period=arrival, ordinal=ordinal)


@dataclass(frozen=True, eq=False)
class _Left:
    """The left rows of a block, with a key each, and the index of the first of them among all left rows."""

    rows: Rows
    keys: Words
    first: int


def _rows_before(population: Population, table: TablePlan, start: int) -> int:
    """Return how many rows of a dimension are those of units before `start`."""
    if table.spec.is_unit_dimension or not start:
        return start
    return int(child_counts(population, table.spec, select(population, 0, start)).sum())


@lru_cache(maxsize=2)
def _pairs(population: Population, name: str, stop: int) -> Integers:
    """Return all links of a table to itself, each as left * rows + right, in order."""
    table, pairs = population.table(name), []
    bridge = table.spec
    assert isinstance(bridge, Bridge)
    for part in lives(population, full_slice(population, None, stop), over=False):
        block = Block(population, part)
        left, targets = bridge._left(table, block), bridge._targets(block)
        links = bridge._links(block, left, targets)
        pairs.append((left.first + links.left) * len(targets.rows) + links.right)
    return np.sort(np.concatenate(pairs))


def _merged(links: Links, left: _Left, targets: Targets, pairs: Integers) -> Links:
    """Return links without those whose reverse is one too and begins at the row with the smaller address."""
    left_index = left.first + links.left
    reverse = links.right * len(targets.rows) + left_index
    has_reverse = (
        pairs[np.minimum(np.searchsorted(pairs, reverse), len(pairs) - 1)] == reverse if len(pairs) else left_index < 0
    )
    mask: NDArray[np.bool_] = ~has_reverse | (targets.rows.address[left_index] < targets.rows.address[links.right])
    return Links(links.left[mask], links.right[mask], links.start_period[mask])


def _versions(block: Block, history: History) -> Integers:
    """Return when the version began that is valid at the end of the block, or of the unit's life, shape (units,)."""
    starts = band_starts(block, block.population.metric_index(history.tracks), history.at)
    last_index = np.minimum(ends(block), block.slice.stop - 1) - block.slice.first
    last_starts: Integers = starts[last_index, np.arange(len(block.units))]
    return last_starts
