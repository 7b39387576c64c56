"""What every column may say: nulls, hidden columns, values of their own, other types, and how columns are written."""

from __future__ import annotations

import copy
import json
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from plotsim_core import Plan, explain, from_mapping, load_config, write_tables
from plotsim_core.config.read import yaml_text
from plotsim_core.engine.slice import full_slice
from plotsim_core.output.format import FORMATS
from plotsim_core.validation.report import check_store
from plotsim_core.validation.store import directory_store
from tests.laws.made import made_table

SHOPS: dict[str, Any] = {
    "about": "Shops",
    "unit": "shop",
    "window": ["2024-01", "2024-06", "month"],
    "metrics": [
        {"name": "visits", "type": "count", "polarity": "positive", "mean": [5, 30]},
        {"name": "sales", "type": "amount", "polarity": "positive", "range": [0, 900]},
    ],
    "segments": [{"name": "small", "count": 40, "archetype": "growth", "attributes": {"colour": ["red", "blue"]}}],
    "dimensions": [
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": {
                "shop_id": "id",
                "colour": "pool.colour",
                "phone": "faker.phone_number",
                "badge": {"type": "range", "range": [10_000, 99_999], "unique": True},
            },
        },
        {
            "name": "dim_item",
            "reference": True,
            "count": 30,
            "columns": {
                "item_id": "id",
                "label": {"type": "choice", "values": [f"item {n}" for n in range(30)], "unique": True},
                "price": "static.2.5,4,9.75",
            },
        },
    ],
    "facts": [
        {
            "name": "fct_month",
            "columns": {
                "date_key": "ref.dim_date",
                "shop_id": "ref.dim_shop",
                "sales": "metric.sales",
                "score": {"type": "range", "range": [1, 100]},
                "colour": "lookup.dim_shop.colour",
            },
        },
        {
            "name": "fct_order",
            "row_count_driver": "visits",
            "row_count_scale": 0.3,
            "columns": {
                "order_id": "id",
                "date_key": "ref.dim_date",
                "shop_id": "ref.dim_shop",
                "item_id": "ref.dim_item",
                "price": "lookup.dim_item.price",
                "quantity": {"type": "range", "range": [1, 9]},
                "amount": "= price * quantity",
                "total": "total.fct_line.pieces",
                "at": "timestamp",
            },
        },
        {
            "name": "fct_line",
            "parent_table": "fct_order",
            "children_per_row": [1, 3],
            "columns": {
                "line_id": "id",
                "date_key": "ref.dim_date",
                "shop_id": "ref.dim_shop",
                "item_id": "ref.dim_item",
                "pieces": {"type": "range", "range": [1, 5]},
            },
        },
    ],
    "events": [
        {
            "name": "evt_return",
            "trigger": "proportional",
            "driver": "visits",
            "scale": 0.2,
            "columns": {
                "return_id": "id",
                "date_key": "ref.dim_date",
                "shop_id": "ref.dim_shop",
                "order_id": "ref.fct_order",
                "amount": "lookup.fct_order.amount",
            },
        }
    ],
}
TABLES = ("dim_shop", "dim_item", "fct_month", "fct_order", "fct_line", "evt_return")
NULLS: dict[str, dict[str, Any]] = {
    "dim_shop": {"colour": 0.4, "phone": {"where": "colour == 'red'"}, "badge": 0.2},
    "dim_item": {"price": 0.3},
    "fct_month": {"sales": 0.2, "score": {"where": "score > 50 and sales > 100"}},
    "fct_order": {"item_id": 0.25, "quantity": {"where": "quantity > 5", "rate": 0.5}, "at": 0.1},
    "fct_line": {"pieces": 0.3},
    "evt_return": {"order_id": 0.4},
}
"""Nulls of some columns of each table."""
READERS = {
    "fct_month": {"colour"},
    "fct_order": {"price", "amount", "total"},
    "fct_line": {"item_id"},
    "evt_return": {"amount"},
}
"""Columns that read what has nulls, or that their parents' rows have."""


def with_words(raw: dict[str, Any], words: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return a config with more words at some columns, by table and column."""
    raw = copy.deepcopy(raw)
    for section in ("dimensions", "facts", "events"):
        for table in raw[section]:
            for name, options in words.get(table["name"], {}).items():
                column = table["columns"][name]
                table["columns"][name] = {**(column if isinstance(column, dict) else {"type": column}), **options}
    return raw


def plan_of(words: dict[str, dict[str, dict[str, Any]]] | None = None, **sections: Any) -> Plan:
    return from_mapping({**with_words(SHOPS, words or {}), **sections}, name="shops")


HOLED = {table: {name: {"nulls": nulls} for name, nulls in columns.items()} for table, columns in NULLS.items()}


def faults(plan: Plan, folder: Path) -> set[str]:
    """Return the checks that find something wrong in the files of a folder."""
    slice_ = full_slice(plan.population)
    with directory_store(plan, folder, plan.dataset.output.format, slice_.first, slice_.stop) as store:
        return {name for name, finding in check_store(store).findings if not finding.passed}


def mask(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    return np.asarray(table[name].is_null())


@pytest.mark.parametrize("name", TABLES)
def test_nulls_move_no_other_value(name: str) -> None:
    """Nor a row: of a column with nulls, and of those that read it, what is left is what was there."""
    whole, holed = made_table(plan_of(), name), made_table(plan_of(HOLED), name)
    assert holed.num_rows == whole.num_rows > 0
    affected_names = {*NULLS[name], *READERS.get(name, ())}
    for column in whole.column_names:
        if column not in affected_names:
            assert holed[column].equals(whole[column]), column
        elif column != "total":
            assert holed[column].null_count > 0, column
            assert holed[column].drop_null().equals(whole[column].filter(pc.is_valid(holed[column]))), column


def test_nulls_are_as_many_as_declared() -> None:
    plan = plan_of(HOLED, segments=[{**SHOPS["segments"][0], "count": 1400}])
    shops = made_table(plan, "dim_shop")
    assert abs(mask(shops, "colour").mean() - 0.4) < 0.04
    quantity = made_table(plan_of(), "fct_order")["quantity"]
    holed_orders = made_table(plan_of(HOLED), "fct_order")
    is_null, is_large = mask(holed_orders, "quantity"), np.asarray(quantity) > 5
    assert not (is_null & ~is_large).any()
    assert abs(is_null[is_large].mean() - 0.5) < 0.12


def test_a_formula_says_exactly_where() -> None:
    """It reads its own column as it would be, and the nulls of others: what is not known is not true."""
    holed, whole = made_table(plan_of(HOLED), "fct_month"), made_table(plan_of(), "fct_month")
    score, sales = np.asarray(whole["score"]), np.asarray(holed["sales"].fill_null(0.0))
    assert np.array_equal(mask(holed, "score"), (score > 50) & (sales > 100))
    shops = made_table(plan_of(HOLED), "dim_shop")
    assert np.array_equal(mask(shops, "phone"), np.asarray(pc.equal(shops["colour"], "red").fill_null(False)))


def test_what_reads_a_column_reads_its_nulls() -> None:
    plan = plan_of(HOLED)
    items, orders, lines, returns = (made_table(plan, name) for name in ("dim_item", "fct_order", "fct_line", "evt_return"))
    prices = dict(zip(items["item_id"].to_pylist(), items["price"].to_pylist(), strict=True))
    assert orders["price"].to_pylist() == [prices.get(item) for item in orders["item_id"].to_pylist()]
    assert np.array_equal(mask(orders, "amount"), mask(orders, "price") | mask(orders, "quantity"))
    by_order: dict[str, int] = {}
    for line, pieces in zip(lines["line_id"].to_pylist(), lines["pieces"].to_pylist(), strict=True):
        order = line.rpartition("-")[0].replace("LIN-", "ORD-", 1)
        by_order[order] = by_order.get(order, 0) + (pieces or 0)
    assert orders["total"].to_pylist() == [by_order[order] for order in orders["order_id"].to_pylist()]
    parent_items = dict(zip(orders["order_id"].to_pylist(), orders["item_id"].to_pylist(), strict=True))
    line_orders = [line.rpartition("-")[0].replace("LIN-", "ORD-", 1) for line in lines["line_id"].to_pylist()]
    assert lines["item_id"].to_pylist() == [parent_items[order] for order in line_orders]
    assert np.all(mask(returns, "amount")[mask(returns, "order_id")])


@pytest.mark.parametrize("name", TABLES)
def test_any_slice_has_the_nulls_of_the_whole(name: str) -> None:
    plan = plan_of(HOLED)
    whole, table = made_table(plan, name), plan.table(name)
    if table.time is None:
        assert made_table(plan, name, plan.first + 2, plan.first + 3).equals(whole)
        return
    parts = [made_table(plan, name, period, period + 1) for period in range(plan.first, plan.first + 6)]
    assert pa.concat_tables(parts).combine_chunks().equals(whole.combine_chunks())


@pytest.mark.parametrize("name", TABLES)
def test_more_units_and_another_segment_move_no_null(name: str) -> None:
    segment = SHOPS["segments"][0]
    more = plan_of(HOLED, segments=[{**segment, "count": 55}, {**segment, "name": "big", "count": 7}])
    plan = plan_of(HOLED)
    key = plan.table(name).key
    whole, larger = made_table(plan, name), made_table(more, name)
    keys = {tuple(row.values()) for row in whole.select(key).to_pylist()}
    rows = [row for row in larger.to_pylist() if tuple(row[part] for part in key) in keys]
    assert rows == whole.to_pylist()


HIDDEN = {
    "dim_shop": {"badge": {}},
    "fct_order": {"price": {"hidden": True}, "item_id": {"hidden": True}},
    "fct_line": {"pieces": {"hidden": True}},
}


@pytest.mark.slow
def test_a_hidden_column_is_read_and_not_stored(tmp_path: Path) -> None:
    plan = plan_of(HIDDEN, output={"format": "parquet", "denormalized": True})
    for name in TABLES:
        hidden_names = {column for column, words in HIDDEN.get(name, {}).items() if words}
        whole = made_table(plan_of(), name)
        assert made_table(plan, name).equals(whole.drop_columns([*hidden_names & {*whole.column_names}]))
        assert not hidden_names & {*plan.table(name).schema.names, *(c for c, _, _ in plan.table(name).references)}
    assert "dim_item__price" not in plan.table("fct_order_wide").schema.names
    write_tables(plan, tmp_path)
    assert "pieces" not in pq.read_schema(tmp_path / "fct_line.parquet").names
    assert "pieces" not in json.loads((tmp_path / "manifest.json").read_text())["tables"]["fct_line"]["columns"]
    assert faults(plan, tmp_path) == set()


def test_unique_values_stay_when_others_come() -> None:
    segment = SHOPS["segments"][0]
    few, more = (plan_of(segments=[{**segment, "count": count}, *further]) for count, further in (
        (40, []), (300, [{**segment, "name": "big", "count": 90}]),
    ))  # fmt: skip
    badges, later_badges = (
        dict(zip(table["shop_id"].to_pylist(), table["badge"].to_pylist(), strict=True))
        for table in (made_table(few, "dim_shop"), made_table(more, "dim_shop"))
    )
    assert len({*later_badges.values()}) == 390
    assert {shop: later_badges[shop] for shop in badges} == badges
    assert all(10_000 <= badge <= 99_999 for badge in later_badges.values())
    assert sorted(made_table(few, "dim_item")["label"].to_pylist()) == sorted(f"item {n}" for n in range(30))


AS: dict[str, tuple[Any, str, pa.DataType, Any]] = {
    "whole": ({"type": "range", "range": [-9.5, 9.5]}, "integer", pa.int64(), int),
    "money": ({"type": "range", "range": [0, 999]}, "decimal(8, 2)", pa.decimal128(8, 2), Decimal),
    "real": ({"type": "static", "values": ["1.5", "2.25"]}, "number", pa.float64(), float),
    "digits": ({"type": "static", "values": ["0.125", "2.675"]}, "decimal(4, 2)", pa.decimal128(4, 2), Decimal),
    "words": ({"type": "metric.sales"}, "text", pa.string(), str),
    "day": ({"type": "timestamp"}, "date", pa.date32(), date),
    "read_day": ({"type": "static", "values": ["2024-02-29"]}, "date", pa.date32(), date),
    "clock": ({"type": "timestamp"}, "time", pa.time64("us"), time),
    "opened": ({"type": "choice", "values": ["09:30:00", "10:00:00"]}, "time", pa.time64("us"), time),
    "yes": ({"type": "range", "range": [0, 1]}, "boolean", pa.bool_(), bool),
    "said": ({"type": "choice", "values": ["true", "false"], "weights": [1, 3]}, "boolean", pa.bool_(), bool),
    "grade": ({"type": "choice", "values": ["low", "high"]}, "enum", pa.dictionary(pa.int32(), pa.string()), str),
    "hue": ({"type": "lookup.dim_shop.colour"}, "enum", pa.dictionary(pa.int32(), pa.string()), str),
}  # fmt: skip
"""Columns by name, with `as`, the type that they are stored with, and that of a value in Python."""


def typed_plan(nulls: float | None = None, **sections: Any) -> Plan:
    raw = copy.deepcopy(SHOPS)
    for name, (column, word, _, _) in AS.items():
        raw["facts"][1]["columns"][name] = {**column, "as": word, **({} if nulls is None else {"nulls": nulls})}
    return from_mapping({**raw, **sections}, name="shops")


def test_values_are_of_the_type_that_is_asked_for() -> None:
    rows = made_table(typed_plan(), "fct_order")
    for name, (_, _, type_, class_) in AS.items():
        assert rows.schema.field(name).type == type_, name
        assert {type(value) for value in rows[name].to_pylist()} == {class_}, name
    assert {*rows["digits"].to_pylist()} == {Decimal("0.13"), Decimal("2.68")}
    assert [moment.date() for moment in rows["at"].to_pylist()] == rows["day"].to_pylist()
    assert [moment.time() for moment in rows["at"].to_pylist()] == rows["clock"].to_pylist()
    assert json.loads(rows.schema.field("grade").metadata[b"values"]) == ["low", "high"]


def test_a_type_changes_no_draw() -> None:
    plain = with_words(SHOPS, {})
    plain["facts"][1]["columns"]["whole"] = AS["whole"][0]
    numbers = made_table(from_mapping(plain, name="shops"), "fct_order")["whole"].to_pylist()
    rounded = made_table(typed_plan(), "fct_order")["whole"].to_pylist()
    assert rounded == [int(abs(number) + 0.5) * (1 if number > 0 else -1) for number in numbers]


@pytest.mark.slow
@pytest.mark.parametrize("format", [name for name, _ in FORMATS.items()])
def test_every_format_has_types_and_nulls(format: str, tmp_path: Path) -> None:
    """Its report finds all of it as declared."""
    plan = typed_plan(0.3, output={"format": format})
    write_tables(plan, tmp_path)
    assert faults(plan, tmp_path) == set()
    if format == "duckdb":
        with duckdb.connect(tmp_path / "shops.duckdb", read_only=True) as connection:
            types = dict(connection.sql("SELECT column_name, column_type FROM (DESCRIBE fct_order)").fetchall())
        assert (types["money"], types["clock"], types["grade"], types["day"]) == ("DECIMAL(8,2)", "TIME", "VARCHAR", "DATE")
    if format == "csv":
        lines = (tmp_path / "fct_order.csv").read_text().splitlines()
        whole = lines[0].replace('"', "").split(",").index("whole")
        assert all(value == "" or value.lstrip("-").isdigit() for value in (line.split(",")[whole] for line in lines[1:]))


@pytest.mark.slow
def test_the_report_judges_the_share_of_nulls(tmp_path: Path) -> None:
    plan = plan_of(HOLED, output={"format": "parquet"}, segments=[{**SHOPS["segments"][0], "count": 400}])
    write_tables(plan, tmp_path)
    assert faults(plan, tmp_path) == set()
    file = tmp_path / "dim_shop.parquet"
    table = pq.read_table(file)
    index = table.schema.get_field_index("colour")
    pq.write_table(table.set_column(index, table.schema.field(index), pa.nulls(len(table), pa.string())), file)
    assert "nulls_only_where_configured" in faults(plan, tmp_path)


def test_a_mapping_says_what_a_list_says() -> None:
    raw = copy.deepcopy(SHOPS)
    for section in ("dimensions", "facts", "events"):
        for table in raw[section]:
            columns = table["columns"].items()
            table["columns"] = [{"name": name, **(c if isinstance(c, dict) else {"type": c})} for name, c in columns]
    assert raw["facts"][1]["columns"][6] == {"name": "amount", "type": "= price * quantity"}
    assert from_mapping(raw, name="shops").digest == plan_of().digest


def test_a_pattern_is_its_columns_written_out(tmp_path: Path) -> None:
    """Each draws by its own name; from a file as from a mapping."""
    raw = copy.deepcopy(SHOPS)
    columns = raw["facts"][0]["columns"]
    columns |= {"r#": {"type": "range", "range": [0, 9], "count": 3}, "d#": {"type": "= r# * 2", "nulls": 0.5, "count": 2}}
    rows = made_table(from_mapping(raw, name="shops"), "fct_month")
    assert rows.column_names[-5:] == ["r1", "r2", "r3", "d1", "d2"]
    assert len({str(rows[name].to_pylist()) for name in ("r1", "r2", "r3")}) == 3
    assert {*rows["d2"].to_pylist()} <= {None, *range(0, 19, 2)}
    path = tmp_path / "shops.yaml"
    path.write_text(yaml_text(raw), encoding="utf-8")
    assert made_table(load_config(path), "fct_month").equals(rows)


def test_a_null_is_explained() -> None:
    plan = plan_of(HOLED)
    shops = made_table(plan, "dim_shop")
    shop = shops["shop_id"].filter(pc.is_null(shops["colour"]))[0].as_py()
    explanation = explain(plan, "dim_shop", shop, "2024-06", "colour")
    assert explanation.value is None
    assert "nulls" in [step.name for step in explanation.steps]


@pytest.mark.slow
def test_nulls_of_what_decides_which_rows_there_are_have_no_share(tmp_path: Path) -> None:
    """A row in which the amount is not known is not kept, so none of those that are has a null."""
    orders = {
        "name": "orders",
        "per": ["shop", "period"],
        "rows": {"poisson": "visits"},
        "where": "twice > 6",
        "columns": {
            "order_id": "id",
            "amount": {"type": "range", "range": [1, 9], "nulls": 0.2},
            "twice": "= amount * 2",
            "note": {"type": "range", "range": [1, 9], "nulls": 0.2},
        },
    }
    plan = plan_of(tables=[orders], output={"format": "parquet"})
    rows = made_table(plan, "orders")
    assert rows["amount"].null_count == 0 < rows["note"].null_count
    write_tables(plan, tmp_path)
    assert faults(plan, tmp_path) == set()
