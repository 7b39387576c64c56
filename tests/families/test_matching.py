"""`matching`: a reference to a listed row is to one that says what the unit says, in every table whose rows have a unit."""

from __future__ import annotations

import copy
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml

from plotsim_core import Plan, batches, from_mapping

CONFIG: dict[str, Any] = yaml.safe_load(
    """
about: Shops
unit: shop
seed: 4
window: { start: 2024-01, end: 2024-12, every: month }
metrics:
  - { name: visits, type: count, polarity: positive, mean: [5, 50] }
segments:
  - name: small
    count: 60
    archetype: growth
    attributes: { channel: [web, phone] }
    treatment: { fraction: 0.5, lift_log_odds: 1 }
  - { name: big, count: 40, archetype: decline, attributes: { channel: [radio, web] }, arrival: { kind: uniform } }
dimensions:
  - name: dim_shop
    per: unit
    columns:
      - { name: shop_id, type: id }
      - { name: channel, type: pool.channel }
      - { name: channel_id, type: ref.dim_channel, matching: { channel_name: channel } }
      - { name: price, type: lookup.dim_channel.price }
      - { name: group, type: segment.name }
      - { name: arm, type: segment.treatment }
      - { name: size, type: choice, values: [1, 2.5, 3] }
      - { name: size_as_text, type: choice, values: [S, 1] }
      - { name: given, type: "static.x,y" }
      - { name: land, type: geo.country, countries: [DE, FR] }
  - name: dim_channel
    reference: true
    columns:
      - { name: channel_id, type: id }
      - { name: channel_name, type: "static.radio,web,phone,web,telex" }
      - { name: price, type: "static.1.50,2.00,3.00,4.00,5.00" }
  - name: dim_price
    reference: true
    count: 12
    columns: [{ name: k, type: id }, { name: v, type: "static.5,4,3,2,1.5" }]
  - { name: dim_group, reference: true, columns: [{ name: k, type: id }, { name: v, type: "static.big,small" }] }
  - { name: dim_arm, reference: true, columns: [{ name: k, type: id }, { name: v, type: "static.treatment,control" }] }
  - { name: dim_size, reference: true, columns: [{ name: k, type: id }, { name: v, type: "static.3,1,2.50" }] }
  - { name: dim_text, reference: true, columns: [{ name: k, type: id }, { name: v, type: "static.1,S,M" }] }
  - { name: dim_given, reference: true, columns: [{ name: k, type: id }, { name: v, type: "static.y,x" }] }
  - { name: dim_land, reference: true, columns: [{ name: k, type: id }, { name: v, type: "static.France,Germany" }] }
  - name: dim_till
    per: unit
    count: [1, 3]
    columns:
      - { name: till_id, type: id }
      - { name: shop_id, type: ref.dim_shop }
      - { name: channel_id, type: ref.dim_channel, matching: { channel_name: channel } }
facts:
  - name: fct_month
    columns:
      - { name: date_key, type: ref.dim_date }
      - { name: shop_id, type: ref.dim_shop }
      - { name: visits, type: metric.visits }
      - { name: channel_id, type: ref.dim_channel, matching: { channel_name: channel } }
      - { name: said, type: lookup.dim_channel.channel_name }
      - { name: price_k, type: ref.dim_price, matching: { v: price } }
      - { name: group_k, type: ref.dim_group, matching: { v: group } }
      - { name: arm_k, type: ref.dim_arm, matching: { v: arm } }
      - { name: size_k, type: ref.dim_size, matching: { v: size } }
      - { name: size_as_text_k, type: ref.dim_text, matching: { v: size_as_text } }
      - { name: given_k, type: ref.dim_given, matching: { v: given } }
      - { name: land_k, type: ref.dim_land, matching: { v: land } }
  - name: fct_order
    row_count_driver: visits
    row_count_scale: 0.1
    columns:
      - { name: order_id, type: id }
      - { name: date_key, type: ref.dim_date }
      - { name: shop_id, type: ref.dim_shop }
  - name: fct_line
    parent_table: fct_order
    columns:
      - { name: line_id, type: id }
      - { name: date_key, type: ref.dim_date }
      - { name: shop_id, type: ref.dim_shop }
      - { name: channel_id, type: ref.dim_channel, matching: { channel_name: channel } }
events:
  - name: evt_call
    trigger: proportional
    driver: visits
    scale: 0.1
    columns:
      - { name: call_id, type: id }
      - { name: date_key, type: ref.dim_date }
      - { name: shop_id, type: ref.dim_shop }
      - { name: channel_id, type: ref.dim_channel, matching: { channel_name: channel } }
"""
)


def _made(plan: Plan, name: str, stop: int | None = None) -> pd.DataFrame:
    schema, pieces = batches(plan, name, None, None if stop is None else plan.first + stop)
    return pa.Table.from_batches(pieces, schema).to_pandas()


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of shops whose columns are matched."""
    return from_mapping(CONFIG, name="matching")


@pytest.mark.parametrize("table", ["dim_shop", "dim_till", "fct_month", "fct_line", "evt_call"])
def test_a_row_of_every_kind_refers_to_what_its_unit_says(table: str, plan: Plan) -> None:
    rows, shops, channels = _made(plan, table), _made(plan, "dim_shop"), _made(plan, "dim_channel")
    entry = rows["shop_id"].map(shops.set_index("shop_id")["channel"])
    assert len(rows) >= 100
    assert (rows["channel_id"].map(channels.set_index("channel_id")["channel_name"]) == entry).all()


@pytest.mark.parametrize("column", ["price", "group", "arm", "size", "size_as_text", "given", "land"])
def test_whatever_is_a_units_for_life_can_be_matched(column: str, plan: Plan) -> None:
    """Numbers equal numbers however they are written, and a unit without a value refers to nothing."""
    rows, shops = _made(plan, "fct_month"), _made(plan, "dim_shop")
    entry = rows["shop_id"].map(shops.set_index("shop_id")[column])
    listed = _made(plan, f"dim_{column if column != 'size_as_text' else 'text'}").set_index("k")["v"]
    actual = rows[f"{column}_k"].map(listed)
    assert actual.nunique() > 1
    assert ((actual == entry) | (rows[f"{column}_k"].isna() & entry.isna())).all()
    assert rows[f"{column}_k"].isna().any() == (column == "arm")
    assert plan.table("fct_month").schema.field(f"{column}_k").nullable == (column == "arm")


def test_of_rows_that_list_one_value_each_is_as_likely(plan: Plan) -> None:
    rows = _made(plan, "fct_month")
    web = rows[rows["said"] == "web"]
    first = int((web["channel_id"] == "CHA-002").sum())
    assert set(web["channel_id"]) == {"CHA-002", "CHA-004"}
    assert abs(first - len(web) / 2) < 4 * (len(web) / 4) ** 0.5


def test_a_reference_in_the_units_dimension_is_for_life(plan: Plan) -> None:
    """A dimension made for an earlier time refers to the same rows."""
    early, late = _made(plan, "dim_shop", stop=6), _made(plan, "dim_shop")
    both = early.merge(late, on="shop_id")
    assert 0 < len(both) < len(late)
    assert (both["channel_id_x"] == both["channel_id_y"]).all()


def test_of_a_tier_that_several_rows_list_any_is_drawn() -> None:
    raw = copy.deepcopy(CONFIG)
    tier = {"name": "tier", "type": "scd", "tracks": "visits", "tiers": ["x", "y"], "at": [0.5]}
    raw["dimensions"][0]["columns"].append(tier)
    raw["dimensions"].append(
        {
            "name": "dim_tier",
            "reference": True,
            "columns": [{"name": "k", "type": "id"}, {"name": "v", "type": "static.y,x,y"}],
        }
    )
    raw["facts"][0]["columns"].append({"name": "tier_k", "type": "ref.dim_tier", "matching": {"v": "tier"}})
    raw["facts"][0]["columns"].append({"name": "tier", "type": "lookup.dim_shop.tier"})
    rows = _made(from_mapping(raw, name="matching"), "fct_month")
    counts = rows.groupby(["tier", "tier_k"]).size()
    assert list(counts.index) == [("x", "TIE-002"), ("y", "TIE-001"), ("y", "TIE-003")]
    assert counts.min() > 50


def test_a_row_of_a_row_refers_to_what_that_one_does() -> None:
    """Both may say the same `matching`."""
    raw = copy.deepcopy(CONFIG)
    raw["facts"][1]["columns"].append(raw["facts"][2]["columns"][3])
    plan = from_mapping(raw, name="matching")
    orders, lines = _made(plan, "fct_order"), _made(plan, "fct_line")
    of_order = lines["order_id"].map(orders.set_index("order_id")["channel_id"])
    assert (lines["channel_id"] == of_order).all()


def test_units_of_a_further_kind_are_matched_by_what_their_own_dimension_says() -> None:
    raw = copy.deepcopy(CONFIG)
    to_channel = {"name": "channel_id", "type": "ref.dim_channel", "matching": {"channel_name": "channel"}}
    to_owner = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "owner_id", "type": "ref.dim_owner"}]
    columns = [{"name": "owner_id", "type": "id"}, {"name": "channel", "type": "pool.channel"}, to_channel]
    raw["units"] = [
        {
            "unit": "owner",
            "metrics": [{"name": "wealth", "type": "amount", "polarity": "positive", "range": [1, 100]}],
            "segments": [{"name": "all", "count": 30, "archetype": "growth", "attributes": {"channel": ["telex", "phone"]}}],
            "dimensions": [{"name": "dim_owner", "per": "unit", "columns": columns}],
            "facts": [
                {"name": "fct_wealth", "columns": [*to_owner, {"name": "wealth", "type": "metric.wealth"}, to_channel]}
            ],
        }
    ]
    raw["facts"][0]["columns"] += [
        {"name": "owner_id", "type": "ref.dim_owner"},
        {"name": "owners", "type": "lookup.dim_owner.channel_id"},
    ]
    plan = from_mapping(raw, name="matching")
    owners = _made(plan, "dim_owner").set_index("owner_id")
    listed = _made(plan, "dim_channel").set_index("channel_id")["channel_name"]
    assert set(owners["channel"]) == {"telex", "phone"}
    assert (owners["channel_id"].map(listed) == owners["channel"]).all()
    for table, column in (("fct_wealth", "channel_id"), ("fct_month", "owners")):
        rows = _made(plan, table)
        assert (rows[column] == rows["owner_id"].map(owners["channel_id"])).all()


def _of_values(attributes: list[Any], listed: list[Any]) -> Plan:
    """Return the plan of shops whose size is one of some attributes, matched by a list."""
    raw = copy.deepcopy(CONFIG)
    raw["segments"] = [{"name": "small", "count": 60, "archetype": "growth", "attributes": {"size": attributes}}]
    columns = [{"name": "k", "type": "id"}, {"name": "v", "type": "static", "values": listed}]
    raw["dimensions"] = [
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": [
                {"name": "shop_id", "type": "id"},
                {"name": "size", "type": "pool.size"},
                {"name": "given", "type": "static", "values": [*attributes, None]},
                {"name": "size_k", "type": "ref.dim_size", "matching": {"v": "size"}},
                {"name": "given_k", "type": "ref.dim_size", "matching": {"v": "given"}},
            ],
        },
        {"name": "dim_size", "reference": True, "columns": columns},
    ]
    del raw["facts"], raw["events"]
    return from_mapping(raw, name="matching")


@pytest.mark.parametrize(
    ("attributes", "listed"),
    [([2, 1.5], [1.5, 2.0, None]), (["None", "x"], [None, "x", "None"]), (["nan"], [None, "nan", None]), ([1], [None, 1])],
)
def test_a_row_of_no_value_is_matched_by_none(attributes: list[Any], listed: list[Any]) -> None:
    """Nor does it make texts of the numbers beside it; a unit of no value refers to nothing."""
    shops = _made(_of_values(attributes, listed), "dim_shop")
    keys = {f"SIZ-{place:03d}": value for place, value in enumerate(listed, 1)}
    assert shops["size_k"].map(keys).tolist() == shops["size"].tolist()
    none = shops["given"].isna()
    assert none.any() and (shops["given_k"].isna() == none).all()
    assert shops["given_k"][~none].map(keys).tolist() == shops["given"][~none].tolist()
