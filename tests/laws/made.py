"""What the laws compare: tables as they are made, and the ways of making them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from docs.datasets import shown
from plotsim_core import Plan, batches, list_templates
from plotsim_core.columns import as_of
from plotsim_core.columns.primary_key import unit_keys as keys_of_units
from plotsim_core.columns.version import ROW_ID
from plotsim_core.config.quality import LEDGER
from plotsim_core.config.tables import Column
from plotsim_core.engine import replay, slice
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables import cell_rows, grid, plain_child, reference, timed_plain, unit_descendants
from plotsim_core.tables.build import build, find_table
from plotsim_core.tables.kind import table_kind
from plotsim_core.tables.stages import stage_names
from plotsim_core.truth.restore import restored

CONFIGS = Path(__file__).parents[2] / "configs"
ROOT = CONFIGS.parent
BRIEF = ("minimal", "saas", "delivery")
"""Bundled datasets that are looked at often; the others are long proofs."""
_MARKS: dict[str, Any] = {"minimal": (), "delivery": pytest.mark.slow, "saas": pytest.mark.slow}
BUNDLED = [pytest.param(name, marks=_MARKS.get(name, pytest.mark.long)) for name in list_templates()]
"""All bundled datasets, the smallest without a mark."""
WHOLE = {"fields": ROOT / "tests" / "fields.yaml", "everything": ROOT / "benchmarks" / "everything.yaml"}
"""Configs that use every field of the language, and every table kind and source."""
DATASETS = [*BUNDLED, *(pytest.param(name, marks=pytest.mark.long) for name in WHOLE)]
_CUTTING = (as_of, cell_rows, grid, plain_child, reference, replay, timed_plain, unit_descendants)
"""The modules that cut blocks."""
AS_OF = ("valid_to", "is_current")
"""What a later state may say otherwise of a row that an earlier one has."""


@lru_cache(maxsize=16)
def bundled(name: str) -> Plan:
    """Return the plan of a config that is in the repository, ended if it has no end."""
    return shown(WHOLE.get(name, CONFIGS / f"{name}.yaml"))


def names(plan: Plan) -> list[str]:
    """Return the names of all tables and all stages."""
    return [*(table.name for table in plan.tables), *stage_names(plan)]


def afresh(plan: Plan) -> Plan:
    """Return a plan as another process gets it: nothing that was made of it before is known."""
    copy: Plan = pickle.loads(pickle.dumps(plan))
    return copy


def made_table(plan: Plan, name: str, first: int | None = None, stop: int | None = None) -> pa.Table:
    """Return a table or stage in the periods `first` to `stop`."""
    schema, made_batches = batches(plan, name, first, stop)
    return pa.Table.from_batches(made_batches, schema).combine_chunks()


def clean(plan: Plan, name: str, first: int | None = None, stop: int | None = None) -> pa.Table:
    """Return a table or stage in the periods `first` to `stop` as it would be if nothing in it were broken on purpose."""
    rows = made_table(plan, name, first, stop)
    if not find_table(plan, name).issues:
        return rows
    table = plan.clean.table(name)
    table_rows = restored(plan, {name: rows}, made_table(plan, LEDGER, first, stop))[name]
    if find_table(plan, name).time == table.time:
        return table_rows
    begin, end = plan.first if first is None else first, plan.stop if stop is None else stop
    assert end is not None
    return in_periods(plan, table, table_rows, begin, end)  # what is delivered then may be of earlier periods


def made_of(plan: Plan, name: str, slice_: Slice) -> pa.Table:
    """Return a table or stage in a slice."""
    table = find_table(plan, name)
    return pa.Table.from_batches(build(plan, table, slice_), table.schema).combine_chunks()


def frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame whose values compare: text, and an empty text for null."""
    columns = {name: _texts(table[name]) for name in table.column_names}
    return pd.DataFrame(
        {name: ["<null>" if v is None else v for v in values] for name, values in columns.items()}, dtype=str
    )


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    if pa.types.is_nested(column.type):
        return [None if value is None else str(value) for value in column.to_pylist()]
    return column.cast(pa.string()).to_pylist()


def is_state(table: TablePlan) -> bool:
    """Return whether a table is a state as of some moment."""
    return table.spec.is_state


def differing(actual: pa.Table, expected: pa.Table) -> str:
    """Return where two tables differ first, for people; empty if they do not."""
    if actual.equals(expected):
        return ""
    if actual.schema != expected.schema:
        return f"schemas {actual.schema} and {expected.schema}"
    if actual.num_rows != expected.num_rows:
        return f"{actual.num_rows} rows, expected {expected.num_rows}"
    for name in actual.column_names:
        for row, (a, b) in enumerate(zip(actual[name].to_pylist(), expected[name].to_pylist(), strict=True)):
            if a != b:
                return f"{name}[{row}]: {a!r}, expected {b!r}"
    return "chunks"


def date_keys(plan: Plan, first: int, stop: int) -> pa.Array:
    """Return the date keys of periods."""
    return pa.array(plan.grain.keys(np.arange(first, stop, dtype=np.int64)))


def in_periods(plan: Plan, table: TablePlan, rows: pa.Table, first: int, stop: int) -> pa.Table:
    """Return the rows of a table (not of a state) that lie in the periods `first` to `stop`."""
    assert table.time is not None
    return rows.filter(pc.is_in(rows[table.time], date_keys(plan, first, stop))).combine_chunks()


def unit_keys(plan: Plan, first: int, stop: int) -> pa.Array:
    """Return the keys of units `first` to `stop` of the roster."""
    return keys_of_units(Block(plan.population, Slice(plan.first, plan.first + 1, first, stop)))


def by_population(plan: Plan) -> Iterator[Plan]:
    """Yield the plan of what each population may read, with that population as its first: to cut its units."""
    for population in plan.populations:
        known = {table.name for table in population.tables}
        tables = tuple(table for table in plan.tables if table.name in known)
        yield replace(plan, populations=(population, *population.others), tables=tables)


def bridges(plan: Plan, to_units: bool = False) -> tuple[str, ...]:
    """Return the names of bridges, or of those whose links lead to units or their children."""
    values = [table for table in plan.tables if table.kind == "bridge"]
    return tuple(t.name for t in values if not (to_units and plan.table(t.spec.right).form == "reference"))  # type: ignore[attr-defined]


def latest(plan: Plan) -> tuple[str, ...]:
    """Return what tells the latest state of units and has no history: bridges, and the tiers that sources know."""
    values = [table for table in plan.tables if table.spec.is_source]
    return (
        *bridges(plan),
        *moving(plan),
        *(f"{table.name}.{c.name}" for table in values for c in table.columns if c.spec.word == "scd"),
    )


def moving(plan: Plan) -> tuple[str, ...]:
    """Return the columns of states that change with time."""
    return tuple(
        f"{table.name}.{c.name}"
        for table in plan.tables
        if table.time is None
        for c in table.columns
        if c.spec.source.changes_over_time or follows_units(plan, table, c.spec)
    )


def follows_units(plan: Plan, table: TablePlan, column: Column) -> bool:
    """Return whether a column of a dimension of units, or of a table that shows it, shows another unit, which may leave."""
    units = {kind.dimension.name for kind in plan.kinds}
    path = column.source.lookup_path
    target = path.table if path is not None else column.source.target_name
    return target in units & {table.name, table.shown_table}


def reaching(plan: Plan) -> tuple[str, ...]:
    """Return the columns that refer to children of any unit."""
    return tuple(
        f"{table.name}.{column.name}"
        for table in plan.tables
        for column in table.columns
        if column.spec.source.owners != "own"
    )


def elsewhere(plan: Plan) -> tuple[str, ...]:
    """Return the columns that refer to units of another kind, to other units or their children, or show something of
    these."""
    values = []
    for kind in plan.populations:
        other = {table.name for further in kind.others for table in further.unit_tables}
        for table in plan.tables_of(kind):
            named = [(column.name, column.spec.type.split(".")) for column in table.columns]
            values += [
                f"{table.name}.{name}" for name, type_ in named if type_[0] in ("ref", "lookup") and type_[1] in other
            ]
        values += [f"{t.name}.{c.name}" for t in plan.tables_of(kind) for c in t.columns if follows_units(plan, t, c.spec)]
    values += reaching(plan)
    shown = [(f"{t.name}.{c.name}", c.spec.type.removeprefix("lookup.")) for t in plan.tables for c in t.columns]
    return (*values, *(name for name, origin in shown if origin in values))


def over_units(plan: Plan) -> tuple[str, ...]:
    """Return the names of tables whose rows are over all units."""
    return tuple(table.name for table in plan.tables if table.kind == "period")


def unit_column(population: Population, table: TablePlan) -> str | None:
    """Return the column that names a row's unit; None for tables whose rows have none, or name it by a row of its own."""
    unit = population.dimension
    if table.kind == "bridge" and table.spec.left != unit.name:  # type: ignore[attr-defined]
        return None
    if table.name == unit.name:
        return next(column.name for column in table.columns if column.spec.source.is_key)
    actual = (column for column, to, key in table.references if to == unit.name and key != ROW_ID)
    return next(actual, None)


def units_of_rows(plan: Plan, population: Population, table: TablePlan) -> list[Any] | None:
    """Return the key of each row's unit: it stands in the row, or in the row that it belongs to, or that it is of a grid of.
    None for a table whose rows are of no unit."""
    rows, column = clean(plan, table.name), unit_column(population, table)
    if column is not None:
        return rows[column].to_pylist()
    for name, to, key in table.references:
        parent = find_table(plan.clean, to)
        is_above = name in table.key or to == table.spec.parent_name
        if is_above and table_kind(table).has_unit_rows and not table_kind(parent).is_date_dimension:
            parent_units = units_of_rows(plan, population, parent)
            if parent_units is not None:
                keys = clean(plan, to)[key].to_pylist()
                units = dict(zip(keys, parent_units, strict=True))
                return [units[row_key] for row_key in rows[name].to_pylist()]
    return None


@contextmanager
def chunks_of(cells: int) -> Iterator[None]:
    """Cut everything into blocks of `cells` cells: to be seen of a plan of which nothing is known (`afresh`)."""
    remaining = slice.blocks.__defaults__, slice.by_unit.__defaults__, slice.by_row.__defaults__
    with pytest.MonkeyPatch.context() as patch:
        for module in _CUTTING:
            patch.setattr(module, "CHUNK", cells)
        patch.setattr(cell_rows, "RUN", cells)
        try:
            slice.blocks.__defaults__, slice.by_unit.__defaults__, slice.by_row.__defaults__ = (
                (cells, cells),
                (cells,),
                (cells,),
            )
            yield
        finally:
            slice.blocks.__defaults__, slice.by_unit.__defaults__, slice.by_row.__defaults__ = remaining


def newcomers(before: Plan, after: Plan, stop: int | None = None) -> frozenset[str | int]:
    """Return the keys of units, of all kinds, and of their children that one plan has and another has not."""
    values: set[str | int] = set()
    for table in before.tables:
        if table.form in ("unit", "child") and not table.shown_table:
            entry = next(c.name for c in table.columns if c.spec.source.is_key)
            old, new = (set(made_table(plan, table.name, None, stop)[entry].to_pylist()) for plan in (before, after))
            values |= new - old
    return frozenset(values)


def unchanged(
    before: Plan,
    after: Plan,
    stop: int | None = None,
    besides: tuple[str, ...] = (),
    new: frozenset[str | int] = frozenset(),
) -> list[str]:
    """Return what the rows of one plan are not any more in another: rows are matched by their keys.

    `stop` bounds the periods of both; `besides` are columns (`table.column`, or `column` in any table) or tables that
    may differ. A row may refer to a unit of another kind that is among the `new` ones, and then show what that one says.
    """
    values: list[str] = []
    away = frozenset(elsewhere(before))
    for name in names(before):
        if name in besides:
            continue
        table = find_table(before, name)
        old, fresh = frame(made_table(before, name, None, stop)), frame(made_table(after, name, None, stop))
        keys = [*table.key, "copy"]
        for rows in (old, fresh):  # a row may be there several times on purpose
            rows["copy"] = rows.groupby(list(table.key)).cumcount() if table.issues else 0
        old, fresh = old.set_index(keys), fresh.set_index(keys)
        missing = old.index.difference(fresh.index)
        if len(missing):
            values.append(f"{name}: {len(missing)} of {len(old)} rows are gone, {missing[0]}")
            continue
        matched = fresh.loc[old.index]
        columns = {column.name: column for column in table.columns}
        references = [c for c in old.columns if f"{name}.{c}" in away and shows_reference(before, columns[c])]
        moved = {c: (old[c] != matched[c]).to_numpy() & matched[c].isin(new).to_numpy() for c in references}
        for column in old.columns:
            if column in besides or f"{name}.{column}" in besides:
                continue
            differs = (old[column] != matched[column]).to_numpy()
            if f"{name}.{column}" in away and moved:
                differs = differs & ~(moved[column] if column in moved else np.any(list(moved.values()), axis=0))
            if differs.any():
                at = int(np.flatnonzero(differs)[0])
                values.append(
                    f"{name}.{column}: {int(differs.sum())} of {len(old)} values differ, at {old.index[at]}: "
                    f"{old[column].iloc[at]!r} became {matched[column].iloc[at]!r}"
                )
    return values


def shows_reference(plan: Plan, column: ColumnPlan) -> bool:
    """Return whether a column is a reference, or shows one of another table."""
    word, _, origin = column.spec.type.partition(".")
    while word == "lookup":
        table, _, name = origin.partition(".")
        word, _, origin = plan.table(table).column(name).spec.type.partition(".")
    return word == "ref"


def relinked(before: Plan, after: Plan, name: str, new: frozenset[str | int]) -> list[str]:
    """Return what links of a bridge are not any more in another plan, but for those in whose place one to a `new` row is.

    A row has no fewer links than before, and those it has more, or instead, lead to new rows; so in a bridge that is not
    directed, where either row of a pair may have drawn it. What is said of a link is said of it as long as its row has the
    same links; where it has others, a link that stays may have begun as another of them.
    """
    table = before.table(name)
    one, other = table.key
    old, fresh = (frame(made_table(plan, name)) for plan in (before, after))
    pairs, later = (set(map(tuple, rows[[one, other]].to_numpy().tolist())) for rows in (old, fresh))
    if not table.spec.directed:  # type: ignore[attr-defined]
        pairs, later = ({(min(pair), max(pair)) for pair in entry} for entry in (pairs, later))
    strange = [pair for pair in later - pairs if not new.intersection(pair)]
    values = [f"{name}: {len(strange)} links are new, not to new rows: {strange[0]}"] if strange else []
    if not table.spec.directed:  # type: ignore[attr-defined]
        return values if len(pairs - later) <= len(later - pairs) else [*values, f"{name}: links are gone"]
    gained, lost = ([pair[0] for pair in entry] for entry in (later - pairs, pairs - later))
    values += [f"{name}: {row} has lost links" for row in set(lost) if lost.count(row) > gained.count(row)]
    old, fresh = old[~old[one].isin(gained)].set_index([one, other]), fresh.set_index([one, other])
    for column in old.columns:
        differs = old[column] != fresh.loc[old.index, column]
        if differs.any():
            values.append(f"{name}.{column}: {int(differs.sum())} of {len(old)} values differ")
    return values
