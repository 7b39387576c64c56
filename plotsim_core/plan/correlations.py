"""Connections by period: those of the dataset, and those of phases in their periods; and the correlations that result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.connections import Connection
from plotsim_core.plan.plan import Population


def connection_masks(
    population: Population, periods: NDArray[np.int64]
) -> Iterator[tuple[Connection, int, NDArray[np.bool_]]]:
    """Yield each connection, the number of the phase that declares it (0: the dataset does), and a mask of the `periods` in
    which it is in force. A phase overrides the dataset's connection of the same pair, unless that one is pooled."""
    phases = population.dataset.connection_phases
    phase_numbers = np.array([population.phase(period) for period in periods.tolist()], dtype=np.int64)
    for connection in population.dataset.connections:
        pair = {connection.metric_a, connection.metric_b}
        overriding = [
            n for n, phase in enumerate(phases, 1) if any({c.metric_a, c.metric_b} == pair for c in phase.connections)
        ]
        in_force = np.ones(len(phase_numbers), dtype=np.bool_) if connection.pooled else ~np.isin(phase_numbers, overriding)
        yield connection, 0, in_force
    for number, phase in enumerate(phases, 1):
        for connection in phase.connections:
            yield connection, number, phase_numbers == number


def subject(population: Population, connection: Connection, phase: int) -> str:
    """Return a pair in words, with the start of the phase that declares it (0: the dataset does)."""
    start = f" from {population.grain.label(population.phases[phase - 1][0])}" if phase else ""
    return f"{connection.metric_a} ~ {connection.metric_b}{start}"


HEADINGS = ("declared", "given", "pearson", "spearman")
"""Columns of `Correlations`."""
HEADINGS_NOTE = (
    "given: the correlation given the trajectory, which is what a connection declares. pearson, spearman: the plain ones of "
    "the rows of the tables, which the trajectory adds to; a `pooled` connection declares pearson. All of stored values, so "
    "noise weakens them; ± is the standard error."
)
Estimate = tuple[float, float]
"""A number and its standard error, which is infinite where there is too little to tell."""


@dataclass(frozen=True)
class Correlations:
    """The correlations that result from one connection: the one given the trajectory (`conditional`), and the plain ones
    over the rows of the tables, of values (`pearson`) and of `ranks`. `phase` is the number of the phase that declares it, 0
    where the dataset does."""

    connection: Connection
    phase: int
    conditional: Estimate
    pearson: Estimate
    ranks: Estimate

    def subject(self, population: Population) -> str:
        """Return the pair, with the start of the phase that declares it."""
        return subject(population, self.connection, self.phase)

    @property
    def declared(self) -> str:
        """The number that is declared, and whether it is that of the table."""
        return f"{self.connection.coefficient:.2f}{' pooled' if self.connection.pooled else ''}"

    def texts(self) -> tuple[str, str, str]:
        """Return the three estimates as people read them."""
        return estimate_text(self.conditional), estimate_text(self.pearson), estimate_text(self.ranks)


def estimate_text(estimate: Estimate) -> str:
    """Return a number with its standard error; a dash where there is too little to tell."""
    return f"{estimate[0]:.2f} \u00b1 {estimate[1]:.2f}" if np.isfinite(estimate[1]) else "\u2013"
