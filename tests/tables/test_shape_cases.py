"""Tables that people ask generators for and that one shape now says: a key of two tables, stock grids, trees, keys of other
systems, wide rows, lists from files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from plotsim_core import ConfigError, Plan, from_mapping, load_config, write_tables
from tests.cases import plan_of, stored

UNITS = """
about: What people ask for
window: [2024-01, 2024-06, month]
metrics: [{ name: talk, type: count, polarity: positive, mean: [1, 6] }]
segments: [{ name: all, count: 60, archetype: growth, arrival: { kind: uniform, end: 4 } }]
"""


def plan(text: str) -> Plan:
    return plan_of(yaml.safe_load(text))


def unit_plan(unit: str, tables: str) -> Plan:
    return plan(f"{UNITS}unit: {unit}\n{tables}")


COMMENTS = """
tables:
- { name: people, per: person, columns: { person_id: id } }
- { name: posts, per: person, rows: [1, 3], columns: { post_id: id } }
- { name: photos, rows: 20, columns: { photo_id: id } }
- name: comments
  per: [person, period]
  rows: { poisson: talk }
  columns:
    comment_id: id
    target: { type: choice, values: { post: 3, photo: 1 } }
    post_id: { type: ref.posts, of: others, nulls: { where: target == 'photo' } }
    photo_id: { type: ref.photos, nulls: { where: target == 'post' } }
    target_id: = coalesce(post_id, photo_id)
"""


def test_a_key_leads_to_one_of_two_tables() -> None:
    """One that the column beside it names, in the weights asked for; a post is somebody else's."""
    connection = stored(unit_plan("person", COMMENTS))
    rows = "comments LEFT JOIN posts USING (post_id) LEFT JOIN photos USING (photo_id)"
    wrong = f"""
        SELECT count(*) FROM {rows} WHERE target_id IS DISTINCT FROM if(target = 'post', post_id, photo_id)
        OR (target = 'post') <> (posts.person_id IS NOT NULL) OR (target = 'photo') <> (photo_id IS NOT NULL)
        OR posts.person_id = comments.person_id
    """
    assert connection.sql(wrong).fetchall() == [(0,)]
    ((rows_total, share),) = connection.sql("SELECT count(*), avg((target = 'post')::INT) FROM comments").fetchall()
    assert rows_total > 500 and abs(share - 0.75) < 4 * (0.75 * 0.25 / rows_total) ** 0.5


STOCK = """
about: Stock by store, product and day
window: { start: 2024-01-01, end: 2024-02-29, every: day }
tables:
- { name: stores, rows: 5, columns: { store_id: id } }
- { name: products, rows: 20, columns: { product_id: id } }
- { name: stock, per: [stores, products, period], columns: { on_hand: { type: range, range: [0, 90] } } }
"""
SHELVES = """
about: Stock by store, product and day
unit: shelf
window: { start: 2024-01-01, end: 2024-02-29, every: day }
metrics: [{ name: on_hand, type: count, polarity: positive, mean: [20, 60], persistence: 0.9 }]
segments: [{ name: all, count: 5, archetype: flat }]
tables:
- { name: stores, per: shelf, columns: { store_id: id } }
- { name: products, rows: 20, columns: { product_id: id, share: { type: range, range: [0.2, 3.0] } } }
- name: stock
  per: [shelf, products, period]
  columns:
    level: { type: metric.on_hand, hidden: true }
    share: { type: lookup.products.share, hidden: true }
    on_hand: = round(level * share, 0)
"""
GRID = """
SELECT count(*), count(DISTINCT (store_id, product_id, date_key)), count(DISTINCT store_id), count(DISTINCT product_id),
  count(DISTINCT date_key) FROM stock
"""


@pytest.mark.parametrize("text", [STOCK, SHELVES])
def test_each_store_has_each_product_on_each_day(text: str) -> None:
    connection = stored(plan(text))
    assert connection.sql(GRID).fetchall() == [(6000, 6000, 5, 20, 60)]


def test_stock_on_hand_persists_and_differs_by_store_and_product() -> None:
    """It follows the store's metric from day to day, in the share of the product."""
    connection = stored(plan(SHELVES))
    pairs = "SELECT *, lag(on_hand) OVER (PARTITION BY store_id, product_id ORDER BY date_key) AS before FROM stock"
    ((correlation,),) = connection.sql(
        f"SELECT avg(c) FROM (SELECT corr(on_hand, before) AS c FROM ({pairs}) GROUP BY store_id, product_id)"
    ).fetchall()
    ((means,),) = connection.sql(
        "SELECT count(DISTINCT m) FROM (SELECT avg(on_hand) AS m FROM stock GROUP BY store_id, product_id)"
    ).fetchall()
    assert correlation > 0.6 and means > 90


STAFF = """
tables:
- { name: departments, rows: 4, columns: { department_id: id } }
- name: staff
  per: employee
  columns:
    employee_id: id
    hired: timestamp
    manager_id: { type: ref.staff, roots: ROOTS }
    department_id: ref.departments
"""
ROUND = """
WITH RECURSIVE above AS (
  SELECT employee_id AS who, manager_id AS boss, 1 AS steps FROM staff
  UNION ALL SELECT who, manager_id, steps + 1 FROM above JOIN staff ON employee_id = boss WHERE steps < 100
)
SELECT max(steps), count(DISTINCT who) FILTER (boss IS NULL) FROM above
"""


@pytest.mark.parametrize("roots", [1, 3])
def test_managers_make_a_tree_in_the_order_of_hiring(roots: int) -> None:
    connection = stored(unit_plan("employee", STAFF.replace("ROOTS", str(roots))))
    assert connection.sql("SELECT count(*) FROM staff WHERE manager_id IS NULL").fetchall() == [(roots,)]
    later = "SELECT count(*) FROM staff a JOIN staff b ON b.employee_id = a.manager_id WHERE b.hired > a.hired"
    assert connection.sql(later).fetchall() == [(0,)]
    ((depth, arrived),) = connection.sql(ROUND).fetchall()
    assert 1 < depth < 60 and arrived == 60


def test_two_tables_that_refer_to_each_other_are_refused_with_a_way_out() -> None:
    tables = STAFF.replace("{ department_id: id }", "{ department_id: id, head_id: ref.staff }").replace("ROOTS", "1")
    with pytest.raises(ConfigError) as raised:
        unit_plan("employee", tables)
    assert "departments" in str(raised.value) and "there is no dimension" not in str(raised.value)


FORMS = """
tables:
- { name: patients, per: patient, columns: { patient_id: { type: id, pattern: "[0-9]{6}" } } }
- { name: suppliers, rows: 300, columns: { supplier_id: { type: id, format: "S{n:06}" } } }
- { name: wards, rows: 300, columns: { ward_id: { type: id, start: 300001 } } }
- { name: orders, rows: 200, columns: { order_id: { type: id, pattern: "PO-2024-[0-9]{6}" }, supplier_id: ref.suppliers } }
- name: visits
  per: [patient, period]
  rows: talk
  columns: { visit_id: { type: id, pattern: "[A-Z]{4}-[0-9]{8}", most: 200 }, visit_no: sequence, ward_id: ref.wards }
"""


@pytest.mark.parametrize(
    ("table", "key", "form"),
    [
        ("patients", "patient_id", "[0-9]{6}"),
        ("suppliers", "supplier_id", "S[0-9]{6}"),
        ("wards", "ward_id", "[0-9]{6}"),
        ("orders", "order_id", "PO-2024-[0-9]{6}"),
        ("visits", "visit_id", "[A-Z]{4}-[0-9]{8}"),
    ],
)
def test_keys_have_the_form_of_the_system_they_come_from(table: str, key: str, form: str) -> None:
    connection = stored(unit_plan("patient", FORMS))
    wrong = f"SELECT count(*) - count(DISTINCT {key}) FILTER (regexp_full_match({key}::VARCHAR, '{form}')) FROM {table}"
    assert connection.sql(wrong).fetchall() == [(0,)]


def test_references_have_the_keys_of_other_systems() -> None:
    """Whole numbers are whole numbers where they are referred to, and keys of a pattern are in no order."""
    connection = stored(unit_plan("patient", FORMS))
    for table, other, key in (
        ("orders", "suppliers", "supplier_id"),
        ("visits", "wards", "ward_id"),
        ("visits", "patients", "patient_id"),
    ):
        assert connection.sql(f"SELECT count(*) FROM {table} ANTI JOIN {other} USING ({key})").fetchall() == [(0,)]
    assert connection.sql("SELECT typeof(ward_id) FROM visits LIMIT 1").fetchall() == [("BIGINT",)]
    ((rises,),) = connection.sql(
        "SELECT avg((order_id > before)::INT) FROM (SELECT order_id, lag(order_id) OVER () AS before FROM orders)"
    ).fetchall()
    assert 0.35 < rises < 0.65


def test_five_hundred_columns_are_five_lines() -> None:
    names = {
        "r#": {"type": "range", "range": [0, 9], "count": 100},
        "f#": {"type": "range", "range": [0.0, 2.0], "count": 100},
        "c#": {"type": "choice", "values": ["a", "b", "c"], "count": 100},
        "w#": {"type": "faker.word", "count": 100},
        "e#": {"type": "= r# * 2 + f#", "count": 100},
    }
    table = {"name": "wide", "rows": 200, "columns": {"wide_id": "id", **names}}
    connection = stored(from_mapping({"about": "Wide", "tables": [table]}, name="wide"))
    assert len(connection.sql("FROM wide").columns) == 501
    wrong = " OR ".join(f"abs(e{n} - (r{n} * 2 + f{n})) > 0.0001" for n in range(1, 101))
    assert connection.sql(f"SELECT count(*) FROM wide WHERE {wrong}").fetchall() == [(0,)]
    assert connection.sql("SELECT count(*) FILTER (r1 = r2) BETWEEN 4 AND 40 FROM wide").fetchall() == [(True,)]


LISTED = """code,number,name
KR,410,"Korea, Republic of"
AF,004,Afghanistan
BO,068,"Bolivia, Plurinational State of"
"""
CUSTOMERS = """
about: A shop and the countries of its customers
tables:
- { name: countries, rows: { file: countries.csv, key: code } }
- { name: customers, rows: 300, columns: { customer_id: id, code: ref.countries, country: lookup.countries.name } }
"""


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_list_that_exists_comes_out_as_it_is(format_: str, tmp_path: Path) -> None:
    """With its commas and zeros, and its own key in what refers to it."""
    (tmp_path / "countries.csv").write_text(LISTED, encoding="utf-8")
    (tmp_path / "shop.yaml").write_text(CUSTOMERS, encoding="utf-8")
    write_tables(load_config(tmp_path / "shop.yaml"), tmp_path / "out", format=format_)
    expected = [tuple(row) for row in csv.reader(LISTED.splitlines())][1:]
    read = "read_csv('{}', all_varchar = true)" if format_ == "csv" else "'{}'"
    countries = read.format(tmp_path / "out" / f"countries.{format_}")
    customers = read.format(tmp_path / "out" / f"customers.{format_}")
    assert duckdb.sql(f"SELECT code, number, name FROM {countries}").fetchall() == expected
    pairs = duckdb.sql(f"SELECT DISTINCT code, country FROM {customers} ORDER BY code").fetchall()
    assert pairs == sorted((code, name) for code, _, name in expected)


LONG: dict[str, Any] = {
    "about": "Keys of ten digits and more",
    "window": ["2024-01", "2024-03", "month"],
    "tables": [
        {
            "name": "users",
            "rows": 50,
            "columns": {
                "user_id": {"type": "id", "start": 9007199254740993},
                "phone": {"type": "sequence", "start": 4915112345678},
                "post": {"type": "choice", "values": [900719925474099267, 9007199254740993]},
                "calls": {"type": "range", "range": [0, 9], "nulls": 0.3},
            },
        },
        {
            "name": "calls",
            "rows": 300,
            "columns": {"call_id": {"type": "id", "start": 4915112345678}, "at": "timestamp", "user_id": "ref.users"},
        },
    ],
}


def test_numbers_of_ten_digits_and_more_are_counted_exactly(tmp_path: Path) -> None:
    """As keys, in what refers to them, and beside nulls, in CSV and Parquet alike."""
    tables = {}
    for format_ in ("csv", "parquet"):
        write_tables(plan_of(LONG), tmp_path / format_, format=format_)
        read = "read_csv('{}', all_varchar = true)" if format_ == "csv" else "'{}'"
        users = read.format(tmp_path / format_ / f"users.{format_}")
        calls = read.format(tmp_path / format_ / f"calls.{format_}")
        tables[format_] = [
            duckdb.sql(f"SELECT user_id::VARCHAR, phone::VARCHAR, post::VARCHAR, calls::VARCHAR FROM {users}").fetchall(),
            duckdb.sql(f"SELECT call_id::VARCHAR, user_id::VARCHAR FROM {calls}").fetchall(),
        ]
    assert tables["csv"] == tables["parquet"]
    users, calls = tables["csv"]
    assert [row[:2] for row in users] == [(str(9007199254740993 + n), str(4915112345678 + n)) for n in range(50)]
    assert {row[2] for row in users} == {"900719925474099267", "9007199254740993"}
    assert {row[3] for row in users} <= {None, *map(str, range(10))} and None in {row[3] for row in users}
    assert [row[0] for row in calls] == [str(4915112345678 + n) for n in range(300)]
    assert {row[1] for row in calls} <= {row[0] for row in users}
