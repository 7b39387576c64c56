"""Rows that belong to others, as many as a column of these says: the repayments of a loan, the lines of an order."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from plotsim_core import ConfigError, Plan, TableSlice, UsageError, from_mapping, generate_tables, make, sizes, slices
from plotsim_core.engine import slice as slices_of_units
from plotsim_core.tables import plain_child
from tests.cases import stored

TEXT = """
about: Orders, calls and loans
unit: customer
window: [2024-01, 2024-06, month]
metrics: [{ name: visits, type: count, polarity: positive, mean: [2, 30] }]
segments: [{ name: all, count: 60, archetype: growth }]
tables:
- { name: customers, per: customer, columns: { customer_id: id, seats: { type: range, range: [0, 9] } } }
- { name: users, per: customer, rows: seats, columns: { user_id: id } }
- { name: phones, per: users, rows: [1, 2], columns: { phone: sequence } }
- name: orders
  per: [customer, period]
  rows: { poisson: visits, scale: 0.2 }
  columns: { order_id: id, items: { type: range, range: [0, 5] } }
- { name: lines, per: orders, rows: items, columns: { line: sequence } }
- name: calls
  rows: 900
  columns: { call_id: id, at: timestamp, length: { type: choice, values: { 0: 2, 2.5: 1, 7: 1 }, nulls: 0.2 } }
- { name: notes, per: calls, rows: length, columns: { note: sequence, halves: { type: = note / 2, hidden: true } } }
- { name: marks, per: notes, rows: { poisson: halves, scale: 3 }, columns: { mark: sequence } }
- name: loans
  rows: 700
  columns: { loan_id: id, tenure: { type: choice, values: [12, 24, 60] }, due: { type: = tenure / 12, hidden: true } }
- { name: repayments, per: loans, rows: { metric: due, scale: 12 }, columns: { place: sequence } }
"""
CHILDREN = ("users", "phones", "lines", "notes", "marks", "repayments")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return from_mapping(yaml.safe_load(TEXT), name="case")


@pytest.mark.parametrize(
    ("parent", "child", "key", "rows"),
    [
        ("customers", "users", "customer_id", "seats"),
        ("orders", "lines", "order_id", "items"),
        ("loans", "repayments", "loan_id", "tenure"),
        ("calls", "notes", "call_id", "coalesce(length, 0)"),
    ],
)
def test_each_row_has_as_many_as_its_column_says(plan: Plan, parent: str, child: str, key: str, rows: str) -> None:
    """A number that is not whole is rounded up or down by chance, and a null is none."""
    connection = stored(plan)
    wrong = f"""
        SELECT count(*) FROM {parent} LEFT JOIN (SELECT {key}, count(*) AS n FROM {child} GROUP BY ALL) USING ({key})
        WHERE coalesce(n, 0) NOT BETWEEN floor({rows}) AND ceil({rows})
    """
    assert connection.sql(wrong).fetchall() == [(0,)]
    ((expected, total),) = connection.sql(
        f"SELECT (SELECT sum({rows}) FROM {parent}), (SELECT count(*) FROM {child})"
    ).fetchall()
    assert total > 100 and abs(total - expected) < 4 * (0.25 * 900) ** 0.5


def whole(plan: Plan, name: str) -> pa.Table:
    return make(plan, slices(plan, [name])[0]).read_all().combine_chunks()


@pytest.mark.parametrize("chunk", [1 << 19, 50])
@pytest.mark.parametrize("name", CHILDREN)
def test_parts_make_the_whole(plan: Plan, name: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of the blocks, which follows from a guess of how many rows belong to each."""
    expected = whole(plan, name)
    for module in (slices_of_units, plain_child):
        monkeypatch.setattr(module, "CHUNK", chunk)
    parts = [make(plan, part).read_all() for part in slices(plan, [name], parts=7)]
    assert pa.concat_tables(parts).combine_chunks().equals(expected)


@pytest.mark.parametrize("name", ["lines", "notes", "marks"])
def test_a_period_alone_is_that_of_the_whole(plan: Plan, name: str) -> None:
    for period in (0, 3, 5):
        alone = make(plan, TableSlice(name, plan.first + period, plan.first + period + 1)).read_all().combine_chunks()
        dates = pc.equal(whole(plan, name)["date_key"], 20240101 + 100 * period)
        assert alone.num_rows and alone.equals(whole(plan, name).filter(dates).combine_chunks())


def test_more_rows_and_units_move_none(plan: Plan) -> None:
    raw = yaml.safe_load(TEXT)
    raw["segments"].append({"name": "new", "count": 5, "archetype": "growth"})
    loans = next(table for table in raw["tables"] if table["name"] == "loans")
    loans["rows"] = 900
    larger = from_mapping(raw, name="case")
    for name in ("users", "phones", "lines", "repayments"):
        assert set(map(str, whole(plan, name).to_pylist())) < set(map(str, whole(larger, name).to_pylist()))


def test_sizes_are_estimated_by_the_column(plan: Plan) -> None:
    estimates = {size.table: size.rows for size in sizes(plan)}
    for name in CHILDREN:
        assert estimates[name] == pytest.approx(whole(plan, name).num_rows, rel=0.2)


def test_more_rows_than_there_may_be_end_the_run() -> None:
    raw = {
        "about": "x",
        "tables": [
            {
                "name": "jobs",
                "rows": 3,
                "columns": {"job_id": "id", "n": {"type": "range", "range": [2 * 10**6, 3 * 10**6]}},
            },
            {"name": "tasks", "per": "jobs", "rows": "n", "columns": {"task": "sequence"}},
        ],
    }
    with pytest.raises(UsageError, match=r"jobs.n is .*, and at most 1,000,000 rows belong to one"):
        generate_tables(from_mapping(raw, name="case"))


def test_segments_may_follow_columns_of_their_own() -> None:
    """Of the units, and of rows that belong to them; segments without a column have a number beside them."""
    raw = yaml.safe_load(TEXT)
    raw["segments"] = [{"name": name, "count": 30, "archetype": "growth"} for name in ("few", "many", "wide")]
    number = {"type": "range", "range": [0, 4]}
    raw["tables"] = [
        {"name": "customers", "per": "customer",
         "columns": {"customer_id": "id", "s": "segment.name", "a": number, "b": number}},
        {"name": "users", "per": "customer", "rows": {"segments": {"few": 2, "many": "a", "wide": "b"}},
         "columns": {"user_id": "id", "c": number, "d": number}},
        {"name": "phones", "per": "users", "rows": {"segments": {"few": "c", "many": "d", "wide": 1}},
         "columns": {"phone": "sequence"}},
    ]  # fmt: skip
    plan = from_mapping(raw, name="case")
    connection, users = stored(plan), "users JOIN customers USING (customer_id)"
    for parent, child, key, rows in (
        ("customers", "users", "customer_id", "CASE s WHEN 'few' THEN 2 WHEN 'many' THEN a ELSE b END"),
        (users, "phones", "user_id", "CASE s WHEN 'few' THEN c WHEN 'many' THEN d ELSE 1 END"),
    ):
        wrong = f"""
            SELECT count(*) FROM {parent} LEFT JOIN (SELECT {key}, count(*) AS n FROM {child} GROUP BY ALL) USING ({key})
            WHERE coalesce(n, 0) <> {rows}
        """
        assert connection.sql(wrong).fetchall() == [(0,)]
    raw["tables"][1]["rows"]["segments"]["wide"] = "s"
    with pytest.raises(ConfigError, match="s is a text, and no number of rows"):
        from_mapping(raw, name="case")


def test_a_reference_to_rows_of_which_a_unit_has_none_is_null() -> None:
    """And so is what is looked up there."""
    text = TEXT.replace("columns: { order_id: id,", "columns: { order_id: id, user: ref.users, named: lookup.users.name,")
    text = text.replace("columns: { user_id: id }", "columns: { user_id: id, name: faker.name }")
    tables = generate_tables(from_mapping(yaml.safe_load(text), name="orders"))
    has_none = tables["orders"]["customer_id"].map(tables["customers"].set_index("customer_id")["seats"]) == 0
    assert has_none.any() and not has_none.all()
    assert (tables["orders"]["user"].isna() == has_none).all()
    assert (tables["orders"]["named"].isna() == has_none).all()
    assert set(tables["orders"]["user"].dropna()) <= set(tables["users"]["user_id"])
