"""Keys: whole numbers, formats, patterns, UUIDs and places, in any slice, and the same while a dataset grows."""

from __future__ import annotations

import copy
import re
import sqlite3
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from plotsim_core import ConfigError, Plan, UsageError, explain, from_mapping, generate_tables, write_tables
from plotsim_core.columns.key_format import read_format
from plotsim_core.columns.key_pattern import read_pattern
from plotsim_core.config.holdout import FEATURES
from plotsim_core.numerics.permutation import permute_pairs
from plotsim_core.run_files import SQL_FILE
from tests.laws.made import made_table, names, unchanged
from tests.output.support import read

PAGE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
RAW: dict[str, Any] = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
FORMS = {
    "dim_customer.customer_id": r"C\d{8}",
    "fct_parcel.parcel_id": r"\d+-1",
    "fct_invoice.invoice_id": r"[A-Z]{2}-[0-9]{14}",
    "evt_call.call_id": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
}


def plan_of(**changes: Any) -> Plan:
    return from_mapping({**copy.deepcopy(RAW), **changes}, name="shop")


def with_key(table: str, **options: Any) -> dict[str, Any]:
    """Return the page's config with another key in one of its tables."""
    raw = copy.deepcopy(RAW)
    tables = [other for section in ("dimensions", "facts", "events") for other in raw[section]]
    columns = next(other["columns"] for other in tables if other["name"] == table)
    place = next(index for index, column in enumerate(columns) if column["type"] in ("id", "uuid"))
    columns[place] = {"name": columns[place]["name"], "type": "id", **options}
    return raw


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return generate_tables(plan_of())


def test_keys_are_unique_and_references_lead_to_them(tables: dict[str, pd.DataFrame]) -> None:
    plan = plan_of()
    for table in plan.tables:
        assert not tables[table.name].duplicated(list(table.key)).any(), table.name
        for column, parent, key in table.references:
            assert tables[table.name][column].isin(tables[parent][key]).all(), (table.name, column)
            assert tables[table.name][column].dtype == tables[parent][key].dtype


@pytest.mark.parametrize("column", FORMS)
def test_texts_have_the_form_that_is_asked_for(tables: dict[str, pd.DataFrame], column: str) -> None:
    table, _, name = column.partition(".")
    assert tables[table][name].str.fullmatch(FORMS[column]).all()


def test_patterns_and_uuids_are_in_no_order(tables: dict[str, pd.DataFrame]) -> None:
    invoices, calls = tables["fct_invoice"]["invoice_id"], tables["evt_call"]["call_id"]
    for keys in (invoices, calls):
        rising = np.mean([before < after for before, after in pairwise(keys)])
        assert 0.45 < rising < 0.55
    letters = invoices.str[0].value_counts(normalize=True)
    assert len(letters) == 26
    assert letters.max() < 0.08
    assert {uuid.UUID(key).version for key in calls} == {4}
    assert {uuid.UUID(key).variant for key in calls} == {uuid.RFC_4122}


def test_what_happens_to_a_unit_once_may_have_its_key() -> None:
    raw = copy.deepcopy(RAW)
    key = {"name": "customer_id", "type": "ref.dim_customer", "key": True}
    crossing = {"name": "evt_keen", "trigger": "threshold", "metric": "demand", "above": 0.5, "columns": [key]}
    plan = from_mapping({**raw, "events": [crossing]}, name="shop")
    assert plan.table("evt_keen").key == ("customer_id",)
    assert generate_tables(plan)["evt_keen"]["customer_id"].is_unique
    with pytest.raises(ConfigError, match="evt_keen may have several rows for one row of dim_customer"):
        from_mapping({**raw, "events": [{**crossing, "refire": True}]}, name="shop")


def test_listed_rows_are_dense_and_other_numbers_in_the_order_of_periods(tables: dict[str, pd.DataFrame]) -> None:
    assert tables["dim_product"]["product_id"].tolist() == list(range(4915112345678, 4915112345678 + 50))
    orders = tables["fct_order"]
    bounds = orders.groupby("date_key")["order_id"].agg(["min", "max"])
    assert (bounds["max"].to_numpy()[:-1] < bounds["min"].to_numpy()[1:]).all()
    assert orders["order_id"].max() < 2**53
    assert orders.dtypes["order_id"] == np.int64


def test_a_place_is_that_within_the_period_the_unit_or_the_row(tables: dict[str, pd.DataFrame]) -> None:
    orders = tables["fct_order"]
    assert (orders["order_no"] == orders.groupby(["customer_id", "date_key"]).cumcount() + 1).all()
    lines = tables["fct_line"]
    assert (lines["line_no"] == lines.groupby("order_id").cumcount() + 1).all()
    assert plan_of().table("fct_line").key == ("order_id", "line_no")
    assert plan_of().table("dim_account").key == ("customer_id",)


def test_a_childs_number_is_that_of_its_row_times_the_most_and_its_place() -> None:
    """So the row that it belongs to follows from it, at any remove, and with a `start` of its own."""
    raw = with_key("dim_customer", start=0)
    raw["dimensions"][2]["columns"][0] |= {"start": 7, "most": 10}
    raw["facts"][1]["columns"][0] = {"name": "line_id", "type": "id", "start": 0, "most": 5}
    raw["facts"].append(
        {"name": "fct_part", "parent_table": "fct_line", "columns": [{"name": "part_id", "type": "id", "start": 0}]}
    )
    tables = generate_tables(from_mapping(raw, name="shop"))
    addresses, lines, parts = (tables[name] for name in ("dim_address", "fct_line", "fct_part"))
    assert ((addresses["address_id"] - 7) // 10 == addresses["customer_id"]).all()
    assert (lines["line_id"] // 5 == lines["order_id"] - 1).all()
    assert (lines["line_id"] % 5 == lines.groupby("order_id").cumcount()).all()
    assert (parts["part_id"] // 3 == parts["line_id"]).all()


def test_rows_below_rows_with_a_place_have_the_whole_key_above_them() -> None:
    raw = copy.deepcopy(RAW)
    price = {"name": "price", "type": "range", "range": [1, 9]}
    raw["facts"][1]["columns"].append({"name": "cost", "type": "total.fct_part.price"})
    part = {
        "name": "fct_part",
        "parent_table": "fct_line",
        "columns": [{"name": "part_no", "type": "sequence", "start": 0}, price],
    }
    raw["facts"].append(part)
    plan = from_mapping(raw, name="shop")
    tables = generate_tables(plan)
    assert plan.table("fct_part").key == ("order_id", "line_no", "part_no")
    costs = tables["fct_part"].groupby(["order_id", "line_no"])["price"].sum()
    lines = tables["fct_line"].set_index(["order_id", "line_no"])
    assert (costs.reindex(lines.index) == lines["cost"]).all()


GROWN = {
    "a later end": {"window": {"start": "2024-01-01", "end": "2024-03-31", "every": "day", "span": 60}},
    "a segment in front": {"segments": [{"name": "new", "count": 30, "archetype": "decline"}, *RAW["segments"]]},
    "more units": {"segments": [{**segment, "count": segment["count"] + 7} for segment in RAW["segments"]]},
    "a larger scale": {"scale": 2.5},
}


@pytest.mark.slow
@pytest.mark.parametrize("change", GROWN)
def test_growth_moves_no_key(change: str) -> None:
    before = plan_of(window={**RAW["window"], "span": 60})
    after = plan_of(**{"window": {**RAW["window"], "span": 60}, **GROWN[change]})
    assert unchanged(before, after) == []


def test_those_who_arrive_later_have_numbers_of_their_own() -> None:
    """Whole years of arrivals, and the rate may rise: a key stays with its unit."""
    segments = [{**s, "arrival": {"kind": "ongoing", "per_period": 0.5}} for s in RAW["segments"]]
    before = plan_of(segments=segments, window={"start": "2024-01-01", "end": "2024-12-31", "every": "day", "span": 60})
    faster = [{**s, "arrival": {"kind": "ongoing", "per_period": 0.9}} for s in RAW["segments"]]
    after = plan_of(segments=faster, window={"start": "2024-01-01", "end": "2025-06-30", "every": "day", "span": 60})
    for name in ("dim_customer", "dim_address", "dim_account"):
        table = before.table(name)
        old, new = (made_table(plan, name).to_pandas() for plan in (before, after))
        assert not new.duplicated(list(table.key)).any()
        assert set(old[table.key[0]]) < set(new[table.key[0]])


@pytest.mark.parametrize("periods", ["2024-01-07", "2024-02-20..2024-02-21"])
def test_a_slice_has_the_keys_of_the_whole(tables: dict[str, pd.DataFrame], periods: str) -> None:
    first, _, last = periods.replace("-", "").partition("..")
    for name, rows in generate_tables(plan_of(), periods=periods).items():
        if "date_key" in rows and name != "dim_date":
            whole = tables[name]
            expected = whole[whole["date_key"].between(int(first), int(last or first))].reset_index(drop=True)
            pd.testing.assert_frame_equal(rows, expected)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "duckdb"])
def test_references_have_the_type_of_their_key_in_every_format(format: str, tmp_path: Path) -> None:
    plan = plan_of(output={"format": format})
    write_tables(plan, tmp_path)
    stored = read(plan, tmp_path, format)
    orders, lines, products = (stored[name] for name in ("fct_order", "fct_line", "dim_product"))
    assert pa.types.is_integer(orders["order_id"].type)
    assert orders["order_id"].type == lines["order_id"].type
    assert products["product_id"].type == lines["product_id"].type
    assert set(lines["product_id"].to_pylist()) <= set(products["product_id"].to_pylist())


@pytest.mark.slow
def test_a_database_takes_keys_of_all_forms_and_checks_the_references(tmp_path: Path) -> None:
    plan = plan_of(output={"format": "sql", "sql_dialect": "sqlite"})
    write_tables(plan, tmp_path)
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript((tmp_path / SQL_FILE).read_text(encoding="utf-8"))
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    columns = connection.execute("PRAGMA table_info(fct_line)").fetchall()
    assert {name: place for _, name, _, _, _, place in columns if place} == {"order_id": 1, "line_no": 2}
    assert {name: type_ for _, name, type_, *_ in columns}["order_id"] == "INTEGER"


@pytest.mark.slow
def test_the_largest_numbers_keep_all_their_digits(tmp_path: Path) -> None:
    raw = with_key("dim_product", start=2**63 - 50)
    write_tables(plan := from_mapping(raw, name="shop"), tmp_path, format="csv")
    assert str(2**63 - 1) in (tmp_path / "dim_product.csv").read_text(encoding="utf-8")
    write_tables(plan, tmp_path, format="parquet")
    assert pq.read_table(tmp_path / "fct_line.parquet")["product_id"].type == pa.int64()
    with pytest.raises(ConfigError, match="there may be 50 rows: from 9,223"):
        from_mapping(with_key("dim_product", start=2**63 - 49), name="shop")


@pytest.mark.parametrize("key", [{"start": 5}, {"pattern": "[a-z]{12}"}, {"format": "S{n}"}, {}])
def test_whatever_names_a_unit_has_its_key(key: dict[str, Any]) -> None:
    """The features, source systems and copies of the key beside the unit's own dimension."""
    raw = with_key("dim_customer", **key)
    raw["dimensions"][0]["columns"].append({"name": "own", "type": "derived.entity_id"})
    raw["facts"].append(
        {
            "name": "fct_day",
            "columns": [
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "customer_id", "type": "ref.dim_customer"},
                {"name": "demand", "type": "metric.demand"},
            ],
        }
    )
    raw |= {"entity_features": True, "sources": [{"name": "crm"}, {"name": "erp"}]}
    plan = from_mapping(raw, name="shop")
    tables = generate_tables(plan)
    keys = tables["dim_customer"]["customer_id"]
    assert (tables["dim_customer"]["own"] == keys).all()
    for name in (FEATURES, "source_entity_map", "fct_day"):
        assert set(tables[name]["customer_id"]) == set(keys), name
        assert (
            plan.table(name).schema.field("customer_id").type == plan.table("dim_customer").schema.field("customer_id").type
        )


def test_a_value_is_explained_by_any_key(tables: dict[str, pd.DataFrame]) -> None:
    for name, key, column in (
        ("fct_order", ["order_id"], "customer_id"),
        ("fct_line", ["order_id", "line_no"], "line_no"),
        ("evt_call", ["call_id"], "customer_id"),
        ("dim_customer", ["customer_id"], "customer_name"),
        ("dim_address", ["address_id"], "city"),
    ):
        row = tables[name].iloc[7]
        period = str(row["date_key"]) if "date_key" in row else "2024-02-01"
        assert explain(plan_of(), name, ",".join(map(str, row[key])), period, column).value == row[column], name
    with pytest.raises(UsageError, match="keys look like 'C"):
        explain(plan_of(), "dim_customer", "C1", "2024-02-01", "customer_name")


def test_more_rows_than_there_is_room_for_end_the_run() -> None:
    """What a metric reaches by chance is not known at load."""
    raw = with_key("fct_order", start=1, most=20)
    raw["metrics"][0] |= {"mean": [0.1, 0.5], "distribution": "negative_binomial", "distribution_params": {"shape": 0.2}}
    with pytest.raises(UsageError, match="its key has room for 20: make `most` larger"):
        generate_tables(from_mapping({**raw, "scale": 40}, name="shop"), tables=["fct_order"])


def test_orphans_refer_to_no_number_that_there_can_be() -> None:
    raw = copy.deepcopy(RAW)
    raw["quality"] = [
        {"table": "fct_line", "issue": "orphaned_keys", "column": name, "rate": 0.2} for name in ("order_id", "product_id")
    ]
    plan = from_mapping(raw, name="shop")
    clean, broken = generate_tables(plan_of()), generate_tables(plan)
    for table, name in (("fct_order", "order_id"), ("dim_product", "product_id")):
        share = 1 - broken["fct_line"][name].isin(clean[table][name]).mean()
        assert 0.1 < share < 0.3
        assert broken["fct_line"][name].dtype == np.int64


def test_weights_of_a_reference_name_whole_numbers_and_formats() -> None:
    for key, keys in (({"start": 7}, [7, 8, 9]), ({"format": "P{n:02}"}, ["P01", "P02", "P03"])):
        raw = with_key("dim_product", **key)
        raw["dimensions"][3] |= {"count": 3}
        raw["facts"][1]["columns"][1]["weights"] = {str(keys[0]): 1, str(keys[1]): 0, str(keys[2]): 0}
        assert set(generate_tables(from_mapping(raw, name="shop"))["fct_line"]["product_id"]) == {keys[0]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("LN{n:04}", "LN0012"), ("{n}", "12"), ("a {n:01}%s", "a 12%s"), ("{n:018}", "000000000000000012")],
)
def test_a_format_writes_its_number(text: str, expected: str) -> None:
    assert read_format(text).text(12) == expected


@pytest.mark.parametrize(
    "text", ["{n.__class__}", "{n!r}", "{0}", "{n:4}", "{n:0>4}", "{{n}}", "{n}{n}", "{}", "x", "{parent}", "{n"]
)
def test_a_format_is_no_program(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a text with \{n\}"):
        read_format(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("[A-Z]{3}-[0-9]{6}", 26**3 * 10**6), ("[a-cb]x{2}", 3), (r"\[[\]\-a]\{", 3), ("[-a]", 2), ("[a-]", 2), ("é[äö]", 2)],
)
def test_a_pattern_has_as_many_texts_as_its_classes_allow(text: str, count: int) -> None:
    assert read_pattern(text).count == count


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "[^a]", "[z-a]", "a+", "(a|b)", "a{0}", "a{101}", "a{1,2}", ".", "[a-z]*", "a\\"]
)
def test_a_pattern_is_a_small_language(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|class|range"):
        read_pattern(text)


def test_all_texts_of_a_form_are_used_before_it_is_refused() -> None:
    raw = with_key("dim_product", pattern="[0-9][a-e]")
    keys = generate_tables(from_mapping(raw, name="shop"))["dim_product"]["product_id"]
    assert sorted(keys) == sorted(f"{digit}{letter}" for digit in range(10) for letter in "abcde")
    with pytest.raises(ConfigError, match="there are 45 keys of this form, and there may be 50 rows"):
        from_mapping(with_key("dim_product", pattern="[1-9][a-e]"), name="shop")


def test_a_permutation_of_pairs_is_one() -> None:
    numbers = np.arange(64, dtype=np.uint64)
    left, right = (part.ravel() for part in np.meshgrid(numbers[:8], numbers[:8]))
    one, other = permute_pairs(left, right, 3, np.uint64(99))
    assert len({*zip(one.tolist(), other.tolist(), strict=True)}) == 64
    assert max(one.max(), other.max()) < 8


def test_case_of_keys_that_a_source_system_writes() -> None:
    """Six digits with leading zeros as texts, whole numbers for a legacy schema, and numbers of visits."""
    raw: dict[str, Any] = {
        "about": "Patients",
        "unit": "patient",
        "window": {"start": "2024-01", "end": "2024-03", "every": "month"},
        "metrics": [{"name": "need", "type": "count", "polarity": "positive", "mean": [1, 3]}],
        "segments": [{"name": "all", "count": 3000, "archetype": "growth", "arrival": {"kind": "uniform", "end": 2}}],
    }
    refs = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "patnum", "type": "ref.dim_patient"}]
    visits = {"name": "fct_visit", "row_count_driver": "need", "columns": [*refs, {"name": "visit_no", "type": "sequence"}]}
    for key in ({"pattern": "[0-9]{6}"}, {"start": 300001}, {"format": "PO-2024-{n:06}"}):
        patients = {"name": "dim_patient", "per": "unit", "columns": [{"name": "patnum", "type": "id", **key}]}
        tables = generate_tables(from_mapping({**raw, "dimensions": [patients], "facts": [visits]}, name="patients"))
        keys = tables["dim_patient"]["patnum"]
        assert keys.is_unique
        assert len(keys) == 3000
        assert tables["fct_visit"]["patnum"].isin(keys).all()
        assert (
            (keys.str.len() == {"pattern": 6, "format": 14}[next(iter(key))]).all()
            if "start" not in key
            else keys.min() >= 300001
        )
        assert keys.astype(str).str.startswith("0").any() == ("pattern" in key)
        assert tables["fct_visit"]["visit_no"].min() == 1


def table(name: str, per: Any, *columns: str, rows: Any = None, **options: Any) -> dict[str, Any]:
    """Return a table of the section `tables` with columns that are written "name type"; `options` are those of the first."""
    listed = [dict(zip(("name", "type"), column.split(), strict=True)) for column in columns]
    shape = {word: value for word, value in (("per", per), ("rows", rows)) if value}
    return {"name": name, **shape, "columns": [{**listed[0], **options}, *listed[1:]]}


SHAPED: dict[str, Any] = {
    "about": "A shop and its orders",
    "unit": "customer",
    "window": ["2024-01", "2024-06", "month"],
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [2, 30]}],
    "segments": [{"name": "loyal", "count": 40, "archetype": "growth"}],
    "tables": [
        table("customers", "customer", "customer_id id", format="C{n:08}"),
        table("accounts", "customer", "customer_id ref.customers", "word faker.word", rows=1, key=True),
        table("cards", "customer", "card_no sequence", rows=[1, 3]),
        table("products", None, "product_id id", rows=20, start=1001),
        table("orders", ["customer", "period"], "order_id id", rows={"poisson": "visits", "scale": 0.1}, start=1, most=90),
        table("calls", ["customer", "period"], "call_id id", rows=[0, 2], start=5),
        table("lines", "orders", "line_no sequence", "product_id ref.products", rows=[1, 4]),
        table("parts", "lines", "part_no sequence", rows=[0, 2], start=0),
        table("bills", "orders", "order_id ref.orders", key=True),
        table("receipts", "orders", "receipt_id uuid", rows=[0, 1]),
        table("stubs", "receipts", "stub_id id", format="{parent}/{n}"),
    ],
}


def test_tables_of_any_shape_have_keys_of_all_forms() -> None:
    plan = from_mapping(SHAPED, name="shop")
    tables = generate_tables(plan)
    keys = {
        "accounts": ("customer_id",),
        "cards": ("customer_id", "card_no"),
        "orders": ("order_id",),
        "calls": ("call_id",),
        "lines": ("order_id", "line_no"),
        "parts": ("order_id", "line_no", "part_no"),
        "bills": ("order_id",),
        "stubs": ("stub_id",),
    }
    assert {name: plan.table(name).key for name in keys} == keys
    for table in plan.tables:
        assert len(tables[table.name]) > 5
        assert not tables[table.name].duplicated(list(table.key)).any(), table.name
        for column, parent, key in table.references:
            assert tables[table.name][column].isin(tables[parent][key]).all(), (table.name, column)
    assert (tables["stubs"]["stub_id"] == tables["stubs"]["receipt_id"] + "/1").all()


PLAIN: dict[str, Any] = {
    "about": "Logs of a cluster",
    "unit": "team",
    "window": {"start": "2024-01", "end": "2025-06", "every": "month", "span": 12},
    "metrics": [{"name": "load", "type": "score", "polarity": "positive"}],
    "segments": [{"name": "all", "count": 2, "archetype": "growth"}],
    "tables": [
        table("teams", "team", "team_id id"),
        table("jobs", None, "job_id id", rows=1000, start=1, dense=True),
        table("stages", "jobs", "stage_id sequence", rows=[1, 5], start=0),
        table("tasks", "jobs", "task_id id", rows=[0, 3], start=1, most=5),
        table("codes", None, "code id", rows=676, pattern="[A-Z]{2}"),
        table("calls", None, "call_id id", "called_at timestamp", rows=500, start=10_000_000_000, dense=True),
        table("notes", "calls", "note_id id", rows=[1, 2], format="N{n:04}"),
    ],
}


def test_plain_rows_are_dense_and_their_children_follow_from_them() -> None:
    """Those with moments in the order of time, over several spans, in whatever slice they are made."""
    plan = from_mapping(PLAIN, name="logs")
    tables = generate_tables(plan)
    jobs, tasks, calls, notes = (tables[name] for name in ("jobs", "tasks", "calls", "notes"))
    assert jobs["job_id"].tolist() == list(range(1, 1001))
    assert ((tasks["task_id"] - 1) // 5 == tasks["job_id"] - 1).all()
    assert len(set(tables["codes"]["code"])) == 676
    assert calls["call_id"].tolist() == list(range(10_000_000_000, 10_000_000_000 + len(calls)))
    assert len(calls) > 500
    assert calls["called_at"].is_monotonic_increasing
    assert notes["note_id"].is_unique
    assert plan.table("stages").key == ("job_id", "stage_id")
    part = generate_tables(plan, tables=["calls"], periods="2025-02")["calls"]
    assert part["call_id"].tolist() == calls["call_id"][calls["date_key"] == 20250201].tolist()
    longer = from_mapping({**PLAIN, "window": {**PLAIN["window"], "end": "2026-03"}}, name="logs")
    assert unchanged(plan, longer) == []


def test_every_table_of_the_page_is_made() -> None:
    assert set(names(plan_of())) >= {
        table["name"] for section in ("dimensions", "facts", "events") for table in RAW[section]
    }


def test_a_change_log_orders_whole_numbers_as_numbers() -> None:
    """The texts that order all changes have zeros before the key."""
    raw = {
        "about": "Shops",
        "unit": "shop",
        "window": ["2024-01", "2024-06", "month"],
        "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [5, 50]}],
        "segments": [{"name": "small", "count": 12, "archetype": "growth"}],
        "dimensions": [
            {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id", "start": 1, "units": 1000}]}
        ],
        "events": [{"name": "log_shop", "changes_of": "dim_shop"}],
    }
    rows = generate_tables(from_mapping(raw, name="shops"))["log_shop"]
    order = rows.sort_values("sequence")
    assert list(order["shop_id"]) == list(rows.sort_values(["date_key", "shop_id"])["shop_id"])
    assert all(len(text) == len(rows["sequence"][0]) for text in rows["sequence"])
