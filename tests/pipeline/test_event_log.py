"""The event log in batches holds what Dagster's own holds, in the same files, and a run's events all at once or not."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import yaml

from plotsim_core.output.partitions import keys_between
from plotsim_pipeline import event_log
from plotsim_pipeline.assets.report import VALIDATION_REPORT
from plotsim_pipeline.datasets import BUNDLED, definitions_of
from plotsim_pipeline.event_log import BatchedEventLog
from tests.pipeline.support import END, START
from tests.pipeline.test_schedules import small

pytestmark = pytest.mark.slow

SETTINGS = (Path(event_log.__file__).parent / "instance.yaml").read_text(encoding="utf-8")
SECTION = """event_log_storage:
  module: plotsim_pipeline.event_log
  class: BatchedEventLog
  config:
    base_dir: {env: DAGSTER_HOME}
"""
"""What names the log in a dagster.yaml: so the homes of version 0.5 have it, and the settings of today as a comment."""
OURS = SETTINGS + SECTION
OWN = "telemetry: {enabled: false}\n"


@contextmanager
def instance(home: Path, settings: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(settings, encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    with dg.DagsterInstance.get() as instance:
        yield instance
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)


def run(home: Path, actual: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> dg.ExecuteInProcessResult:
    """Make three days in one run."""
    monkeypatch.setenv("PLOTSIM_STORE_PATH", str(home / "store.duckdb"))
    plan = small(start="2024-03-01")
    keys = keys_between(plan, plan.first, plan.first + 3)
    job = definitions_of([plan]).resolve_job_def("shops_increment")
    return job.execute_in_process(instance=actual, tags={START: keys[0], END: keys[-1]})


def records_of(actual: dg.DagsterInstance, run_id: str) -> dict[str, object]:
    """Return what an instance knows of the run and of its assets, without its times and numbers."""
    plan = small(start="2024-03-01")
    keys = [dg.AssetKey(["shops", name]) for name in (*(table.name for table in plan.tables), VALIDATION_REPORT)]
    assets = {}
    for key in keys:
        records = actual.fetch_materializations(key, limit=10, ascending=True).records
        events = [record.asset_materialization for record in records if record.asset_materialization is not None]
        latest = actual.get_latest_materialization_event(key)
        assert latest is not None and latest.asset_materialization is not None
        assets[key] = (
            actual.get_materialized_partitions(key),
            [(event.partition, sorted(event.tags or {})) for event in events],
            [event.metadata.get("dagster/partition_row_count") for event in events],
            latest.asset_materialization.partition,
            [record.storage_id for record in records] == sorted({record.storage_id for record in records}),
        )
    kinds = [entry.dagster_event_type for entry in actual.all_logs(run_id) if entry.dagster_event_type is not None]
    return {"assets": assets, "kinds": sorted(kind.value for kind in kinds), "known": set(actual.all_asset_keys())}


def test_it_holds_what_dagsters_own_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions, row counts, versions, the latest event of each asset and the log of the run are the same; and Dagster's
    own reads the files that ours wrote."""
    with instance(tmp_path / "own", OWN, monkeypatch) as actual:
        result = run(tmp_path / "own", actual, monkeypatch)
        expected = records_of(actual, result.run_id)
    with instance(tmp_path / "ours", OURS, monkeypatch) as actual:
        assert isinstance(getattr(actual.event_log_storage, "_event_log_storage", actual.event_log_storage), BatchedEventLog)
        result = run(tmp_path / "ours", actual, monkeypatch)
        assert records_of(actual, result.run_id) == expected
    with instance(tmp_path / "ours", OWN, monkeypatch) as actual:
        assert records_of(actual, result.run_id) == expected


def test_the_settings_name_it_in_a_comment_only() -> None:
    """Taken in, the comment is the section, as docs/partitions.md shows it."""
    assert "".join(f"# {line}" for line in SECTION.splitlines(True)) in SETTINGS
    page = (BUNDLED.parent / "docs" / "partitions.md").read_text(encoding="utf-8")
    assert textwrap.indent(f"```yml\n{SECTION}```", "  ") in page
    assert "event_log_storage" not in yaml.safe_load(SETTINGS)


def test_the_checks_of_a_range_are_planned_once_and_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No check stays planned for ever, as it does with Dagster's own for each partition of a range."""
    with instance(tmp_path / "home", OURS, monkeypatch) as actual:
        result = run(tmp_path / "home", actual, monkeypatch)
        evaluations = result.get_asset_check_evaluations()
        assert evaluations
        for evaluation in evaluations:
            history = actual.event_log_storage.get_asset_check_execution_history(evaluation.asset_check_key, limit=10)
            assert [record.status.value for record in history] == ["SUCCEEDED" if evaluation.passed else "FAILED"]


@pytest.mark.long
def test_a_batch_that_fails_is_stored_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a batch cannot be written, Dagster hands its events over again, each on its own: nothing is lost."""
    with instance(tmp_path / "home", OURS, monkeypatch) as actual:

        def refuse(*_: object) -> None:
            raise OSError("no batches today")

        monkeypatch.setattr(BatchedEventLog, "store_event_batch", refuse)
        assert run(tmp_path / "home", actual, monkeypatch).success
        assert len(actual.get_materialized_partitions(dg.AssetKey(["shops", "fct_visits"]))) == 3
