"""A dataset without a window through Dagster: its tables are states that are made whole, in assets without partitions."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from plotsim_core import Plan, batches, load_config
from plotsim_core.output.partitions import WHOLE
from plotsim_pipeline.__main__ import main
from plotsim_pipeline.datasets import BUNDLED, definitions_of
from plotsim_pipeline.runs import in_progress
from plotsim_pipeline.sensors.reconcile import differences, events_for
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.run_log import COMPLETED
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import KINDS, store_at

CONFIG = """
about: Users of a shop
dimensions:
- name: users
  reference: true
  count: 300
  columns:
  - { name: user_id, type: id }
  - { name: name, type: faker.name }
  - { name: born, type: faker.date_of_birth }
- name: plans
  reference: true
  columns:
  - { name: plan_id, type: id, values: [free, paid] }
tables:
- { name: logins, per: users, rows: [0, 3], columns: [{ name: number, type: sequence }, { name: plan_id, type: ref.plans }] }
"""
WINDOW = "window: [2024-01, 2024-03, month]\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of one's own, with a store and a Dagster home beside it that the environment names."""
    (tmp_path / "configs").mkdir()
    file = tmp_path / "configs" / "users.yaml"
    file.write_text(CONFIG)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLOTSIM_CONFIGS", str(file.parent))
    monkeypatch.setenv("PLOTSIM_DATASETS", "users")
    monkeypatch.setenv("PLOTSIM_STORE", "duckdb")
    monkeypatch.setenv("PLOTSIM_STORE_PATH", str(tmp_path / "store.duckdb"))
    return file


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        yield instance


def use_store(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Let the environment name a store of a kind, and return it."""
    store = store_at(kind, tmp_path)
    monkeypatch.setenv("PLOTSIM_STORE", kind)
    monkeypatch.setenv("PLOTSIM_STORE_PATH", store.path)
    return store


def made(plan: Plan, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Execute the job of the dataset."""
    return definitions_of([plan]).resolve_job_def(plan.name).execute_in_process(instance=instance)


def assert_stored(plan: Plan, store: Store) -> None:
    """The store holds the rows that the config makes, of every table."""
    with store.open_tables(plan, 0, 1) as stored:
        for table in plan.tables:
            schema, rows = batches(plan, table.name)
            key_order = [(name, "ascending") for name in table.key]
            expected = pa.Table.from_batches(rows, schema).sort_by(key_order).to_pydict()
            names, keys = (", ".join(f'"{name}"' for name in part) for part in (schema.names, table.key))
            relation = stored.connection.sql(f"SELECT {names} FROM {stored.relations[table.name]} ORDER BY {keys}")
            assert relation.to_arrow_table().to_pydict() == expected


def command(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_job_makes_every_table_its_report_and_what_is_told_of_all(
    kind: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    store, plan = use_store(kind, tmp_path, monkeypatch), load_config(config)
    result = made(plan, instance)
    assert result.success
    assert_stored(plan, store)
    names = {key.path[-1] for key in definitions_of([plan]).resolve_asset_graph().get_all_asset_keys()}
    assert names == {"users", "plans", "logins", "validation_report", "overview", "manifest"}, (
        "no stages where there are no units"
    )
    for name in names:
        event = instance.get_latest_materialization_event(dg.AssetKey(["users", name]))
        assert event is not None and event.asset_materialization is not None
        assert event.asset_materialization.partition is None
    evaluations = result.get_asset_check_evaluations()
    assert evaluations and all(evaluation.passed for evaluation in evaluations)
    report = {partition.rows for partition in store.intact_partitions("users")["validation_report"].values()}
    assert report == {sum(1 + len(table.columns) + len(table.references) for table in plan.tables)}, (
        "keys, nulls, references"
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_making_it_again_leaves_the_store_as_it_was(
    kind: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    store, plan = use_store(kind, tmp_path, monkeypatch), load_config(config)
    made(plan, instance)
    partitions = store.intact_partitions("users")
    made(plan, instance)
    assert store.intact_partitions("users") == partitions
    assert {key for keys in partitions.values() for key in keys} == {WHOLE}
    log = store.run_log().to_pylist()
    assert {row["status"] for row in log} == {COMPLETED} and not any(row["message"] for row in log)
    hashes = {row["table_name"]: set() for row in log}
    for row in log:
        hashes[row["table_name"]].add(row["content_hash"])
    assert all(len(values) == 1 and None not in values for values in hashes.values()), "the same rows have the same hash"


@pytest.mark.slow
def test_assets_on_top_read_what_was_made(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    store, plan = use_store("duckdb", tmp_path, monkeypatch), load_config(config)
    made(plan, instance)
    users = dg.AssetIn(dg.AssetKey(["users", "users"]), input_manager_key="store")

    @dg.asset(ins={"users": users}, io_manager_key="store")
    def adults(users: pd.DataFrame) -> pd.DataFrame:
        return users.head(7)

    definitions = dg.Definitions.merge(definitions_of([plan]), dg.Definitions(assets=[adults]))
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, asset_selection=[adults.key])
    assert result.success
    assert len(store.query("SELECT * FROM public.adults", ["public"]).splitlines()) > 7


def test_nothing_is_partitioned_and_so_nothing_is_scheduled(config: Path) -> None:
    definitions = definitions_of([load_config(config)])
    graph = definitions.resolve_asset_graph()
    assert all(graph.get(key).partitions_def is None for key in graph.get_all_asset_keys())
    repository = definitions.get_repository_def()
    assert repository.schedule_defs == []
    assert {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"} == {"users", "users_overview"}


@pytest.mark.slow
def test_dates_bring_partitions_back(config: Path, tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """With a window, plain tables are states as of a partition, as they are in every dataset with one."""
    config.write_text(CONFIG + WINDOW)
    plan = load_config(config)
    graph = definitions_of([plan]).resolve_asset_graph()
    partitions = {key.path[-1]: graph.get(key).partitions_def for key in graph.get_all_asset_keys()}
    assert partitions["users"] is not None and partitions["dim_date"] == partitions["users"]
    assert partitions["overview"] is None
    result = CliRunner().invoke(main, ["run", "users"])
    assert result.exit_code == 0, result.output
    assert_stored(plan, STORES["duckdb"](path=str(tmp_path / "store.duckdb")))


def test_a_run_makes_what_is_missing_and_a_second_one_nothing(config: Path, tmp_path: Path) -> None:
    status = command("status", "users", "--strict")
    assert status.exit_code == 1 and "users, plans, logins, validation_report, overview, manifest" in status.output
    first = command("run", "users")
    assert first.exit_code == 0, first.output
    assert "SELECT * FROM users.users LIMIT 5" in first.output
    assert "nothing to do" in command("run", "users").output
    tables = json.loads(command("status", "users", "--strict", "--json", "--verify").output)["tables"]
    assert {name: (tables[name]["rows"], tables[name]["made"]) for name in ("users", "plans")} == {
        "users": (300, [WHOLE]),
        "plans": (2, [WHOLE]),
    }


@pytest.mark.slow
def test_what_was_made_from_another_config_is_stale_and_made_again(config: Path, tmp_path: Path) -> None:
    command("run", "users")
    config.write_text(CONFIG.replace("count: 300", "count: 301"))
    status = json.loads(command("status", "users", "--json").output)["tables"]
    assert [list(table["stale"].values()) for table in status.values()] == [[[WHOLE]]] * 4
    assert command("run", "users").exit_code == 0
    assert command("status", "users", "--strict").exit_code == 0
    assert_stored(load_config(config), STORES["duckdb"](path=str(tmp_path / "store.duckdb")))


@pytest.mark.slow
def test_rows_that_another_hand_changed_are_found_and_made_again(config: Path, tmp_path: Path) -> None:
    command("run", "users")
    store = STORES["duckdb"](path=str(tmp_path / "store.duckdb"))
    with store._connection() as connection:
        connection.execute("UPDATE users.users SET name = 'Nobody' WHERE user_id LIKE '%7'")
    assert command("status", "users", "--strict").exit_code == 0, "counts are right"
    assert command("status", "users", "--strict", "--verify").exit_code == 1
    assert command("run", "users", "--verify").exit_code == 0
    assert_stored(load_config(config), store)


def test_partitions_are_refused_with_the_reason(config: Path) -> None:
    result = command("run", "users", "--partition-range", "2024-01-01")
    assert result.exit_code == 2
    assert "users has no partitions: its config has no window, and its tables are made whole" in result.output


@pytest.mark.slow
def test_an_instance_learns_what_the_store_holds_and_what_is_lost(
    config: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    plan, store = load_config(config), STORES["duckdb"](path=str(tmp_path / "store.duckdb"))
    command("run", "users")
    unreported = {one.table: tuple(one.unreported) for one in differences(plan, store, instance)}
    assert unreported == dict.fromkeys(("users", "plans", "logins", "validation_report"), (WHOLE,))
    for difference in differences(plan, store, instance):
        for event in events_for(plan, instance, difference):
            instance.report_runless_asset_event(event)
    assert not any(one.unreported or one.lost for one in differences(plan, store, instance))
    store.drop("users", "plans")
    assert {one.table: one.lost for one in differences(plan, store, instance) if one.lost} == {"plans": (WHOLE,)}
    (event,) = (e for one in differences(plan, store, instance) if one.lost for e in events_for(plan, instance, one))
    assert isinstance(event, dg.AssetCheckEvaluation) and not event.passed


def test_a_run_that_goes_on_is_known(config: Path, instance: dg.DagsterInstance) -> None:
    plan = load_config(config)
    assert in_progress(plan, instance, [WHOLE]) == set()
    job = definitions_of([plan]).resolve_job_def("users")
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert run.job_name == "users" and in_progress(plan, instance, [WHOLE]) == {WHOLE}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_dagster_itself_makes_it_from_the_command_line(
    kind: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = use_store(kind, tmp_path, monkeypatch)
    (tmp_path / "home").mkdir()
    line = [str(Path(sys.executable).parent / "dagster"), "asset", "materialize", "-m", "plotsim_pipeline.definitions"]
    surroundings = {**os.environ, "PYTHONPATH": str(BUNDLED.parent)}
    result = subprocess.run(
        [*line, "--select", 'group:"users"'], cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert_stored(load_config(config), store)
    assert {key for keys in store.intact_partitions("users").values() for key in keys} == {WHOLE}
