"""Plain tables that refer to each other: one of the references says `nulls`, and is filled last."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables, slices, write_tables
from plotsim_core.validation.report import check_store
from plotsim_core.validation.store import find_store
from plotsim_pipeline.assets.lineage import upstream
from tests.laws.test_table_slices import part_rows
from tests.pipeline.test_without_window import made, use_store

HEAD: dict[str, Any] = {"type": "ref.staff", "nulls": 0.2}
DEPARTMENTS: dict[str, Any] = {
    "name": "departments",
    "rows": 30,
    "columns": {"department_id": "id", "floor": "static.1,2,3", "head": HEAD, "head_name": "lookup.staff.name"},
}
STAFF: dict[str, Any] = {
    "name": "staff",
    "rows": 400,
    "columns": {
        "staff_id": "id",
        "name": "faker.name",
        "department": "ref.departments",
        "floor": "lookup.departments.floor",
        "manager": {"type": "ref.staff", "roots": 5},
    },
}
REGIONS: dict[str, Any] = {
    "name": "regions",
    "rows": 9,
    "columns": {"region_id": "id", "flagship": {"type": "ref.hotels", "nulls": 0.1}},
}
HOTELS: dict[str, Any] = {
    "name": "hotels",
    "per": "regions",
    "rows": [1, 4],
    "columns": {"hotel_id": "id", "stars": "static.1,2"},
}
TABLES = [DEPARTMENTS, STAFF, REGIONS, HOTELS]


def plan(*tables: dict[str, Any], **sections: Any) -> Plan:
    return from_mapping({"about": "Staff", "seed": 3, "tables": list(tables or TABLES), **sections}, name="staff")


def with_columns(table: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return {**table, "columns": {**table["columns"], **columns}}


def test_both_lead_to_rows_and_one_may_be_null() -> None:
    tables = generate_tables(plan())
    departments, staff = tables["departments"], tables["staff"].set_index("staff_id")
    heads = departments["head"].dropna()
    assert 0 < departments["head"].isna().sum() < 15
    assert set(heads) <= set(staff.index)
    assert heads.nunique() > 15
    assert set(staff["department"]) == set(departments["department_id"])
    assert (departments["head_name"].dropna() == heads.map(staff["name"])).all()
    assert (staff["floor"] == staff["department"].map(departments.set_index("department_id")["floor"])).all()
    assert set(tables["regions"]["flagship"].dropna()) <= set(tables["hotels"]["hotel_id"])


@pytest.mark.parametrize("table", ["departments", "staff", "regions", "hotels"])
def test_parts_make_the_whole(table: str) -> None:
    assert part_rows(plan(), slices(plan(), [table], 4)).to_pandas().equals(generate_tables(plan(), tables=[table])[table])


def test_the_data_passes_its_checks(tmp_path: Path) -> None:
    write_tables(plan(), tmp_path, format="parquet")
    with find_store(plan(), tmp_path) as store:
        assert check_store(store).score == 100


def test_a_dump_loads_twice_with_foreign_keys_enforced(tmp_path: Path) -> None:
    write_tables(plan(output={"format": "sql", "sql_dialect": "sqlite"}), tmp_path)
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA foreign_keys = ON")
    for _ in range(2):
        connection.executescript((tmp_path / "data.sql").read_text(encoding="utf-8"))
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert connection.execute("SELECT count(*) FROM staff").fetchone() == (400,)


def test_dagster_makes_the_table_last_that_can_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table whose reference says `nulls` is made from none that refer to it; without a circle there is an order."""
    staff = plan()
    use_store("duckdb", tmp_path, monkeypatch)
    assert upstream(staff, staff.table("departments")) == []
    assert upstream(staff, staff.table("staff")) == ["departments"]
    assert upstream(staff, staff.table("hotels")) == ["regions"]
    with dg.instance_for_test() as instance:
        assert made(staff, instance).success


@pytest.mark.parametrize("order", [[DEPARTMENTS, STAFF], [STAFF, DEPARTMENTS]], ids=["first", "second"])
def test_where_both_may_be_null_the_first_is_made_first(order: list[dict[str, Any]]) -> None:
    staff = with_columns(STAFF, department={"type": "ref.departments", "nulls": 0.1})
    tables = [staff if table is STAFF else table for table in order]
    both = plan(*tables)
    first, second = (table["name"] for table in tables)
    assert upstream(both, both.table(first)) == []
    assert upstream(both, both.table(second)) == [first]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("ref.staff", "refer to each other, directly or through others.*give one of these references `nulls`"),
        ({**HEAD, "matching": {"floor": "floor"}}, "head.matching: has no place here: departments and staff refer to each"),
        ({**HEAD, "distribution": "zipf"}, "head.distribution: has no place here: departments and staff refer to each"),
    ],
)
def test_a_circle_without_an_end_is_refused(head: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        plan(with_columns(DEPARTMENTS, head=head), STAFF)
