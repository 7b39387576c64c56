"""Slice: what is made for some periods or some units equals the same rows of the whole."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import Plan
from plotsim_core.config.holdout import FEATURES
from plotsim_core.config.quality import orphan_mark
from plotsim_core.config.tables import Column, extreme_keys
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.build import find_table
from tests.laws.made import (
    AS_OF,
    DATASETS,
    afresh,
    bundled,
    by_population,
    date_keys,
    differing,
    follows_units,
    frame,
    in_periods,
    is_state,
    made_of,
    made_table,
    names,
    unit_column,
    unit_keys,
)
from tests.laws.strategies import Raw, configs, examples, plan_of


def some_periods(plan: Plan) -> list[tuple[int, int]]:
    """Return a few ranges of periods: the first, the last, one in the middle, a middle part, the whole."""
    assert plan.stop is not None
    middle = (plan.first + plan.stop) // 2
    third = max(1, (plan.stop - plan.first) // 3)
    last = plan.stop - 1
    values = [
        (plan.first, plan.first + 1),
        (middle, middle + 1),
        (last, plan.stop),
        (plan.first + third, min(plan.first + 2 * third + 1, plan.stop)),
        (plan.first, plan.stop),
    ]
    return sorted(set(values), reverse=True)


def hold_periods(plan: Plan, ranges: list[tuple[int, int]]) -> None:
    """Check every table and stage: a range of periods made alone is that range of the whole."""
    for name in names(plan):
        table = find_table(plan, name)
        whole = made_table(plan, name)
        for first, stop in ranges:
            alone = made_table(afresh(plan), name, first, stop)
            expected = made_table(plan, name, None, stop) if is_state(table) else in_periods(plan, table, whole, first, stop)
            assert not differing(alone, expected), (name, first, stop, differing(alone, expected))


def orphans(population: Population, keys: pa.Array) -> pa.Array:
    """Return the keys of units as they stand where a reference is orphaned on purpose."""
    dimension = population.dimension
    name = next(column.name for column in dimension.columns if column.spec.source.is_key)
    mark = orphan_mark(extreme_keys(name, dimension.spec, population.dataset))
    return pc.add(keys, mark) if isinstance(mark, int) else pc.binary_join_element_wise(keys, pa.scalar(""), mark)


def hold_units(plan: Plan, cuts: list[int]) -> None:
    """Check every table and stage with rows of units: a part of the units made alone is their rows of the whole."""
    assert plan.stop is not None
    for name in names(plan):
        table = find_table(plan, name)
        column = unit_column(plan.population, table)
        if column is None:
            continue
        whole = made_table(plan, name)
        edges = [0, *cuts, units_by(plan.population, plan.stop)]
        for begin, end in itertools.pairwise(edges):
            alone = made_of(plan, name, Slice(plan.first, plan.stop, begin, end))
            keys = unit_keys(plan, begin, end)
            lost = orphans(plan.population, keys)
            mine = whole.filter(pc.is_in(whole[column], pa.concat_arrays([keys, lost]))).combine_chunks()
            assert not differing(alone, mine), (name, begin, end, differing(alone, mine))


def begun_mask(plan: Plan, table: TablePlan, rows: pa.Table, stop: int) -> pa.Array:
    """Return which rows of a state were there at the end of period `stop - 1`, as the state itself tells it."""
    edge = plan.grain.civil_starts(np.array([stop], dtype=np.int64))[0]
    masks = [
        pc.less(pc.cast(rows[column.name], pa.timestamp("us")), pa.scalar(edge.astype("datetime64[us]").item()))
        for column in table.columns
        if column.spec.type in ("version.valid_from", "timestamp")
    ]
    masks += [
        pc.invert(pc.is_in(rows[column], date_keys(plan, stop, plan.stop or stop)))
        for column, to, _ in table.references
        if plan.table(to).kind == "date"
    ]
    result = pa.array(np.ones(rows.num_rows, dtype=bool))
    for mask in masks:
        result = pc.and_(result, mask)
    return result


CHANGING = ("bridge", FEATURES)
"""States whose rows change, not only come: test_extension holds what they know."""


def moves(table: TablePlan, column: Column) -> bool:
    """Return whether a column of a state changes with time; a source has no versions, so its tiers do."""
    if table.spec.is_source and column.word == "scd":
        return True
    return column.source.changes_over_time


def hold_as_of(plan: Plan, stops: list[int]) -> None:
    """Check every state: as of an earlier moment it is the rows of the latest state that had begun, and no more.

    Only the end of a version may be news; one that ends later had no end yet. Columns that follow the trajectory say how it
    is at the moment of the state, and so may change.
    """
    assert plan.stop is not None
    for table in plan.tables:
        if not is_state(table) or table.kind in CHANGING:
            continue
        moving = [c.name for c in table.columns if moves(table, c.spec) or follows_units(plan, table, c.spec)]
        latest = made_table(plan, table.name).drop_columns(moving)
        dated = any(c.spec.type in ("version.valid_from", "timestamp") for c in table.columns) or any(
            plan.table(to).kind == "date" for _, to, _ in table.references
        )
        for stop in stops:
            state = made_table(plan, table.name, None, stop).drop_columns(moving)
            assert pc.all(begun_mask(plan, table, state, stop)).as_py() in (True, None), (
                f"{table.name} knows what begins later"
            )
            if dated:
                remaining = latest.filter(begun_mask(plan, table, latest, stop))
                assert not differing(rows_as_of(plan, remaining, stop), rows_as_of(plan, state, stop)), (table.name, stop)
                continue
            early, late = frame(state).set_index(list(table.key)), frame(latest).set_index(list(table.key))
            assert late.loc[early.index].equals(early), (table.name, stop)


def rows_as_of(plan: Plan, rows: pa.Table, stop: int) -> pa.Table:
    """Return rows with what only later moments know taken out of `valid_to` and `is_current`."""
    if not set(AS_OF) <= set(rows.column_names):
        return rows.combine_chunks()
    edge = plan.grain.civil_starts(np.array([stop], dtype=np.int64))[0].astype("datetime64[us]").item()
    later = pc.fill_null(pc.greater_equal(pc.cast(rows["valid_to"], pa.timestamp("us")), pa.scalar(edge)), False)
    ends = pc.if_else(later, pa.scalar(None, rows["valid_to"].type), rows["valid_to"])
    rows = rows.set_column(rows.column_names.index("valid_to"), rows.schema.field("valid_to"), ends)
    place = rows.column_names.index("is_current")
    return rows.set_column(place, rows.schema.field("is_current"), pc.or_(rows["is_current"], later)).combine_chunks()


@pytest.mark.parametrize("name", DATASETS)
def test_periods_made_alone_are_those_of_the_whole_in_bundled_configs(name: str) -> None:
    hold_periods(bundled(name), some_periods(bundled(name)))


@examples(30)
@given(configs(), st.data())
def test_periods_made_alone_are_those_of_the_whole(raw: Raw, data: st.DataObject) -> None:
    plan = plan_of(raw)
    assert plan.stop is not None
    first = data.draw(st.integers(plan.first, plan.stop - 1))
    stop = data.draw(st.integers(first + 1, plan.stop))
    hold_periods(plan, [(first, stop), (first, first + 1)])


@pytest.mark.parametrize("name", DATASETS)
def test_units_made_alone_are_those_of_the_whole_in_bundled_configs(name: str) -> None:
    plan = bundled(name)
    hold_units(plan, [1, plan.population.units // 3, plan.population.units - 1])


@examples(20)
@given(configs(), st.data())
def test_units_made_alone_are_those_of_the_whole(raw: Raw, data: st.DataObject) -> None:
    for plan in by_population(plan_of(raw)):
        hold_units(plan, [data.draw(st.integers(1, plan.population.units - 1))] if plan.population.units > 1 else [])


@pytest.mark.parametrize("name", DATASETS)
def test_a_state_knows_nothing_of_what_comes_after_it_in_bundled_configs(name: str) -> None:
    plan = bundled(name)
    hold_as_of(plan, [stop for _, stop in some_periods(plan)])


@examples(30)
@given(configs(), st.data())
def test_a_state_knows_nothing_of_what_comes_after_it(raw: Raw, data: st.DataObject) -> None:
    plan = plan_of(raw)
    assert plan.stop is not None
    hold_as_of(plan, [data.draw(st.integers(plan.first + 1, plan.stop))])
