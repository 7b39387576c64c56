"""A run killed with SIGKILL at any instant leaves every partition either old or new; running again completes."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plotsim_core import Plan, load_config
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import CONFIGS, content, keys_of, materialise, store_at

pytestmark = pytest.mark.long

NEW_SEED = 99
SCRIPT = """
import json, os, signal, sys
from pathlib import Path
import plotsim_pipeline.assets.tables as assets
from plotsim_core import load_config
from tests.pipeline.support import CONFIGS, keys_of, materialise, store_at
kind, place, table, batch = json.loads(sys.argv[1])
batches = assets.batches
def dying(plan, name, first, stop):
    schema, made = batches(plan, name, first, stop)
    return schema, dying_rows(name, made)
def dying_rows(name, made):
    for number, rows in enumerate(made):
        if name == table and number == batch:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from (rows.slice(begin, 400) for begin in range(0, rows.num_rows, 400))
        if name == table and batch == -1:
            os.kill(os.getpid(), signal.SIGKILL)
assets.batches = dying
plan = load_config(CONFIGS / "saas.yaml", seed=99)
print("ready", flush=True)
materialise(plan, store_at(kind, Path(place)), keys_of(plan), only=[t.name for t in plan.tables])
"""


def tables(plan: Plan) -> list[str]:
    return [table.name for table in plan.tables]


def by_partition(plan: Plan, store: Store) -> dict[tuple[str, int | None], str]:
    """Return a hash of the rows of each table and date key (None for a state)."""
    values: dict[tuple[str, int | None], list[str]] = {}
    with store.open_tables(plan, plan.first, plan.stop or 0) as stored:
        for table in stored.tables:
            place = 0 if table.time is None else [c.name for c in table.columns].index(table.time)
            for row in stored.connection.sql(f"SELECT * FROM {stored.relations[table.name]} ORDER BY ALL").fetchall():
                key = None if table.time is None else row[place]
                values.setdefault((table.name, key), []).append(repr(row))
    return {place: hashlib.sha256("".join(rows).encode()).hexdigest() for place, rows in values.items()}


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict, dict, dict]]:
    """For each store: where the old data lies, its partitions, those of the new data, and the content of the new."""
    values = {}
    for kind in STORES:
        folder = tmp_path_factory.mktemp(f"{kind}-old")
        old, new = store_at(kind, folder), store_at(kind, tmp_path_factory.mktemp(f"{kind}-new"))
        plan, other = load_config(CONFIGS / "saas.yaml"), load_config(CONFIGS / "saas.yaml", seed=NEW_SEED)
        materialise(plan, old, keys_of(plan), only=tables(plan))
        materialise(other, new, keys_of(other), only=tables(other))
        values[kind] = (folder, by_partition(plan, old), by_partition(other, new), content(other, new))
    return values


def killed(kind: str, place: Path, table: str, batch: int, after: float | None = None) -> None:
    argument = json.dumps([kind, str(place), table, batch])
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, argument], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        if after is not None:
            time.sleep(after)
            run.send_signal(signal.SIGKILL)
        run.wait(timeout=120)
    assert run.returncode == -signal.SIGKILL


def assert_whole_partitions(kind: str, place: Path, states: dict) -> None:
    plan = load_config(CONFIGS / "saas.yaml", seed=NEW_SEED)
    _, old, new, whole = states[kind]
    actual = by_partition(plan, store_at(kind, place))
    for partition in set(actual) | set(old) | set(new):
        allowed = {old.get(partition), new.get(partition)}
        assert actual.get(partition) in allowed, f"{partition} is neither old nor new"
    materialise(plan, store_at(kind, place), keys_of(plan), only=tables(plan))
    assert content(plan, store_at(kind, place)) == whole


INSTANTS = [("dim_company", 0), ("fct_revenue", 0), ("evt_login", -1), ("evt_churn", -1)]
"""Table, and batch before which a run is killed; -1 is after its last one."""


def kills() -> Iterator[Any]:
    """Yield each store with each instant: of the stores of files, `make check` has one of a state and one of events."""
    for kind in STORES:
        for table, batch in INSTANTS:
            shown = kind == "duckdb" or table in ("dim_company", "evt_login")
            yield pytest.param(kind, table, batch, marks=[] if shown else pytest.mark.endurance)


@pytest.mark.parametrize(("kind", "table", "batch"), [*kills()])
def test_killed_while_writing(kind: str, table: str, batch: int, tmp_path: Path, states: dict) -> None:
    """Killed before the first and after the last row of a table reached the store, over data of another seed."""
    place = shutil.copytree(states[kind][0], tmp_path / "store")
    killed(kind, place, table, batch)
    assert_whole_partitions(kind, place, states)


@pytest.mark.parametrize("kind", list(STORES))
@pytest.mark.parametrize("after", [0.7, 1.3])
def test_killed_at_any_time(kind: str, after: float, tmp_path: Path, states: dict) -> None:
    """Killed from outside some time after the run has begun."""
    place = shutil.copytree(states[kind][0], tmp_path / "store")
    killed(kind, place, "none", 0, after)
    assert_whole_partitions(kind, place, states)
