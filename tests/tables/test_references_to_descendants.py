"""References to what belongs to units' children: to one of the rows of the row's own unit, each as likely."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache
from typing import Any

import pytest
import yaml
from scipy import stats

from plotsim_core import Plan, from_mapping
from plotsim_core.tables.slices import cuts_of, slices
from tests.laws.made import chunks_of, made_table
from tests.laws.test_table_slices import part_rows

CONFIG = """
about: Cards, their chips and what is done with these
unit: customer
window: { start: 2024-01, end: 2024-12, every: month }
metrics: [{ name: visits, type: count, polarity: positive, mean: [3, 9] }]
segments:
  - { name: first, count: 40, archetype: growth, arrival: { kind: uniform, end: 8 } }
  - { name: second, count: 10, archetype: flat }
tables:
  - { name: customers, per: customer, columns: { customer_id: id, main_chip: ref.chips, size: lookup.chips.size } }
  - { name: cards, per: customer, rows: [1, 3], columns: { card_id: id } }
  - name: chips
    per: cards
    rows: { 1: 3, 2: 1 }
    columns: { chip_id: { type: id, format: "{parent}-{n}" }, size: { type: range, range: [1, 99] }, spare: ref.keys }
  - { name: keys, per: chips, rows: [0, 2], columns: { key_id: id, size: { type: range, range: [1, 99] } } }
  - name: uses
    per: [customer, period]
    rows: { poisson: visits }
    columns:
      use_id: id
      chip_id: ref.chips
      size: { type: lookup.chips.size, by: chip_id }
      key_id: ref.keys
      key_size: lookup.keys.size
      first_chip: { type: ref.chips, distribution: zipf, exponent: 3 }
  - { name: parts, per: uses, rows: [1, 2], columns: { part_no: sequence, chip_id: ref.chips, other: ref.chips } }
"""
TABLES = ("customers", "chips", "uses", "parts")


def config() -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(CONFIG)
    return raw


@cache
def whole() -> Plan:
    return from_mapping(config(), name="chips")


@cache
def rows(name: str) -> list[dict[str, Any]]:
    return made_table(whole(), name).to_pylist()


@cache
def owners() -> tuple[dict[str, str], dict[str, str]]:
    """Return the customer of each chip and of each key."""
    of_card = {row["card_id"]: row["customer_id"] for row in rows("cards")}
    of_chip = {row["chip_id"]: of_card[row["card_id"]] for row in rows("chips")}
    return of_chip, {row["key_id"]: of_chip[row["chip_id"]] for row in rows("keys")}


def test_a_row_refers_to_rows_of_its_unit() -> None:
    of_chip, of_key = owners()
    sizes = {row["chip_id"]: row["size"] for row in rows("chips")}
    key_sizes = {row["key_id"]: row["size"] for row in rows("keys")}
    for row in rows("uses"):
        assert of_chip[row["chip_id"]] == of_chip[row["first_chip"]] == row["customer_id"]
        assert row["size"] == sizes[row["chip_id"]]
        has_keys = row["customer_id"] in of_key.values()
        assert (row["key_id"] is not None) == has_keys
        assert row["key_id"] is None or of_key[row["key_id"]] == row["customer_id"]
        assert row["key_size"] == (key_sizes[row["key_id"]] if has_keys else None)
    for row in rows("customers"):
        assert of_chip[row["main_chip"]] == row["customer_id"]
        assert row["size"] == sizes[row["main_chip"]]
    nullable = {column.name: column.nullable for column in whole().table("uses").columns}
    assert not nullable["chip_id"]
    assert nullable["key_id"]


def test_rows_of_a_unit_are_as_likely_or_by_their_rank() -> None:
    of_chip, _ = owners()
    chips: dict[str, list[str]] = defaultdict(list)
    for chip, customer in of_chip.items():
        chips[customer].append(chip)
    uses = [row for row in rows("uses") if len(chips[row["customer_id"]]) == 3]
    places = Counter(chips[row["customer_id"]].index(row["chip_id"]) for row in uses)
    assert stats.chisquare([places[place] for place in range(3)]).pvalue > 1e-3
    ranks = Counter(chips[row["customer_id"]].index(row["first_chip"]) for row in uses)
    count, weights = sum(ranks.values()), [rank**-3 for rank in (1, 2, 3)]
    assert stats.chisquare([ranks[n] for n in range(3)], [w / sum(weights) * count for w in weights]).pvalue > 1e-3


def test_children_have_the_reference_of_one_name() -> None:
    uses = {row["use_id"]: row for row in rows("uses")}
    assert all(row["chip_id"] == uses[row["use_id"]]["chip_id"] for row in rows("parts"))
    assert any(row["other"] != row["chip_id"] for row in rows("parts"))


@pytest.mark.parametrize("name", TABLES)
def test_parts_in_any_order_and_of_any_size_are_those_of_the_whole(name: str) -> None:
    plan = from_mapping(config(), name="chips")
    for by in cuts_of(plan, plan.table(name)):
        assert part_rows(plan, slices(plan, [name], 5, by=by)).equals(made_table(whole(), name))
    with chunks_of(7):
        assert made_table(from_mapping(config(), name="chips"), name).equals(made_table(whole(), name))


@pytest.mark.parametrize("name", TABLES)
def test_more_units_and_a_state_of_early_periods_move_nothing(name: str) -> None:
    raw = config()
    raw["segments"].append({"name": "more", "count": 9, "archetype": "flat"})
    raw["segments"][1]["count"] += 5
    after = from_mapping(raw, name="chips")
    early = set(map(str, made_table(whole(), name, None, whole().first + 6).to_pylist()))
    assert early <= set(map(str, rows(name)))
    assert early <= set(map(str, made_table(after, name).to_pylist()))
