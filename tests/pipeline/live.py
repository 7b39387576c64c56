"""What tests of the living thing share: `dagster dev` up, its GraphQL, and pages of its UI as pictures."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import requests

from plotsim_pipeline.datasets import BUNDLED

ROOT = BUNDLED.parent
PICTURES = ROOT / "build" / "screenshots"
"""Where tests leave what they saw of the UI."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)

LOADED = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"


@contextmanager
def served(home: Path, environment: Mapping[str, str], workspace: Path = ROOT / "workspace.yaml") -> Iterator[str]:
    """Run `dagster dev` (webserver and daemon) on a free port, with an instance at `home`; give its address once the code
    location is loaded. Its log is `home/log`."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(ROOT / "plotsim_pipeline" / "instance.yaml", home / "dagster.yaml")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    whole = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    command = [str(Path(sys.executable).parent / "dagster"), "dev", "-w", str(workspace), "-p", str(port)]
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


def asked(address: str, query: str, **variables: Any) -> Any:
    """Return what the webserver's GraphQL answers."""
    answer = requests.post(f"{address}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer
    return answer["data"]


def until(what: str, seconds: float, found: Callable[[], Any]) -> Any:
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


def seen(page: str, name: str, profile: Path) -> str:
    """Open a page in a headless browser, keep a picture of it as `build/screenshots/<name>.png`, return its text."""
    assert BROWSER is not None
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = PICTURES / f"{name}.png"
    picture.unlink(missing_ok=True)
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", *quiet]
    command += [f"--user-data-dir={profile}", "--window-size=1400,1100", "--virtual-time-budget=20000"]
    for what in (f"--screenshot={picture}", "--dump-dom"):
        done = subprocess.run([*command, what, page], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    assert picture.stat().st_size > 10_000, f"{picture} shows hardly anything"
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", done.stdout, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(text))
