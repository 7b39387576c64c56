"""The steps from a config to a plan, on one page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plotsim_core.config.connections import Connection
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.metrics import Metric
from plotsim_core.config.tables import KIND_WORDS, CrossingWords
from plotsim_core.errors import Problem, shown
from plotsim_core.numerics.quantiles import MeanUnreachable, QuantileTable, quantile_table
from plotsim_core.numerics.random import key
from plotsim_core.plan.mixing import Solved, persistence_weights, solve
from plotsim_core.plan.plan import Crossing, Ending, MetricPlan, Mixing, Plan, SegmentPlan
from plotsim_core.plan.schemas import kind_of, table_plans
from plotsim_core.version import VERSION

_BASELINES = {"low": (0.0, 1 / 3), "mid": (1 / 3, 2 / 3), "high": (2 / 3, 1.0)}


@dataclass(frozen=True, eq=False)
class Numbers:
    """The quantile tables and the mixing of metrics; `solved` is None where a metric has no table."""

    tables: list[QuantileTable]
    solved: Solved | None
    problems: list[Problem]
    warnings: list[Problem]


def numbers(metrics: Sequence[tuple[str, Metric]], connections: Sequence[tuple[str, Connection]]) -> Numbers:
    """Return the numbers of metrics and connections, each given with its path."""
    problems: list[Problem] = []
    tables: list[QuantileTable] = []
    for path, metric in metrics:
        try:
            tables.append(quantile_table(metric.family, metric.parameters, metric.bounds, metric.means))
        except MeanUnreachable as unreachable:
            problems.append(
                Problem(
                    f"{path}.mean",
                    f"a {metric.family} distribution inside the range cannot have means {shown(metric.means)}",
                    f"it can have {unreachable.low:.4g} to {unreachable.high:.4g}",
                )
            )
    if problems:
        return Numbers(tables, None, problems, [])
    solved, unsolved, warnings = solve([metric for _, metric in metrics], tables, connections)
    return Numbers(tables, solved, unsolved, warnings)


def resolve(name: str, dataset: Dataset, found: Numbers, raw: Mapping[str, Any]) -> Plan:
    """Return the plan of a dataset that loading has found nothing wrong with, from the numbers `found` for it."""
    solved = found.solved
    assert solved is not None
    window = dataset.window
    return Plan(
        name=name,
        dataset=dataset,
        raw=dict(raw),
        digest=digest(raw),
        grain=window.grain,
        first=window.first,
        stop=window.stop,
        span=window.length,
        segments=_segments(dataset),
        metrics=_metrics(dataset, found.tables, solved),
        mixing=Mixing(solved.shocks, solved.levels),
        tables=table_plans(dataset),
        endings=_endings(dataset),
        warnings=tuple(found.warnings),
    )


def crossing(dataset: Dataset, words: CrossingWords) -> Crossing:
    """Return a crossing as the engine wants it."""
    level = words.above if words.above is not None else words.below
    assert level is not None
    places = [metric.name for metric in dataset.metrics]
    return Crossing(places.index(words.metric), words.above is not None, level, words.periods)


def _endings(dataset: Dataset) -> tuple[Ending, ...]:
    found = ((table.name, KIND_WORDS[kind_of(table)].ending(table)) for table in dataset.tables)
    return tuple(Ending(name, crossing(dataset, words)) for name, words in found if words is not None)


def digest(raw: Mapping[str, Any]) -> str:
    """Return a hash of a config and of the generator's version: the same digest means the same data."""
    text = json.dumps({"version": VERSION, **raw}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _segments(dataset: Dataset) -> tuple[SegmentPlan, ...]:
    plans: list[SegmentPlan] = []
    first = 0
    for segment in dataset.segments:
        count = max(1, round(segment.count * dataset.scale))
        address = key(0, "segment", segment.name)
        plans.append(SegmentPlan(segment, first, count, address, segment.archetype.pieces(dataset.window.length)))
        first += count
    return tuple(plans)


def _metrics(dataset: Dataset, tables: Sequence[QuantileTable], solved: Solved) -> tuple[MetricPlan, ...]:
    places = {metric.name: place for place, metric in enumerate(dataset.metrics)}
    plans = []
    for metric, table, weights in zip(dataset.metrics, tables, solved.weights, strict=True):
        pull, own, level_pull, level_own = weights
        plans.append(
            MetricPlan(
                spec=metric,
                means=np.array([_means(metric, segment.baseline.get(metric.name)) for segment in dataset.segments]),
                quantiles=table,
                persistence=persistence_weights(metric.persistence),
                driver=places[metric.follows] if metric.follows else None,
                pull=pull,
                own=own,
                level_pull=level_pull,
                level_own=level_own,
                total_delay=_total_delay(metric, dataset.metrics, places),
            )
        )
    return tuple(plans)


def _means(metric: Metric, baseline: str | None) -> tuple[float, float]:
    low, high = metric.means
    begin, end = _BASELINES[baseline] if baseline else (0.0, 1.0)
    return low + begin * (high - low), low + end * (high - low)


def _total_delay(metric: Metric, metrics: Sequence[Metric], places: Mapping[str, int]) -> int:
    total = 0
    while metric.follows is not None:
        total += metric.delay or 0
        metric = metrics[places[metric.follows]]
    return total
