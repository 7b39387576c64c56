"""Where references that are matched come from: the listed rows, and what the unit says of itself."""

from __future__ import annotations

import pytest
import yaml

from plotsim_core import Plan, from_mapping
from plotsim_pipeline.assets.lineage import column_lineage, upstream

CONFIG = yaml.safe_load(
    """
about: Shops
unit: shop
window: [2024-01, 2024-12, month]
metrics: [{ name: visits, type: count, polarity: positive, mean: [5, 50] }]
segments: [{ name: small, count: 5, archetype: growth, attributes: { channel: [web, phone] } }]
dimensions:
  - name: dim_shop
    per: unit
    columns:
      - { name: shop_id, type: id }
      - { name: channel, type: pool.channel }
      - { name: channel_id, type: ref.dim_channel, matching: { channel: channel } }
      - { name: fee, type: lookup.dim_channel.fee }
      - { name: price_id, type: ref.dim_price, matching: { price: fee } }
  - name: dim_channel
    reference: true
    columns:
      - { name: channel_id, type: id }
      - { name: channel, type: "static.web,phone" }
      - { name: fee, type: "static.1,2" }
  - { name: dim_price, reference: true, columns: [{ name: price_id, type: id }, { name: price, type: "static.2,1" }] }
facts:
  - name: fct_month
    columns:
      - { name: date_key, type: ref.dim_date }
      - { name: shop_id, type: ref.dim_shop }
      - { name: visits, type: metric.visits }
      - { name: channel_id, type: ref.dim_channel, matching: { channel: channel } }
"""
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of shops with references that are matched."""
    return from_mapping(CONFIG, name="shops")


@pytest.mark.parametrize(
    ("table", "column", "origins"),
    [
        ("fct_month", "channel_id", ["dim_channel.channel", "dim_channel.channel_id", "dim_shop.channel"]),
        ("dim_shop", "channel_id", ["dim_channel.channel", "dim_channel.channel_id"]),
        ("dim_shop", "price_id", ["dim_channel.fee", "dim_price.price", "dim_price.price_id"]),
    ],
)
def test_a_matched_reference_is_made_of_both_columns(table: str, column: str, origins: list[str], plan: Plan) -> None:
    """What is matched in the same table is not above itself: what it is made of is."""
    actual = column_lineage(plan, plan.table(table)).deps_by_column[column]
    assert sorted(f"{dep.asset_key.path[-1]}.{dep.column_name}" for dep in actual) == origins


def test_no_table_is_above_itself(plan: Plan) -> None:
    assert all(table.name not in upstream(plan, table) for table in plan.tables)
    assert {"dim_channel", "dim_price"} <= set(upstream(plan, plan.table("dim_shop")))
