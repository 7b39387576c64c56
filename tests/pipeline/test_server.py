"""The real thing: webserver and daemon up, a backfill launched over GraphQL, and its success waited for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from plotsim_pipeline.datasets import BUNDLED
from tests.pipeline.support import keys_of, plan_of, store_at

ROOT = BUNDLED.parent

LAUNCH = """
mutation ($assets: [AssetKeyInput!]!, $keys: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $keys}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
LOADED = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """`dagster dev` on a free port with an instance and a store of its own; gives its GraphQL address."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "plotsim_pipeline" / "instance.yaml").read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "PLOTSIM_STORE": "duckdb",
        "PLOTSIM_STORE_PATH": str(tmp_path / "store.duckdb"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PLOTSIM_DATASETS": "saas",
    }
    command = [str(Path(sys.executable).parent / "dagster"), "dev", "-w", str(ROOT / "workspace.yaml"), "-p", str(port)]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{port}/graphql"
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        try:
            running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)


def asked(address: str, query: str, **variables: Any) -> Any:
    answer = requests.post(address, json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer
    return answer["data"]


def until(what: str, seconds: float, found: Any) -> Any:
    """Return what `found()` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            value = found()
        except requests.RequestException:
            value = None
        if value:
            return value
        time.sleep(1)
    raise AssertionError(f"{what} did not happen in {seconds} seconds")


def test_a_backfill_over_graphql(server: str, tmp_path: Path) -> None:
    """A backfill of six months of every table is one run, succeeds, and stores these months."""
    plan = plan_of("saas")
    keys = keys_of(plan)[6:12]
    names = [table.name for table in plan.tables]
    until("loading the code location", 90, lambda: asked(server, LOADED)["repositoriesOrError"].get("nodes"))
    assets = [{"path": ["saas", name]} for name in names]
    launched = asked(server, LAUNCH, assets=assets, keys=keys)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def done() -> bool:
        status = asked(server, STATUS, id=launched["backfillId"])["partitionBackfillOrError"]["status"]
        assert status not in ("FAILED", "COMPLETED_FAILED"), (tmp_path / "log").read_text()[-3000:]
        return bool(status == "COMPLETED_SUCCESS")

    until("the backfill", 180, done)
    runs = asked(server, RUNS)["runsOrError"]["results"]
    assert [run["status"] for run in runs] == ["SUCCESS"]
    held = store_at("duckdb", tmp_path).held("saas")
    assert set(held["fct_revenue"]) == set(keys)
    assert set(held) == set(names)
