"""The code location from the command line, as in CI: real processes, no daemon, no webserver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner

from plotsim_core import create_from_yaml
from plotsim_pipeline.__main__ import main
from plotsim_pipeline.commands.run import first_query
from plotsim_pipeline.datasets import BUNDLED
from plotsim_pipeline.stores.checkpoints import FOLDER as CHECKPOINTS
from plotsim_pipeline.stores.index import INDEX
from plotsim_pipeline.stores.run_log import LOG
from tests.pipeline.support import content, keys_of, materialise, plan_of, store_at

ROOT = BUNDLED.parent
DAGSTER = str(Path(sys.executable).parent / "dagster")
LOCATION = ["-m", "plotsim_pipeline.definitions"]


def run(directory: Path, *command: str, store: str = "duckdb", **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an empty directory, with the store and a Dagster home inside it."""
    surroundings = environment(directory, store, **more)
    return subprocess.run(command, cwd=directory, env=surroundings, capture_output=True, text=True, timeout=300)


def environment(directory: Path, store: str = "duckdb", **more: str) -> dict[str, str]:
    """Return the environment of a command: the store and a Dagster home inside a directory, and three datasets."""
    home = directory / "home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text((ROOT / "plotsim_pipeline" / "instance.yaml").read_text())
    path = str(directory / ("store.duckdb" if store == "duckdb" else "files"))
    return {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "PLOTSIM_STORE": store,
        "PLOTSIM_STORE_PATH": path,
        "PYTHONPATH": str(ROOT),
        "PLOTSIM_DATASETS": "saas,delivery,minimal",
        **more,
    }


@pytest.mark.slow
def test_definitions_are_valid(tmp_path: Path) -> None:
    """`dagster definitions validate` accepts the code location, with all datasets."""
    done = run(tmp_path, DAGSTER, "definitions", "validate", *LOCATION, PLOTSIM_DATASETS="")
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_materialise_a_partition_and_a_range(tmp_path: Path) -> None:
    """`dagster asset materialize` makes one partition, then a range, and the store holds the same as ever."""
    plan = plan_of("minimal")
    keys = keys_of(plan)
    selected = 'group:"minimal"'
    one = run(tmp_path, DAGSTER, "asset", "materialize", *LOCATION, "--select", selected, "--partition", keys[4])
    assert one.returncode == 0, one.stderr[-2000:]
    rest = f"{keys[0]}...{keys[-1]}"
    many = run(tmp_path, DAGSTER, "asset", "materialize", *LOCATION, "--select", selected, "--partition-range", rest)
    assert many.returncode == 0, many.stderr[-2000:]
    expected = store_at("duckdb", tmp_path / "expected")
    materialise(plan, expected, keys, only=[table.name for table in plan.tables])
    assert content(plan, store_at("duckdb", tmp_path)) == content(plan, expected)


@pytest.mark.slow
def test_materialise_one_asset_alone_into_parquet(tmp_path: Path) -> None:
    """One asset, one partition, the other store; nothing else appears but a row of the run log, an index, and what
    is known of each unit by then, last and some time before."""
    wanted = ["--select", 'key:"delivery/fct_day"', "--partition", "2024-02-29"]
    done = run(tmp_path, DAGSTER, "asset", "materialize", *LOCATION, *wanted, store="parquet")
    assert done.returncode == 0, done.stderr[-2000:]
    files = [str(file.relative_to(tmp_path / "files")) for file in (tmp_path / "files").rglob("*") if file.is_file()]
    checkpoints = [file for file in files if file.startswith(CHECKPOINTS)]
    others = [file for file in files if not file.startswith((LOG, INDEX, CHECKPOINTS))]
    assert others == ["delivery/fct_day/2024-02-29.parquet"]
    assert len(checkpoints) == 2
    assert len(files) == 5


@pytest.mark.slow
def test_run_says_what_is_there_and_a_second_run_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m plotsim_pipeline run` makes a dataset, prints its tables, and leaves a whole one alone."""
    first = run(tmp_path, sys.executable, "-m", "plotsim_pipeline", "run", "minimal")
    assert first.returncode == 0, first.stderr[-2000:]
    assert "fct_payments" in first.stdout
    assert "12 of 12" in first.stdout
    before = (tmp_path / "store.duckdb").read_bytes()
    second = run(tmp_path, sys.executable, "-m", "plotsim_pipeline", "run", "minimal")
    assert second.returncode == 0
    assert "nothing to do" in second.stdout
    assert (tmp_path / "store.duckdb").read_bytes() == before
    assert "minimal.overview: done after" in first.stdout, "progress is told in lines where nothing can be drawn"
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with dg.DagsterInstance.get() as instance:
        instance.wipe_assets([dg.AssetKey(["minimal", "manifest"])])
    again = run(tmp_path, sys.executable, "-m", "plotsim_pipeline", "run", "minimal")
    assert "minimal.manifest: done after" in again.stdout, "a run that was stopped before its reports is not whole"
    query = run(tmp_path, sys.executable, "-m", "plotsim_pipeline", "query", "SELECT count(*)\nFROM minimal.fct_payments")
    assert "960" in query.stdout


@pytest.mark.slow
def test_each_command_answers(tmp_path: Path) -> None:
    """A dataset of two months is made, judged whole, asked, told to Dagster and listed."""
    (tmp_path / "calls.yaml").write_text(
        "{about: Calls, unit: caller, window: [2024-01, 2024-02, month],"
        " metrics: [{name: calls, type: count, polarity: positive}], segments: [{name: all, count: 3, archetype: flat}]}"
    )
    surroundings = environment(tmp_path, PLOTSIM_CONFIGS=str(tmp_path), PLOTSIM_DATASETS="calls")
    answers = {
        ("run", "calls"): "2 of 2",
        ("status", "calls", "--strict"): "calls is whole",
        ("query", "SELECT 'rows ' || count(*) FROM calls.fct_calls"): "rows 6",
        ("reconcile", "calls"): "calls",
        ("configs",): "calls: Calls",
    }
    assert {command for command, *_ in answers} == set(main.commands) - {"ui"}
    for command, answer in answers.items():
        done = CliRunner().invoke(main, command, env=surroundings)
        assert done.exit_code == 0, done.output
        assert answer in done.output, done.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "settings", "message"),
    [
        (["run", "sass"], {}, "did you mean 'saas'?"),
        (["run"], {"PLOTSIM_STORE": "oracle"}, "expected one of duckdb, parquet"),
        (["run"], {"PLOTSIM_CONFIGS": "/nowhere/at/all"}, "is not a directory"),
        (
            ["run"],
            {"PLOTSIM_DATASETS": "sass, minimal"},
            "no dataset is named 'sass'; did you mean 'saas'?",
        ),
        (["query", "SELECT 1"], {}, "materialise a dataset first"),
    ],
)
def test_mistakes_are_answered_readably(command: list[str], settings: dict[str, str], message: str, tmp_path: Path) -> None:
    """A wrong name or setting gives one sentence and exit code 2, and nothing is written."""
    done = CliRunner().invoke(main, command, env=environment(tmp_path, **settings))
    assert done.exit_code == 2, done.stderr
    assert message in done.stderr
    assert isinstance(done.exception, SystemExit) and "Traceback" not in done.stderr
    assert not (tmp_path / "store.duckdb").exists()


@pytest.mark.slow
@pytest.mark.parametrize("store", ["duckdb", "parquet"])
def test_a_store_that_cannot_be_written_is_told_in_a_line(store: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = str(tmp_path / "file" / "store")
    done = run(tmp_path, sys.executable, "-m", "plotsim_pipeline", "run", "minimal", store=store, PLOTSIM_STORE_PATH=path)
    assert done.returncode == 1
    assert "minimal.dim_customer" in done.stderr
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_run_that_is_interrupted_says_so(tmp_path: Path) -> None:
    """As Ctrl-C does it, in the middle of the work; the next run completes it."""
    command = [sys.executable, "-m", "plotsim_pipeline", "run", "delivery"]
    surroundings = environment(tmp_path)
    with subprocess.Popen(command, cwd=tmp_path, env=surroundings, stdout=-1, stderr=-1, text=True) as running:
        assert running.stdout is not None and running.stderr is not None
        assert "done after" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        output = running.stderr.read()
    assert running.returncode == 130
    assert "stopped: what is written stays" in output


@pytest.mark.slow
def test_configs_of_ones_own(tmp_path: Path) -> None:
    """A directory named by PLOTSIM_CONFIGS adds datasets; a broken config there is named with its problems, and two of one
    name are refused."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "shops.yaml").write_text((BUNDLED / "minimal.yaml").read_text().replace("customer", "shop"))
    more = {"PLOTSIM_CONFIGS": str(mine), "PLOTSIM_DATASETS": ""}
    done = run(tmp_path, sys.executable, "-m", "plotsim_pipeline", "run", "shops", **more)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "dim_shop" in done.stdout
    (mine / "broken.yaml").write_text("about: x\nunit: shop\nmetrics: []\n")
    broken = run(tmp_path, sys.executable, "-m", "plotsim_pipeline", "run", "broken", **more)
    assert broken.returncode == 2
    assert "broken.yaml: 3 problems" in broken.stderr
    (mine / "saas.yml").write_text((BUNDLED / "minimal.yaml").read_text())
    twice = run(tmp_path, sys.executable, "-m", "plotsim_pipeline", "run", "shops", **more)
    assert twice.returncode == 2
    assert "there is already a dataset named saas" in twice.stderr


EVENTS_ALONE = """
about: Calls
unit: caller
window: [2024-01, 2024-03, month]
metrics: [{ name: calls, type: count, polarity: positive }]
segments: [{ name: all, count: 3, archetype: flat }]
dimensions:
  - { name: dim_date, per: period, columns: [{ name: date_key, type: id }] }
  - { name: dim_caller, per: unit, columns: [{ name: caller_id, type: id }] }
facts: []
events:
  - name: evt_call
    trigger: proportional
    driver: calls
    columns: [{ name: call_id, type: id }, { name: date_key, type: ref.dim_date }, { name: caller_id, type: ref.dim_caller }]
"""


@pytest.mark.parametrize("text", [EVENTS_ALONE, (ROOT / "tests" / "fields.yaml").read_text()], ids=["events", "fields"])
def test_the_first_query_fits_what_is_there(text: str) -> None:
    """What a run proposes to ask names a table and columns of the dataset, whatever kinds of table that has."""
    plan = create_from_yaml(text)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE SCHEMA {plan.name}")
        for table in plan.tables:
            connection.register("rows", table.schema.empty_table())
            connection.execute(f"CREATE TABLE {plan.name}.{table.name} AS FROM rows")
        assert connection.sql(first_query(plan)).columns[0] == "date_key"
