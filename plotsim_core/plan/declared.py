"""Which connection holds when: those of the dataset, and those of phases in their periods."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.connections import Connection
from plotsim_core.plan.plan import Plan


def declared(plan: Plan, periods: NDArray[np.int64]) -> Iterator[tuple[Connection, int, NDArray[np.bool_]]]:
    """Yield each connection, the number of the phase that declares it (0: the dataset does), and in which of `periods` it
    holds. A phase takes the place of the dataset's connection of the same pair, unless that one is pooled."""
    phases = plan.dataset.connection_phases
    inside = np.array([plan.phase(period) for period in periods.tolist()], dtype=np.int64)
    for connection in plan.dataset.connections:
        pair = {connection.metric_a, connection.metric_b}
        other = [n for n, phase in enumerate(phases, 1) if any({c.metric_a, c.metric_b} == pair for c in phase.connections)]
        holds = np.ones(len(inside), dtype=np.bool_) if connection.pooled else ~np.isin(inside, other)
        yield connection, 0, holds
    for number, phase in enumerate(phases, 1):
        for connection in phase.connections:
            yield connection, number, inside == number
