"""Tables of the section `tables`: each shape makes the rows it says, any part of it alone, whatever else is added."""

from __future__ import annotations

import copy
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from plotsim_core import Plan, TableSlice, batches, from_mapping, make, sizes, slices

CONFIG = yaml.safe_load(
    """
about: Stock and contracts
unit: company
window: { start: 2024-01-01, end: 2024-01-20, every: day }
metrics: [{ name: mrr, type: amount, polarity: positive, range: [1, 9] }]
segments:
  - { name: early, count: 6, archetype: growth }
  - { name: late, count: 4, archetype: decline, arrival: { kind: uniform, start: 2, end: 12 } }
tables:
  - { name: companies, per: company, columns: [{ name: company_id, type: id }] }
  - { name: contracts, per: company, rows: [1, 3], columns: [{ name: contract_id, type: id }] }
  - { name: stores, rows: 3, columns: [{ name: store_id, type: id }] }
  - { name: products, rows: 4, columns: [{ name: product_id, type: id }, { name: price, type: range, range: [1.0, 50.0] }] }
  - { name: shelves, per: [stores, products], columns: [{ name: place, type: range, range: [1, 999] }] }
  - name: stock
    per: [stores, products, period]
    columns: [{ name: demand, type: range, range: [0, 9999] }, { name: price, type: lookup.products.price }]
  - { name: invoices, per: [contracts, period], columns: [{ name: mrr, type: metric.mrr }] }
  - { name: calls, per: [companies, period, stores], columns: [{ name: length, type: range, range: [0, 9999] }] }
  - name: orders
    per: [company, period]
    rows: { poisson: mrr, scale: 0.2 }
    columns: [{ name: order_id, type: id }, { name: at, type: timestamp }, { name: contract_id, type: ref.contracts }]
  - name: lines
    per: orders
    rows: [1, 3]
    columns: [{ name: line_no, type: sequence }, { name: product, type: ref.products }]
  - { name: parcels, per: lines, rows: 2, columns: [{ name: parcel_no, type: sequence }] }
  - { name: pings, per: [company, period], rows: [0, 2], columns: [{ name: ping_no, type: sequence }] }
  - { name: echoes, per: pings, rows: 2, columns: [{ name: echo_no, type: sequence }] }
  - { name: slumps, per: company, when: { metric: mrr, below: 3, refire: true }, columns: [{ name: at, type: timestamp }] }
  - { name: notes, per: slumps, rows: 2, columns: [{ name: note_no, type: sequence }] }
  - name: cards
    per: company
    rows: [1, 4]
    where: size > 3
    columns: { card_id: id, size: { type: range, range: [1, 9] } }
  - name: visits
    per: [company, period]
    rows: 2
    where: hour > 12 and not (length < 4)
    columns:
      visit_no: sequence
      at: timestamp
      hour: { type: range, range: [0, 23] }
      length: { type: range, range: [1, 9] }
  - name: tips
    per: visits
    rows: [1, 3]
    where: sum > 5
    columns: { tip_no: sequence, sum: { type: range, range: [1, 9] } }
  - name: gaps
    per: [stores, products, period]
    where: missing == 1
    columns: { missing: { type: range, range: [0, 2] } }
  - { name: dues, per: [contracts, period], where: mrr > 4, columns: [{ name: mrr, type: metric.mrr }] }
  - { name: bays, rows: 9, columns: { bay_id: id, watts: total.lamps.watts, lamps: count.lamps } }
  - name: lamps
    per: bays
    rows: 3
    where: watts >= 5
    columns: { lamp_no: sequence, watts: { type: range, range: [1, 9] } }
  - { name: rings, per: company, rows: [0, 3], columns: { ring_no: sequence, size: { type: range, range: [1, 9] } } }
  - { name: charms, per: rings, rows: { poisson: 2 }, columns: { charm_no: sequence, size: lookup.rings.size } }
  - { name: clauses, per: contracts, rows: [1, 3], columns: { clause_id: { type: id }, text: faker.word } }
  - name: terms
    per: clauses
    rows: { zipf: 1.5, between: [1, 9] }
    where: length > 2
    columns: { term_no: sequence, length: { type: range, range: [1, 9] }, text: lookup.clauses.text }
  - { name: marks, per: terms, columns: { mark_id: { type: uuid }, length: lookup.terms.length } }
  - { name: totals, per: period, columns: [{ name: mrr, type: metric.mrr }] }
"""
)
NAMES = [table["name"] for table in CONFIG["tables"]]
DESCENDANTS = ("rings", "charms", "clauses", "terms", "marks")


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of the config."""
    return from_mapping(copy.deepcopy(CONFIG), name="shapes")


def rows(plan: Plan, name: str) -> pa.Table:
    """Return the rows of a table."""
    schema, parts = batches(plan, name)
    return pa.Table.from_batches(parts, schema).combine_chunks()


def changed(change: Any) -> Plan:
    """Return the plan of the config after a change of it."""
    raw = copy.deepcopy(CONFIG)
    change(raw)
    return from_mapping(raw, name="shapes")


def test_each_shape_has_the_rows_it_says(plan: Plan) -> None:
    """Grids have every combination, in each period in which the unit is there."""
    counts = {name: rows(plan, name).num_rows for name in NAMES}
    assert counts["shelves"] == 3 * 4
    assert counts["stock"] == 3 * 4 * 20
    unit_periods = 6 * 20 + sum(20 - day for day in _arrivals(plan))
    assert counts["calls"] == unit_periods * 3
    assert counts["parcels"] == 2 * counts["lines"]
    assert counts["notes"] == 2 * counts["slumps"]
    assert counts["slumps"] > 0
    assert counts["orders"] > 0


def test_rows_are_kept_where_the_formula_is_true(plan: Plan) -> None:
    """The others are dropped with what belongs to them, and leave a gap in the numbers."""
    columns: dict[str, Any] = {
        "cards": "size",
        "visits": "hour",
        "tips": "sum",
        "gaps": "missing",
        "dues": "mrr",
        "lamps": "watts",
        "terms": "length",
    }
    for name, column in columns.items():
        least = {"size": 4, "hour": 13, "sum": 6, "missing": 1, "mrr": 4, "watts": 5, "length": 3}[column]
        assert rows(plan, name).num_rows > 0
        assert min(rows(plan, name)[column].to_pylist()) >= least
    whole = rows(changed(lambda raw: [table.pop("where", None) for table in raw["tables"]]), "lamps").to_pylist()
    assert rows(plan, "lamps").to_pylist() == [row for row in whole if row["watts"] >= 5]
    assert 3 in {row["lamp_no"] for row in rows(plan, "lamps").to_pylist()}
    visits = {(row["company_id"], row["date_key"], row["visit_no"]) for row in rows(plan, "visits").to_pylist()}
    assert {(row["company_id"], row["date_key"], row["visit_no"]) for row in rows(plan, "tips").to_pylist()} <= visits


def test_totals_are_of_the_rows_that_are_kept(plan: Plan) -> None:
    """So they are of plain rows as well."""
    lamps = rows(plan, "lamps").to_pylist()
    for bay in rows(plan, "bays").to_pylist():
        watts = [lamp["watts"] for lamp in lamps if lamp["bay_id"] == bay["bay_id"]]
        assert (bay["watts"], bay["lamps"]) == (sum(watts), len(watts))


def test_an_estimate_counts_what_is_kept(plan: Plan) -> None:
    estimates = {size.table: size.rows for size in sizes(plan)}
    for name in ("cards", "visits", "gaps", "dues", "lamps", "terms", "marks", "charms"):
        assert estimates[name] == pytest.approx(rows(plan, name).num_rows, rel=0.35)


def _arrivals(plan: Plan) -> list[int]:
    first = {}
    for row in rows(plan, "calls").to_pylist():
        first.setdefault(row["company_id"], row["date_key"] - 20240101)
    return [day for day in first.values() if day]


@pytest.mark.parametrize("name", NAMES)
def test_the_key_tells_rows_apart(name: str, plan: Plan) -> None:
    table, key = rows(plan, name), list(plan.table(name).key)
    assert table.num_rows == table.select(key).group_by(key).aggregate([]).num_rows


@pytest.mark.parametrize("name", NAMES)
def test_references_lead_to_rows(name: str, plan: Plan) -> None:
    table = rows(plan, name)
    for column, target, target_key in plan.table(name).references:
        assert set(table[column].to_pylist()) <= set(rows(plan, target)[target_key].to_pylist())


@pytest.mark.parametrize("name", NAMES)
def test_parts_make_the_whole(name: str, plan: Plan) -> None:
    whole = rows(plan, name)
    parts = [make(plan, part).read_all() for part in slices(plan, [name], parts=7)]
    assert pa.concat_tables(parts).combine_chunks().equals(whole)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in NAMES
        if name not in ("companies", "contracts", "stores", "products", "shelves", "cards", "bays", "lamps", *DESCENDANTS)
    ],
)
def test_a_day_alone_is_that_day_of_the_whole(name: str, plan: Plan) -> None:
    whole = rows(plan, name)
    for day in (0, 8, 19):
        dates = pc.equal(whole["date_key"], 20240101 + day)
        alone = make(plan, TableSlice(name, plan.first + day, plan.first + day + 1)).read_all()
        assert alone.combine_chunks().equals(whole.filter(dates).combine_chunks())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_added_moves_nothing_else(name: str, plan: Plan) -> None:
    """A product, a segment and a table more change no row that was there."""
    before = rows(plan, name).to_pylist()

    def more(raw: dict[str, Any]) -> None:
        raw["segments"].append({"name": "new", "count": 3, "archetype": "growth"})
        raw["tables"].append({"name": "people", "rows": 5, "columns": [{"name": "person_id", "type": "id"}]})

    after = rows(changed(more), name).to_pylist()
    if name != "totals":  # of all units
        assert all(row in after for row in before)
    if name in ("lines", "parcels"):
        return  # references draw among all products
    larger = rows(changed(lambda raw: raw["tables"][3].update(rows=5)), name).to_pylist()
    assert all(row in larger for row in before)


@pytest.mark.parametrize("name", DESCENDANTS)
def test_rows_below_children_of_units_arrive_with_their_unit(name: str, plan: Plan) -> None:
    """As of a day there are those whose company is there, as they are at the end of the window."""
    whole = rows(plan, name)
    for day in (1, 8, 19):
        alone = make(plan, TableSlice(name, plan.first, plan.first + day + 1)).read_all().combine_chunks()
        companies = make(plan, TableSlice("companies", plan.first, plan.first + day + 1)).read_all()["company_id"]
        assert alone.num_rows < whole.num_rows or day == 19
        assert alone.to_pylist() == [row for row in whole.to_pylist() if _company(plan, name, row) in companies.to_pylist()]


def _company(plan: Plan, name: str, row: dict[str, Any]) -> str:
    """Return the company of a row."""
    if "company_id" in row:
        return str(row["company_id"])
    _, parent, key = next(reference for reference in plan.table(name).references if reference[1] != "dim_date")
    column = next(column for column, target, _ in plan.table(name).references if target == parent)
    above = next(other for other in rows(plan, parent).to_pylist() if other[key] == row[column])
    return _company(plan, parent, above)


def test_rows_below_children_are_as_many_as_their_segment_says() -> None:
    """What another segment has moves none of them, and each row says to which row of its unit it belongs."""

    def with_counts(late: Any) -> Any:
        def change(raw: dict[str, Any]) -> None:
            clauses = next(table for table in raw["tables"] if table["name"] == "clauses")
            clauses |= {"rows": {"segments": {"early": 2, "late": late}}}
            clauses["columns"]["segment"] = "segment.name"

        return rows(changed(change), "clauses").to_pylist()

    none, many = with_counts([0, 1]), with_counts([3, 5])
    early = [row for row in many if row["segment"] == "early"]
    assert early == [row for row in none if row["segment"] == "early"]
    assert {sum(row["contract_id"] == other["contract_id"] for other in early) for row in early} == {2}
    late = [row for row in many if row["segment"] == "late"]
    assert {sum(row["contract_id"] == other["contract_id"] for other in late) for row in late} == {3, 4, 5}
