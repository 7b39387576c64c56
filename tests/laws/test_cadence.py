"""Cadence: the change log applied, the snapshot, the history and the expected state say the same of every moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import Plan, from_mapping
from plotsim_core.config.star_schema import with_defaults
from plotsim_core.config.tables import changes_by_version
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.truth.expected import expected_rows
from tests.laws.made import BUNDLED, bundled, made_table
from tests.laws.strategies import Raw, configs, examples, plan_of

Record = dict[str, Any]


def with_both(plan: Plan) -> Plan:
    """Return the plan of a config with a log and a snapshot of each dimension that can have them, of every kind of unit."""
    raw = with_both_of(plan.population, plan.raw)
    kinds = {kind.unit: kind for kind in plan.population.others}
    further = [with_both_of(kinds[other["unit"]], other) for other in raw.get("units") or ()]
    return from_mapping({**raw, **({"units": further} if further else {})}, name=plan.name)


def with_both_of(kind: Population, raw: Raw) -> Raw:
    """Return the config of a kind of unit with a log and a snapshot of each of its dimensions of units and children."""
    raw = with_defaults(raw)
    facts, events = [*(raw.get("facts") or ())], [*(raw.get("events") or ())]
    values = {(table.kind, table.shown_table) for table in kind.unit_tables}
    for table in kind.unit_tables:
        if table.form in ("unit", "child"):
            if ("snapshot", table.name) not in values:
                facts.append({"name": f"all_{table.name}", "snapshot_of": table.name})
            if ("changes", table.name) not in values:
                events.append({"name": f"every_{table.name}", "changes_of": table.name})
    shared = {table.name for table in kind.tables if not table.population} if "window" not in raw else set()
    items = [table for table in raw["dimensions"] if table["name"] not in shared]
    return {**raw, "dimensions": items, "facts": facts, "events": events}


def applied(log: pa.Table, key: str, last: int) -> dict[str, Record]:
    """Apply a log up to a date key, one change after the other, and hold that each begins with what it finds."""
    state: dict[str, Record] = {}
    for change in sorted((row for row in log.to_pylist() if row["date_key"] <= last), key=lambda row: row["sequence"]):
        entry = change[key]
        assert change["before"] == state.get(entry), change
        assert (change["op"] == "I") == (change["before"] is None)
        assert (change["op"] == "D") == (change["after"] is None)
        assert change["before"] != change["after"]
        if change["op"] == "D":
            del state[entry]
        else:
            assert change["after"][key] == entry
            state[entry] = change["after"]
    return state


def by_key(rows: pa.Table, key: str, without: str = "") -> dict[str, Record]:
    """Return rows by their key, which no two share."""
    values = {row[key]: {name: value for name, value in row.items() if name != without} for row in rows.to_pylist()}
    assert len(values) == rows.num_rows
    return values


def valid(plan: Plan, history: pa.Table, dimension: TablePlan, key: str, period: int) -> dict[str, Record]:
    """Return what a history says of a period, by plain SQL, without what is as of a version's last period."""
    begins = plan.grain.civil_starts(np.array([period], dtype=np.int64)).astype("datetime64[us]")[0]
    names = [c.name for c in dimension.columns if c.spec.word != "version" and changes_by_version(c.spec, dimension.spec)]
    selection = ", ".join(f'"{name}"' for name in names)
    with duckdb.connect() as connection:
        connection.register("history", history)
        sql = (
            f"SELECT {selection} FROM history WHERE valid_from <= TIMESTAMP '{begins}' "
            f"AND (valid_to IS NULL OR TIMESTAMP '{begins}' < valid_to)"
        )
        return by_key(connection.sql(sql).to_arrow_table(), key)


def shown(plan: Plan) -> Iterator[tuple[Population, TablePlan, TablePlan, TablePlan]]:
    """Yield (population, dimension, snapshot, log) of every dimension that has both."""
    for kind in plan.populations:
        for snapshot in (table for table in kind.unit_tables if table.kind == "snapshot"):
            for log in (
                table for table in kind.unit_tables if table.kind == "changes" and table.shown_table == snapshot.shown_table
            ):
                yield kind, plan.table(snapshot.shown_table), snapshot, log


def hold(plan: Plan, periods: list[int]) -> int:
    """Check that all four agree in some periods; return how many rows were compared."""
    compared = 0
    for _, dimension, snapshot, log in shown(plan):
        key = snapshot.key[1]
        changes, latest = made_table(plan, log.name), made_table(plan, dimension.name)
        snapshots = made_table(plan, snapshot.name)
        for period in periods:
            date = int(plan.grain.keys(np.array([period], dtype=np.int64))[0])
            state = applied(changes, key, date)
            compared += len(state)
            assert by_key(expected_rows(plan, log.name, period)[1], key) == state
            rows = snapshots.filter(pa.array(snapshots["snapshot_date_key"].to_numpy() == date))
            if rows.num_rows or not state:
                assert by_key(rows, key, "snapshot_date_key") == state
            else:
                assert snapshot.spec.every is not None, "a snapshot that is due every period is not there"  # type: ignore[attr-defined]
            if "valid_from" in latest.column_names:
                answer = valid(plan, latest, dimension, key, period)
                assert valid(plan, expected_rows(plan, dimension.name, period)[1], dimension, key, period) == answer
                assert answer == {entry: {name: row[name] for name in answer[entry]} for entry, row in state.items()}
            else:
                assert state.keys() <= {*made_table(plan, dimension.name, None, period + 1)[key].to_pylist()}
    return compared


@pytest.mark.parametrize("name", BUNDLED)
def test_log_snapshot_history_and_expected_state_agree_in_bundled_configs(name: str) -> None:
    plan = with_both(bundled(name))
    assert plan.stop is not None
    length = plan.stop - plan.first
    assert hold(plan, sorted({plan.first, plan.first + 1, plan.first + length // 2, plan.stop - 1})) > 0


@examples(25)
@given(configs(), st.data())
def test_log_snapshot_history_and_expected_state_agree(raw: Raw, data: st.DataObject) -> None:
    plan = with_both(plan_of(raw))
    assert plan.stop is not None
    hold(plan, data.draw(st.lists(st.integers(plan.first, plan.stop - 1), min_size=1, max_size=4)))


def test_a_snapshot_is_taken_in_the_last_period_that_begins_in_each_stretch() -> None:
    plan = from_mapping(
        {
            **{section: bundled("minimal").raw[section] for section in ("about", "unit", "metrics", "segments")},
            "window": ["2024-01-29", "2024-05-26", "week"],
            "dimensions": [
                {
                    "name": f"dim_{bundled('minimal').population.unit}",
                    "per": "unit",
                    "columns": [{"name": "key", "type": "id"}],
                }
            ],
            "facts": [
                {"name": f"snp_{every}", "snapshot_of": f"dim_{bundled('minimal').population.unit}", "every": every}
                for every in ("week", "month", "quarter", "once")
            ],
        },
        name="weekly",
    )
    days = {
        every: sorted({*made_table(plan, f"snp_{every}")["snapshot_date_key"].to_pylist()}) for every in ("month", "quarter")
    }
    assert days == {"month": [20240129, 20240226, 20240325, 20240429], "quarter": [20240325]}
    assert set(made_table(plan, "snp_once")["snapshot_date_key"].to_pylist()) == {20240129}
    assert len(set(made_table(plan, "snp_week")["snapshot_date_key"].to_pylist())) == 17
