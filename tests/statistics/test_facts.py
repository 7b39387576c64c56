"""Facts whose rows a metric drives: right on average, spread evenly, and returns are drawn from all that came before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from plotsim_core import from_mapping, generate_tables
from plotsim_core.engine.block import block
from plotsim_core.engine.slice import Slice
from plotsim_core.tables.variable import VariableFact


def config(scale: float, returns: int = 1) -> dict[str, Any]:
    to_unit = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    moment = {"name": "moment", "type": "timestamp"}
    return {
        "about": "orders",
        "unit": "shop",
        "seed": 11,
        "window": ["2024-01", "2024-12", "month"],
        "metrics": [{"name": "orders", "type": "count", "polarity": "positive", "mean": [2, 6]}],
        "segments": [{"name": "only", "count": 400, "archetype": "growth"}],
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
        "facts": [
            {
                "name": "fct_order",
                "row_count_driver": "orders",
                "row_count_scale": scale,
                "columns": [{"name": "order_id", "type": "id"}, *to_unit, moment, {"name": "n", "type": "count.fct_line"}],
            },
            {
                "name": "fct_line",
                "parent_table": "fct_order",
                "children_per_row": [0, 3],
                "columns": [{"name": "line_id", "type": "id"}, *to_unit],
            },
            {
                "name": "fct_return",
                "row_count_driver": "orders",
                "row_count_scale": returns,
                "columns": [
                    {"name": "return_id", "type": "id"},
                    *to_unit,
                    moment,
                    {"name": "order_id", "type": "ref.fct_order", "within": 0},
                ],
            },
        ],
    }


@pytest.mark.parametrize("scale", [1.0, 3.0, 0.4, 1.25, 0.07])
def test_rows_are_scale_times_the_metric_exactly_where_that_is_whole_and_right_on_average(scale: float) -> None:
    plan = from_mapping(config(scale), name="orders")
    assert plan.stop is not None
    whole = block(plan.population, Slice(plan.first, plan.stop, 0, plan.population.units))
    wanted = np.round(whole.correlated(0)) * scale
    table = plan.table("fct_order")
    assert isinstance(table.spec, VariableFact)
    counts = table.spec.row_counts(table, whole)
    even = np.isclose(wanted, np.round(wanted), atol=1e-9)
    assert np.array_equal(counts[even], np.round(wanted[even]))
    share = wanted[~even] % 1
    allowed = 4.5 * np.sqrt(np.sum(share * (1 - share)))
    assert abs(counts.sum() - wanted.sum()) <= allowed + 1e-6


def test_parts_are_as_many_as_said_each_number_as_often() -> None:
    orders = generate_tables(from_mapping(config(1.0), name="orders"))["fct_order"]
    actual = np.bincount(orders["n"], minlength=4)
    assert len(actual) == 4
    assert chisquare(actual).pvalue > 1e-4


def test_a_return_is_of_any_order_before_it_in_its_period() -> None:
    """Its place among the orders of the month before it, of one that has several, is even."""
    tables = generate_tables(from_mapping(config(1.0), name="orders"))
    orders, returns = tables["fct_order"], tables["fct_return"]
    merged = returns.merge(orders, on=["shop_id", "date_key"], suffixes=("", "_of"))
    before = merged[merged["moment_of"] < merged["moment"]]
    place = before.groupby("return_id")["moment_of"].rank().to_numpy()
    count = before.groupby("return_id")["moment_of"].transform("count").to_numpy()
    chosen = (before["order_id"] == before["order_id_of"]).to_numpy()
    assert chosen.sum() == len(returns)
    three = chosen & (count == 3)
    actual = np.bincount(place[three].astype(int), minlength=4)[1:]
    assert actual.sum() > 300
    assert chisquare(actual).pvalue > 1e-4


def test_orders_are_spread_evenly_over_the_month() -> None:
    orders = generate_tables(from_mapping(config(1.0), name="orders"))["fct_order"]
    january = orders[orders["date_key"] == 20240101]["moment"]
    share = (january - january.dt.normalize().min().replace(day=1)).dt.total_seconds() / (31 * 86400)
    assert kstest(share, "uniform").pvalue > 1e-4
