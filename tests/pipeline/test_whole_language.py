"""The whole language through Dagster: a config with every kind and source, in any order, on both stores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
import yaml

from plotsim_core import Plan, batches, load_config
from plotsim_core.config.read import read
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.stages import stage_names, stage_table
from plotsim_core.validation.check import CHECKS
from plotsim_pipeline.datasets import CONFIGS_VARIABLE, dataset_definitions, load_datasets
from plotsim_pipeline.partitions import periods_in
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import KINDS, keys_of, materialise, store_at

ROOT = Path(__file__).parent.parent.parent
MONTHS = 5
PARTS = [slice(3, 4), slice(0, 2), slice(2, 5)]
"""Places of the months that are made, run after run: one alone, older ones, and the rest with one of them again."""


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two configs that use the whole language, one of them shorter and with wide tables and a log."""
    folder = tmp_path_factory.mktemp("configs")
    raw = read(ROOT / "tests" / "fields.yaml")
    raw["window"] = {**raw["window"], "end": f"2024-{MONTHS:02}"}
    raw["output"] = {"format": "parquet", "directory": "elsewhere", "denormalized": True, "partition_by": "date_key"}
    raw["manifest"] = {"include": True}
    next(table for table in raw["dimensions"] if table["name"] == "dim_time")["every"] = "hour"
    fact = next(fact for fact in raw["facts"] if fact["name"] == "fct_sources")
    fact["columns"].append({"name": "mood_level", "type": "bucket", "labels": ["sour", "glad"], "metric": "mood"})
    fact["columns"].append({"name": "climb", "type": "pool.size:trajectory"})
    raw["events"][0]["log_format"] = "{at} {shop_id} came by"
    next(fact for fact in raw["facts"] if fact["name"] == "fct_order")["cdc"] = True
    (folder / "fields.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    (folder / "everything.yaml").write_text((ROOT / "benchmarks" / "everything.yaml").read_text())
    return folder


@pytest.fixture(scope="module")
def plan(configs: Path) -> Plan:
    return load_config(configs / "fields.yaml")


@pytest.fixture(scope="module", params=["fields", "everything"])
def assets(configs: Path, request: pytest.FixtureRequest) -> tuple[Plan, dict[str, dg.AssetSpec]]:
    """What the catalogue says of each asset of a config, found through the folder that the environment names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIGS_VARIABLE, str(configs))
        actual = next(plan for plan in load_datasets()[0] if plan.name == request.param)
    return actual, catalogue(actual)


@pytest.fixture(scope="module")
def specs(plan: Plan) -> dict[str, dg.AssetSpec]:
    return catalogue(plan)


def catalogue(plan: Plan) -> dict[str, dg.AssetSpec]:
    store = dg.Definitions(resources={"store": STORES["duckdb"](path="unused")})
    definitions = dg.Definitions.merge(dataset_definitions(plan), store)
    dg.Definitions.validate_loadable(definitions)
    return {spec.key.path[-1]: spec for spec in definitions.resolve_all_asset_specs()}


def stages_of(plan: Plan) -> list[TablePlan]:
    return [stage_table(plan, name) for name in stage_names(plan)]


def everything(plan: Plan) -> list[TablePlan]:
    return [*stages_of(plan), *plan.tables]


def test_no_asset_or_column_is_made_of_what_is_not_there(assets: tuple[Plan, dict[str, dg.AssetSpec]]) -> None:
    """Every key that lineage names is an asset's, every column one of its table's, and every table is told of."""
    plan, specs = assets
    columns = {table.name: {column.name for column in table.columns} for table in everything(plan)}
    assert set(specs) == {*columns, "validation_report", "overview", "manifest"}
    for name in columns:
        above = {dep.asset_key.path[-1] for dep in specs[name].deps}
        assert above <= set(specs) - {name}
        lineage: dg.TableColumnLineage = specs[name].metadata["dagster/column_lineage"]
        origins = [(dep.asset_key.path[-1], dep.column_name) for deps in lineage.deps_by_column.values() for dep in deps]
        assert set(lineage.deps_by_column) <= columns[name]
        assert all(column in columns[place] for place, column in origins)
        details = {table.name for table in plan.tables if table.spec.parent_name == name}  # what it adds up refers to it
        assert {place for place, _ in origins} - details <= above, name
    for name in ("validation_report", "manifest"):
        assert {dep.asset_key.path[-1] for dep in specs[name].deps} == {table.name for table in plan.tables}


@pytest.mark.parametrize(
    ("table", "column", "origins"),
    [
        ("metrics", "visits", ["trajectories.trajectory"]),
        ("owner_noised_metrics", "wealth", ["owner_correlated_metrics.wealth"]),
        ("fct_wealth", "wealth", ["owner_noised_metrics.wealth"]),
        ("fct_month", "stage", ["noised_metrics.mood"]),
        ("fct_sources", "level", ["trajectories.trajectory"]),
        ("fct_sources", "mood_level", ["noised_metrics.mood"]),
        ("fct_sources", "climb", ["trajectories.trajectory"]),
        ("fct_month", "plan_id", ["dim_plan.plan", "dim_plan.plan_id", "dim_shop.tier"]),
        ("fct_order", "total", ["fct_line.amount"]),
        ("fct_order", "lines", ["fct_line.order_id"]),
        ("fct_order", "gift_plan", ["dim_plan.plan"]),
        ("fct_back", "total", ["fct_order.total"]),
        ("fct_note", "back_id", ["fct_back.back_id"]),
        ("fct_whole", "shops", ["trajectories.shop_id"]),
        ("evt_visit", "time_key", ["dim_time.time_key"]),
        ("bridge_plan", "plan_id", ["dim_plan.plan_id"]),
        ("bridge_peer", "shop_id_b", ["dim_shop.shop_id"]),
        ("fct_month_wide", "dim_shop__city", ["dim_shop.city"]),
        ("fct_month_wide", "discount", ["fct_month.discount"]),
        ("fct_month_holdout", "zest", ["fct_month.zest"]),
        ("_entity_features", "sales_slope", ["noised_metrics.sales"]),
        ("_entity_features", "final_trajectory_position", ["trajectories.trajectory"]),
        ("dim_shop_crm", "shop_id_crm", ["dim_shop.shop_id"]),
        ("dim_shop_crm", "city", ["dim_shop.city"]),
        ("source_entity_map", "source_key", ["dim_shop_crm.shop_id_crm", "dim_shop_erp.shop_id_erp"]),
    ],
)
def test_columns_are_made_of_these(table: str, column: str, origins: list[str], specs: dict[str, dg.AssetSpec]) -> None:
    """Each kind and source tells where its columns come from."""
    lineage: dg.TableColumnLineage = specs[table].metadata["dagster/column_lineage"]
    values = [f"{dep.asset_key.path[-1]}.{dep.column_name}" for dep in lineage.deps_by_column[column]]
    assert sorted(values) == origins


@pytest.mark.parametrize(
    ("table", "above"),
    [
        ("trajectories", []),
        ("owner_metrics", ["owner_trajectories"]),
        ("fct_order", ["correlated_metrics", "dim_date", "dim_plan", "dim_shop"]),
        ("fct_line", ["dim_date", "dim_plan", "dim_shop", "fct_order"]),
        ("evt_close", ["dim_date", "dim_shop", "noised_metrics"]),
        ("bridge_peer", ["dim_shop", "trajectories"]),
        ("fct_line_wide", ["dim_date", "dim_plan", "dim_shop", "fct_line"]),
        ("fct_month_train", ["fct_month"]),
        ("quality_ledger", ["dim_date", "evt_visit", "fct_month"]),
        ("source_entity_map", ["dim_shop", "dim_shop_crm", "dim_shop_erp"]),
        ("overview", ["validation_report"]),
    ],
)
def test_tables_are_made_of_these(table: str, above: list[str], specs: dict[str, dg.AssetSpec]) -> None:
    """Edges lead from the stage that decides the rows, from what is referred to, and from what is shown."""
    assert sorted(dep.asset_key.path[-1] for dep in specs[table].deps) == above


def test_the_catalogue_tells_types_notes_and_descriptions(plan: Plan, specs: dict[str, dg.AssetSpec]) -> None:
    """Every asset says what it is; columns have their Arrow types, nested ones too, and what of a person they tell."""
    assert all(spec.description for spec in specs.values())
    for table in everything(plan):
        schema: dg.TableSchema = specs[table.name].metadata["dagster/column_schema"]
        assert [(c.name, c.type) for c in schema.columns] == [(c.name, str(c.type)) for c in table.columns]
    values = {c.name: c for c in specs["fct_sources"].metadata["dagster/column_schema"].columns}
    assert values["inner"].type == "struct<n: int64>"
    assert values["several"].type == "list<item: int64>"
    assert "Personal data: Names a person." in (values["who"].description or "")
    assert {name: dict(column.tags) for name, column in values.items() if column.tags} == {"who": {"pii": "Names a person."}}
    judged = specs["validation_report"].metadata["dagster/column_schema"].columns
    assert [column.name for column in judged] == ["date_key", "check_name", "subject", "checked", "faults"]


def rows(result: Iterable[pa.RecordBatch]) -> list[str]:
    return sorted(repr(tuple(map(_as_utc, row.values()))) for batch in result for row in batch.to_pylist())


def _as_utc(value: Any) -> Any:
    """Return a moment with a zone as one of UTC, whatever the zone of the session that reads it is called."""
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo is not None else value


@pytest.fixture(scope="module")
def parts(plan: Plan) -> dict[str, dict[str, list[str]]]:
    """The batch in parts: the rows of each table or stage in each partition alone."""
    return {
        table.name: {key: rows(batches(plan, table.name, *periods_in(plan, key))[1]) for key in keys_of(plan)}
        for table in everything(plan)
    }


def stored(plan: Plan, store: Store) -> dict[str, list[str]]:
    """Return the rows of each table and stage that is stored."""
    with store.open_tables(replace(plan, tables=(*plan.tables, *stages_of(plan))), plan.first, plan.stop or 0) as opened:
        values = {name: opened.arrow(f"FROM {place}") for name, place in opened.relations.items()}
    return {name: rows(table.to_batches()) for name, table in values.items()}


@pytest.fixture(scope="module", params=KINDS)
def filled_store(
    request: pytest.FixtureRequest,
    plan: Plan,
    parts: dict[str, dict[str, list[str]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Store, Any]:
    """A store with all months of everything, made in parts: at each step facts and events hold the batch's rows of what was
    made, and states are those of the latest of it."""
    store, keys = store_at(request.param, tmp_path_factory.mktemp("made")), keys_of(plan)
    names = [table.name for table in plan.tables]
    done: set[str] = set()
    for part in PARTS:
        assert materialise(plan, store, keys[part], only=names).success
        done |= set(keys[part])
        rows = stored(plan, store)
        assert set(rows) == set(names)
        for table in plan.tables:
            months = done if table.time is not None else {max(done)}
            assert rows[table.name] == sorted(row for key in months for row in parts[table.name][key]), (table.name, part)
    assert done == set(keys)
    return store, materialise(plan, store, keys, only=[*stage_names(plan), "validation_report", "overview"])


def test_in_any_order_it_is_the_batch(filled_store: tuple[Store, Any], plan: Plan) -> None:
    """Slice, As-of and Idempotence: parts out of order and again are the rows of the whole; so are the stages."""
    store, _ = filled_store
    table_rows = stored(plan, store)
    for table in everything(plan):
        assert table_rows[table.name] == rows(batches(plan, table.name)[1]), table.name
    partitions = store.intact_partitions(plan.name)
    assert all(set(partitions[name]) == set(keys_of(plan)) for name in stage_names(plan))


def test_the_report_judges_all_kinds_of_unit(filled_store: tuple[Store, Any], plan: Plan) -> None:
    """All checks pass, on tables of both kinds of unit; the overview has pictures of both, and its page is whole."""
    _, result = filled_store
    evaluations = {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}
    assert [name for name, evaluation in evaluations.items() if not evaluation.passed] == []
    materialisations = result.asset_materializations_for_node("fields__validation_report")
    (table,) = (event.metadata["checks"] for event in materialisations if "checks" in event.metadata)
    records = [record.data for record in table.records]
    assert all(record["passed"] + record["not judged"] == record["of"] for record in records), records
    judged = {record["check"]: (record["passed"], record["of"]) for record in records}
    assert set(judged) == set(CHECKS)
    assert judged["keys_unique"] == (len(plan.tables), len(plan.tables))
    metadata = result.asset_materializations_for_node("fields__overview")[0].metadata
    pictures = {"trajectories", "units", "metrics", "owner_trajectories", "owner_units", "owner_metrics", "rows"}
    assert pictures <= set(metadata)
    page = Path(str(metadata["page"].value)).read_text(encoding="utf-8")
    assert all(f'id="{name}"' in page for name in (*pictures, *CHECKS))
    assert metadata["score"].value == 100
