"""What the UI shows after `make run`: the run on the timeline, plots by partition, pictures without a click."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from plotsim_core.tables.stages import STAGES, stage_names
from plotsim_core.validation.glances import stage_glance
from plotsim_pipeline.assets.drawings import drawing_metadata
from plotsim_pipeline.commands.run import Request, run
from plotsim_pipeline.runs import PARAMETERS_TAG
from tests.pipeline.live import BROWSER, ROOT, asked, clicked, runs, seen, served, until
from tests.pipeline.support import content, keys_of, materialise, plan_of, store_at

pytestmark = pytest.mark.slow

SHORT = 1_000
"""Dagster draws markdown of fewer characters in its tables, and hides longer one behind a link."""
TIMELINE = """
query CompletedRunTimelineQuery($completedFilter: RunsFilter!, $limit: Int!) {
  completed: runsOrError(filter: $completedFilter, limit: $limit) { ... on Runs { results {
    id pipelineName externalJobSource tags { key value } status creationTime startTime endTime
    repositoryOrigin { id repositoryName repositoryLocationName }
  } } }
}
"""
AGAIN = """
mutation ($parent: String!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $parent, strategy: ALL_STEPS, useParentRunTags: true}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}
"""


def at_home(directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set up a Dagster home and a store in a directory; return the environment that knows them."""
    home = directory / "home"
    home.mkdir()
    shutil.copyfile(ROOT / "plotsim_pipeline" / "instance.yaml", home / "dagster.yaml")
    environment = {"PLOTSIM_STORE_PATH": str(directory / "store.duckdb"), "PLOTSIM_DATASETS": "saas,minimal"}
    for name, value in {**environment, "DAGSTER_HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    return environment


def test_a_stage_has_one_short_picture_in_a_run(tmp_path: Path) -> None:
    """The last partition has it, and a sentence that says what the lines are; others would have copies of it."""
    plan, store = plan_of("saas"), store_at("duckdb", tmp_path)
    keys = keys_of(plan)
    for part in (keys[:6], keys[6:7]):
        result = materialise(plan, store, part, only=list(STAGES))
        for name in STAGES:
            events = result.asset_materializations_for_node(f"saas__{name}")
            assert [str(event.partition) for event in events if "at_a_glance" in event.metadata] == [part[-1]]
            last = events[-1].metadata
            assert "data:image/svg+xml" in str(last["at_a_glance"].value) and len(str(last["at_a_glance"].value)) < SHORT
            assert str(last["glance_shows"].value).endswith(f"{plan.grain.label(keys.index(part[-1]) + plan.first)}.")


@pytest.mark.parametrize("name", ["saas", "retail", "streaming", "minimal"])
def test_a_glance_is_short_and_of_the_stage(name: str) -> None:
    """Of each kind of unit, of a whole window and of a single period; each stage has another one."""
    plan = plan_of(name)
    stop = plan.first + 200 if plan.stop is None else plan.stop
    for first in (plan.first, stop - 1):
        shown = {stage: stage_glance(plan, stage, first, stop) for stage in stage_names(plan)}
        assert all(
            one is not None and 0 < len(drawing_metadata(stage, [one.drawing]).md_str or "") < SHORT
            for stage, one in shown.items()
        )
        assert len({one.description for one in shown.values() if one is not None}) == len(shown)
    assert stage_glance(plan, plan.tables[0].name, plan.first, stop) is None


def test_a_run_is_of_the_code_location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its start on, so that one that is killed or fails is seen too: as a launched one is."""
    at_home(tmp_path, monkeypatch)
    run(Request("minimal", partitions="2024-01-01...2024-02-01"), Console(file=io.StringIO()))
    with dg.DagsterInstance.get() as instance:
        (done,) = instance.get_runs()
        assert done.remote_job_origin is not None
        assert done.remote_job_origin.repository_origin.get_label() == "__repository__@plotsim_pipeline"
        assert [
            one.run_id
            for one in instance.get_runs(dg.RunsFilter(tags={".dagster/repository": "__repository__@plotsim_pipeline"}))
        ] == [done.run_id]


@pytest.mark.long
def test_the_ui_shows_the_run_its_plots_and_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeline's own query has the run; in a browser it is on the timeline and the page of jobs, `mrr` is among the
    numbers of a table, and the pictures of overview and stages are drawn where no longer markdown is."""
    environment = at_home(tmp_path, monkeypatch)
    run(Request("saas"), Console(file=io.StringIO()))
    plan = plan_of("saas")
    keys = keys_of(plan)
    command = [str(Path(sys.executable).parent / "dagster"), "asset", "materialize", "-m", "plotsim_pipeline.definitions"]
    command += ["--select", 'group:"saas_stages"', "--partition-range", f"{keys[0]}...{keys[-1]}"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=variables, capture_output=True, timeout=300, check=True)
    with served(tmp_path / "home", environment) as address:
        window = {"statuses": ["SUCCESS"], "updatedAfter": 0}
        shown = asked(address, TIMELINE, completedFilter=window, limit=10)["completed"]["results"]
        origins = {one["pipelineName"]: one["repositoryOrigin"] for one in shown}
        assert (origins["saas"]["repositoryName"], origins["saas"]["repositoryLocationName"]) == (
            "__repository__",
            "plotsim_pipeline",
        )
        if BROWSER is None:
            pytest.skip("no Chromium is installed (apt-get install chromium), so nobody looked at the UI; GraphQL passed")
        pages: dict[str, tuple[str, Callable[[str], bool]]] = {
            "timeline": ("/", lambda text: "No runs or scheduled ticks" not in text and "plotsim_pipeline 1 saas" in text),
            "jobs": (
                "/overview/jobs",
                lambda text: re.search(r"saas (a|\d+|less than a) (few )?(second|minute)s? ago", text) is not None,
            ),
            "table": ("/assets/saas/fct_revenue", lambda text: re.search(r"mrr \w{3} \d", text) is not None),
            "checks": ("/assets/saas/fct_revenue?view=checks", lambda text: "references_resolve" in text),
            "overview": ("/assets/saas/overview", lambda text: text.count("_at_a_glance") == 3),
            **{
                name: (f"/assets/saas/{name}", lambda text: "at_a_glance" in text and "glance_shows" in text)
                for name in STAGES
            },
        }
        for name, (page, shows) in pages.items():
            text = seen(f"{address}{page}", f"first_look_{name}", tmp_path / "profile", height=2000)
            assert shows(text), f"{name}: {text[:3000]}"
        drawings = "When graphing values by partition"
        plots = clicked(f"{address}/assets/saas/fct_revenue", "Plots", drawings, "first_look_plots", tmp_path / "clicks")
        assert re.search(r"dagster/partition_row_count\s+mrr\s+seconds", plots), plots[:3000]


@pytest.mark.long
def test_a_run_with_parameters_is_repeated_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The UI can re-execute a run that has an origin: what it makes is what the run made, and not what the config says."""
    environment = at_home(tmp_path, monkeypatch)
    run(Request("minimal", parameters={"seed": 7}), Console(file=io.StringIO()))
    plan, store = plan_of("minimal"), store_at("duckdb", tmp_path)
    before = content(plan, store)
    with served(tmp_path / "home", environment) as address:
        (first,) = runs(address)
        again = asked(address, AGAIN, parent=first["runId"])["launchRunReexecution"]
        assert again["__typename"] == "LaunchRunSuccess", again
        number = again["run"]["runId"]
        until(
            "repeating a run",
            120,
            lambda: [one for one in runs(address) if one["runId"] == number and one["status"] in ("SUCCESS", "FAILURE")],
        )
        repeated = next(one for one in runs(address) if one["runId"] == number)
        assert repeated["status"] == "SUCCESS"
        assert json.loads(next(tag["value"] for tag in repeated["tags"] if tag["key"] == PARAMETERS_TAG)) == {"seed": 7}
    assert content(plan, store) == before
