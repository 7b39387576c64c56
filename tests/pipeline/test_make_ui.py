"""`make ui`: the UI on the port that was asked for, and nothing that alarms whoever reads its log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plotsim_pipeline.datasets import BUNDLED
from tests.pipeline.deployed import free_port
from tests.pipeline.live import LOADED, asked, until

ROOT = BUNDLED.parent


def make(home: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and environment of a `make` that uses this test's environment and a Dagster home of its own."""
    settings = {"VENV": sys.prefix, "DAGSTER_HOME": str(home)}
    command = ["make", "-o", f"{sys.prefix}/.ready", *(f"{name}={value}" for name, value in settings.items()), *words]
    theirs = ("MAKE", "MFLAGS", "DAGSTER_", "PLOTSIM_", "PORT")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    return command, {**environment, "PYTHONPATH": str(ROOT), "PLOTSIM_DATASETS": "minimal"}


def test_without_a_port_it_is_3000(tmp_path: Path) -> None:
    """Whatever the recipe is, it is `dg dev` on that port; `PORT` may come from the environment too."""
    command, environment = make(tmp_path, "-n", "ui")
    for port, whole in (("3000", environment), ("3456", {**environment, "PORT": "3456"})):
        shown = subprocess.run(command, cwd=ROOT, env=whole, capture_output=True, text=True, check=True).stdout
        assert shown.splitlines()[-1].endswith(f"/dg dev -w workspace.yaml -p {port}")


@pytest.mark.long
def test_make_ui_answers_on_its_port_without_a_warning(tmp_path: Path) -> None:
    """In a new Dagster home, until the daemon does its work as well."""
    port, log = free_port(), tmp_path / "log"
    command, environment = make(tmp_path / "home", "ui", f"PORT={port}")
    with log.open("wb") as stream:
        running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=stream, start_new_session=True)
    try:
        until("loading", 120, lambda: asked(f"http://127.0.0.1:{port}", LOADED)["repositoriesOrError"].get("nodes"))
        until("a tick of the daemon", 60, lambda: "plotsim_dead_runs" in log.read_text())
    finally:
        os.killpg(running.pid, signal.SIGINT)
        running.wait(timeout=60)
    assert [line for line in log.read_text().splitlines() if "warning" in line.lower()] == []
