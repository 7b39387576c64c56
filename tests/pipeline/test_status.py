"""What is missing or stale is known, and made: no more and no less, in as few runs as it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

import plotsim_pipeline.assets.tables as assets
from plotsim_core import Plan, load_config
from plotsim_pipeline.__main__ import main
from plotsim_pipeline.assets.report import OVERVIEW
from plotsim_pipeline.checks.staleness import CURRENT, current_check
from plotsim_pipeline.commands.status import Step, TableStatus, steps
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import Store
from tests.pipeline.live import ROOT, asked, served
from tests.pipeline.support import content, keys_of, materialise, store_at

pytestmark = pytest.mark.slow

CONFIG = """
about: Calls
unit: caller
window: [2024-01, 2024-06, month]
seed: 1
metrics: [{ name: calls, type: count, polarity: positive }]
segments: [{ name: all, count: 3, archetype: flat }]
"""
KEYS = tuple(f"2024-{month:02d}-01" for month in range(1, 7))
REPORTS = ("overview", "manifest")
ALL = ("dim_date", "dim_caller", "fct_calls", "validation_report")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of one's own, with a store and a Dagster home beside it that the environment names."""
    (tmp_path / "configs").mkdir()
    file = tmp_path / "configs" / "calls.yaml"
    file.write_text(CONFIG)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLOTSIM_CONFIGS", str(file.parent))
    monkeypatch.setenv("PLOTSIM_DATASETS", "calls")
    monkeypatch.setenv("PLOTSIM_STORE", "duckdb")
    monkeypatch.setenv("PLOTSIM_STORE_PATH", str(tmp_path / "store.duckdb"))
    return file


@pytest.fixture(scope="module")
def blank() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def invoke(*command: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, command)
    assert done.exit_code == code, (done.output, done.exception)
    return done


def plan_of(file: Path) -> Plan:
    return load_config(file)


def table(name: str, missing: str = "", stale: str = "", state: bool = False) -> TableStatus:
    """A table of which months (as digits) are missing, and stale."""
    keys = {months: tuple(KEYS[int(month) - 1] for month in months) for months in (missing, stale)}
    values = tuple(key for key in KEYS if key not in keys[missing] + keys[stale])
    return TableStatus(name, state, 1, values, keys[missing], {"old": keys[stale]} if stale else {})


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (["123456", "6", "123456", "123456"], [("16", (*ALL, *REPORTS))]),
        (["", "", "", ""], [("", REPORTS)]),
        (["", "", "23", ""], [("23", ("fct_calls", "validation_report", *REPORTS))]),
        (
            ["", "", "25", "2"],
            [("55", ("fct_calls", "validation_report")), ("22", ("fct_calls", "validation_report", *REPORTS))],
        ),
        (["", "6", "", ""], [("66", ("dim_caller", "validation_report", *REPORTS))]),
        (
            ["", "6", "1", "1"],
            [("66", ("dim_caller", "validation_report")), ("11", ("fct_calls", "validation_report", *REPORTS))],
        ),
        (["", "", "", "456"], [("46", ("validation_report", *REPORTS))]),
    ],
)
def test_what_is_due_is_made_in_few_runs(
    tables: list[str], expected: list[tuple[str, tuple[str, ...]]], blank: dg.DagsterInstance, config: Path
) -> None:
    """Ranges without a gap, the latest first, with the states; reports of what is made; overview and manifest at the end."""
    values = [table(name, missing, state=name == "dim_caller") for name, missing in zip(ALL, tables, strict=True)]
    actual = steps(plan_of(config), values, KEYS, blank)
    ranges = [
        ("".join(str(KEYS.index(key) + 1) for key in (*step.keys[:1], *step.keys[-1:])), step.assets) for step in actual
    ]
    assert ranges == expected


def test_runs_can_be_kept_small_or_together(blank: dg.DagsterInstance, config: Path) -> None:
    """At most so many partitions at once; all in one run; some tables alone, which need no reports; everything again."""
    plan = plan_of(config)
    gaps = [table("dim_date"), table("dim_caller", "6", state=True), table("fct_calls", "1", stale="4"), table(ALL[3], "1")]
    assert [step.keys for step in steps(plan, gaps, KEYS, blank, in_one_run=True)] == [KEYS]
    assert steps(plan, gaps, KEYS, blank, only_tables=["dim_caller"]) == [Step(KEYS[5:], ("dim_caller",))]
    assert [step.keys for step in steps(plan, gaps, KEYS, blank, only_tables=["fct_calls"])] == [KEYS[3:4], KEYS[:1]]
    whole = [table("dim_date"), table("dim_caller", state=True), table("fct_calls"), table(ALL[3])]
    again = steps(plan, whole, KEYS, blank, everything=True, max_partitions=4)
    assert [step.keys for step in again] == [KEYS[4:], KEYS[:4]]
    assert again[0].assets == ALL and again[1].assets == ("dim_date", "fct_calls", ALL[3], *REPORTS)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_run_makes_what_is_missing_and_no_more(
    kind: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range, a table, then the rest: the store holds the batch, and the instance shows every partition as made."""
    store, plan = store_at(kind, tmp_path), plan_of(config)
    monkeypatch.setenv("PLOTSIM_STORE", kind)
    monkeypatch.setenv("PLOTSIM_STORE_PATH", store.path)
    invoke("run", "calls", "--partition-range", "2024-03-01...2024-04-01", "--tables", "fct_calls,dim_caller")
    assert set(store.intact_partitions("calls")["fct_calls"]) == {"2024-03-01", "2024-04-01"}
    before = store.run_log().num_rows
    dry = invoke("run", "calls", "--dry-run").output
    assert "would make, in 3 runs" in dry
    assert "2024-05-01...2024-06-01 (2): dim_date, dim_caller, fct_calls, validation_report" in dry
    assert "2024-03-01...2024-04-01 (2): dim_date, validation_report" in dry
    assert store.run_log().num_rows == before, "a dry run makes nothing"
    status = json.loads(invoke("status", "calls", "--json").output)
    assert status["tables"]["fct_calls"]["missing"] == [KEYS[0], KEYS[1], KEYS[4], KEYS[5]]
    invoke("status", "calls", "--strict", code=1)
    invoke("run", "calls")
    assert "is whole and made from this config" in invoke("status", "calls", "--strict").output
    assert "nothing to do" in invoke("run", "calls").output
    values = [(row["table_name"], key) for row in store.run_log().to_pylist() for key, _ in row["partition_hashes"]]
    assert values.count(("fct_calls", "2024-03-01")) == 1, "what is there is not made again"
    batch = store_at("duckdb", tmp_path / "batch")
    materialise(plan, batch, keys_of(plan), only=[table.name for table in plan.tables])
    assert content(plan, store) == content(plan, batch)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(["calls", "fct_calls"])) == set(KEYS)


def test_a_changed_config_makes_partitions_stale(config: Path, tmp_path: Path) -> None:
    """Status says which, of what they were made, and a run makes these again: in parts, and then all."""
    store = store_at("duckdb", tmp_path)
    invoke("run", "calls", "--tables", "dim_date,dim_caller,fct_calls")
    before = plan_of(config).digest
    config.write_text(CONFIG.replace("seed: 1", "seed: 2"))
    plan = plan_of(config)
    invoke("run", "calls", "--partition-range", "2024-06-01", "--tables", "fct_calls")
    status = json.loads(invoke("status", "calls", "--json").output)
    assert status["config_hash"] == plan.digest
    stale = {before: list(KEYS[:5])}
    assert status["tables"]["fct_calls"] == {
        "rows": 18,
        "made": [KEYS[5]],
        "missing": [],
        "stale": stale,
        "obstacle": None,
    }
    assert status["tables"]["dim_caller"]["stale"] == {before: [KEYS[5]]}
    shown = invoke("status", "calls").output
    assert f"stale: made from {before} (seed 1, scale 1, version" in shown
    assert "plotsim materialize calls" in shown
    invoke("run", "calls", "--tables", "dim_date,dim_caller,fct_calls")
    assert all(
        digest == plan.digest
        for partitions in store.intact_partitions("calls").values()
        for _, digest in partitions.values()
    )


@pytest.mark.long
def test_what_another_machine_made_is_not_made_again(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store tells what is there: an instance that has seen nothing makes its own reports, and no table."""
    plan, store = plan_of(config), store_at("duckdb", tmp_path)
    materialise(plan, store, keys_of(plan))
    assert "overview, manifest" in invoke("run", "calls", "--dry-run").output
    before = store.run_log().num_rows
    assert "fct_calls: done" not in invoke("run", "calls").output
    assert store.run_log().num_rows == before


def test_trouble_is_told_until_it_is_mended(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status names tables whose latest write failed, and why."""

    def burning(*_: object) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        return pa.schema({"date_key": pa.int64()}), (1 / 0 for _ in "x")  # type: ignore[misc]

    with monkeypatch.context() as broken:
        broken.setattr(assets, "batches", burning)
        assert "division by zero" in invoke("run", "calls", "--tables", "fct_calls", code=1).output
    shown = invoke("status", "calls").output
    assert "FAILED: fct_calls 2024-01-01...2024-06-01: " in shown and "division by zero" in shown
    invoke("run", "calls", "--tables", "fct_calls")
    assert "FAILED" not in invoke("status", "calls").output


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["--tables", "fct_cals"], "did you mean 'fct_calls'?"),
        (["--partition-range", "2024-07-01"], "of the partitions 2024-01-01 to 2024-06-01"),
        (["--partition-range", "2024-05-01...2024-02-01"], "ends before it begins"),
    ],
)
def test_a_wrong_request_is_answered(command: list[str], message: str, config: Path, tmp_path: Path) -> None:
    assert message in invoke("run", "calls", *command, code=2).output
    assert message in invoke("status", "calls", *command, code=2).output
    assert not (tmp_path / "store.duckdb").exists()


@pytest.mark.long
def test_every_store_tells_what_is_missing(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status reads each kind of store alike."""
    plan = plan_of(config)
    for kind in STORES:
        store = store_at(kind, tmp_path / kind)
        materialise(plan, store, KEYS[1:3], only=["fct_calls", "dim_caller"])
        monkeypatch.setenv("PLOTSIM_STORE", kind)
        monkeypatch.setenv("PLOTSIM_STORE_PATH", store.path)
        status = json.loads(invoke("status", "calls", "--json").output)
        assert status["tables"]["fct_calls"]["made"] == list(KEYS[1:3])
        assert status["tables"]["dim_caller"]["missing"] == [KEYS[5]], "it is as of March"


def test_plotsim_has_the_commands_of_the_pipeline(config: Path, tmp_path: Path) -> None:
    """The core's command line takes what the installed package declares, and imports none of it to name it in its help."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["entry-points"]["plotsim.commands"]
    info = tmp_path / "site" / "plotsim_pipeline-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plotsim-pipeline\nVersion: 0\n")
    (info / "entry_points.txt").write_text("\n".join(["[plotsim.commands]", *(f"{k} = {v}" for k, v in declared.items())]))
    environment = {**os.environ, "PYTHONPATH": f"{info.parent}{os.pathsep}{ROOT}"}
    code = "import sys; from plotsim_core.cli import main; main({}, standalone_mode=False); print('dagster' in sys.modules)"

    def shown(*command: str) -> str:
        program = [sys.executable, "-c", code.format(list(command))]
        return subprocess.run(program, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout

    help_of_all = shown("--help")
    assert "materialize, query, reconcile, status" in help_of_all and help_of_all.rstrip().endswith("False")
    assert "plotsim status delivery --strict" in shown("status", "--help")


def test_a_check_tells_what_is_stale(config: Path, tmp_path: Path) -> None:
    """Dagster shows an asset with partitions as fresh whatever its partitions are: the check on the overview tells."""
    plan, store = plan_of(config), store_at("duckdb", tmp_path)
    materialise(plan, store, KEYS[:3], only=["fct_calls", "dim_caller"])
    assert checked(plan, store).passed, "missing partitions are no fault"
    config.write_text(CONFIG.replace("seed: 1", "seed: 2"))
    actual = checked(plan_of(config), store)
    assert not actual.passed and (actual.description or "").startswith("dim_caller, fct_calls: stale")
    (records,) = [value.records for value in actual.metadata.values() if isinstance(value, dg.TableMetadataValue)]
    (fact,) = [record.data for record in records if record.data["table"] == "fct_calls"]
    stale = f"2024-01-01...2024-03-01 ({plan.digest})"
    assert fact == {"table": "fct_calls", "stale": stale, "missing": "2024-04-01...2024-06-01"}


def checked(plan: Plan, store: Store) -> dg.AssetCheckEvaluation:
    """Return what the check of a dataset says, which is asked alone."""
    selection = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey([plan.name, OVERVIEW]), CURRENT))
    job = dg.define_asset_job("ask", selection=selection)
    definitions = dg.Definitions(asset_checks=[current_check(plan)], jobs=[job], resources={"store": store})
    (result,) = definitions.resolve_job_def("ask").execute_in_process().get_asset_check_evaluations()
    return result


STALE = """
query ($asset: [String!]!, $key: String) {
  assetNodeOrError(assetKey: {path: $asset}) {
    ... on AssetNode { staleStatus(partition: $key) staleCauses(partition: $key) { reason } }
  }
}
"""


@pytest.mark.long
def test_the_ui_shows_stale_partitions(config: Path, tmp_path: Path) -> None:
    """After an edit each partition is stale for a reason but those that were made since; overview and manifest are stale."""
    invoke("run", "calls")
    config.write_text(CONFIG.replace("seed: 1", "seed: 2"))
    invoke("run", "calls", "--partition-range", KEYS[5], "--tables", "fct_calls")
    with served(tmp_path / "home", {}) as address:

        def status(name: str, key: str | None = None) -> tuple[str, str]:
            node = asked(address, STALE, asset=["calls", name], key=key)["assetNodeOrError"]
            return node["staleStatus"], " ".join(cause["reason"] for cause in node["staleCauses"])

        assert status("fct_calls", KEYS[0]) == ("STALE", "has a new code version")
        assert status("dim_date", KEYS[5]) == ("STALE", "has a new code version")
        assert status("fct_calls", KEYS[5])[0] == "FRESH"
        assert status("overview") == ("STALE", "has a new code version")
        assert status("manifest")[0] == "STALE"
