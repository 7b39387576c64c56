"""What tests of the living thing share: `dg dev` up, its GraphQL, and pages of its UI as pictures."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import requests
from websockets.sync.client import connect

from plotsim_core import Plan
from plotsim_pipeline.datasets import BUNDLED
from tests.pipeline.support import END, START

ROOT = BUNDLED.parent
PICTURES = ROOT / "build" / "screenshots"
"""Where tests leave what they saw of the UI."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)

LOADED = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
_BACKFILL = """
mutation ($assets: [AssetKeyInput!]!, $keys: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $keys}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_RUNS = "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"
_PARTITIONS = """
query ($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode { partitionStats { numMaterialized numPartitions } }
  }
}
"""
_CATALOGUE = """
{ repositoriesOrError { ... on RepositoryConnection { nodes {
  name location { name } jobs { name } schedules { name } sensors { name }
  assetNodes { assetKey { path } groupName jobNames }
} } } }
"""
_LAUNCH = """
mutation ($location: String!, $job: String!, $tags: [ExecutionTag!]) {
  launchRun(executionParams: {
    selector: {repositoryName: "__repository__", repositoryLocationName: $location, pipelineName: $job}
    runConfigData: {}, executionMetadata: {tags: $tags}
  }) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}
"""


@contextmanager
def served(
    home: Path, environment: Mapping[str, str], workspace: Path = ROOT / "workspace.yaml", program: str = "dg"
) -> Iterator[str]:
    """Run `dg dev` (webserver and daemon) on a free port, with an instance at `home`; give its address once the code
    location is loaded. Its log is `home/log`. `program` may be `dagster`, whose `dev` is the older command."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(ROOT / "plotsim_pipeline" / "instance.yaml", home / "dagster.yaml")
    port = free_port()
    whole = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    command = [str(Path(sys.executable).parent / program), "dev", "-w", str(workspace), "-p", str(port)]
    with (home / "log").open("wb") as log:
        running = subprocess.Popen(command, cwd=home, env=whole, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        until("loading the code location", 120, lambda: asked(address, LOADED)["repositoriesOrError"].get("nodes"))
        yield address
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        try:
            running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def asked(address: str, query: str, **variables: Any) -> Any:
    """Return what the webserver's GraphQL answers."""
    answer = requests.post(f"{address}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer
    return answer["data"]


def backfill(address: str, dataset: str, names: Iterable[str], keys: Sequence[str]) -> str:
    """Launch a backfill of some partitions of tables; return its number."""
    assets = [{"path": [dataset, name]} for name in names]
    launched = asked(address, _BACKFILL, assets=assets, keys=list(keys))["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    return str(launched["backfillId"])


def launch(address: str, job: str, keys: Sequence[str] = (), location: str = "plotsim_pipeline") -> str:
    """Launch a run of a job, of the partitions from the first of `keys` to the last; return its number."""
    tags = dict(zip((START, END), (keys[0], keys[-1]), strict=True)) if keys else {}
    values = [{"key": key, "value": value} for key, value in tags.items()]
    launched = asked(address, _LAUNCH, location=location, job=job, tags=values)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return str(launched["run"]["runId"])


def runs(address: str) -> list[dict[str, Any]]:
    """Return the runs of an instance: number, status and tags of each."""
    results: list[dict[str, Any]] = asked(address, _RUNS)["runsOrError"]["results"]
    return results


def materialised(address: str, plan: Plan) -> dict[str, int]:
    """Return how many partitions of each table Dagster shows as materialised."""
    return {
        table.name: asked(address, _PARTITIONS, asset={"path": [plan.name, table.name]})["assetNodeOrError"][
            "partitionStats"
        ]["numMaterialized"]
        for table in plan.tables
    }


def catalogue(address: str) -> Any:
    """Return what a webserver serves: the assets, jobs, schedules and sensors of each code location."""
    return asked(address, _CATALOGUE)["repositoriesOrError"]["nodes"]


def until(what: str, seconds: float, actual: Callable[[], Any], every: float = 1.0) -> Any:
    """Return what `found()` gives as soon as it is true, asked `every` so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            value = actual()
        except requests.RequestException:
            value = None
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"{what} did not happen in {seconds} seconds")


def seen(page: str, name: str, profile: Path, height: int = 1100) -> str:
    """Open a page in a headless browser of some height, keep a picture of it as `build/screenshots/<name>.png`, return its
    text."""
    assert BROWSER is not None
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = PICTURES / f"{name}.png"
    picture.unlink(missing_ok=True)
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", *quiet]
    command += [f"--user-data-dir={profile}", f"--window-size=1400,{height}", "--virtual-time-budget=20000"]
    for what in (f"--screenshot={picture}", "--dump-dom"):
        done = subprocess.run([*command, what, page], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    assert picture.stat().st_size > 10_000, f"{picture} shows hardly anything"
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", done.stdout, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(text))


def clicked(page: str, button: str, shown: str, name: str, profile: Path, height: int = 2000) -> str:
    """Open a page in a headless browser, click the button of that label, wait for a text; keep a picture of it, return its
    text."""
    assert BROWSER is not None
    PICTURES.mkdir(parents=True, exist_ok=True)
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
    command = [BROWSER, *quiet, f"--user-data-dir={profile}", f"--window-size=1400,{height}", page]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = until("starting a browser", 30, lambda: _lines(profile / "DevToolsActivePort"))[0]
        tabs = until("opening a page", 30, lambda: requests.get(f"http://127.0.0.1:{port}/json", timeout=10).json())
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        with connect(address, max_size=None) as tab:

            def call(method: str, **parameters: Any) -> Any:
                tab.send(json.dumps({"id": 1, "method": method, "params": parameters}))
                return next(answer for answer in map(json.loads, tab) if answer.get("id") == 1)["result"]

            def evaluated(script: str) -> Any:
                return call("Runtime.evaluate", expression=script)["result"].get("value")

            buttons = f"[...document.querySelectorAll('button')].filter(b => b.innerText.trim() == {json.dumps(button)})"
            until(f"a click on {button}", 60, lambda: evaluated(f"{buttons}.map(b => b.click()).length"))
            text: str = until(shown, 60, lambda: _holding(evaluated("document.body.innerText"), shown))
            time.sleep(3)  # until a plot is drawn
            (PICTURES / f"{name}.png").write_bytes(base64.b64decode(call("Page.captureScreenshot")["data"]))
            return text
    finally:
        browser.terminate()
        browser.wait(timeout=20)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _holding(text: str, part: str) -> str:
    return text if part in text else ""
