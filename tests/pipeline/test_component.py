"""Datasets as components of somebody's own Dagster project: ten lines of YAML each, found, checked and run by `dg`."""

import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import duckdb
import pytest
import yaml
from dagster_duckdb import DuckDBResource

from plotsim_core import generate_tables, load_config
from plotsim_core.version import VERSION
from plotsim_pipeline import DatasetComponent
from plotsim_pipeline.component import Scaffolder
from plotsim_pipeline.datasets import BUNDLED
from plotsim_pipeline.stores import store_of
from tests.pipeline.support import content, keys_of, materialise, store_at

pytestmark = pytest.mark.slow

ROOT = BUNDLED.parent
DG = str(Path(sys.executable).parent / "dg")
GROUP = "dagster_dg_cli.registry_modules"
PROJECT = """
[project]
name = "shop"
version = "0"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "shop"
code_location_name = "shop"
"""
DEFINITIONS = """
from pathlib import Path
import dagster as dg

@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
"""As a new Dagster project has it: nothing is said of an executor."""


def component(project: Path, name: str, **attributes: Any) -> dg.Definitions:
    """Return the definitions of a component whose folder is `<project>/<name>`."""
    result = DatasetComponent.resolve_from_dict({"config": f"{name}.yaml", **attributes})
    context = cast(dg.ComponentLoadContext, SimpleNamespace(path=project / name, project_root=project))
    return result.build_defs(context)


def config(project: Path, name: str, text: str | None = None) -> Path:
    file = project / name / f"{name}.yaml"
    file.parent.mkdir()
    file.write_text(text or (BUNDLED / "minimal.yaml").read_text())
    return file


def test_two_components_with_two_stores_live_in_one_project(tmp_path: Path) -> None:
    """Each writes to its own store, whatever the other's is, and in the same run."""
    plans = [load_config(config(tmp_path, name)) for name in ("shop", "bank")]
    both = dg.Definitions.merge(
        component(tmp_path, "shop", store={"kind": "duckdb", "path": "data/plotsim.duckdb"}),
        component(tmp_path, "bank", store={"kind": "parquet", "path": "data/bank"}),
    )
    dg.Definitions.validate_loadable(both)
    job = both.resolve_implicit_global_asset_job_def()
    chosen = [dg.AssetKey([name, "fct_payments"]) for name in ("shop", "bank")]
    assert job.execute_in_process(asset_selection=chosen, partition_key="2024-03-01").success
    for plan, kind, path in zip(plans, ("duckdb", "parquet"), ("data/plotsim.duckdb", "data/bank"), strict=True):
        partitions = store_of(kind, str(tmp_path / path)).intact_partitions(plan.name)
        assert {table: list(entries) for table, entries in partitions.items()} == {"fct_payments": ["2024-03-01"]}


def test_each_component_has_the_duckdb_resource_of_its_file(tmp_path: Path) -> None:
    """An asset of one's own asks two datasets by SQL; a component that stores no DuckDB file has none."""
    for name in ("shop", "bank", "lake"):
        config(tmp_path, name)
    shop = component(tmp_path, "shop", store={"path": "data/one.duckdb"})
    bank = component(tmp_path, "bank", store={"path": "data/two.duckdb"})
    lake = component(tmp_path, "lake", store={"kind": "parquet", "path": "data/lake"})

    @dg.asset(deps=[["shop", "dim_customer"], ["bank", "dim_customer"]])
    def customers(shop_duckdb: DuckDBResource, bank_duckdb: DuckDBResource):  # type: ignore[no-untyped-def]
        rows = {}
        for name, resource in (("shop", shop_duckdb), ("bank", bank_duckdb)):
            with resource.get_connection() as connection:
                rows[name] = connection.sql(f"SELECT count(*) FROM {name}.dim_customer").fetchall()[0][0]
        return dg.MaterializeResult(metadata=rows)

    both = dg.Definitions.merge(shop, bank, lake, dg.Definitions(assets=[customers]))
    job = both.resolve_implicit_global_asset_job_def()
    chosen = [dg.AssetKey([name, "dim_customer"]) for name in ("shop", "bank")]
    assert job.execute_in_process(asset_selection=chosen, partition_key="2024-03-01").success
    (result,) = job.execute_in_process(asset_selection=[customers.key]).asset_materializations_for_node("customers")
    assert {name: value.value for name, value in result.metadata.items()} == {"shop": 80, "bank": 80}
    assert "lake_duckdb" not in (lake.resources or {})


def test_the_asset_of_the_page_runs(tmp_path: Path) -> None:
    """The Python of docs/component.md, beside the component that it speaks of."""
    plan = load_config(config(tmp_path, "my_shop"))
    shop = component(tmp_path, "my_shop", store={"path": "data/plotsim.duckdb"})
    names: dict[str, Any] = {}
    (shown,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "component.md").read_text(), re.DOTALL)
    exec(compile(shown, "docs/component.md", "exec"), names)
    payments = names["payments_in_all"]
    job = dg.Definitions.merge(shop, dg.Definitions(assets=[payments])).resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(
        asset_selection=[dg.AssetKey(["my_shop", "fct_payments"])], partition_key="2024-03-01"
    ).success
    (result,) = job.execute_in_process(asset_selection=[payments.key]).asset_materializations_for_node("payments_in_all")
    march = generate_tables(plan, periods="2024-03")["fct_payments"]
    assert result.metadata["payments"].value == march["payments"].sum() > 0


def test_the_schedule_is_as_the_component_says(tmp_path: Path) -> None:
    closed = (BUNDLED / "minimal.yaml").read_text()
    growing = closed.replace('["2024-01", "2024-12", "month"]', "{ start: 2024-01, every: month, span: 12 }")
    file = config(tmp_path, "shop", growing)
    store = {"path": "plotsim.duckdb"}
    result = component(tmp_path, "shop", store=store, schedule={"enabled": True, "cron": "5 4 * * *"})
    schedules = {
        schedule.name: schedule for schedule in result.schedules or () if isinstance(schedule, dg.ScheduleDefinition)
    }
    assert schedules["shop_increment"].cron_schedule == "5 4 * * *"
    assert schedules["shop_increment"].default_status == dg.DefaultScheduleStatus.RUNNING
    usual = component(tmp_path, "shop", store=store).schedules or ()
    assert {schedule.default_status for schedule in usual if isinstance(schedule, dg.ScheduleDefinition)} == {
        dg.DefaultScheduleStatus.STOPPED
    }
    file.write_text(closed)
    assert not component(tmp_path, "shop", store=store).schedules, "a window with an end has no next partition"
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="`schedule` has no effect"):
        component(tmp_path, "shop", store=store, schedule={"enabled": True})


def test_a_broken_config_is_one_asset_of_the_project(tmp_path: Path) -> None:
    config(tmp_path, "shop", "about: x\n")
    result = component(tmp_path, "shop", store={"path": "plotsim.duckdb"})
    assert [spec.key.to_user_string() for spec in result.resolve_all_asset_specs()] == ["shop/config"]


def test_components_and_their_project_may_name_one_executor(tmp_path: Path) -> None:
    """Any number of datasets say `in_process`, a broken one too, and so may the project."""
    config(tmp_path, "shop")
    config(tmp_path, "bank", "about: x\n")
    store = {"path": "plotsim.duckdb"}
    values = [component(tmp_path, name, store=store, executor="in_process") for name in ("shop", "bank")]
    assert [definitions.executor for definitions in values] == [dg.in_process_executor] * 2
    for executor in (None, dg.in_process_executor):
        whole = dg.Definitions.merge(*values, dg.Definitions(executor=executor))
        assert whole.resolve_implicit_global_asset_job_def().executor_def is dg.in_process_executor


def test_a_project_with_another_executor_says_project(tmp_path: Path) -> None:
    """Dagster has one executor for all and refuses two; a component without the key leaves the project's in force."""
    config(tmp_path, "shop")
    store, others = {"path": "plotsim.duckdb"}, dg.Definitions(executor=dg.multiprocess_executor)
    with pytest.raises(dg.DagsterInvariantViolationError, match="both have an executor"):
        dg.Definitions.merge(component(tmp_path, "shop", store=store, executor="in_process"), others)
    for attributes in ({}, {"executor": "project"}):
        whole = dg.Definitions.merge(component(tmp_path, "shop", store=store, **attributes), others)
        assert whole.executor is dg.multiprocess_executor
        assert whole.resolve_job_def("shop_increment").executor_def is dg.in_process_executor


def test_what_the_page_shows_is_what_the_scaffold_writes(tmp_path: Path) -> None:
    """The ten lines of docs/component.md, read by the component and written by its scaffold."""
    shown = re.findall(r"```yml\n(.*?)```", (ROOT / "docs" / "component.md").read_text(), re.DOTALL)[0]
    assert len(shown.splitlines()) <= 10
    (tmp_path / "my_shop").mkdir()
    request = dg.ScaffoldRequest("plotsim_pipeline.DatasetComponent", tmp_path / "my_shop", "yaml", tmp_path, None)
    Scaffolder().scaffold(request)
    assert (tmp_path / "my_shop" / "defs.yaml").read_text() == shown
    assert (tmp_path / "my_shop" / "my_shop.yaml").read_text() == (BUNDLED / "minimal.yaml").read_text()
    DatasetComponent.resolve_from_dict(yaml.safe_load(shown)["attributes"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty Dagster project, in an environment where this package is installed as its pyproject.toml says."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = tmp_path / "site" / f"plotsim_pipeline-{VERSION}.dist-info"
    package = tmp_path / "src" / "shop"
    for folder in (installed, package / "defs", tmp_path / "home"):
        folder.mkdir(parents=True)
    about = f"Metadata-Version: 2.1\nName: {metadata['name']}\nVersion: {VERSION}\n"
    (installed / "METADATA").write_text(about)
    points = "\n".join(f"{name} = {module}" for name, module in metadata["entry-points"][GROUP].items())
    (installed / "entry_points.txt").write_text(f"[{GROUP}]\n{points}\n")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "home" / "dagster.yaml").write_text((ROOT / "plotsim_pipeline" / "instance.yaml").read_text())
    for folder in (package, package / "defs"):
        (folder / "__init__.py").touch()
    (package / "definitions.py").write_text(DEFINITIONS)
    return tmp_path


def dg_says(project: Path, *command: str, succeeds: bool = True) -> str:
    """Run `dg` in a project and return what it says."""
    environment = {
        **os.environ,
        "HOME": str(project),
        "DAGSTER_HOME": str(project / "home"),
        "PYTHONPATH": os.pathsep.join([str(project / "site"), str(project / "src"), str(ROOT)]),
        "SHOP_STORE": "data/plotsim.duckdb",
        "COLUMNS": "200",
    }
    done = subprocess.run([DG, *command], cwd=project, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
    return done.stdout + done.stderr


def processes(home: Path) -> set[int]:
    """Return the processes that the steps of the latest run of an instance ran in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            (run,) = instance.get_runs(limit=1)
            starts = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
            return {entry.get_dagster_event().pid for entry in starts}


@pytest.mark.long
def test_dg_launch_makes_two_assets_in_one_process(project: Path) -> None:
    """With what the scaffold writes; with Dagster's default executor it takes a process for each, and one for the checks
    that are judged when both are made."""
    dg_says(project, "scaffold", "defs", "plotsim_pipeline.DatasetComponent", "my_shop")
    defs = project / "src" / "shop" / "defs" / "my_shop" / "defs.yaml"
    launch = "launch", "--assets", "my_shop/fct_engagement,my_shop/fct_payments", "--partition", "2024-03-01"
    begin = time.perf_counter()
    dg_says(project, *launch)
    alone = time.perf_counter() - begin
    assert len(processes(project / "home")) == 1
    defs.write_text(defs.read_text().replace("executor: in_process", "executor: project"))
    begin = time.perf_counter()
    dg_says(project, *launch)
    print(f"dg launch of two assets: {(time.perf_counter() - begin) / alone:.1f} times as long with a process each")
    assert len(processes(project / "home")) == 3


@pytest.mark.long
def test_dg_scaffolds_checks_lists_and_launches(project: Path) -> None:
    """From an empty project to rows in the store, with the config that the scaffold wrote; YAML that is wrong is named."""
    dg_says(project, "scaffold", "defs", "plotsim_pipeline.DatasetComponent", "my_shop")
    folder = project / "src" / "shop" / "defs" / "my_shop"
    written = (folder / "defs.yaml").read_text()
    assert len([line for line in written.splitlines() if line]) <= 10
    document = yaml.safe_load(written)
    document["attributes"]["store"]["path"] = "{{ env.SHOP_STORE }}"
    (folder / "defs.yaml").write_text(yaml.safe_dump(document))
    dg_says(project, "check", "yaml")
    dg_says(project, "check", "defs")
    listed = dg_says(project, "list", "defs", "--json")
    assert "my_shop/fct_payments" in listed and "my_shop_increment" in listed
    plan = load_config(folder / "my_shop.yaml")
    keys = keys_of(plan)
    chosen = 'group:"my_shop"'
    dg_says(project, "launch", "--assets", chosen, "--partition-range", f"{keys[0]}...{keys[-1]}")
    expected = store_at("duckdb", project / "expected")
    materialise(plan, expected, keys, only=[table.name for table in plan.tables])
    result = store_of("duckdb", str(project / "data" / "plotsim.duckdb"))
    assert content(plan, result) == content(plan, expected)
    with duckdb.connect(result.path, read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM my_shop.validation_report").fetchall()[0][0] > 0
    document["attributes"]["stores"] = document["attributes"].pop("store")
    (folder / "defs.yaml").write_text(yaml.safe_dump(document))
    assert "stores" in dg_says(project, "check", "yaml", succeeds=False)
