"""A run killed with SIGKILL at any instant: its folder is one run or the other, and the next run clears what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from plotsim_core import Plan, from_mapping, write_tables
from plotsim_core.output.exchange import can_exchange
from plotsim_core.output.staged import finish
from tests.output.support import RAW, files

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no SIGKILL here")

FOREIGN = {"notes.txt": "mine", "more/deep/x.bin": "theirs", "fct_other.csv": "of another dataset"}
CASES: dict[str, dict[str, Any]] = {
    "csv": {"format": "csv"},
    "duckdb": {"format": "duckdb"},
    "folders": {"format": "parquet", "partition_by": "date_key"},
    "layout": {"format": "parquet", "layout": "{dataset}/{table}/{key}.parquet"},
}
SCRIPT = """
import json, os, shutil, signal, sys
from pathlib import Path
from plotsim_core import write_tables
from tests.output.test_kill import place_of, plan_of
place, case, inside, kills = json.loads(sys.argv[1])
plan = plan_of(case, 2)
EVENTS = ("os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree")
def run(target, instant):
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    seen = 0
    def look(event, args):
        nonlocal seen
        if event in EVENTS:
            if seen == instant:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
    if inside:
        os.chdir(target)
    sys.addaudithook(look)
    write_tables(plan, target)
    (Path(place) / "calls").write_text(str(seen))
    os._exit(0)
def target_of(instant):
    return Path(shutil.copytree(Path(place) / "old", place_of(Path(place), instant)))
assert not run(target_of(-1), -1)
calls = int((Path(place) / "calls").read_text())
instants = sorted({calls * n // min(kills, calls) for n in range(min(kills, calls))})
for instant in instants:
    assert run(target_of(instant), instant)
print(json.dumps(instants))
"""


@lru_cache
def plan_of(case: str, seed: int) -> Plan:
    """Return the plan of a run; another seed is another run."""
    return from_mapping({**RAW, "seed": seed, "output": CASES[case]}, name="shops")


def place_of(place: Path, instant: int) -> Path:
    """Return the folder in which a run is killed at some instant."""
    return place / str(instant) / "out"


def older(target: Path, case: str) -> Path:
    """Fill a folder with an older run, and with what is nobody's."""
    for name, text in FOREIGN.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text)
    write_tables(plan_of(case, 1), target)
    return target


def seen(target: Path, case: str) -> dict[str, str]:
    """Return what everybody sees of a folder; of a database, whose bytes are not promised, its origin."""
    values = {name: hash_ for name, hash_ in files(target).items() if not name.startswith(".plotsim-")}
    if case == "duckdb":
        import duckdb

        with duckdb.connect(target / "shops.duckdb", read_only=True) as connection:
            values["shops.duckdb"] = str(connection.sql("SELECT plotsim_seed FROM _origin").fetchall())
    return values


def left(target: Path) -> list[str]:
    """Return what lies in a folder and beside it that is hidden."""
    return [path.name for folder in (target, target.parent) for path in folder.iterdir() if path.name.startswith(".")]


def killed(place: Path, case: str, inside: bool, kills: int) -> list[int]:
    """Kill so many runs at calls that change a folder, spread over all calls of a run; return the numbers of the calls."""
    argument = json.dumps([str(place), case, inside, kills])
    done = subprocess.run([sys.executable, "-c", SCRIPT, argument], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return [int(instant) for instant in json.loads(done.stdout.splitlines()[-1])]  # DuckDB may tell how far it is


def hold(place: Path, case: str, inside: bool, kills: int) -> None:
    """Check that after each kill the folder is the older run or the newer, and after one more run (of some) the newer."""
    old = seen(older(place / "old", case), case)
    write_tables(plan_of(case, 2), older(place / "new", case))
    new = seen(place / "new", case)
    assert old != new and set(FOREIGN) <= set(old) & set(new)
    values = []
    for number, instant in enumerate(killed(place, case, inside, kills)):
        target = place_of(place, instant)
        if inside:
            finish(target)
        now = seen(target, case)
        assert now in (old, new), f"killed at call {instant}, the folder is a mix"
        values.append(now == new)
        if number % 3 != 1:
            continue
        write_tables(plan_of(case, 2), target)
        assert seen(target, case) == new
        assert not left(target), f"killed at call {instant}, the next run cleared nothing"
    assert {True, False} == set(values), "no kill came after the switch, or none before"


@pytest.mark.slow
@pytest.mark.skipif(not can_exchange(), reason="this system cannot exchange folders")
def test_a_folder_is_one_run_or_the_other(tmp_path: Path) -> None:
    hold(tmp_path, "csv", False, 7)


@pytest.mark.long
@pytest.mark.skipif(not can_exchange(), reason="this system cannot exchange folders")
@pytest.mark.parametrize("case", list(CASES))
def test_a_folder_is_one_run_or_the_other_at_many_instants(case: str, tmp_path: Path) -> None:
    hold(tmp_path, case, False, 60)


@pytest.mark.slow
def test_where_folders_cannot_change_places_who_comes_next_finishes(tmp_path: Path) -> None:
    hold(tmp_path, "csv", True, 6)


@pytest.mark.long
@pytest.mark.parametrize("case", list(CASES))
def test_where_folders_cannot_change_places_who_comes_next_finishes_at_many_instants(case: str, tmp_path: Path) -> None:
    hold(tmp_path, case, True, 60)
