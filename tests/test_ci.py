"""What runs on a push is what runs here: the workflow calls .ci/run, and nothing beside it."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / ".github" / "workflows" / "ci.yml"


def test_the_workflow_runs_what_ci_runs() -> None:
    """Pushes and pull requests; one job, whose only command is .ci/run, with a time limit and no right to write."""
    workflow = yaml.safe_load(FILE.read_text())
    events = workflow[True]  # YAML 1.1 reads `on` as true
    assert set(events) == {"push", "pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    assert [step["uses"].split("@")[0] for step in job["steps"] if "uses" in step] == [
        "actions/checkout",
        "actions/setup-python",
    ]
    assert all(set(step) <= {"uses", "with", "run"} for step in job["steps"])
    assert 0 < job["timeout-minutes"] <= 180


def test_the_workflow_sets_up_a_python_that_the_package_allows() -> None:
    (setup,) = [step["with"] for step in yaml.safe_load(FILE.read_text())["jobs"]["ci"]["steps"] if "with" in step]
    oldest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert oldest is not None and setup["python-version"] == oldest[1]
    assert setup["cache"] == "pip" and (ROOT / setup["cache-dependency-path"]).exists()
