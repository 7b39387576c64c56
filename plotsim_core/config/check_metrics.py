"""Problems of metrics with each other: drivers in a circle, connections that stand twice, seasons that end below zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from plotsim_core.config.connections import Connection
from plotsim_core.config.metrics import Metric
from plotsim_core.config.parts import Parts
from plotsim_core.config.scope import Scope
from plotsim_core.errors import Problem


def followers(parts: Parts) -> Iterator[Problem]:
    """Yield unknown drivers, and metrics that follow each other in a circle."""
    scope = parts.scope
    for path, metric in parts.metrics:
        if metric.follows is None:
            continue
        yield from scope.unknown_metric(metric.follows, f"{path}.follows")
        circle = _driver_circle(metric, scope)
        names = [other.name for _, other in parts.metrics]
        if circle and metric.name == min(circle, key=names.index):
            yield Problem(f"{path}.follows", f"metrics follow each other in a circle: {' > '.join(circle)}")


def _driver_circle(metric: Metric, scope: Scope) -> list[str]:
    """Return the names from a metric along its drivers back to itself; empty where they do not lead back."""
    chain = [metric.name]
    while True:
        last = scope.metrics.get(chain[-1])
        if last is None or last.follows is None:
            return []
        if last.follows == metric.name:
            return [*chain, metric.name]
        if last.follows in chain:
            return []
        chain.append(last.follows)


def connections(parts: Parts) -> Iterator[Problem]:
    """Yield unknown metrics of connections, pairs that are connected twice, and phases out of order or of the window."""
    scope = parts.scope
    yield from _pair_problems(parts.connections, scope)
    pooled_paths = {frozenset((c.metric_a, c.metric_b)): path for path, c in parts.connections if c.pooled}
    last_period = -1
    for path, phase in parts.connection_phases:
        phase_connections = [
            (f"{path}.connections[{index}]", connection) for index, connection in enumerate(phase.connections)
        ]
        yield from _pair_problems(phase_connections, scope)
        for connection_path, connection in phase_connections:
            pooled_path = pooled_paths.get(frozenset((connection.metric_a, connection.metric_b)))
            if pooled_path is not None:
                yield Problem(connection_path, f"the pair is connected over the whole window, by `pooled` at {pooled_path}")
        if phase.start_period <= last_period:
            yield Problem(
                f"{path}.start_period", f"expected phases in order, from {last_period + 1}, found {phase.start_period}"
            )
        last_period = max(last_period, phase.end_period)
        if scope.window is not None and scope.window.stop is not None:
            final_period = scope.window.stop - scope.window.first - 1
            if phase.end_period > final_period:
                expected = f"expected a period of the window, 0 to {final_period}"
                yield Problem(f"{path}.end_period", f"{expected}, found {phase.end_period}")


def _pair_problems(connections: Sequence[tuple[str, Connection]], scope: Scope) -> Iterator[Problem]:
    first_paths: dict[frozenset[str], str] = {}
    for path, connection in connections:
        for name in (connection.metric_a, connection.metric_b):
            yield from scope.unknown_metric(name, path)
        pair = frozenset((connection.metric_a, connection.metric_b))
        if pair in first_paths:
            yield Problem(path, f"{' and '.join(sorted(pair))} are connected twice; first at {first_paths[pair]}")
        first_paths.setdefault(pair, path)


def lifecycles(parts: Parts) -> Iterator[Problem]:
    """Yield an unknown metric that stages are read off, and one that no fact holds."""
    lifecycle, scope = parts.lifecycle, parts.scope
    if lifecycle is None:
        return
    yield from scope.unknown_metric(lifecycle.track, "lifecycle.track")
    facts = [table for table in parts.tables if table.path.startswith(("facts", "tables"))]
    has_unreadable = any(table.table is None for table in facts)
    holders = [
        table
        for table in facts
        if table.table and any(column.source.stored_metric == lifecycle.track for column in table.table.columns)
    ]
    if parts.tables and not holders and not has_unreadable and lifecycle.track in scope.metrics:
        yield Problem(
            "lifecycle.track", f"no fact has a column of type metric.{lifecycle.track}, so no row would have a stage"
        )


def seasons(parts: Parts) -> Iterator[Problem]:
    """Yield seasons, and sensitivities to them, with which means would not stay above zero."""
    strengths = np.zeros(13)
    for path, season in parts.seasonality:
        strengths[list(season.months)] += season.strength
        if strengths.min() <= -1:
            month = int(strengths.argmin())
            yield Problem(path, f"seasons add up to {strengths.min():g} in month {month}: means would not stay above 0")
            return
    for (metric_path, metric), (_, segment) in product(parts.metrics, parts.segments):
        factors = 1 + strengths * metric.seasonal_sensitivity * segment.seasonal_sensitivity
        if factors.min() <= 0:
            month = int(factors.argmin())
            message = f"seasons multiply the means of {segment.name} by {factors.min():g} in month {month}"
            yield Problem(f"{metric_path}.seasonal_sensitivity", message, "they have to stay above 0")
            break
