"""Bridges: how many links, to whom, and what their columns say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from plotsim_core import Plan, from_mapping, generate_tables

RAW: dict[str, Any] = {
    "about": "Shops",
    "unit": "shop",
    "seed": 11,
    "window": ["2024-01", "2024-12", "month"],
    "metrics": [
        {"name": "mood", "type": "score", "polarity": "positive"},
        {"name": "sales", "type": "amount", "polarity": "negative", "range": [0, 500]},
        {"name": "visits", "type": "count", "polarity": "positive", "mean": [2, 30]},
    ],
    "segments": [
        {"name": "new", "count": 150, "archetype": "growth", "arrival": {"kind": "uniform"}},
        {"name": "old", "count": 150, "archetype": "decline"},
        {"name": "same", "count": 100, "archetype": "flat"},
    ],
    "dimensions": [
        {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]},
        {
            "name": "dim_clerk",
            "per": "unit",
            "count": [1, 4],
            "columns": [{"name": "clerk_id", "type": "id"}, {"name": "shop_id", "type": "ref.dim_shop"}],
        },
        {
            "name": "dim_brand",
            "reference": True,
            "count": 12,
            "columns": [{"name": "brand_id", "type": "id"}, {"name": "kind", "type": "static.a,b"}],
        },
    ],
    "facts": [
        {
            "name": "fct_month",
            "columns": [
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                *({"name": name, "type": f"metric.{name}"} for name in ("mood", "sales", "visits")),
            ],
        }
    ],
}


def plan_of(*bridges: dict[str, Any], **more: Any) -> Plan:
    """Return the plan of the shops with some bridges."""
    named = [{"name": f"bridge_{number}", "left": "dim_shop", **bridge} for number, bridge in enumerate(bridges)]
    return from_mapping({**RAW, "bridges": named, **more}, name="shops")


def bridge(periods: str | None = None, more: dict[str, Any] | None = None, **given: Any) -> pd.DataFrame:
    """Return the rows of one bridge."""
    return generate_tables(plan_of(given, **(more or {})), periods=periods, tables=["bridge_0"])["bridge_0"]


TO = {
    "listed": ("dim_shop", "dim_brand"),
    "children": ("dim_shop", "dim_clerk"),
    "units": ("dim_shop", "dim_shop"),
    "children to children": ("dim_clerk", "dim_clerk"),
    "children to units": ("dim_clerk", "dim_shop"),
}


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("to", TO)
def test_links_stay_inside_their_bounds(to: str, directed: bool) -> None:
    """Each left row has 2 to 5 links, to different rows, none of them itself; undirected, A-B and B-A are one row."""
    left, right = TO[to]
    if left != right and not directed:
        return
    plan = plan_of({"left": left, "right": right, "cardinality": [2, 5], "directed": directed})
    tables = generate_tables(plan, tables=["bridge_0", left, right])
    one, other = plan.table("bridge_0").key
    rows = tables["bridge_0"]
    assert not rows.duplicated([one, other]).any()
    counts = rows.groupby(one).size().reindex(tables[left].iloc[:, 0], fill_value=0)
    assert 2 < counts.max() <= 5
    if left == right:
        assert (rows[one] != rows[other]).all()
        pairs = pd.Series([tuple(sorted(pair)) for pair in zip(rows[one], rows[other], strict=True)])
        assert pairs.duplicated().any() == directed, "with 400 units and more some links are mutual"
        counts = counts + rows.groupby(other).size().reindex(counts.index, fill_value=0) * (not directed)
    assert counts.min() >= 2


def test_a_link_and_its_reverse_draw_on_their_own() -> None:
    """With 4 links of each of 60 units to others there are some pairs that are linked both ways: what is drawn for a link
    is not what is drawn for its reverse."""
    segments = [{"name": "few", "count": 60, "archetype": "flat"}]
    rows = bridge(
        right="dim_shop",
        cardinality=[4, 4],
        columns=[{"name": "weight", "type": "faker.uuid4"}],
        more={"segments": segments},
    )
    assert rows["weight"].is_unique
    both = rows.merge(rows, left_on=["shop_id_a", "shop_id_b"], right_on=["shop_id_b", "shop_id_a"])
    assert len(both) > 0
    assert (both["weight_x"] != both["weight_y"]).all()


@pytest.mark.parametrize("driver", [None, "mood", "sales"])
def test_who_stands_higher_has_more_links(driver: str | None) -> None:
    """The rank correlation of the links with the mean of the driver, or the position, is above one half."""
    column = {"name": "mean", "type": "trajectory" if driver is None else f"expected.{driver}"}
    given = {"driver": driver} if driver else {}
    rows = bridge(right="dim_brand", cardinality=[1, 11], columns=[column], **given)
    by_shop = rows.groupby("shop_id")["mean"].agg(["size", "first"])
    assert len(by_shop) == 400
    assert spearmanr(by_shop["size"], by_shop["first"]).statistic > 0.5
    if driver is None:
        expected = 1 + np.rint(10 * by_shop["first"])
        assert (by_shop["size"] - expected).abs().max() <= 1e-9


def test_all_rows_are_linked_to_about_as_often() -> None:
    """Targets are drawn evenly: no brand is away from its share by more than five standard deviations."""
    rows = bridge(right="dim_brand", cardinality=[3, 3])
    counts = rows.groupby("brand_id").size()
    share = 3 / 12
    assert len(counts) == 12
    assert (counts - 400 * share).abs().max() < 5 * (400 * share * (1 - share)) ** 0.5


def test_columns_tell_the_mean_of_a_life_so_far() -> None:
    """A metric in a bridge is the mean of the stored values up to the period it is asked for."""
    columns = [{"name": name, "type": f"metric.{name}"} for name in ("mood", "sales", "visits")]
    plan = plan_of({"right": "dim_brand", "cardinality": [1, 2], "columns": columns}, noise="very_messy")
    for periods in ("2024-01..2024-05", "2024-01..2024-12"):
        tables = generate_tables(plan, periods=periods)
        means = tables["fct_month"].groupby("shop_id")[["mood", "sales", "visits"]].mean()
        actual = tables["bridge_0"].drop_duplicates("shop_id").set_index("shop_id")
        for name, off in (("mood", 5.1e-5), ("sales", 5.1e-3), ("visits", 0.5001)):
            difference = (actual[name].astype(float) - means.loc[actual.index, name].astype(float)).abs()
            assert difference.max() <= off, name


def test_a_link_begins_when_its_number_is_reached_and_both_rows_are_there() -> None:
    """With `ref.dim_date` a bridge tells since when; no link begins before either of its units arrives, nor later than the
    period that is asked for, and a link that is there in two states begins at the same time in both."""
    columns = [{"name": "since", "type": "ref.dim_date"}]
    given = {"right": "dim_shop", "cardinality": [1, 6], "columns": columns}
    plan = plan_of(given)
    arrival = generate_tables(plan, tables=["fct_month"])["fct_month"].groupby("shop_id")["date_key"].min()
    states = {}
    for last in ("2024-04", "2024-12"):
        rows = generate_tables(plan, periods=f"2024-01..{last}", tables=["bridge_0"])["bridge_0"]
        for end in ("shop_id_a", "shop_id_b"):
            assert (rows["since"].to_numpy() >= arrival.loc[rows[end]].to_numpy()).all()
        assert rows["since"].max() <= int(last.replace("-", "") + "01")
        states[last] = rows.set_index(["shop_id_a", "shop_id_b"])["since"]
    both = states["2024-04"].index.intersection(states["2024-12"].index)
    assert len(both) > 100
    assert (states["2024-04"].loc[both] == states["2024-12"].loc[both]).all()


def test_columns_come_by_themselves_with_the_version_where_there_are_versions() -> None:
    """The two keys, `_a` and `_b` where they would have one name, and the version that is current."""
    assert list(bridge(right="dim_brand", cardinality=[1, 2])) == ["shop_id", "brand_id"]
    assert list(bridge(right="dim_shop", cardinality=[1, 2])) == ["shop_id_a", "shop_id_b"]
    shop = {**RAW["dimensions"][0], "columns": [*RAW["dimensions"][0]["columns"], TIER]}
    plan = plan_of({"right": "dim_brand", "cardinality": [1, 2]}, dimensions=[shop, *RAW["dimensions"][1:]])
    tables = generate_tables(plan, tables=["bridge_0", "dim_shop"])
    rows = tables["bridge_0"]
    assert list(rows) == ["shop_id", "shop_dim_row_id", "brand_id"]
    current = tables["dim_shop"][tables["dim_shop"]["is_current"]].set_index("shop_id")["dim_row_id"]
    assert (current.loc[rows["shop_id"]].to_numpy() == rows["shop_dim_row_id"].to_numpy()).all()


TIER = {"name": "tier", "type": "scd", "tracks": "mood", "tiers": ["low", "high"], "at": [0.5]}


def test_links_to_units_of_another_kind_lead_to_those_who_have_arrived() -> None:
    landlords = {
        "unit": "landlord",
        "metrics": [{"name": "rent", "type": "amount", "polarity": "positive", "range": [5, 500]}],
        "segments": [{"name": "private", "count": 40, "archetype": "growth", "arrival": {"kind": "uniform"}}],
    }
    plan = plan_of({"right": "dim_landlord", "cardinality": [0, 8]}, units=[landlords])
    tables = generate_tables(plan, periods="2024-01..2024-03", tables=["bridge_0", "dim_landlord"])
    assert 0 < len(tables["dim_landlord"]) < 40
    assert set(tables["bridge_0"]["landlord_id"]) <= set(tables["dim_landlord"]["landlord_id"])


def test_the_estimate_of_rows_is_close() -> None:
    from plotsim_core import sizes

    plan = plan_of({"right": "dim_brand", "cardinality": [1, 9]}, {"right": "dim_shop", "cardinality": [0, 4]})
    values = {name: len(rows) for name, rows in generate_tables(plan).items()}
    for size in sizes(plan):
        if size.table.startswith("bridge"):
            assert abs(size.rows - values[size.table]) <= 0.02 * values[size.table]
