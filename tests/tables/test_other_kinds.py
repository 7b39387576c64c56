"""Two kinds of unit in one table: grids of both, and references to what comes with units of the other kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plotsim_core import ConfigError, Plan, UsageError, explain, from_mapping, generate_tables, slices, write_tables
from plotsim_core.engine.slice import full_slice
from plotsim_core.tables.row_estimates import sizes
from plotsim_core.validation.report import check_store
from plotsim_core.validation.store import find_store
from tests.laws.made import newcomers, unchanged
from tests.laws.test_table_slices import part_rows

SUPPLIERS: dict[str, Any] = {
    "unit": "supplier",
    "metrics": [{"name": "quality", "type": "score", "polarity": "positive"}],
    "segments": [
        {"name": "big", "count": 6, "archetype": "decline", "arrival": {"kind": "uniform", "start": 0, "end": 8}},
        {"name": "small", "count": 3, "archetype": "growth"},
    ],
    "tables": [
        {"name": "suppliers", "per": "supplier", "columns": {"supplier_id": "id", "land": "static.DE,FR"}},
        {"name": "goods", "per": "supplier", "rows": [1, 3], "columns": {"good_id": "id", "price": "static.1,2,3"}},
        {"name": "sizes", "per": "goods", "rows": [0, 3], "columns": {"size_id": "id", "cm": "static.7,8,9"}},
        {"name": "nameless", "per": "supplier", "rows": 2, "columns": {"number": "sequence"}},
        {
            "name": "closed",
            "per": "supplier",
            "when": {"metric": "quality", "below": 0.4, "for": 2, "ends_unit": True},
            "columns": {"at": "timestamp"},
        },
    ],
}
SEGMENT: dict[str, Any] = {
    "name": "all",
    "count": 8,
    "archetype": "flat",
    "arrival": {"kind": "uniform", "start": 0, "end": 6},
}
RAW: dict[str, Any] = {
    "about": "Stores and suppliers",
    "unit": "store",
    "window": {"start": "2024-01", "end": "2024-12", "every": "month"},
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [1, 5]}],
    "segments": [SEGMENT],
    "units": [SUPPLIERS],
    "tables": [
        {"name": "stores", "per": "store", "columns": {"store_id": "id", "first_good": "ref.goods"}},
        {"name": "channels", "rows": 2, "columns": {"channel_id": "id"}},
        {
            "name": "offers",
            "per": ["store", "supplier", "channels", "period"],
            "columns": {"visits": "metric.visits", "land": "lookup.suppliers.land", "days": "static.1,2,3"},
        },
        {
            "name": "visited",
            "per": ["suppliers", "store", "period"],
            "where": "days > 1",
            "columns": {"days": "static.1,2,3"},
        },
        {
            "name": "orders",
            "per": ["store", "period"],
            "rows": {"poisson": "visits"},
            "columns": {
                "order_id": "id",
                "good": "ref.goods",
                "price": "lookup.goods.price",
                "size": "ref.sizes",
                "cm": "lookup.sizes.cm",
            },
        },
    ],
    "bridges": [{"name": "likes", "left": "stores", "right": "goods", "cardinality": [1, 2]}],
}
TABLES = ["stores", "offers", "visited", "orders", "likes"]


def plan(**changes: Any) -> Plan:
    return from_mapping({**RAW, **changes}, name="stores")


def test_a_grid_has_each_pair_of_units_in_the_periods_in_which_both_are_there() -> None:
    tables = generate_tables(plan(), tables=["offers", "channels"])
    stages = generate_tables(plan(), tables=["trajectories", "supplier_trajectories"])
    pairs = stages["trajectories"].merge(stages["supplier_trajectories"], on="date_key")
    expected = pairs.merge(tables["channels"], how="cross")[["store_id", "supplier_id", "channel_id", "date_key"]]
    actual = tables["offers"][expected.columns]
    assert len(actual) == len(expected) > 500
    assert sorted(map(tuple, actual.to_numpy())) == sorted(map(tuple, expected.to_numpy()))
    assert stages["supplier_trajectories"].groupby("supplier_id").size().nunique() > 3, "suppliers come and go"


def test_columns_read_both_kinds() -> None:
    tables = generate_tables(plan())
    suppliers = tables["suppliers"].set_index("supplier_id")["land"]
    assert (tables["offers"]["land"] == tables["offers"]["supplier_id"].map(suppliers)).all()
    assert tables["offers"].groupby(["store_id", "date_key"])["visits"].nunique().eq(1).all()
    assert tables["visited"]["days"].isin([2, 3]).all()


@pytest.mark.parametrize("table", TABLES)
def test_parts_make_the_whole(table: str) -> None:
    whole = generate_tables(plan(), tables=[table])[table]
    for parts in (2, 5):
        rows = part_rows(plan(), slices(plan(), [table], parts)).to_pandas()
        pd.testing.assert_frame_equal(rows, whole, check_dtype=False)


def test_references_lead_to_what_comes_with_units_that_are_there() -> None:
    tables = generate_tables(plan())
    stages = generate_tables(plan(), tables=["supplier_trajectories"])["supplier_trajectories"]
    is_there = set(map(tuple, stages[["supplier_id", "date_key"]].to_numpy()))
    orders, goods, sizes = tables["orders"], tables["goods"].set_index("good_id"), tables["sizes"].set_index("size_id")
    supplier = orders["good"].map(goods["supplier_id"])
    assert {*zip(supplier, orders["date_key"], strict=True)} <= is_there
    assert (orders["price"] == orders["good"].map(goods["price"])).all()
    supplier = orders["size"].map(sizes["good_id"]).map(goods["supplier_id"])
    assert {*zip(supplier[orders["size"].notna()], orders["date_key"][orders["size"].notna()], strict=True)} <= is_there
    assert (orders["cm"].dropna() == orders["size"].dropna().map(sizes["cm"])).all()
    assert set(tables["stores"]["first_good"]) <= set(goods.index)
    assert set(tables["likes"]["good_id"]) <= set(goods.index)
    assert orders["good"].nunique() > 6


def test_those_that_are_there_are_as_likely() -> None:
    """Of two children each has half of the references, within four standard deviations."""
    kind = {
        **SUPPLIERS,
        "segments": [{"name": "big", "count": 1, "archetype": "flat"}],
        "tables": [SUPPLIERS["tables"][0], {**SUPPLIERS["tables"][1], "rows": 2}, SUPPLIERS["tables"][2]],
    }
    whole = plan(units=[kind], segments=[{**SEGMENT, "count": 60}])
    counts = generate_tables(whole, tables=["orders"])["orders"]["good"].value_counts().to_numpy()
    assert len(counts) == 2
    assert abs(counts[0] - counts.sum() / 2) < 4 * np.sqrt(counts.sum() / 4)


def test_units_more_of_either_kind_move_no_row_of_a_grid() -> None:
    more = [{**SEGMENT, "count": 9}]
    assert not unchanged(plan(), plan(segments=more), new=newcomers(plan(), plan(segments=more)))
    kind = {**SUPPLIERS, "segments": [*SUPPLIERS["segments"], {"name": "more", "count": 2, "archetype": "flat"}]}
    before, after = (generate_tables(plan(units=units), tables=["offers"])["offers"] for units in (RAW["units"], [kind]))
    assert len(before.merge(after)) == len(before) < len(after)


def test_bridges_lead_to_rows_at_any_depth_and_look_them_up() -> None:
    """Also where a link has another reference to the same table."""
    cards = {"name": "cards", "per": "store", "rows": 2, "columns": {"card_id": "id"}}
    chips = {"name": "chips", "per": "cards", "rows": [1, 2], "columns": {"chip_id": "id"}}
    price = {"type": "lookup.goods.price", "by": "good_id"}
    bridges = [
        {"name": "sized", "left": "stores", "right": "sizes", "cardinality": [1, 2], "columns": {"cm": "lookup.sizes.cm"}},
        {"name": "chipped", "left": "stores", "right": "chips", "cardinality": [1, 2]},
        {
            "name": "priced",
            "left": "stores",
            "right": "goods",
            "cardinality": [2, 2],
            "columns": {"other": "ref.goods", "price": price},
        },
    ]
    tables = generate_tables(plan(tables=[*RAW["tables"], cards, chips], bridges=bridges))
    sizes_of = tables["sizes"].set_index("size_id")["cm"]
    assert (tables["sized"]["cm"] == tables["sized"]["size_id"].map(sizes_of)).all()
    assert set(tables["chipped"]["chip_id"]) <= set(tables["chips"]["chip_id"])
    prices = tables["goods"].set_index("good_id")["price"]
    assert (tables["priced"]["price"] == tables["priced"]["good_id"].map(prices)).all()


def test_a_row_of_a_grid_is_explained_by_all_of_its_key() -> None:
    offers = generate_tables(plan(), tables=["offers"])["offers"]
    row = offers[offers["date_key"] == 20241201].iloc[0]
    store, supplier, channel = (row[name] for name in ("store_id", "supplier_id", "channel_id"))
    assert explain(plan(), "offers", f"{store},{supplier},{channel}", "2024-12", "days").value == row["days"]
    told_apart = "told apart by supplier_id, channel_id"
    with pytest.raises(UsageError, match=f"{told_apart}; ask for one, such as '{store},SUP-"):
        explain(plan(), "offers", store, "2024-12", "days")
    with pytest.raises(UsageError, match=f"{told_apart}; did you mean '{store},{supplier},{channel}'"):
        explain(plan(), "offers", f"{store},{supplier},{channel}X", "2024-12", "days")


def test_rows_are_estimated_and_the_data_passes_its_checks(tmp_path: Path) -> None:
    large = plan(scale=5)
    write_tables(large, tmp_path, format="parquet")
    with find_store(large, tmp_path) as store:
        assert check_store(store).score == 100
    rows = {name: len(table) for name, table in generate_tables(large).items()}
    slice_ = full_slice(large.population, large.first, large.stop)
    expected = {size.table: size.rows for size in sizes(large, large.tables, slice_)}
    for name in ("orders", "offers", "visited"):
        assert expected[name] == pytest.approx(rows[name], rel=0.02), name


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"per": ["supplier", "period"]},
            r"per\[0\]: supplier is another kind.*write the table where `unit: supplier`",
        ),
        (
            {"per": ["store", "goods", "period"]},
            r"per\[1\]: goods is a table of supplier.*combine the supplier itself",
        ),
        ({"per": ["store", "supplier"]}, r"per: .*write per: \[store, supplier, period\]"),
        ({"per": ["store", "supplier", "period"], "rows": 2}, "rows: has no place here"),
        ({"per": "supplier", "rows": 2}, "per: supplier is another kind of unit"),
        ({"per": ["store", "period"], "rows": 1, "columns": {"c": "ref.closed"}}, "rows of closed happen to supplier units"),
        (
            {"per": ["stor", "supplier", "period"]},
            r"per\[0\]: no kind of unit.*did you mean 'store'",
        ),
        ({"per": ["store", "suplier", "period"]}, r"per\[1\]: no kind.*did you mean 'supplier'"),
        (
            {"per": ["store", "supplier", "period"], "columns": {"q": "metric.quality"}},
            "quality is a metric of supplier",
        ),
        (
            {"per": "store", "columns": {"s": {"type": "ref.suppliers", "key": True}}},
            "several rows for one row of supp",
        ),
        ({"per": "store", "columns": {"n": "ref.nameless"}}, "the rows of nameless have no key of their own"),
        ({"per": "store", "columns": {"h": "ref.supliers", "l": "lookup.suppliers.lnd"}}, "did you mean 'suppliers'"),
    ],
)
def test_what_cannot_be_combined_is_refused_with_the_way_out(table: dict[str, Any], message: str) -> None:
    table = {"name": "pairs", "columns": {"size": "static.1,2"}, **table}
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        plan(tables=[*RAW["tables"], table])
