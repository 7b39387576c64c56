"""One picture per stage of a dataset: trajectories by segment, metrics over time, declared against found."""

from __future__ import annotations

import numpy as np

from plotsim_core.engine.block import Block
from plotsim_core.engine.life import alive
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Plan
from plotsim_core.validation.plots import against, lines
from plotsim_core.validation.report import Report
from plotsim_core.validation.store import Store

_UNITS = 200
"""How many units of a segment are averaged for a picture."""


def trajectories(plan: Plan, first: int, stop: int) -> str:
    """Return the mean position of each segment's units over time."""
    series = {}
    for segment in plan.segments:
        last = segment.first + min(segment.count, _UNITS)
        block = Block(plan, Slice(first, stop, segment.first, last))
        there = block.periods[:, None] >= block.units.arrival[None, :]
        counts = np.maximum(there.sum(axis=1), 1)
        means = np.where(there, block.positions(), 0.0).sum(axis=1) / counts
        series[segment.spec.name] = np.where(there.any(axis=1), means, np.nan).tolist()
    return lines("Trajectories: mean position by segment", _ticks(plan, first, stop), series)


def metrics(store: Store) -> str:
    """Return the mean of each stored metric over time, between its declared means at position 0 (0) and 1 (1)."""
    plan = store.plan
    keys = plan.grain.keys(np.arange(store.first, store.stop, dtype=np.int64)).tolist()
    series: dict[str, list[float]] = {}
    for table in store.tables:
        for column in (c for c in table.columns if c.spec.word == "metric" and table.kind == "fact"):
            metric = plan.metrics[plan.metric_index(column.spec.type.partition(".")[2])]
            found = store.arrow(
                f'SELECT "{table.time}" AS k, avg("{column.name}") AS v FROM {store.relation(table)} GROUP BY 1'
            )
            means = dict(zip(found["k"].to_pylist(), found["v"].to_pylist(), strict=True))
            low, high = metric.spec.means
            shares = [(means[key] - low) / (high - low) if means.get(key) is not None else np.nan for key in keys]
            series[metric.name] = shares
    return lines("Metrics: mean, as a share of the declared means", _ticks(plan, store.first, store.stop), series)


def declared_against_found(report: Report) -> str:
    """Return declared correlations and lags against those found, with what chance allows."""
    pairs = {
        finding.subject: (finding.numbers["expected"], finding.numbers["found"], finding.numbers["allowed"])
        for check in ("correlations_as_declared", "lags_found")
        for finding in report.of(check)
        if "found" in finding.numbers
    }
    return against("Correlations given the trajectory: expected (tick), found (dot)", pairs)


def alive_over_time(plan: Plan, first: int, stop: int) -> str:
    """Return how many units of each segment are there over time, as shares of the segment."""
    series = {}
    for segment in plan.segments:
        last = segment.first + min(segment.count, _UNITS)
        block = Block(plan, Slice(first, stop, segment.first, last))
        series[segment.spec.name] = (alive(block).sum(axis=1) / (last - segment.first)).tolist()
    return lines("Units that are there, as a share of their segment", _ticks(plan, first, stop), series)


def _ticks(plan: Plan, first: int, stop: int) -> tuple[str, str]:
    return plan.grain.label(first), plan.grain.label(stop - 1)
