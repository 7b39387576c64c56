"""The store, the catalogue and the schedule tell one truth: what is lost is missing for all of them, what others made is
known to all of them, and what is broken is red on the table that it is about, until it is sound."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pytest

from plotsim_core import Plan
from plotsim_pipeline.assets.report import report_assets
from plotsim_pipeline.assets.tables import common_check_assets, resources_of, table_assets
from plotsim_pipeline.checks.evaluations import IN_STORE
from plotsim_pipeline.datasets import definitions_of
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.schedules import requests
from plotsim_pipeline.sensors.reconcile import SENSOR
from plotsim_pipeline.stores.placement import Placement
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import END, KINDS, START, content, materialise, store_at
from tests.pipeline.test_status import CONFIG, KEYS, config, invoke
from tests.pipeline.test_status import plan_of as plan_in

pytestmark = pytest.mark.slow

__all__ = ["config"]
TABLES = "dim_date,dim_caller,fct_calls"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def lose(kind: str, directory: Path, table: str, key: str | None) -> None:
    """Take a partition of `calls`, or a whole table, out of the store behind its back."""
    if kind == "duckdb":
        condition = "" if key is None else f" WHERE date_key = {key.replace('-', '')}"
        with duckdb.connect(directory / "store.duckdb") as connection:
            connection.execute(f"DROP TABLE calls.{table}" if key is None else f"DELETE FROM calls.{table}{condition}")
    elif key is None:
        shutil.rmtree(directory / "files" / "calls" / table)
    else:
        for file in (directory / "files" / "calls" / table).glob(f"{key}*.parquet"):
            file.unlink()


LOST = {"a partition": ("fct_calls", KEYS[2]), "a table": ("fct_calls", None), "a state": ("dim_caller", None)}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_lost_is_missing_everywhere(
    kind: str, lost: str, config: Path, tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status, strict or not, the schedule and the run agree on what a store has lost, and the run brings it back."""
    monkeypatch.setenv("PLOTSIM_STORE", kind)
    monkeypatch.setenv("PLOTSIM_STORE_PATH", store_at(kind, tmp_path).path)
    plan, store = plan_in(config), store_at(kind, tmp_path)
    materialise(plan, store, KEYS)
    whole = content(plan, store)
    assert "whole" in invoke("status", "calls", "--tables", TABLES, "--strict").output
    assert isinstance(requests(plan, store, instance, datetime(2024, 7, 1, 3, tzinfo=UTC)), dg.SkipReason)

    table, key = {"a partition": ("fct_calls", KEYS[2]), "a table": ("fct_calls", None), "a state": ("dim_caller", None)}[
        lost
    ]
    lose(kind, tmp_path, table, key)
    missing = [KEYS[5]] if lost == "a state" else [KEYS[2]] if key else list(KEYS)
    document = json.loads(invoke("status", "calls", "--tables", TABLES, "--strict", "--json", code=1).output)["tables"]
    assert {name: one["missing"] for name, one in document.items() if one["missing"]} == {table: missing}
    run_requests = requests(plan, store, instance, datetime(2024, 7, 1, 3, tzinfo=UTC))
    assert isinstance(run_requests, list)
    ranges = [(one.partition_key or one.tags[START], one.partition_key or one.tags[END]) for one in run_requests]
    assert ranges == [(KEYS[0] if lost == "a state" else missing[0], missing[-1])]
    invoke("run", "calls", "--tables", TABLES)
    assert content(plan, store) == whole
    assert "nothing to do" in invoke("run", "calls", "--tables", TABLES).output


def definitions(plan: Plan, store: Store) -> dg.Definitions:
    """Return the dataset with an asset of somebody's own below `fct_calls`."""

    @dg.asset(deps=[["calls", "fct_calls"]], partitions_def=partitions_for(plan))
    def model() -> None:
        """Stand for a dbt model."""

    partitions = partitions_for(plan)
    return dg.Definitions(
        assets=[*table_assets(plan, partitions), *report_assets(plan, partitions), model],
        asset_checks=common_check_assets(plan),
        resources={"store": store, **resources_of(plan)},
        executor=dg.in_process_executor,
    )


def run(plan: Plan, store: Store, instance: dg.DagsterInstance, selection: dg.AssetSelection, key: str | None) -> bool:
    """Run a selection of one partition, or checks alone, as the UI does; return whether the run succeeded."""
    defs = dg.Definitions.merge(
        definitions(plan, store), dg.Definitions(jobs=[dg.define_asset_job("asked", selection=selection)])
    )
    tags = {} if key is None else {START: key, END: key}
    job = defs.resolve_job_def("asked")
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False).success


def check(name: str, table: str = "fct_calls") -> dg.AssetCheckKey:
    return dg.AssetCheckKey(dg.AssetKey(["calls", table]), name)


def colour(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> tuple[bool, list[str]]:
    """Return whether the latest evaluation of a check passed, and which partitions it names as broken."""
    (record, *_) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    evaluation = record.event.get_dagster_event().asset_check_evaluation_data
    named = evaluation.metadata.get("broken_partitions")
    return evaluation.passed, [] if named is None else list(named.value)  # type: ignore[arg-type]


def test_a_broken_partition_is_red_on_its_table_until_it_is_sound(
    config: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """A row twice in March: the check of that table, executed alone, is red for March and makes nothing. It stays red while
    May is made, and is green when March is made again."""
    plan, store = plan_in(config), store_at("duckdb", tmp_path)
    materialise(plan, store, KEYS, instance=instance)
    keys_unique = check("keys_unique")
    assert colour(instance, keys_unique) == (True, [])
    with duckdb.connect(store.path) as connection:
        connection.execute("INSERT INTO calls.fct_calls SELECT * FROM calls.fct_calls WHERE date_key = 20240301 LIMIT 1")
        before = connection.execute("SELECT count(*) FROM calls.fct_calls").fetchall()
    assert not run(plan, store, instance, dg.AssetSelection.checks(keys_unique), None), "it blocks"
    assert colour(instance, keys_unique) == (False, [KEYS[2]])
    assert colour(instance, check("keys_unique", "dim_caller"))[0], "the other tables are sound"
    with duckdb.connect(store.path) as connection:
        assert connection.execute("SELECT count(*) FROM calls.fct_calls").fetchall() == before
    fact = dg.AssetSelection.assets(["calls", "fct_calls"])
    assert run(plan, store, instance, fact, KEYS[4]), "another partition is sound"
    assert colour(instance, keys_unique) == (False, [KEYS[2]])
    assert run(plan, store, instance, fact, KEYS[2])
    assert colour(instance, keys_unique)[0]


def test_what_depends_on_a_broken_table_does_not_run(config: Path, tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """A caller is gone from the dimension: the fact is stored and red, so is the dimension, and a model below is not run."""
    plan, store = plan_in(config), store_at("duckdb", tmp_path)
    materialise(plan, store, KEYS, instance=instance)
    with duckdb.connect(store.path) as connection:
        connection.execute("DELETE FROM calls.dim_caller WHERE caller_id = (SELECT min(caller_id) FROM calls.dim_caller)")
        connection.execute("UPDATE calls._partitions SET row_count = row_count - 1 WHERE table_name = 'dim_caller'")
    both = dg.AssetSelection.assets(["calls", "fct_calls"], ["model"])
    assert not run(plan, store, instance, both, KEYS[3])
    assert instance.get_latest_materialization_event(dg.AssetKey("model")) is None
    assert colour(instance, check("references_resolve")) == (False, [KEYS[3]])
    assert colour(instance, check("references_resolve", "dim_caller")) == (False, [KEYS[3]])
    invoke("run", "calls", "--all", "--tables", TABLES)
    assert run(plan, store, instance, both, KEYS[3])
    assert (
        colour(instance, check("references_resolve"))[0] and colour(instance, check("references_resolve", "dim_caller"))[0]
    )
    assert instance.get_latest_materialization_event(dg.AssetKey("model")) is not None


def test_checks_that_nothing_can_trigger_do_not_exist(config: Path) -> None:
    """Three callers of one segment, nothing connected, no history, no event: checks of these are not there."""
    plan = plan_in(config)
    specs = [spec for asset in table_assets(plan, partitions_for(plan)) for spec in asset.check_specs]
    specs += [spec for one in common_check_assets(plan) for spec in one.check_specs]
    names = {(spec.asset_key.path[-1], spec.name) for spec in specs}
    assert ("fct_calls", "keys_unique") in names and ("dim_caller", "keys_unique") in names
    assert not {name for _, name in names} & {
        "lags_found",
        "correlations_as_declared",
        "seasons_as_declared",
        "segments_separable",
        "histories_contiguous",
        "crossings_found",
        "quality_as_declared",
        "moments_in_period",
    }


def tick(plan: Plan, store: Store, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    """Return what the sensor of the code location reports, as the daemon takes it, and report it."""
    sensor = next(one for one in definitions_of([plan]).sensors or () if one.name == SENSOR)
    assert isinstance(sensor, dg.SensorDefinition)
    with dg.build_sensor_context(instance, cursor, resources={"store": store}) as context:
        result = sensor.evaluate_tick(context)
    for event in result.asset_events:
        instance.report_runless_asset_event(event)
    return result


def test_what_another_machine_made_is_told(config: Path, tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Partitions that another instance made are materialised here after a tick, with their rows and what they were made
    from; nothing is told twice. What is lost turns red, and green when it is there again; each without a run."""
    plan, store = plan_in(config), store_at("duckdb", tmp_path)
    materialise(plan, store, KEYS[:4])  # on an instance of its own
    known = lambda name: sorted(instance.get_materialized_partitions(dg.AssetKey(["calls", name])))  # noqa: E731
    assert known("fct_calls") == []
    first = tick(plan, store, instance)
    assert known("fct_calls") == known("validation_report") == known("dim_caller") == list(KEYS[:4])
    event = instance.get_latest_materialization_event(dg.AssetKey(["calls", "fct_calls"]))
    assert event is not None and event.asset_materialization is not None
    assert (event.asset_materialization.tags or {})["dagster/code_version"] == plan.digest
    assert event.asset_materialization.metadata["dagster/partition_row_count"].value == 3
    assert not tick(plan, store, instance, first.cursor).asset_events, "the store has not changed"
    assert not tick(plan, store, instance).asset_events, "the instance knows all of it"
    assert not instance.get_runs()

    lose("duckdb", tmp_path, "fct_calls", KEYS[1])
    second = tick(plan, store, instance, first.cursor)
    assert colour(instance, check(IN_STORE)) == (False, [KEYS[1]])
    assert not tick(plan, store, instance, second.cursor).asset_events
    materialise(plan, store, KEYS[1:2], only=["fct_calls"])
    tick(plan, store, instance, second.cursor)
    assert colour(instance, check(IN_STORE)) == (True, [])


def test_a_lost_partition_fails_the_check_that_is_executed(
    config: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """The check `in_store` asks the instance what it takes for made, and the store what is there."""
    plan, store = plan_in(config), store_at("duckdb", tmp_path)
    materialise(plan, store, KEYS, instance=instance)
    assert run(plan, store, instance, dg.AssetSelection.checks(check(IN_STORE)), None)
    lose("duckdb", tmp_path, "fct_calls", KEYS[1])
    assert not run(plan, store, instance, dg.AssetSelection.checks(check(IN_STORE)), None)
    assert colour(instance, check(IN_STORE)) == (False, [KEYS[1]])
    assert run(plan, store, instance, dg.AssetSelection.assets(["calls", "fct_calls"]), KEYS[1])
    assert colour(instance, check(IN_STORE))[0]


def test_reconcile_tells_and_wipes(config: Path, tmp_path: Path) -> None:
    """`plotsim reconcile` does what the sensor does; with --wipe the asset that lost a partition is wiped, and what is there
    of it is known again."""
    plan, store = plan_in(config), store_at("duckdb", tmp_path)
    materialise(plan, store, KEYS)
    assert "calls.fct_calls: 6 partitions reported" in invoke("reconcile", "calls").output
    assert invoke("reconcile", "calls").output == "calls: the instance knows what the store holds\n"
    lose("duckdb", tmp_path, "fct_calls", KEYS[1])
    assert invoke("reconcile", "calls").output == "calls.fct_calls: 1 lost\n"
    with dg.DagsterInstance.get() as instance:
        assert colour(instance, check(IN_STORE)) == (False, [KEYS[1]])
    assert invoke("reconcile", "calls", "--wipe").output == "calls.fct_calls: 5 partitions reported\n"
    with dg.DagsterInstance.get() as instance:
        known = instance.get_materialized_partitions(dg.AssetKey(["calls", "fct_calls"]))
    assert sorted(known) == [key for key in KEYS if key != KEYS[1]]


STAR = """
dimensions:
  - { name: dim_caller, per: unit, columns: [{ name: caller_id, type: id }] }
facts:
  - name: fct_calls
    columns:
      - { name: date_key, type: ref.dim_date }
      - { name: caller_id, type: ref.dim_caller }
      - { name: calls, type: metric.calls }
      - { name: old, type: range, range: [1, 9] }
      - { name: n, type: range, range: [1, 9] }
"""
MORE = STAR + "      - { name: extra, type: faker.name }\n"
OTHER = STAR.replace("{ name: n, type: range, range: [1, 9] }", "{ name: n, type: choice, values: [low, high] }")
LESS = STAR.replace("      - { name: old, type: range, range: [1, 9] }\n", "")


@pytest.mark.parametrize("kind", KINDS)
def test_what_status_advises_works(kind: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column more: the next month is made beside the others, which are listed as stale and hold nothing in it. A column
    less or of another type is refused, with nothing lost. The command that status ends with makes all of it whole."""
    monkeypatch.setenv("PLOTSIM_STORE", kind)
    monkeypatch.setenv("PLOTSIM_STORE_PATH", store_at(kind, tmp_path).path)
    config.write_text(CONFIG + STAR)
    store = store_at(kind, tmp_path)
    invoke("run", "calls", "--partition-range", f"{KEYS[0]}...{KEYS[4]}", "--tables", TABLES)
    config.write_text(CONFIG + MORE)
    invoke("run", "calls", "--partition-range", KEYS[5], "--tables", TABLES)
    rows = store.query("SELECT count(*) AS n, count(extra) AS extra, sum(n) > 0 AS numbers FROM calls.fct_calls", ["calls"])
    assert "18" in rows and "3" in rows and "true" in rows
    follow(kind, tmp_path, stale=list(KEYS[:5]), recreate=False)
    for edit in (OTHER, LESS):
        before = content(plan_in(config), store)
        config.write_text(CONFIG + edit)
        refusal = invoke("run", "calls", "--partition-range", KEYS[5], "--tables", TABLES, code=2).output
        assert "plotsim materialize calls --recreate" in refusal and "Traceback" not in refusal
        assert content(plan_in(config), store)["fct_calls"] == before["fct_calls"]
        follow(kind, tmp_path, stale=list(KEYS), recreate=True)


def follow(kind: str, directory: Path, stale: list[str], recreate: bool) -> None:
    """See what status says, type the command that it ends with, and see that all is whole."""
    document = json.loads(invoke("status", "calls", "--tables", "fct_calls", "--json").output)["tables"]["fct_calls"]
    assert [key for keys in document["stale"].values() for key in keys] == stale
    (line,) = (line for line in invoke("status", "calls").output.splitlines() if line.startswith("To make it whole: "))
    command = line.removeprefix("To make it whole: plotsim materialize ").partition("   ")[0].split()
    assert command == (["calls", "--recreate"] if recreate else ["calls"])
    invoke("run", *command)
    assert "is whole and made from this config" in invoke("status", "calls", "--strict").output


@pytest.mark.parametrize("kind", KINDS)
def test_verify_compares_the_rows(kind: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that somebody changed leaves counts as they were. With --verify, the partition is missing, and made again; so
    is a state; what is as it was made is left alone."""
    monkeypatch.setenv("PLOTSIM_STORE", kind)
    monkeypatch.setenv("PLOTSIM_STORE_PATH", store_at(kind, tmp_path).path)
    plan, store = plan_in(config), store_at(kind, tmp_path)
    materialise(plan, store, KEYS)
    whole = content(plan, store)
    assert "nothing to do" in invoke("run", "calls", "--verify", "--tables", TABLES).output
    for table in ("fct_calls", "dim_caller"):
        where = materialised(plan, table)
        rows = store.read(where)
        name = "calls" if table == "fct_calls" else "caller_id"
        changed = rows[name].to_pylist()
        changed[0] = 999 if table == "fct_calls" else "CAL-NOBODY"
        schema = plan.schema(plan.table(table))
        column = pa.array(changed, schema.field(name).type)
        altered = rows.set_column(rows.schema.get_field_index(name), name, column).select(schema.names).cast(schema)
        store.write(where, altered.to_reader())
    assert "whole" in invoke("status", "calls", "--tables", TABLES, "--strict").output
    document = json.loads(invoke("status", "calls", "--tables", TABLES, "--verify", "--strict", "--json", code=1).output)[
        "tables"
    ]
    missing = {name: one["missing"] for name, one in document.items() if one["missing"]}
    assert missing == {"fct_calls": [KEYS[2]], "dim_caller": [KEYS[5]]}
    invoke("run", "calls", "--verify", "--tables", TABLES)
    assert content(plan, store) == whole


def materialised(plan: Plan, name: str) -> Placement:
    """Return where March of a fact, or a state, is stored."""
    keys, bounds = ((KEYS[2],), (20240301, 20240401)) if name == "fct_calls" else ((KEYS[5],), (20240601, 20240701))
    table = plan.table(name)
    return Placement("calls", name, table.time, tuple(table.key), keys, bounds, "2024-07-01 00:00:00")
