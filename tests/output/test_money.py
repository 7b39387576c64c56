"""Money to the cent: columns with `decimals` are exact decimals in every table, format and check."""

import csv
import json
import sqlite3
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plotsim_core import ConfigError, Plan, UsageError, batches, explain, from_mapping, generate_tables, write_tables
from plotsim_core.engine.slice import full_slice
from plotsim_core.output.format import FORMATS
from plotsim_core.validation.report import check_store
from plotsim_core.validation.store import directory_store
from tests.marks import slow_but

CENT = pa.decimal128(18, 2)


def config(**more: Any) -> dict[str, Any]:
    """Orders of lines: prices with three decimals, amounts to the cent, totals of the lines."""
    both = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    return {
        "about": "Orders",
        "unit": "shop",
        "window": {"start": "2024-01", "end": "2024-06", "every": "month"},
        "metrics": [
            {"name": "visits", "type": "count", "polarity": "positive", "mean": [4, 20]},
            {"name": "sales", "type": "amount", "polarity": "positive", "range": [0, 1000]},
        ],
        "segments": [{"name": "all", "count": 40, "archetype": "growth"}],
        "dimensions": [
            {
                "name": "dim_shop",
                "per": "unit",
                "columns": [
                    {"name": "shop_id", "type": "id"},
                    {"name": "credit", "type": "range", "range": [0.0, 500.0], "decimals": 2},
                    {"name": "tier", "type": "scd", "tracks": "sales", "tiers": ["low", "top"], "at": [0.5]},
                ],
            },
            {
                "name": "dim_product",
                "reference": True,
                "columns": [
                    {"name": "product_id", "type": "id"},
                    {"name": "price", "type": "static.2.775,0.125,2.675,1.005,19.99,0.10,0.30", "decimals": 3},
                ],
            },
        ],
        "facts": [
            {
                "name": "fct_month",
                "columns": [
                    *both,
                    {"name": "sales", "type": "metric.sales", "decimals": 2},
                    {"name": "before", "type": "lag.sales", "decimals": 2},
                ],
            },
            {
                "name": "fct_order",
                "row_count_driver": "visits",
                "columns": [
                    {"name": "order_id", "type": "id"},
                    *both,
                    {"name": "net", "type": "total.fct_line.net"},
                    {"name": "tax", "type": "total.fct_line.tax"},
                    {"name": "gross", "type": "expression", "formula": "net + tax", "decimals": 2},
                    {"name": "plain", "type": "total.fct_line.plain"},
                    {"name": "adds_up", "type": "expression", "formula": "gross == net + tax"},
                ],
            },
            {
                "name": "fct_line",
                "parent_table": "fct_order",
                "children_per_row": [1, 6],
                "columns": [
                    {"name": "line_id", "type": "id"},
                    *both,
                    {"name": "product_id", "type": "ref.dim_product"},
                    {"name": "quantity", "type": "range", "range": [1, 9]},
                    {"name": "price", "type": "lookup.dim_product.price"},
                    {"name": "net", "type": "expression", "formula": "quantity * price", "decimals": 2},
                    {"name": "tax", "type": "expression", "formula": "net * 20 / 100", "decimals": 2},
                    {"name": "plain", "type": "expression", "formula": "round(quantity * price, 2)"},
                ],
            },
            {"name": "snp_shop", "snapshot_of": "dim_shop", "every": "quarter"},
        ],
        **more,
    }


def plan_of(**more: Any) -> Plan:
    return from_mapping(config(**more), name="orders")


def rows(plan: Plan, table: str) -> list[dict[str, Any]]:
    return pa.Table.from_batches(*reversed(batches(plan, table))).to_pylist()


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_lines_are_rounded_and_added_up_as_by_hand() -> None:
    plan = plan_of()
    lines, orders = rows(plan, "fct_line"), rows(plan, "fct_order")
    assert len(lines) > 5000
    for line in lines:
        assert line["net"] == cents(line["quantity"] * line["price"])
        assert line["tax"] == cents(line["net"] * Decimal("0.2"))
        assert line["plain"] == float(line["net"])
    for order in orders:
        entry = [line for line in lines if line["order_id"] == order["order_id"]] if order is orders[0] else None
        assert entry is None or order["net"] == sum(line["net"] for line in entry)
        assert order["gross"] == order["net"] + order["tax"]
        assert order["plain"] == float(order["net"])
        assert order["adds_up"]
    assert sum(order["net"] for order in orders) == sum(line["net"] for line in lines)


def test_types_are_decimals_wherever_a_column_comes_from() -> None:
    plan = plan_of(output={"format": "parquet", "denormalized": True})
    types = {(table.name, column.name): column.type for table in plan.tables for column in table.columns}
    decimals = {place: type_ for place, type_ in types.items() if pa.types.is_decimal(type_)}
    price = pa.decimal128(18, 3)
    assert decimals[("fct_line", "price")] == decimals[("fct_line_wide", "dim_product__price")] == price
    assert decimals[("snp_shop", "credit")] == decimals[("fct_order_wide", "dim_shop__credit")] == CENT
    for name in ("net", "tax", "gross"):
        assert decimals[("fct_order", name)] == decimals[("fct_order_wide", name)] == CENT
    for table in plan.tables:
        schema, pieces = batches(plan, table.name)
        assert pa.Table.from_batches(pieces, schema).schema.equals(table.schema)


@pytest.mark.slow
@pytest.mark.parametrize("format", slow_but(FORMATS, "csv"))
def test_every_format_keeps_them_to_the_cent_and_its_check_is_content(format: str, tmp_path: Path) -> None:
    plan = plan_of(output={"format": format, "denormalized": True})
    write_tables(plan, tmp_path)
    ours = {line["line_id"]: line["net"] for line in rows(plan, "fct_line")}
    assert _amounts(format, tmp_path) == ours
    slice_ = full_slice(plan.population)
    with directory_store(plan, tmp_path, format, slice_.first, slice_.stop) as store:
        report = check_store(store)
    assert not report.failed, report.text()


def _amounts(format: str, folder: Path) -> dict[str, Decimal]:
    """Return the amounts that were written, as another program reads them."""
    if format == "csv":
        with (folder / "fct_line.csv").open() as file:
            texts = {row["line_id"]: row["net"] for row in csv.DictReader(file)}
        assert all(len(text.partition(".")[2]) == 2 for text in texts.values())
        return {key: Decimal(text) for key, text in texts.items()}
    if format == "jsonl":
        lines = [json.loads(line, parse_float=Decimal) for line in (folder / "fct_line.jsonl").read_text().splitlines()]
        return {line["line_id"]: line["net"] for line in lines}
    if format == "parquet":
        read = pq.read_table(folder / "fct_line.parquet")
        assert read.schema.field("net").type == CENT
        return dict(zip(read["line_id"].to_pylist(), read["net"].to_pylist(), strict=True))
    if format == "duckdb":
        with duckdb.connect(folder / "orders.duckdb") as connection:
            assert connection.sql("SELECT DISTINCT typeof(net) FROM fct_line").fetchall() == [("DECIMAL(18,2)",)]
            answer = dict(connection.sql("SELECT line_id, net FROM fct_line").fetchall())
            assert connection.sql("SELECT sum(net) FROM fct_line").fetchall() == [(sum(answer.values()),)]
        return answer
    dump = (folder / "data.sql").read_text()
    assert '"net" NUMERIC(18, 2) NOT NULL' in dump
    statements = dump.partition("-- rows\n")[2].partition("-- keys")[0]
    connection = sqlite3.connect(":memory:")
    table = next(t for t in plan_of().tables if t.name == "fct_line")
    connection.execute(f"CREATE TABLE fct_line ({', '.join(column.name + ' TEXT' for column in table.columns)})")
    entry = (part for part in statements.split(";\n") if part.startswith('INSERT INTO "fct_line" '))
    connection.executescript(";\n".join(entry) + ";")
    return {key: Decimal(str(net)) for key, net in connection.execute("SELECT line_id, net FROM fct_line")}


@pytest.mark.slow
def test_what_is_broken_on_purpose_stays_decimal_where_it_is_a_number(tmp_path: Path) -> None:
    line = {"table": "fct_line", "rate": 0.1}
    plan = plan_of(
        quality=[
            {**line, "issue": "restatement", "column": "net"},
            {**line, "issue": "schema_drift", "column": "price"},
            {**line, "issue": "null_injection", "column": "tax"},
            {"table": "fct_month", "issue": "type_mismatch", "rate": 0.1, "column": "sales"},
        ]
    )
    types = {(table.name, column.name): column.type for table in plan.tables for column in table.columns}
    assert types[("fct_line", "net")] == CENT
    assert types[("fct_line", "tax")] == CENT
    assert types[("fct_month", "sales")] == pa.string()
    write_tables(plan, tmp_path, format="parquet")
    slice_ = full_slice(plan.population)
    with directory_store(plan, tmp_path, "parquet", slice_.first, slice_.stop) as store:
        assert not check_store(store).failed


def test_frames_hold_decimals_and_explain_tells_them() -> None:
    plan = plan_of()
    line = generate_tables(plan)["fct_line"].iloc[0]
    assert isinstance(line["net"], Decimal)
    text = explain(plan, "fct_line", line["line_id"], "2024-01", "net").text()
    assert str(line["net"]) in text


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"type": "range", "range": [1, 9]}, "decimals: has no effect: x has whole numbers"),
        ({"type": "choice", "values": ["a", "b"]}, "decimals: has no effect: x has no numbers"),
        ({"type": "lookup.dim_product.price"}, "decimals: has no effect: x has the 3 decimals of what it is made from"),
    ],
)
def test_a_column_without_fractions_is_refused(column: dict[str, Any], message: str) -> None:
    raw = config()
    raw["facts"][2]["columns"].append({"name": "x", "decimals": 2, **column})
    with pytest.raises(ConfigError, match="has no effect") as error:
        from_mapping(raw, name="orders")
    assert message in str(error.value)


def test_an_amount_with_too_many_digits_is_told() -> None:
    raw = config()
    raw["facts"][0]["columns"].append(
        {"name": "large", "type": "expression", "formula": "sales * 1000000000", "decimals": 9}
    )
    with pytest.raises(UsageError, match=r"fct_month\.large has values of more than 18 digits"):
        generate_tables(from_mapping(raw, name="orders"))


def test_a_total_is_exact_or_near_however_large_it_is() -> None:
    """Sums of more than 2^53 units are those of doubles, and do not wrap around."""
    raw = config()
    large = {"name": "large", "type": "expression", "formula": "round(quantity * 100000000000 * 1000000, 2)"}
    raw["facts"][2]["columns"].append(large)
    raw["facts"][1]["columns"].append({"name": "large", "type": "total.fct_line.large"})
    plan = from_mapping(raw, name="orders")
    sums: dict[str, float] = {}
    for line in rows(plan, "fct_line"):
        sums[line["order_id"]] = sums.get(line["order_id"], 0.0) + line["large"]
    orders = rows(plan, "fct_order")
    assert max(sums.values()) * 100 > 2.0**63
    assert [order["large"] for order in orders] == pytest.approx([sums.get(order["order_id"], 0.0) for order in orders])


def test_a_total_with_too_many_digits_is_told() -> None:
    raw = config()
    large = {"name": "large", "type": "expression", "formula": "quantity * 900000000000 * 1000.25", "decimals": 2}
    raw["facts"][2]["columns"].append(large)
    raw["facts"][1]["columns"].append({"name": "large", "type": "total.fct_line.large"})
    with pytest.raises(UsageError, match=r"fct_order\.large has values of more than 18 digits, its 2 decimals included"):
        rows(from_mapping(raw, name="orders"), "fct_order")
