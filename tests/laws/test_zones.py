"""The laws over days of 23 and 25 hours: shops in New York from before clocks are put forward to after they are set back."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from plotsim_core import Plan, from_mapping
from tests.laws.made import afresh, chunks_of, differing, made_table, names
from tests.laws.test_extension import hold as hold_rows
from tests.laws.test_order import everything, hold, piecewise
from tests.laws.test_relations import RULES
from tests.laws.test_slice import hold_as_of, hold_periods, hold_units

WINDOWS = {
    "day": {"start": "2024-03-08", "end": "2024-03-12", "every": "day"},
    "week": {"start": "2024-10-21", "end": "2024-11-17", "every": "week"},
    "month": {"start": "2024-02", "end": "2024-11", "every": "month"},
}
LATER = {"day": "2024-03-14", "week": "2024-11-24", "month": "2025-04"}


def shops(every: str, **changes: Any) -> dict[str, Any]:
    """Visits, returns that refer to earlier ones, ends of units, a history, a log of changes, and calls of nobody."""
    to = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    at = [{"name": "at", "type": "timestamp"}, {"name": "at_utc", "type": "timestamp", "zone": "utc"}]
    written = [{"name": "inserted_at", "type": "cdc.inserted_at"}, {"name": "updated_at", "type": "cdc.updated_at"}]
    return {
        "about": "Shops",
        "unit": "shop",
        "window": {**WINDOWS[every], "timezone": "America/New_York"},
        "rhythm": {"hours": "night", "weekdays": "weekends"},
        "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [4, 20]}],
        "segments": [{"name": "all", "count": 9, "archetype": "decline"}],
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
        "facts": [{"name": "fct", "columns": [*to, {"name": "visits", "type": "metric.visits"}, at[0], *written]}],
        "events": [
            {
                "name": "evt_visit",
                "trigger": "proportional",
                "driver": "visits",
                "columns": [{"name": "visit_id", "type": "id"}, *to, *at],
            },
            {
                "name": "evt_return",
                "trigger": "proportional",
                "driver": "visits",
                "scale": 0.3,
                "columns": [{"name": "return_id", "type": "id"}, *to, *at, {"name": "visit_id", "type": "ref.evt_visit"}],
            },
            {
                "name": "evt_close",
                "trigger": "threshold",
                "metric": "visits",
                "below": 6,
                "ends_unit": True,
                "columns": [{"name": "close_id", "type": "id"}, *to, *at],
            },
        ],
        "tables": [
            {
                "name": "calls",
                "rows": 300,
                "columns": [{"name": "call_id", "type": "id"}, *at, {"name": "size", "type": "range", "range": [1, 9]}],
            }
        ],
        **changes,
    }


def plan_of(raw: dict[str, Any]) -> Plan:
    return from_mapping(raw, name="shops")


@pytest.mark.parametrize("every", WINDOWS)
def test_periods_and_units_made_alone_are_those_of_the_whole(every: str) -> None:
    plan = plan_of(shops(every))
    assert plan.stop is not None
    hold_periods(plan, [(period, period + 1) for period in range(plan.first, plan.stop)])
    hold_units(plan, [1, 4])
    hold_as_of(plan, list(range(plan.first + 1, plan.stop + 1)))


@pytest.mark.parametrize("every", WINDOWS)
def test_order_and_size_of_blocks_change_nothing(every: str) -> None:
    plan = plan_of(shops(every))
    assert plan.stop is not None
    expected = everything(plan)
    again = afresh(plan)
    periods = [(period, period + 1) for period in reversed(range(plan.first, plan.stop))]
    hold(plan, {name: piecewise(again, name, periods) for name in expected}, expected)
    with chunks_of(7):
        hold(plan, everything(afresh(plan)), expected)


@pytest.mark.parametrize("every", WINDOWS)
def test_a_later_end_changes_no_row_while_the_span_is_held(every: str) -> None:
    before = plan_of(shops(every))
    window = {**WINDOWS[every], "timezone": "America/New_York", "end": LATER[every], "span": before.span}
    hold_rows(before, plan_of(shops(every, window=window)), before.stop)


@pytest.mark.parametrize("every", WINDOWS)
def test_rows_keep_the_rules_of_their_relations(every: str) -> None:
    for rule in RULES:
        rule(plan_of(shops(every)))


@pytest.mark.parametrize("every", WINDOWS)
def test_typed_and_local_columns_are_the_same_moment_in_every_table(every: str) -> None:
    """Against the time zones of Arrow."""
    plan = plan_of(shops(every))
    for name in names(plan):
        rows = made_table(plan, name)
        if "at_utc" in rows.column_names and rows.num_rows:
            local = rows["at_utc"].cast(pa.timestamp("us", "America/New_York"))
            shown = pa.compute.local_timestamp(local)
            assert shown.equals(rows["at"].cast(shown.type)), name
    assert not differing(made_table(plan, "evt_visit"), made_table(afresh(plan), "evt_visit"))
