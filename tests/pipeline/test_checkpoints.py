"""Increments: days that are made one after the other, each by a new process, which goes on from what lies in the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from plotsim_core import Plan, batches
from plotsim_core.engine.checkpoints import take_states
from plotsim_core.engine.noised import noised
from plotsim_core.numerics.arrays import Floats
from plotsim_pipeline.stores.checkpoints import FOLDER, save_checkpoints, take_checkpoints
from tests.pipeline.support import KINDS, assert_equals_the_batch, keys_of, materialise, plan_of, store_at

DATASET, DAYS = "delivery", 6


def plan() -> Plan:
    """Return the plan as a new process has it: it knows no state of any unit."""
    return plan_of(DATASET)


def states_in(directory: Path) -> list[Path]:
    """Return the files of states of a store in a folder."""
    return sorted(file for file in directory.rglob(f"{FOLDER}/{DATASET}/*") if file.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_days_one_by_one_are_the_batch(kind: str, tmp_path: Path) -> None:
    """Dimensions are written whole once, and then as what has changed; the store is that of the batch."""
    store, keys = store_at(kind, tmp_path), keys_of(plan())[:DAYS]
    for count, key in enumerate(keys, start=1):
        assert materialise(plan(), store, [key]).success
        assert 0 < len(states_in(tmp_path)) <= count
    assert_equals_the_batch(plan(), store, plan().first + DAYS)
    log = store.run_log().to_pylist()
    modes = {
        row["generation_mode"] for row in log if row["table_name"] == "dim_courier" and row["first_partition"] != keys[0]
    }
    assert modes == {"changes"}


def test_a_dimension_that_somebody_altered_is_written_whole(tmp_path: Path) -> None:
    """Its columns are not those of the config, so nothing can be put in place of some of its rows."""
    store, keys = store_at("duckdb", tmp_path), keys_of(plan())[:2]
    assert materialise(plan(), store, keys[:1], only=["dim_courier"]).success
    with duckdb.connect(store.path) as connection:
        connection.execute("ALTER TABLE delivery.dim_courier ADD COLUMN note VARCHAR")
    assert materialise(plan(), store, keys[1:], only=["dim_courier"]).success
    with duckdb.connect(store.path) as connection:
        names = [name for name, *_ in connection.execute("DESCRIBE delivery.dim_courier").fetchall()]
    assert names == [column.name for column in plan().table("dim_courier").columns]


def broken_files(directory: Path) -> Iterator[bytes]:
    for file in states_in(directory):
        content = file.read_bytes()
        yield content[: len(content) // 2]
        yield content[:40] + bytes([content[40] ^ 1]) + content[41:]
        yield b""


@pytest.mark.slow
def test_broken_states_change_nothing(tmp_path: Path) -> None:
    store, keys = store_at("duckdb", tmp_path), keys_of(plan())[:DAYS]
    assert materialise(plan(), store, keys[:3]).success
    for key, content in zip(keys[3:], broken_files(tmp_path), strict=False):
        for file in states_in(tmp_path):
            file.write_bytes(content)
        assert materialise(plan(), store, [key]).success
    assert_equals_the_batch(plan(), store, plan().first + DAYS)


@pytest.mark.slow
def test_an_older_day_leaves_what_is_known_of_the_latest(tmp_path: Path) -> None:
    store, keys = store_at("duckdb", tmp_path), keys_of(plan())[:DAYS]
    assert materialise(plan(), store, keys).success
    latest = states_in(tmp_path)[-1]
    for key in reversed(keys):
        assert materialise(plan(), store, [key]).success
    assert latest in states_in(tmp_path)
    assert_equals_the_batch(plan(), store, plan().first + DAYS)


def test_two_runs_may_save_at_once(tmp_path: Path) -> None:
    """Whoever is later, what lies there is whole."""
    plans = [plan() for _ in range(4)]
    for number, other in enumerate(plans, start=1):
        for _ in batches(other, "evt_resignation", other.first, other.first + 10 * number)[1]:
            pass
    threads = [threading.Thread(target=save_checkpoints, args=(other, str(tmp_path))) for other in plans for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = [file.read_bytes() for file in states_in(tmp_path)]
    assert contents
    assert all(take_states(plan(), [content]) for content in contents)


@pytest.mark.slow
def test_a_new_day_computes_its_own_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A threshold of five days is replayed from the first day without states, and only on the new day with them."""
    length = 300
    before, after = plan(), plan()
    for _ in batches(before, "evt_resignation", before.first, before.first + length)[1]:
        pass
    save_checkpoints(before, str(tmp_path))
    counts: list[int] = []

    def counted(*arguments: Any) -> Floats:
        values = noised(*arguments)
        counts.append(values.size)
        return values

    monkeypatch.setattr("plotsim_core.engine.block.noised", counted)
    for other, most in ((after, 1), (plan(), length + 1)):
        if other is after:
            take_checkpoints(after, str(tmp_path))
        counts.clear()
        for _ in batches(other, "evt_resignation", other.first + length, other.first + length + 1)[1]:
            pass
        assert sum(counts) == most * other.population.units
    assert sum(file.stat().st_size for file in states_in(tmp_path)) < 20 * 64 * before.population.units
