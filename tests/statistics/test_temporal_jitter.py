"""Moments that are recorded too early or too late: by as much as declared, within their period, and nothing else moves."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from plotsim_core import ConfigError, Plan, explain, from_mapping, generate_tables, validate
from plotsim_core.engine.slice import Slice, full_slice
from plotsim_core.tables.build import build
from tests.marks import slow_but

Raw = dict[str, Any]
_REFS = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
_EVENT = [{"name": "row_id", "type": "id"}, *_REFS, {"name": "at", "type": "timestamp"}]
_OF_ORDER = [{"name": "order_id", "type": "ref.fct_order"}, _EVENT[-1]]
CONFIG: Raw = {
    "about": "Shops",
    "unit": "shop",
    "window": {"start": "2024-01", "end": "2024-06", "every": "month"},
    "seed": 4,
    "metrics": [
        {"name": "visits", "type": "count", "polarity": "positive", "mean": [4, 20]},
        {"name": "mood", "type": "score", "polarity": "positive"},
    ],
    "segments": [{"name": "small", "count": 40, "archetype": "growth"}],
    "calendar": {"holidays": [{"date": "05-01", "name": "May Day"}]},
    "rhythm": {"weekdays": "workdays", "hours": "office_hours", "holidays": 0.2},
    "dimensions": [
        {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]},
        {"name": "dim_time", "per": "time", "columns": [{"name": "time_key", "type": "id"}]},
    ],
    "facts": [
        {"name": "fct_order", "row_count_driver": "visits", "cdc": True, "columns": _EVENT},
        {
            "name": "fct_line",
            "parent_table": "fct_order",
            "children_per_row": [1, 3],
            "columns": [
                {"name": "line_id", "type": "id"},
                {"name": "order_id", "type": "ref.fct_order"},
                *_REFS,
                _EVENT[-1],
            ],
        },
    ],
    "events": [
        {
            "name": "evt_visit",
            "trigger": "proportional",
            "driver": "visits",
            "columns": [*_EVENT, {"name": "time_key", "type": "ref.dim_time"}],
        },
        {"name": "evt_return", "trigger": "proportional", "driver": "visits", "scale": 0.2, "columns": []},
        {"name": "evt_low", "trigger": "threshold", "metric": "mood", "above": 0.5, "columns": _EVENT},
    ],
}
CONFIG["events"][1]["columns"] = [*_EVENT, {"name": "order_id", "type": "ref.fct_order", "within": 2}]
RECORDED = {"at", "time_key", "_inserted_at", "_updated_at"}


def plan_of(jitter: float = 0.0, **more: Any) -> Plan:
    raw = copy.deepcopy({**CONFIG, **more})
    return from_mapping({**raw, "noise": {"temporal_jitter": jitter}} if jitter else raw, name="shops")


def lengths(rows: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(rows["date_key"].astype(str)).dt.days_in_month


@pytest.fixture(scope="module")
def happened() -> dict[str, pd.DataFrame]:
    return generate_tables(plan_of())


def test_nothing_but_moments_is_moved(happened: dict[str, pd.DataFrame]) -> None:
    recorded = generate_tables(plan_of(0.5))
    for name, rows in happened.items():
        moved = sorted(RECORDED & set(rows.columns)) if name not in ("dim_time",) else []
        pd.testing.assert_frame_equal(recorded[name].drop(columns=moved), rows.drop(columns=moved))
        assert all((recorded[name][column] != rows[column]).mean() > 0.9 for column in moved), name
    orders = recorded["fct_order"]
    assert (orders["_inserted_at"] == orders["at"]).all()  # nothing is written before it is said to happen


def test_moments_are_moved_by_as_much_as_declared(happened: dict[str, pd.DataFrame]) -> None:
    """Normal with the declared deviation, where no end of a period is near: Kolmogorov-Smirnov, and independent from table
    to table and from row to row."""
    recorded = generate_tables(plan_of(0.25))
    off = {}
    for name in ("evt_visit", "fct_order"):
        days = (recorded[name]["at"] - happened[name]["at"]).dt.total_seconds() / 86400
        day = happened[name]["at"].dt.day
        inner = (day > 2) & (day < 28)
        off[name] = days[inner]
        assert stats.kstest(days[inner] / 0.25, "norm").pvalue > 1e-3
        assert inner.sum() > 2000
    count = min(map(len, off.values()))
    pairs = [(off["evt_visit"][:count], off["fct_order"][:count]), (off["evt_visit"][1:], off["evt_visit"][:-1])]
    for one, other in pairs:
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(len(one))


@pytest.mark.parametrize("jitter", [0.02, 3, 300])
def test_moments_stay_in_their_period(jitter: float) -> None:
    for name, rows in generate_tables(plan_of(jitter)).items():
        if "at" in rows:
            begins = pd.to_datetime(rows["date_key"].astype(str))
            assert (rows["at"] >= begins).all(), name
            assert (rows["at"] < begins + pd.to_timedelta(lengths(rows), unit="D")).all(), name


def test_one_row_tells_one_moment() -> None:
    """The time of day that an event refers to is that of its moment, and a line's moment is that of its order."""
    tables = generate_tables(plan_of(0.1))
    visits = tables["evt_visit"]
    assert (visits["time_key"] == visits["at"].dt.hour * 100 + visits["at"].dt.minute).all()
    lines = tables["fct_line"].merge(tables["fct_order"], left_on="order_id", right_on="row_id")
    assert (lines["at_x"] == lines["at_y"]).all()


@pytest.mark.parametrize("table", ["evt_visit", "fct_line", "evt_low", "evt_return"])
def test_any_slice_has_the_moments_of_the_whole(table: str) -> None:
    plan = plan_of(0.4)
    every = full_slice(plan.population)
    units = [(0, 7), (7, 8), (8, 40)]
    parts = [Slice(p, p + 1, *unit) for p in range(every.first, every.stop) for unit in units]
    rows = [
        pa.Table.from_batches(build(plan, plan.table(table), part), plan.table(table).schema) for part in (every, *parts)
    ]
    assert rows[0].num_rows > 10
    assert rows[0].equals(pa.concat_tables(rows[1:]))


def test_more_units_and_a_later_end_leave_moments() -> None:
    few = generate_tables(plan_of(0.4))["evt_visit"].set_index("row_id")["at"]
    segments = [{"name": "other", "count": 5, "archetype": "flat"}, {**CONFIG["segments"][0], "count": 55}]
    window = {**CONFIG["window"], "end": "2024-09", "span": 6}
    many = generate_tables(plan_of(0.4, segments=segments, window=window))["evt_visit"].set_index("row_id")["at"]
    assert len(many) > len(few)
    pd.testing.assert_series_equal(many.loc[few.index], few)


@pytest.mark.parametrize("jitter", slow_but([0.01, 0.2, 2.0], 0.2))
@pytest.mark.parametrize("every", slow_but(["day", "week", "month"], "week"))
def test_the_checks_allow_for_it_and_know_the_rhythm_that_is_left(every: str, jitter: float) -> None:
    end = {"day": "2024-02-15", "week": "2024-04-28", "month": "2024-06-30"}[every]
    start = "2024-01-01"
    plan = plan_of(jitter, window={"start": start, "end": end, "every": every})
    report = validate(plan, generate_tables(plan))
    assert not report.failed, report.text()
    assert report.findings_of("rhythm_as_declared")
    assert all(finding.passed for finding in report.findings_of("rhythm_as_declared")), report.text()


@pytest.mark.slow
def test_a_rhythm_that_was_not_moved_is_not_the_one_that_is_declared() -> None:
    """So the check is not blind to it."""
    unmoved = generate_tables(plan_of())
    assert not all(finding.passed for finding in validate(plan_of(0.2), unmoved).findings_of("rhythm_as_declared"))


def test_a_recorded_moment_can_be_explained() -> None:
    plan = plan_of(0.4)
    row = generate_tables(plan)["evt_visit"].iloc[7]
    assert pd.Timestamp(explain(plan, "evt_visit", row["row_id"], str(row["date_key"]), "at").value) == row["at"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"facts": [], "events": []}, "noise.temporal_jitter: has no effect: no table shows the moments of its rows"),
        (
            {"metrics": [{**CONFIG["metrics"][0], "noise": {"temporal_jitter": 1}}, CONFIG["metrics"][1]]},
            r"metrics\[0\].noise.temporal_jitter: has no effect: moments are those of events, of no metric",
        ),
    ],
)
def test_a_jitter_that_moves_nothing_is_refused(more: Raw, message: str) -> None:
    shown = [CONFIG["dimensions"][0]] if "facts" in more else CONFIG["dimensions"]
    with pytest.raises(ConfigError, match=message):
        plan_of(0.5, dimensions=shown, rhythm=None, calendar=None, **more)


def test_a_further_kind_of_unit_without_events_is_no_reason_to_refuse() -> None:
    owner = {
        "unit": "owner",
        "metrics": [{"name": "wealth", "type": "score", "polarity": "positive"}],
        "segments": [{"name": "family", "count": 3, "archetype": "flat"}],
    }
    assert plan_of(0.5, units=[owner]).population.others[0].dataset.noise.temporal_jitter == 0.5
    with pytest.raises(ConfigError, match=r"units\[0\].noise.temporal_jitter: has no effect"):
        plan_of(units=[{**owner, "noise": {"temporal_jitter": 1}}])
