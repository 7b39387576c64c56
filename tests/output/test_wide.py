"""Wide tables: the fact's rows, with what the dimensions say of them at the time."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import duckdb
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables, write_tables
from tests.output.support import RAW, plan_with, rows

PLAN = plan_with("csv", denormalized=True)


def changed(**sections: Any) -> dict[str, Any]:
    return {**copy.deepcopy(RAW), "output": {"denormalized": True}, **sections}


def test_each_fact_has_one_and_nothing_else_has() -> None:
    names = [table.name for table in PLAN.tables]
    assert [name for name in names if name.endswith("_wide")] == ["fct_month_wide"]
    assert [name for name in names if not name.endswith("_wide")] == [table.name for table in plan_with().tables]


def test_it_is_the_fact_joined_to_the_versions_that_were_valid(tmp_path: Path) -> None:
    """A left join in SQL, on the version's key, gives the same rows."""
    with duckdb.connect() as connection:
        for table in PLAN.tables:
            connection.register(f"{table.name}", rows(PLAN, table.name))
        wide = PLAN.table("fct_month_wide")
        joined = [c.name for c in wide.columns if "__" in c.name]
        selection = ", ".join(
            f"{ {'dim_shop': 's', 'dim_date': 'd', 'select': 'p'}[n.partition('__')[0]] }.{n.partition('__')[2]!r}".replace(
                "'", '"'
            )
            + f' AS "{n}"'
            for n in joined
        )
        sql = (
            f"SELECT f.*, {selection} FROM fct_month f LEFT JOIN dim_shop s USING (dim_row_id) "
            'LEFT JOIN dim_date d USING (date_key) LEFT JOIN "select" p USING (plan_id)'
        )
        expected = connection.sql(sql).to_arrow_table().to_pylist()
    table_rows = rows(PLAN, "fct_month_wide").to_pylist()
    assert sorted(map(repr, table_rows)) == sorted(map(repr, expected))
    assert {"dim_date__month", "dim_shop__tier", "dim_shop__city", "dim_shop__extra", "select__price"} <= set(joined)
    ends = ("dim_shop__shop_id", "dim_shop__valid_to", "dim_shop__is_current", "dim_date__date_key")
    assert not set(ends) & set(joined)
    assert len(set(rows(PLAN, "fct_month_wide")["dim_shop__tier"].to_pylist())) > 1


def test_values_are_those_of_the_fact_and_money_stays_money() -> None:
    """It shares the fact's draws, keys and references; prices that come from a dimension have their decimals."""
    fact, wide = rows(PLAN, "fct_month"), rows(PLAN, "fct_month_wide")
    assert wide.select(fact.column_names).equals(fact)
    plan = PLAN.table("fct_month_wide")
    assert (plan.key, plan.time, plan.references) == (
        PLAN.table("fct_month").key,
        PLAN.table("fct_month").time,
        PLAN.table("fct_month").references,
    )
    assert {c.name: c.decimals for c in plan.columns}["select__price"] == 2


def test_no_row_knows_the_future() -> None:
    """A window that ends earlier gives the same rows."""
    shorter = from_mapping(changed(window={**RAW["window"], "end": "2024-06", "span": 12}), name="shops")
    longer = from_mapping(changed(window={**RAW["window"], "span": 12}), name="shops")
    early = rows(shorter, "fct_month_wide")
    assert early.equals(rows(longer, "fct_month_wide").slice(0, early.num_rows))


def test_a_second_reference_to_a_dimension_is_named_after_its_column() -> None:
    """Both rows' columns are there."""
    raw = changed()
    raw["facts"][0]["columns"].append({"name": "former_plan_id", "type": "ref.select"})
    tables = generate_tables(from_mapping(raw, name="shops"))
    wide, prices = tables["fct_month_wide"], tables["select"].set_index("plan_id")["price"]
    assert (wide["select__price"] == wide["plan_id"].map(prices)).all()
    assert (wide["former_plan__price"] == wide["former_plan_id"].map(prices)).all()
    assert (wide["former_plan__price"] != wide["select__price"]).any()


def test_lines_of_orders_are_wide_too() -> None:
    """A fact whose rows belong to rows of another refers to what these refer to."""
    raw = changed()
    raw["facts"].append(
        {
            "name": "fct_line",
            "parent_table": "evt_visit",
            "children_per_row": [1, 3],
            "columns": [
                {"name": "line_id", "type": "id"},
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "plan_id", "type": "ref.select"},
                {"name": "price", "type": "lookup.select.price"},
            ],
        }
    )
    tables = generate_tables(from_mapping(raw, name="shops"))
    line, wide = tables["fct_line"], tables["fct_line_wide"]
    assert wide[list(line.columns)].equals(line)
    assert (wide["select__price"] == wide["price"]).all()
    assert wide["dim_shop__city"].notna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "fct_month_wide"}, "a table is named fct_month_wide already"),
        ({"name": "fct_" + "m" * 56}, "of more than 63 letters"),
        ({"columns": [*RAW["facts"][0]["columns"], {"name": "dim_shop__city", "type": "static.x"}]}, "two columns named"),
    ],
)
def test_names_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    second = {**RAW["facts"][0], **change}
    facts = [RAW["facts"][0], second] if "name" in change else [second]
    with pytest.raises(ConfigError, match=message):
        from_mapping(changed(facts=facts), name="shops")


@pytest.mark.slow
def test_files_of_wide_tables_are_written_in_every_format(tmp_path: Path) -> None:
    plan: Plan = PLAN
    for format in ("csv", "parquet", "jsonl"):
        write_tables(plan, tmp_path, format=format)
        assert (tmp_path / f"fct_month_wide.{format}").exists()
