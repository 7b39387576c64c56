"""Declared rules in Dagster: a check each, by its name, on the asset of its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner

from plotsim_core import Plan, from_mapping
from plotsim_core.cli import main
from plotsim_core.config.read import yaml_text
from plotsim_core.validation.declared import declared_checks
from plotsim_core.validation.html_page import page
from plotsim_core.validation.report import check_store
from plotsim_pipeline.assets.report import report_assets
from plotsim_pipeline.assets.tables import common_check_assets, resources_of, table_assets
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import keys_of, materialise, store_at

RULES: list[dict[str, Any]] = [
    {"table": "orders", "formula": "price > 0"},
    {"table": "orders", "name": "keys_alike_nowhere", "unique": "code"},
    {"table": "orders", "name": "two_lines_each", "total": "lines", "equals": "pieces"},
    {"table": "lines", "name": "dear_lines", "formula": "amount < 19", "severity": "warn", "where": "amount > 0"},
    {"table": "orders", "name": "all_orders", "count": 90, "tolerance": 0},
]
RAW: dict[str, Any] = {
    "about": "Orders",
    "window": {"start": "2024-01", "end": "2024-03", "every": "month"},
    "tables": [
        {
            "name": "orders",
            "rows": 90,
            "columns": {
                "order_id": "id",
                "at": "timestamp",
                "price": {"type": "range", "range": [2.0, 9.0], "decimals": 2},
                "code": "faker.uuid4",
                "pieces": "static.2",
            },
        },
        {"name": "lines", "per": "orders", "rows": 2, "columns": {"line_id": "id", "amount": "= round(uniform(5, 20), 2)"}},
    ],
    "checks": RULES,
}


def plan() -> Plan:
    return from_mapping(RAW, name="shop")


def results(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    """Return the evaluations of declared rules in a run, by table and name."""
    names = declared_checks(plan())
    evaluations = result.get_asset_check_evaluations()
    return {(e.asset_key.path[-1], e.check_name): e for e in evaluations if e.check_name in names}


def judged_alone(store: Store, instance: dg.DagsterInstance) -> dict[str, dg.AssetCheckEvaluation]:
    """Return what the checks of all tables say of what is stored, without a table being made."""
    dataset = plan()
    partitions = partitions_for(dataset)
    assets = [*table_assets(dataset, partitions), *report_assets(dataset, partitions)]
    definitions = dg.Definitions(
        assets=assets,
        asset_checks=common_check_assets(dataset),
        jobs=[dg.define_asset_job("judge", dg.AssetSelection.all_asset_checks())],
        resources={"store": store, **resources_of(dataset)},
    )
    run = definitions.resolve_job_def("judge").execute_in_process(instance=instance, raise_on_error=False)
    names = declared_checks(dataset)
    return {e.check_name: e for e in run.get_asset_check_evaluations() if e.check_name in names}


def test_each_rule_is_a_check_of_its_table(tmp_path: Path) -> None:
    """Rules have their names, their severity, and what was found; a target waits for the last partition."""
    store = store_at("duckdb", tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        first = results(materialise(plan(), store, keys_of(plan())[:2], instance=instance))
        last = results(materialise(plan(), store, keys_of(plan())[2:], instance=instance))
    assert (
        set(first)
        == set(last)
        == {
            ("orders", "orders_price_above_0"),
            ("orders", "keys_alike_nowhere"),
            ("orders", "two_lines_each"),
            ("orders", "all_orders"),
            ("lines", "dear_lines"),
        }
    )
    assert first["orders", "all_orders"].metadata["not judged"].value == 1
    assert last["orders", "all_orders"].metadata["not judged"].value == 0
    failed = {name for (_, name), evaluation in last.items() if not evaluation.passed}
    assert failed == {"dear_lines"}
    assert last["lines", "dear_lines"].severity == dg.AssetCheckSeverity.WARN
    assert last["orders", "keys_alike_nowhere"].severity == dg.AssetCheckSeverity.ERROR
    assert "Declared: orders: price > 0." in declared_checks(plan())["orders_price_above_0"].description


BREAKS = {
    "orders_price_above_0": "UPDATE shop.orders SET price = -1 WHERE rowid = 3",
    "keys_alike_nowhere": "UPDATE shop.orders SET code = (SELECT max(code) FROM shop.orders) WHERE date_key = 20240101",
    "two_lines_each": "UPDATE shop.orders SET pieces = 3 WHERE rowid = 5",
    "all_orders": "DELETE FROM shop.orders WHERE rowid = (SELECT max(rowid) FROM shop.orders)",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with all of the dataset."""
    directory = tmp_path_factory.mktemp("made")
    materialise(plan(), store_at("duckdb", directory), keys_of(plan()))
    return directory


@pytest.mark.parametrize("rule", BREAKS)
def test_what_breaks_a_rule_fails_its_check(rule: str, made: Path, tmp_path: Path) -> None:
    """The check says it in Dagster when it is judged alone, and so do the report, its page and the command."""
    (tmp_path / "store.duckdb").write_bytes((made / "store.duckdb").read_bytes())
    store = store_at("duckdb", tmp_path)
    with duckdb.connect(store.path) as connection:
        connection.execute(BREAKS[rule])
    with dg.DagsterInstance.ephemeral() as instance:
        evaluations = judged_alone(store, instance)
    assert {name for name, evaluation in evaluations.items() if not evaluation.passed} == {rule, "dear_lines"}
    dataset = plan()
    with store.open_tables(dataset, dataset.first, dataset.stop_or_span) as opened:
        report = check_store(opened)
        text = page(opened, report, [])
    assert f"FAIL {rule}: 0 of 1" in report.text() and report.score <= 49
    assert f'<details id="{rule}" open>' in text
    (tmp_path / "shop.yaml").write_text(yaml_text(RAW))
    result = CliRunner().invoke(main, ["check", store.path, "--config", str(tmp_path / "shop.yaml")])
    assert result.exit_code == 1 and f"FAIL {rule}: 0 of 1" in result.output


def test_a_rule_that_is_added_makes_nothing_stale(made: Path) -> None:
    """What was stored before is judged by the rule, since nothing of it is of another config."""
    more = [*RULES, {"table": "orders", "name": "low_prices", "formula": "price < 5"}]
    changed = from_mapping({**RAW, "checks": more}, name="shop")
    store = store_at("duckdb", made)
    assert {digest for digests in store.digests("shop").values() for digest in digests} == {changed.digest}
    with store.open_tables(changed, changed.first, changed.stop_or_span) as opened:
        (finding,) = check_store(opened).findings_of("low_prices")
    assert finding.judged and not finding.passed
