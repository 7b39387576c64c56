"""Schemas: every batch is what its schema says, and a table that shows another says of each column what that says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from plotsim_core import Plan, batches, from_mapping, list_templates
from plotsim_core.columns.foreign_key import Reference
from plotsim_core.config.read import read
from plotsim_core.engine.slice import Slice, full_slice
from plotsim_core.errors import SchemaError
from plotsim_core.plan.plan import ColumnPlan, TablePlan
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.build import build
from tests.laws.made import CONFIGS, WHOLE, bundled, names
from tests.laws.pieces import PIECES
from tests.laws.strategies import Raw, configs, examples, plan_of
from tests.marks import slow_but

_PERIODS = 40
"""Periods that are made of a bundled dataset: a holiday and a change of tiers lie in them."""


def hold_batches(plan: Plan, stop: int | None = None) -> None:
    """Check every table and stage: its batches have its schema, and nulls only where that says so."""
    for name in names(plan):
        schema, pieces = batches(plan, name, plan.first, stop)
        for batch in pieces:
            assert batch.schema.equals(schema.remove_metadata()), name
            assert not [f.name for f in schema if not f.nullable and batch[f.name].null_count], name


def origin(column: ColumnPlan, table: TablePlan, plan: Plan) -> ColumnPlan | None:
    """Return the column that a derived table shows in one of its own; None for one that it has by itself."""
    if column.spec.word == "lookup" and "__" in column.name:
        of, _, name = column.spec.type.removeprefix("lookup.").partition(".")
        return next(other for other in plan.table(of).columns if other.name == name)
    if not table.shown_table:
        return None
    return next((other for other in plan.table(table.shown_table).columns if other.name == column.name), None)


def hold_origins(plan: Plan) -> None:
    """Check every derived table: its columns are of the types of their origins, with nulls where these have them."""
    clean = plan.clean
    for table in clean.tables:
        nullable = {column.name: column.nullable for column in table.columns}
        for column in table.columns:
            theirs = origin(column, table, clean)
            if theirs is None:
                continue
            missing = getattr(column.spec.source, "by", None) if column.name not in table.key else None
            assert column.type == theirs.type, f"{table.name}.{column.name}"
            assert column.decimals == theirs.decimals, f"{table.name}.{column.name}"
            assert column.nullable == (theirs.nullable or nullable.get(missing or "", False)), f"{table.name}.{column.name}"


def wide(file: Path) -> Plan:
    """Return the plan of a config with wide tables."""
    raw = read(file)
    return from_mapping({**raw, "output": {**raw.get("output", {}), "denormalized": True}}, name=file.stem)


@pytest.mark.parametrize("name", slow_but([*list_templates(), *WHOLE], "minimal", "delivery", "fields"))
def test_every_bundled_config_keeps_what_its_schemas_say(name: str) -> None:
    plan = wide(WHOLE.get(name, CONFIGS / f"{name}.yaml"))
    hold_origins(plan)
    hold_batches(plan, min(plan.first + _PERIODS, bundled(name).stop or 0))


@pytest.mark.slow
@examples(60)
@given(configs(pieces=len(PIECES)))
def test_random_configs_keep_what_their_schemas_say(raw: Raw) -> None:
    plan = plan_of({**raw, "output": {"denormalized": bool(raw.get("facts"))}})
    hold_origins(plan)
    hold_batches(plan)


SHOPS: dict[str, Any] = {
    "about": "Shops, of which some are tried out",
    "unit": "shop",
    "window": ["2024-01", "2024-06", "month"],
    "metrics": [{"name": "visits", "type": "count", "mean": [0.01, 0.02], "polarity": "positive"}],
    "segments": [
        {"name": "tried", "count": 60, "archetype": "flat", "treatment": {"fraction": 0.5, "lift_log_odds": 1}},
        {"name": "other", "count": 60, "archetype": "flat"},
    ],
    "dimensions": [
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": [{"name": "shop_id", "type": "id"}, {"name": "arm", "type": "segment.treatment"}],
        },
        {
            "name": "dim_arm",
            "reference": True,
            "columns": [{"name": "arm_id", "type": "id"}, {"name": "arm", "type": "static.control,treatment"}],
        },
    ],
    "facts": [
        {
            "name": "fct_order",
            "row_count_driver": "visits",
            "columns": [
                {"name": "order_id", "type": "id"},
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "arm_id", "type": "ref.dim_arm", "matching": {"arm": "arm"}},
                {"name": "price", "type": "total.fct_line.price"},
            ],
        },
        {
            "name": "fct_line",
            "parent_table": "fct_order",
            "children_per_row": [1, 2],
            "columns": [
                {"name": "line_id", "type": "id"},
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "arm_id", "type": "ref.dim_arm"},
                {"name": "price", "type": "range", "range": [1.5, 9.5]},
            ],
        },
    ],
    "output": {"denormalized": True},
}


def test_rows_that_belong_to_others_lack_what_these_lack() -> None:
    """A reference that may find nothing is nullable in the rows that take it over, and in what is looked up by it."""
    plan = from_mapping(SHOPS, name="shops")
    for name in ("fct_order", "fct_order_wide", "fct_line", "fct_line_wide"):
        nullable = {column.name for column in plan.table(name).columns if column.nullable}
        wide_columns = {"dim_shop__arm", "dim_arm__arm"} if name.endswith("_wide") else set()
        assert nullable == {"arm_id", *wide_columns}, name
    hold_batches(plan)


def test_a_total_of_no_rows_is_of_its_type() -> None:
    """Blocks without any row are made too."""
    plan = from_mapping(SHOPS, name="shops")
    table = plan.table("fct_order")
    rows = [batch.num_rows for n in range(40) for batch in build(plan, table, Slice(plan.first, plan.first + 1, n, n + 1))]
    assert 0 in rows


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "shop_id",
            pa.nulls(2, pa.string()),
            "fct_order.shop_id has 2 nulls in 2 rows, and its schema says that it has none",
        ),
        ("price", pa.array([1, 2], pa.int64()), "fct_order.price is of type int64, and its schema says double"),
    ],
)
def test_a_batch_that_is_not_what_its_schema_says_is_refused(name: str, values: pa.Array, message: str) -> None:
    table = from_mapping(SHOPS, name="shops").table("fct_order")
    sound = {c.name: pa.nulls(2, c.type) if c.nullable else pa.array([0, 0]).cast(c.type) for c in table.columns}
    assert batch_of(table, list(sound.values())).num_rows == 2
    with pytest.raises(SchemaError, match=re.escape(message)):
        batch_of(table, list({**sound, name: values}.values()))


def test_a_source_that_forgets_a_value_is_found_where_its_rows_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = from_mapping(SHOPS, name="shops")
    monkeypatch.setattr(Reference, "fill", lambda source, column, table, rows: pa.nulls(len(rows), column.type))
    with pytest.raises(SchemaError, match=r"fct_order\.date_key has"):
        list(build(plan, plan.table("fct_order"), full_slice(plan.population)))
