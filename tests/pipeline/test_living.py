"""A warehouse that lives, for real: somebody's own Dagster project with webserver, daemon and a schedule that ticks, while
backfills run, one run is killed and people look at the UI. In the end the store equals the batch."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plotsim_core import Plan, load_config
from plotsim_pipeline.partitions import key_of
from plotsim_pipeline.stores import STORES
from tests.pipeline.live import BROWSER, ROOT, asked, backfill, launch, materialised, runs, seen, served, until
from tests.pipeline.support import assert_equals_the_batch

pytestmark = pytest.mark.long

DAYS = 40
PROJECT = {
    "pyproject.toml": """
[project]
name = "town"
version = "1"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "town"
code_location_name = "town"
""",
    "town/__init__.py": "",
    "town/definitions.py": """
from pathlib import Path

import dagster as dg

defs = dg.Definitions.merge(
    dg.load_from_defs_folder(path_within_project=Path(__file__).parent), dg.Definitions(executor=dg.in_process_executor)
)
""",
    "town/defs/__init__.py": "",
    "town/defs/library/defs.yaml": """
type: plotsim_pipeline.DatasetComponent
attributes:
  config: library.yaml
  store: {kind: STORE, path: data/STORE}
  schedule: {enabled: true, cron: "* * * * *"}
""",
    "workspace.yaml": "load_from: [{python_module: {module_name: town.definitions, location_name: town}}]\n",
}

EVENTS = """
query ($id: ID!) {
  logsForRun(runId: $id) { ... on EventConnection { events { __typename ... on MessageEvent { message } } } }
}
"""


def project(directory: Path, kind: str) -> Path:
    """Write a Dagster project with one dataset that began `DAYS` days ago; return its config."""
    for name, text in PROJECT.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("STORE", kind))
    config = directory / "town" / "defs" / "library" / "library.yaml"
    start = datetime.now(UTC).date() - timedelta(days=DAYS)
    config.write_text(Path(__file__).with_name("living.yaml").read_text().replace("START", str(start)))
    return config


def killed(address: str, run: str) -> bool:
    """Kill the process of a run while it makes its first table; return whether it could be done."""
    events = asked(address, EVENTS, id=run)["logsForRun"]["events"]
    start_events = [event for event in events if event["__typename"] == "ExecutionStepStartEvent"]
    values = [int(pid) for event in events for pid in re.findall(r"\(pid: (\d+)\)", event.get("message") or "")]
    if not start_events or not values:
        return False
    os.kill(values[-1], signal.SIGKILL)
    return True


def test_it_lives(tmp_path: Path) -> None:
    """The schedule catches up while backfills run in any order; a killed run loses nothing; the next tick completes all."""
    config = project(tmp_path / "town", "duckdb")
    plan = load_config(config)
    today = plan.grain.read(f"{datetime.now(UTC):%Y-%m-%d}")
    keys = [key_of(plan, period) for period in range(plan.first, today)]
    assert len(keys) == DAYS
    environment = {"PYTHONPATH": f"{tmp_path / 'town'}{os.pathsep}{ROOT}"}
    with served(tmp_path / "home", environment, tmp_path / "town" / "workspace.yaml") as address:
        tables = [table.name for table in plan.tables]
        for part in (keys[20:28], keys[:6]):
            backfill(address, plan.name, tables, part)
        victim = launch(address, f"{plan.name}_increment", keys[:30], "town")  # the schedule is left the last ten days
        until("killing a run", 120, lambda: killed(address, victim), every=0.2)
        until("seeing that it is dead", 120, lambda: _status(address, victim) == "FAILURE")

        def complete() -> bool:
            return all(count == DAYS for count in materialised(address, plan).values())

        until("catching up", 300, complete)
        until("rest", 120, lambda: all(run["status"] in ("SUCCESS", "FAILURE") for run in runs(address)))
        by_schedule = [run for run in runs(address) if any(t["key"] == "dagster/schedule_name" for t in run["tags"])]
        assert by_schedule, "the schedule asked for nothing"
        assert [run["runId"] for run in runs(address) if run["status"] == "FAILURE"] == [victim]
        answer = launch(address, f"{plan.name}_overview", location="town")
        until("the overview", 120, lambda: _status(address, answer) == "SUCCESS")
        _look(address, plan, tmp_path)
    assert_equals_the_batch(plan, STORES["duckdb"](path=str(tmp_path / "town" / "data" / "duckdb")), today)


def _status(address: str, run: str) -> str:
    return next(str(actual["status"]) for actual in runs(address) if actual["runId"] == run)


def _look(address: str, plan: Plan, directory: Path) -> None:
    """Open the UI where people look: graph, partitions, a materialisation with its picture."""
    if BROWSER is None:
        pytest.skip("no Chromium is installed (apt-get install chromium), so nobody looked at the UI; all before it passed")
    pages: dict[str, tuple[str, Callable[[str], bool]]] = {
        "asset_graph": (
            f"/locations/town/asset-groups/{plan.name}",
            lambda text: all(table.name in text for table in plan.tables),
        ),
        "partitions": (
            f"/assets/{plan.name}/fct_visits?view=partitions",
            lambda text: f"Materialized ({DAYS})" in text and "Missing (0)" in text,
        ),
        "materialisation": (
            f"/assets/{plan.name}/overview?view=overview",
            lambda text: "trajectories_at_a_glance" in text and "score" in text,
        ),
    }
    for name, (page, shows) in pages.items():
        text = seen(f"{address}{page}", name, directory / "profile")
        assert shows(text), f"{name}: {text[:2000]}"
