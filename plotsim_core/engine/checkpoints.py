"""States of replays as bytes, so that the next process goes on from them (`engine/replay.py`).

They save time and never change a value: whatever is read is taken only if it is whole and of this very plan, which its
content says, under a hash. The state of a period is the same wherever it comes from.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from plotsim_core.engine.state_cache import STATES, State, StateKey, spaced
from plotsim_core.engine.strata import departure_stop
from plotsim_core.plan.plan import Plan, Population

HASH_BYTES = 16
"""Bytes of the hash that a content begins with."""
_COLUMNS: Mapping[str, pa.DataType] = {
    "period": pa.int64(),
    "population": pa.string(),
    "name": pa.string(),
    "first": pa.int64(),
    "arrays": pa.list_(pa.binary()),
}
"""A row is a state: before which period it is, of which kind of unit, of what, from which place of the roster on, and its
arrays of 64-bit integers."""
_PLAN = b"plan"
_Key = tuple[str, str, int, int]
"""A kind of unit, the name of a replay, and the first and the stop of the units."""


@dataclass(frozen=True)
class Checkpoint:
    """What is known of the states of a plan before one period, by what they are of, each with the period that it is before:
    an earlier one where all units had left by then."""

    plan: Plan
    period: int
    states: Mapping[_Key, tuple[int, State]]

    @property
    def content(self) -> bytes:
        """The states as bytes, under their hash."""
        rows = [
            (period, *key[:3], [array.astype("<i8").tobytes() for array in state])
            for key, (period, state) in self.states.items()
        ]
        schema = pa.schema(_COLUMNS).with_metadata({_PLAN: self.plan.digest})
        table = pa.Table.from_pylist([dict(zip(_COLUMNS, row, strict=True)) for row in rows], schema)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(table)
        body = sink.getvalue().to_pybytes()
        return hashlib.blake2b(body, digest_size=HASH_BYTES).digest() + body


def checkpoints(plan: Plan) -> list[Checkpoint]:
    """Return what the process knows of the states of a plan, by the period that they are before: the last period of which
    anything is known, with the states of all who have left, and ever fewer before it."""
    states: dict[int, dict[_Key, tuple[int, State]]] = defaultdict(dict)
    last_states: dict[_Key, tuple[int, State]] = {}
    for population in plan.populations:
        for key, period, state in STATES.of(population):
            has_left = period + 1 >= departure_stop(population, key.first, key.stop)
            group = last_states if has_left else states[period]
            group[population.unit, key.name, key.first, key.stop] = period, state
    latest = max([*states, *(period for period, _ in last_states.values())], default=None)
    if latest is not None:
        states[latest].update(last_states)
    return [Checkpoint(plan, period, _widest(states[period])) for period in sorted(spaced(states))]


def take_states(plan: Plan, contents: Iterable[bytes]) -> int:
    """Take states that another process had as checkpoints; return how many. What is not whole, or is of another plan or
    version of the generator, is passed over."""
    populations = {population.unit: population for population in plan.populations}
    count = 0
    for content in contents:
        for period, key, state in _states_in(plan, populations, content):
            STATES.keep(key, period, state)
            count += 1
    return count


def _widest(states: Mapping[_Key, tuple[int, State]]) -> dict[_Key, tuple[int, State]]:
    """Return the states of some ranges of units without those whose units lie in a wider range of the same name."""
    widest: dict[_Key, tuple[int, State]] = {}
    stops: dict[tuple[str, str], int] = {}
    for (population, name, first, stop), state in sorted(states.items(), key=lambda item: (*item[0][:3], -item[0][3])):
        if stop > stops.get((population, name), 0):
            stops[population, name] = stop
            widest[population, name, first, stop] = state
    return widest


def _states_in(plan: Plan, populations: Mapping[str, Population], content: bytes) -> Iterator[tuple[int, StateKey, State]]:
    """Yield the states in a content; none if it is not whole or of another plan."""
    body = content[HASH_BYTES:]
    if hashlib.blake2b(body, digest_size=HASH_BYTES).digest() != content[:HASH_BYTES]:
        return
    table = pa.ipc.open_stream(body).read_all()
    metadata = table.schema.metadata or {}
    if metadata.get(_PLAN) != plan.digest.encode():
        return
    for period, unit, name, first, contents in zip(*(column.to_pylist() for column in table.columns), strict=True):
        state = tuple(np.frombuffer(array, "<i8").astype(np.int64, copy=False) for array in contents)
        yield period, StateKey(populations[unit], name, first, first + len(state[0])), state
