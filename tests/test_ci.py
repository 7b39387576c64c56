"""What runs on a push is what runs here: the workflow calls .ci/run, and nothing beside it; .ci/run leaves no test out."""

from __future__ import annotations

import itertools
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


def test_ci_runs_each_test_whole_and_once() -> None:
    """`make test` and `make check` have each test, but for those of `make endurance`, and none of them twice: but for tests
    of random examples, of which `make test` tries some, and `make check` all."""
    assert re.findall(r"^make (\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE) == ["test", "check"]
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^check: lint ", makefile, re.MULTILINE)
    selections = dict(
        re.findall(r'^(test|check|endurance):.*\n.*pytest.* -m "?([a-z() ]+?)"? tests', makefile, re.MULTILINE)
    )
    assert re.findall(r"PLOTSIM_LAW_TIMES=([\d.]+) .*pytest.*tests$", makefile, re.MULTILINE) == ["0.15"]
    for slow, long, random, endurance in itertools.product([False, True], repeat=4):
        if long or not endurance:  # what is for endurance is a long proof
            marks = {"slow": slow, "long": long, "random": random, "endurance": endurance}
            commands = {command for command, selection in selections.items() if eval(selection, {}, marks)}
            whole = "endurance" if endurance else "check" if slow or long or random else "test"
            assert commands == ({whole, "test"} if random and not (slow or long) else {whole}), marks
