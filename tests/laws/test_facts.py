"""What facts owe each other: numbers of rows, parents and parts, what comes before what, prices, amounts and totals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import Plan, generate_tables
from plotsim_core.engine.block import block
from plotsim_core.engine.lifetimes import alive, recording
from plotsim_core.engine.slice import Slice
from plotsim_core.tables.variable import VariableFact
from tests.laws.made import afresh, chunks_of, frame, made_table
from tests.laws.pieces import relations
from tests.laws.strategies import Raw, configs, examples, plan_of
from tests.laws.test_slice import hold_periods, hold_units


@st.composite
def related(draw: st.DrawFn) -> Raw:
    """A small config with facts of every kind."""
    raw = draw(configs(pieces=0).filter(lambda raw: "facts" in raw))
    relations.add(draw, raw)
    return raw


def tables(plan: Plan) -> dict[str, pd.DataFrame]:
    return generate_tables(plan)


@examples(25)
@given(related(), st.data())
def test_any_periods_of_any_units_are_those_of_the_whole(raw: Raw, data: st.DataObject) -> None:
    plan = plan_of(raw)
    assert plan.stop is not None
    first = data.draw(st.integers(plan.first, plan.stop - 1))
    hold_periods(plan, [(first, data.draw(st.integers(first + 1, plan.stop)))])
    hold_units(plan, [data.draw(st.integers(1, plan.population.units - 1))] if plan.population.units > 1 else [])


@pytest.mark.slow
@examples(15)
@given(related(), st.integers(1, 30))
def test_blocks_of_any_size_give_the_same_facts(raw: Raw, cells: int) -> None:
    plan = plan_of(raw)
    names = [table.name for table in plan.tables if table.name.startswith(("fct_", "evt_"))]
    expected = {name: made_table(plan, name) for name in names}
    with chunks_of(cells):
        assert all(made_table(afresh(plan), name).equals(table) for name, table in expected.items())


@examples(20)
@given(related())
def test_rows_belong_to_rows_of_the_same_unit_and_time(raw: Raw) -> None:
    data = tables(plan_of(raw))
    for part, whole, key in (("fct_line", "fct_order", "order_id"), ("fct_part", "fct_return", "return_id")):
        if part not in data:
            continue
        both = data[part].merge(data[whole], on=key, suffixes=("", "_of"))
        assert len(both) == len(data[part])
        shared = [name for name in both if f"{name}_of" in both and name not in ("_inserted_at", "_updated_at", "_op")]
        assert {"date_key", "shop_id"} <= set(shared)
        assert all((both[name] == both[f"{name}_of"]).all() for name in shared)


@examples(20)
@given(related())
def test_what_refers_to_an_order_comes_after_it_and_not_too_late(raw: Raw) -> None:
    plan = plan_of(raw)
    data = tables(plan)
    if "fct_return" not in data:
        return
    column = next(c for c in plan.table("fct_return").columns if c.name == "order_id")
    within = getattr(column.spec.source, "within", None)
    both = data["fct_return"].merge(data["fct_order"], on="order_id", suffixes=("", "_of"))
    assert len(both) == len(data["fct_return"])
    assert (both["shop_id"] == both["shop_id_of"]).all()
    assert (both["at"] > both["at_of"]).all()
    periods = [plan.grain.holding(both[name].to_numpy().astype("datetime64[s]")) for name in ("at", "at_of")]
    assert (periods[0] - periods[1] <= (3 if within is None else within)).all()


@pytest.mark.slow
@examples(20)
@given(related())
def test_returns_without_an_order_are_the_only_rows_that_are_missing(raw: Raw) -> None:
    """What has nothing before it does not happen, and changes no number of another row."""
    data = tables(plan_of(raw))
    if "fct_return" not in data:
        return
    facts = [table if table["name"] != "fct_return" else _without_order(table) for table in raw["facts"]]
    facts = [table for table in facts if table["name"] != "fct_part"]
    free = tables(plan_of({**raw, "facts": facts}))["fct_return"]
    remaining = data["fct_return"].merge(free, on="return_id", suffixes=("", "_free"))
    assert len(remaining) == len(data["fct_return"])
    assert (remaining["at"] == remaining["at_free"]).all()
    lost = free[~free["return_id"].isin(data["fct_return"]["return_id"])]
    orders = data["fct_order"].groupby("shop_id")["at"].apply(list).to_dict()
    window = 5 * (raw["window"]["every"] != "hour")
    for row in lost.itertuples():
        before = [at for at in orders.get(row.shop_id, []) if at < row.at]
        assert not before or (row.at - max(before)) > pd.Timedelta(0), window


def _without_order(table: Raw) -> Raw:
    return {**table, "columns": [c for c in table["columns"] if c["name"] not in ("order_id", "paid")]}


@examples(20)
@given(related())
def test_totals_are_sums_and_prices_those_of_the_goods(raw: Raw) -> None:
    data = tables(plan_of(raw))
    orders, lines = data["fct_order"], data["fct_line"]
    priced = lines.merge(data["dim_good"], on="good_id", suffixes=("", "_good"))
    assert (priced["price"] == priced["price_good"]).all()
    assert np.allclose(lines["amount"], (lines["quantity"] * lines["price"]).round(2))
    sums = lines.groupby("order_id")["amount"].agg(["sum", "count"]).reindex(orders["order_id"]).fillna(0)
    assert np.array_equal(orders["total"].to_numpy(), sums["sum"].round(6).to_numpy())
    assert np.array_equal(orders["lines"].to_numpy(), sums["count"].to_numpy())
    assert ((orders["total"] > 100) & (orders["lines"] >= 2)).equals(orders["large"].astype(bool))
    if "fct_return" in data:
        paid = data["fct_return"].merge(orders, on="order_id")
        assert (paid["paid"] == paid["total"]).all()


@examples(20)
@given(related())
def test_there_are_as_many_rows_as_the_true_value_says(raw: Raw) -> None:
    """Exactly where scale times value is whole, else one of the two whole numbers beside it."""
    plan = plan_of(raw)
    assert plan.stop is not None
    table = plan.table("fct_order")
    assert isinstance(table.spec, VariableFact)
    whole = block(plan.population, Slice(plan.first, plan.stop, 0, plan.population.units))
    place = plan.population.metric_index(table.spec.row_count_driver)
    values = np.round(whole.correlated(place), plan.population.metrics[place].spec.decimals or 0)
    wanted = np.where(recording(whole), np.maximum(values, 0) * table.spec.row_count_scale, 0.0).round(9)
    counts = table.spec.row_counts(table, whole)
    assert ((counts >= np.floor(wanted)) & (counts <= np.ceil(wanted))).all()
    assert counts.sum() == len(tables(plan)["fct_order"])


@examples(20)
@given(related())
def test_facts_of_periods_are_over_the_units_that_are_there(raw: Raw) -> None:
    """Those that are silent too, which have no rows of their own."""
    plan = plan_of(raw)
    assert plan.stop is not None
    if not any(table["name"] == "fct_whole" for table in raw["facts"]):
        return
    frames = {name: made_table(plan, name) for name in ("fct_whole", "noised_metrics", "fct_all")}
    count = frame(frames["fct_all"]).groupby("date_key").size()
    whole = frames["fct_whole"].to_pandas().set_index("date_key")
    cells = block(plan.population, Slice(plan.first, plan.stop, 0, plan.population.units))
    numbers, recorded_numbers = (mask.sum(axis=1) for mask in (alive(cells), recording(cells)))
    assert whole["shops"].tolist() == numbers[numbers > 0].tolist()
    assert count.tolist() == recorded_numbers[recorded_numbers > 0].tolist()
    noised = frames["noised_metrics"]
    for metric in plan.population.metrics[:2]:
        grouped = noised.group_by("date_key", use_threads=False)
        how = "sum" if metric.spec.sized else "mean"
        expected = grouped.aggregate([(metric.name, how)]).sort_by("date_key")
        wanted = pc.fill_null(pc.cast(expected[f"{metric.name}_{how}"], "double"), np.nan).to_numpy()
        step = 0.5 * 10.0 ** -(metric.spec.decimals or 0) * (how == "mean")
        assert np.allclose(whole[metric.name].astype(float), wanted, rtol=1e-12, atol=step + 1e-6, equal_nan=True)
