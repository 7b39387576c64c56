"""What tables owe each other: unique keys, references that resolve, events in their periods, lives that end, histories."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given

from plotsim_core import Plan
from plotsim_core.columns.version import ROW_ID
from plotsim_core.config.column_source import Clock
from plotsim_core.engine.block import block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.lifetimes import ends
from plotsim_core.engine.roster import select
from plotsim_core.engine.silence import silent_cells
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.build import find_table
from plotsim_core.tables.kind import key_name
from plotsim_core.tables.stages import stage_names
from tests.laws.made import (
    DATASETS,
    bundled,
    names,
    unit_column,
    unit_keys,
    units_of_rows,
)
from tests.laws.made import clean as clean_rows
from tests.laws.strategies import Raw, configs, examples, plan_of


def clean_tables(plan: Plan) -> tuple[TablePlan, ...]:
    """Return the plans of all tables as they are before anything in them is broken."""
    return plan.clean.tables


def whole(plan: Plan) -> dict[str, pa.Table]:
    """Return all tables of a plan."""
    return {table.name: clean_rows(plan, table.name) for table in clean_tables(plan)}


def sourced(table: TablePlan, type_: str, clock: Clock = "dataset") -> str | None:
    """Return the name of the column that has a type, and shows it by some clocks; of moments that of the rows themselves."""
    columns = [column for column in table.columns if column.spec.type == type_]
    columns = [column for column in columns if type_ != "timestamp" or column.spec.source.is_moment]
    return next((column.name for column in columns if column.spec.source.clock == clock), None)


def ordered(table: TablePlan) -> str | None:
    """Return the name of the column that says which moment is earlier: the typed one, where there is one."""
    return sourced(table, "timestamp", "utc") or sourced(table, "timestamp")


def times(rows: pa.Table, column: str) -> np.ndarray:
    """Return the moments of a column."""
    return rows[column].cast(pa.timestamp("us")).to_numpy().astype("datetime64[us]")


def periods_of(plan: Plan, table: TablePlan, rows: pa.Table) -> np.ndarray:
    """Return the period of each row of a table that is placed in time."""
    assert plan.stop is not None and table.time is not None
    periods = np.arange(plan.first, plan.stop, dtype=np.int64)
    places = dict(zip(plan.grain.keys(periods).tolist(), periods.tolist(), strict=True))
    return np.array([places[key] for key in rows[table.time].to_pylist()], dtype=np.int64)


def keys_are_unique(plan: Plan) -> None:
    """The key columns of a table tell its rows apart, stages too, and hold no null."""
    for name in names(plan):
        keys = clean_rows(plan, name).select(list(find_table(plan.clean, name).key)).to_pandas()
        assert not keys.duplicated().any(), name
        assert not keys.isna().any().any(), name


def references_resolve(plan: Plan) -> None:
    """Every reference of every table leads to a row."""
    tables = whole(plan)
    for table in clean_tables(plan):
        for column, to, key in table.references:
            actual = pc.is_in(tables[table.name][column].drop_null(), tables[to][key].combine_chunks())
            assert pc.all(actual).as_py() in (True, None), f"{table.name}.{column} to {to}.{key}"


def references_resolve_as_of_any_moment(plan: Plan) -> None:
    """What a store holds after some periods is whole in itself: no row refers to what comes later."""
    assert plan.stop is not None
    for stop in {plan.first + 1, (plan.first + plan.stop + 1) // 2}:
        tables = {table.name: clean_rows(plan, table.name, None, stop) for table in clean_tables(plan)}
        for table in clean_tables(plan):
            for column, to, key in table.references:
                actual = pc.is_in(tables[table.name][column].drop_null(), tables[to][key].combine_chunks())
                assert pc.all(actual).as_py() in (True, None), f"{table.name}.{column} to {to}.{key} as of {stop}"


def children_are_their_units(plan: Plan) -> None:
    """Where a row names a unit and one of a unit's children, the child is that unit's; only bridges link to any, and
    references that say so."""
    tables = whole(plan)
    for child in (table for table in clean_tables(plan) if table.form == "child"):
        entry = key_name(child.spec)
        owner = unit_column(plan.population, child)
        owners = dict(zip(tables[child.name][entry].to_pylist(), tables[child.name][owner].to_pylist(), strict=True))
        for table in (table for table in clean_tables(plan) if table.kind != "bridge"):
            own_names = {c.name for c in table.columns if c.spec.source.owners == "own"}
            column = next((c for c, to, _ in table.references if to == child.name and c in own_names), None)
            unit = unit_column(plan.population, table)
            if column is not None and unit is not None:
                rows = tables[table.name]
                pairs = zip(rows[column].to_pylist(), rows[unit].to_pylist(), strict=True)
                assert all(key is None or owners[key] == of for key, of in pairs)


def trees_end(plan: Plan) -> None:
    """Whoever follows the references of a table to itself comes to a row that refers to none, and leaves no step twice."""
    for table in (table for table in clean_tables(plan) if table.form in ("unit", "child", "reference", "rows in time")):
        key = sourced(table, "id")
        for column, to, _ in table.references:
            if to != table.name or table.spec.history is not None:
                continue
            rows = clean_rows(plan, table.name)
            above = dict(zip(rows[key].to_pylist(), rows[column].to_pylist(), strict=True))
            for start in above:
                steps = itertools.takewhile(lambda at: at is not None, _followed(above, start))
                assert len(list(itertools.islice(steps, len(above) + 1))) <= len(above), table.name


def _followed(above: dict[str, str | None], start: str) -> Iterator[str | None]:
    """Yield a row, the one that it refers to, and so on."""
    current: str | None = start
    while True:
        yield current
        current = above[current] if current is not None else None


def bridges_keep_their_bounds(plan: Plan) -> None:
    """No pair is linked twice and no row to itself; rows have as many links as allowed, while there are rows enough."""
    for table in (table for table in clean_tables(plan) if table.kind == "bridge"):
        spec = table.spec
        pairs = list(zip(*(clean_rows(plan, table.name)[name].to_pylist() for name in table.key), strict=True))
        if spec.left == spec.right:
            assert all(a != b for a, b in pairs)
        if not spec.directed:
            assert len({frozenset(pair) for pair in pairs}) == len(pairs)
        ends = ((clean_rows(plan, name), key_name(plan.table(name).spec)) for name in (spec.left, spec.right))
        lefts, rights = (set(rows[key].to_pylist()) for rows, key in ends)
        entry = Counter(a for a, _ in pairs)
        touched = entry if spec.directed else entry + Counter(b for _, b in pairs)
        assert max(entry.values(), default=0) <= spec.cardinality[1]
        if not plan.population.endings and all(segment.spec.tenure is None for segment in plan.population.segments):
            least = min(spec.cardinality[0], len(rights) - (spec.left == spec.right))
            assert all(touched[key] >= least for key in lefts), table.name


def lives(plan: Plan) -> pd.DataFrame:
    """Return, for each unit, the first and the last period of its life."""
    assert plan.stop is not None
    whole = block(plan.population, Slice(plan.first, plan.stop, 0, units_by(plan.population, plan.stop)))
    keys = unit_keys(plan, 0, whole.slice.unit_stop).to_pylist()
    return pd.DataFrame({"first": whole.units.arrival, "last": ends(whole)}, index=keys)


def events_lie_in_their_periods(plan: Plan) -> None:
    """An event happens in the period of its date key."""
    for table in clean_tables(plan):
        column = sourced(table, "timestamp")
        if table.time is None or column is None or table.kind == "snapshot":  # whose moments are those of the dimension
            continue
        rows = clean_rows(plan, table.name)
        periods = periods_of(plan, table, rows)
        for starts, name in ((plan.grain.civil_starts, column), (plan.grain.instants, sourced(table, "timestamp", "utc"))):
            if name is not None:
                moments = times(rows, name)
                assert (moments >= starts(periods).astype("datetime64[us]")).all(), (table.name, name)
                assert (moments < starts(periods + 1).astype("datetime64[us]")).all(), (table.name, name)


def rows_lie_in_their_units_lives(plan: Plan) -> None:
    """A unit makes rows from its arrival to its end, facts one in every period of that in which it is not silent (stages
    in those too), and none before or after; a log tells of its end in the period after it."""
    assert plan.stop is not None
    life = lives(plan)
    units = select(plan.population, 0, len(life))
    is_silent = silent_cells(plan.population, units, plan.first, plan.stop)
    periods_lived = np.arange(plan.first, plan.stop)[:, None]
    is_alive = (periods_lived >= life["first"].to_numpy()) & (periods_lived <= life["last"].to_numpy())
    for name in names(plan):
        table = find_table(plan.clean, name)
        if table.time is None:
            continue
        units = units_of_rows(plan, plan.population, table)
        if units is None:
            continue
        rows = clean_rows(plan, name)
        periods = periods_of(plan, table, rows)
        of_row = life.loc[units]
        assert (periods >= of_row["first"].to_numpy()).all(), name
        assert (periods - (table.kind == "changes") <= of_row["last"].to_numpy()).all(), name
        if table.kind == "fact" and table.periods is None:
            expected = is_alive if name in stage_names(plan) else is_alive & ~is_silent
            assert rows.num_rows == expected.sum(), name


def nothing_happens_after_the_end(plan: Plan) -> None:
    """A unit ends once, and no event of it comes after the moment of its end. So it is of every kind of unit."""
    for population in plan.populations:
        ended: list[tuple[str, np.datetime64]] = []
        for name in {ending.table for ending in population.endings}:
            rows = clean_rows(plan, name)
            column = ordered(population.table(name))
            if column is not None:
                ended += zip(
                    rows[unit_column(population, population.table(name))].to_pylist(), times(rows, column), strict=True
                )
        moments = dict(ended)
        assert len(moments) == len(ended), "a unit ends twice"
        for table in population.unit_tables:
            column = ordered(table)
            if table.time is None or column is None:
                continue
            units = units_of_rows(plan, population, table)
            if units is None:
                continue
            rows = clean_rows(plan, table.name)
            for unit, moment in zip(units, times(rows, column), strict=True):
                assert moment <= moments.get(unit, moment), f"{table.name}: {unit} at {moment}, ended at {moments[unit]}"


def histories_are_whole(plan: Plan) -> None:
    """Versions of a unit follow each other without gap, overlap or empty interval; the last is current, unless the unit has
    left; tiers change."""
    table = plan.population.dimension
    tier = next((column.name for column in table.columns if column.spec.word == "scd"), None)
    if tier is None:
        return
    rows = clean_rows(plan, table.name).to_pandas()
    key = unit_column(plan.population, table)
    for _, versions in rows.groupby(key, sort=False):
        begins, ends = versions["valid_from"].to_list(), versions["valid_to"].to_list()
        assert ends[:-1] == begins[1:]
        open_ = bool(pd.isna(ends[-1]))
        assert all(a < b for a, b in itertools.pairwise(begins if open_ else [*begins, ends[-1]]))
        assert versions["is_current"].to_list() == [False] * (len(begins) - 1) + [open_]
        tiers = versions[tier].to_list()
        assert all(a != b for a, b in itertools.pairwise(tiers))


def versions_end_with_their_units(plan: Plan) -> None:
    """The last version of a unit is valid to the period after the last of its life, as far as that is known."""
    table = plan.population.dimension
    if table.spec.history is None or plan.stop is None:
        return
    ended = lives(plan)["last"].to_dict()
    key_column = unit_column(plan.population, table)
    rows = clean_rows(plan, table.name).to_pandas().drop_duplicates(key_column, keep="last")
    for key, end in zip(rows[key_column], rows["valid_to"], strict=True):
        if ended[key] < plan.stop - 1:
            assert np.datetime64(end, "s") == plan.grain.civil_starts(np.array([ended[key] + 1]))[0], f"{key} ends at {end}"
        else:
            assert pd.isna(end), f"{key} is closed at {end}"


def facts_join_the_version_of_their_time(plan: Plan) -> None:
    """The version a fact or event names is its unit's, and was valid when its period began."""
    dimension = plan.population.dimension
    if not any(column.spec.word == "scd" for column in dimension.columns):
        return
    versions = clean_rows(plan, dimension.name).to_pandas().set_index(ROW_ID)
    key = unit_column(plan.population, dimension)
    for table in clean_tables(plan):
        if table.time is None or not any(column.name == ROW_ID for column in table.columns):
            continue
        rows = clean_rows(plan, table.name)
        starts = pd.Series(plan.grain.civil_starts(periods_of(plan, table, rows)))
        valid = versions.loc[rows[ROW_ID].to_pylist()]
        assert valid[key].to_list() == units_of_rows(plan, plan.population, table), table.name
        assert (pd.to_datetime(valid["valid_from"]).to_numpy() <= starts.to_numpy()).all(), table.name
        ends = pd.to_datetime(valid["valid_to"]).to_numpy()
        assert ((starts.to_numpy() < ends) | np.isnat(ends)).all(), table.name


RULES: list[Callable[[Plan], None]] = [
    keys_are_unique,
    references_resolve,
    references_resolve_as_of_any_moment,
    children_are_their_units,
    trees_end,
    bridges_keep_their_bounds,
    events_lie_in_their_periods,
    rows_lie_in_their_units_lives,
    nothing_happens_after_the_end,
    histories_are_whole,
    versions_end_with_their_units,
    facts_join_the_version_of_their_time,
]


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("rule", RULES)
def test_tables_of_bundled_configs_keep(rule: Callable[[Plan], None], name: str) -> None:
    rule(bundled(name))


@pytest.mark.parametrize("rule", RULES)
@examples(20)
@given(raw=configs())
def test_tables_keep(rule: Callable[[Plan], None], raw: Raw) -> None:
    rule(plan_of(raw))


def two_endings() -> Raw:
    """Return a config whose units are ended by two events, often in the same period."""
    to_unit = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    columns = [{"name": "own_id", "type": "id"}, *to_unit, {"name": "at", "type": "timestamp"}]
    tier = {"name": "tier", "type": "scd", "tracks": "alpha", "tiers": ["low", "mid", "top"], "at": [0.3, 0.9]}
    crossing = {"trigger": "threshold", "metric": "alpha", "ends_unit": True, "columns": columns}
    return {
        "about": "two ends",
        "unit": "shop",
        "window": ["2024-01", "2024-12", "month"],
        "metrics": [{"name": "alpha", "type": "score", "polarity": "positive"}],
        "segments": [{"name": "only", "count": 60, "archetype": "growth"}],
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}, tier]}],
        "facts": [{"name": "fct_all", "columns": [*to_unit, {"name": "alpha", "type": "metric.alpha"}]}],
        "events": [
            {"name": "evt_leave", "above": 0.6, **crossing},
            {"name": "evt_close", "above": 0.7, **crossing},
            {"name": "evt_visit", "trigger": "proportional", "driver": "alpha", "scale": 8, "columns": columns},
        ],
    }


@pytest.mark.parametrize("rule", RULES)
def test_units_that_two_events_would_end_in_one_period_keep(rule: Callable[[Plan], None]) -> None:
    """The earlier of the two ends the unit; the other does not happen."""
    rule(plan_of(two_endings()))
