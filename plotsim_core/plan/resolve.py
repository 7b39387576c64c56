"""The steps from a config to a plan, on one page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plotsim_core.config.connections import Connection, ConnectionPhase
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.metrics import Metric
from plotsim_core.config.read_data_rules import without_rules
from plotsim_core.config.rewrite import canonical
from plotsim_core.config.segments import BASELINES, Baseline, OngoingArrival, Segment
from plotsim_core.config.table_kind import CrossingWords
from plotsim_core.errors import Problem, key_text, value_text
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.curves import position
from plotsim_core.numerics.quantiles import MeanUnreachable, QuantileTable, quantile_table
from plotsim_core.numerics.random import key
from plotsim_core.plan.copula import Mixing, latent_metric, persistence_weights, solve
from plotsim_core.plan.plan import Crossing, Ending, MetricPlan, Plan, Population, SegmentPlan, TablePlan
from plotsim_core.plan.quality import stored_table
from plotsim_core.plan.schemas import DimensionView, table_plans
from plotsim_core.version import VERSION

_CURVE_POINTS = 16
"""Sample points of a curve."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """The quantile tables and the mixings of metrics, of the whole window and of each phase; no mixings where a metric has
    no table."""

    tables: list[QuantileTable]
    mixings: list[Mixing]
    problems: list[Problem]
    warnings: list[Problem]


Connections = Sequence[tuple[str, Connection]]
"""Connections with their paths."""


def numbers(metrics: Sequence[tuple[str, Metric]], connections: Connections, phases: Sequence[Connections] = ()) -> Numbers:
    """Return the numbers of metrics (with their paths), of connections, and of the connections of phases."""
    problems: list[Problem] = []
    tables: list[QuantileTable] = []
    for path, metric in metrics:
        try:
            tables.append(quantile_table(metric.family, metric.parameters, metric.bounds, metric.means))
        except MeanUnreachable as unreachable:
            problems.append(
                Problem(
                    f"{path}.mean",
                    f"a {metric.family} distribution inside the range cannot have means {value_text(metric.means)}",
                    f"it can have {unreachable.low:.4g} to {unreachable.high:.4g}",
                )
            )
    if problems or not metrics:
        return Numbers(tables, [], problems, [])
    models = [metric for _, metric in metrics]
    solutions = [solve(models, tables, with_phase(connections, phase)) for phase in [(), *phases]]
    unique_problems = dict.fromkeys(problem for _, phase_problems, _ in solutions for problem in phase_problems)
    warnings = dict.fromkeys(problem for _, _, phase_problems in solutions for problem in phase_problems)
    return Numbers(tables, [mixing for mixing, _, _ in solutions], list(unique_problems), list(warnings))


def phase_connections(phases: Sequence[tuple[str, ConnectionPhase]]) -> list[Connections]:
    """Return the connections of each phase, with their paths."""
    return [
        [(f"{path}.connections[{number}]", connection) for number, connection in enumerate(phase.connections)]
        for path, phase in phases
    ]


def with_phase(connections: Connections, phase: Connections) -> Connections:
    """Return connections; those of a phase replace the ones of the same pairs."""
    by_pair = {frozenset((c.metric_a, c.metric_b)): (path, c) for path, c in connections}
    return list((by_pair | {frozenset((c.metric_a, c.metric_b)): (path, c) for path, c in phase}).values())


def resolve(
    name: str,
    raw: Mapping[str, Any],
    populations: Sequence[Population],
    warnings: Sequence[Problem],
    notes: Sequence[Problem],
) -> Plan:
    """Return the plan of a dataset that loading has found nothing wrong with, from its populations."""
    first = populations[0]
    issues = tuple(enumerate(first.dataset.quality, 1))
    later = (population for population in populations[1:] if population not in first.others)
    tables = (*first.tables, *(table for population in later for table in population.unit_tables))
    return Plan(
        name=name,
        dataset=first.dataset,
        raw=dict(raw),
        digest=digest(raw),
        populations=tuple(populations),
        tables=tuple(stored_table(first, table, issues) for table in tables),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def population_plan(
    dataset: Dataset, solved: Numbers, others: tuple[Population, ...] = (), inherited_tables: frozenset[str] | None = None
) -> Population:
    """Return a population from its part of the dataset and the numbers `solved` for it.

    `others` are the populations that it may refer to; of a further kind of unit, `inherited_tables` are the names of the
    tables that it shares with the dataset that it is a part of.
    """
    first = dataset.first
    return Population(
        dataset=dataset,
        grain=dataset.grain,
        first=first,
        stop=dataset.stop,
        span=dataset.span,
        segments=_segments(dataset),
        metrics=_metrics(dataset, solved.tables),
        mixings=tuple(solved.mixings),
        phases=tuple((first + p.start_period, first + p.end_period + 1) for p in dataset.connection_phases),
        endings=_endings(dataset),
        tables=(*_tables(dataset, inherited_tables), *(table for other in others for table in other.unit_tables)),
        others=others,
        is_further=inherited_tables is not None,
    )


def _tables(dataset: Dataset, inherited_tables: frozenset[str] | None) -> Iterator[TablePlan]:
    """Yield the tables of a part of a dataset, each with the population that it is made of."""
    for table in table_plans(dataset):
        kind = table.spec
        is_listed = not table.shown_table and (kind.is_listed or kind.is_date_dimension or kind.is_time_dimension)
        if is_listed if inherited_tables is None else table.name in inherited_tables:
            yield table
        elif inherited_tables is None or table.shown_table not in inherited_tables or isinstance(table.spec, DimensionView):
            yield replace(table, population=dataset.unit)


def crossing(dataset: Dataset, words: CrossingWords) -> Crossing:
    """Return a crossing in the form of the engine."""
    level = words.above if words.above is not None else words.below
    assert level is not None
    names = [metric.name for metric in dataset.metrics]
    return Crossing(names.index(words.metric), words.above is not None, level, words.periods)


def _endings(dataset: Dataset) -> tuple[Ending, ...]:
    crossings = ((table.name, table.ending()) for table in dataset.all_tables)
    return tuple(Ending(name, crossing(dataset, words)) for name, words in crossings if words is not None)


def digest(raw: Mapping[str, Any]) -> str:
    """Return a hash of a config and of the generator's version: the same digest means the same data. How it is written,
    who owns it and what rules it declares is left out, and old spellings are those of today."""
    without = without_rules(canonical(raw))
    data = {name: value for name, value in without.items() if name not in ("output", "manifest", "owners")}
    text = json.dumps(_with_comparable_keys({"version": VERSION, **data}), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _with_comparable_keys(value: Any) -> Any:
    """Return a value in which mappings with texts and other keys have texts alone, so that they can be sorted."""
    if isinstance(value, Mapping):
        are_texts = {isinstance(key, str) for key in value}
        return {(key_text(key) if len(are_texts) > 1 else key): _with_comparable_keys(part) for key, part in value.items()}
    return [_with_comparable_keys(part) for part in value] if isinstance(value, list | tuple) else value


def _segments(dataset: Dataset) -> tuple[SegmentPlan, ...]:
    plans: list[SegmentPlan] = []
    first = 0
    for segment in dataset.segments:
        count = max(1, round(segment.count * dataset.scale))
        address = key(0, "segment", segment.name)
        span = segment.span or dataset.span
        rate = segment.arrival.per_period * dataset.scale if isinstance(segment.arrival, OngoingArrival) else 0.0
        plans.append(SegmentPlan(segment, first, count, address, segment.archetype.pieces(span), span, rate))
        first += count
    return tuple(plans)


def _metrics(dataset: Dataset, tables: Sequence[QuantileTable]) -> tuple[MetricPlan, ...]:
    indices = {metric.name: index for index, metric in enumerate(dataset.metrics)}
    curve_positions = tuple(_positions(segment, dataset) for segment in dataset.segments)
    plans = []
    for metric, table in zip(dataset.metrics, tables, strict=True):
        latent = latent_metric(metric, table)
        plans.append(
            MetricPlan(
                spec=metric,
                means=np.array([_means(metric, segment.baseline.get(metric.name)) for segment in dataset.segments]),
                quantiles=table,
                persistence=persistence_weights(latent.persistence),
                driver=indices[metric.follows] if metric.follows else None,
                kernel=metric.kernel,
                latent=latent,
                positions=curve_positions,
                level_shares=tuple(segment.variation.level for segment in dataset.segments),
            )
        )
    return tuple(plans)


def _positions(segment: Segment, dataset: Dataset) -> Floats:
    """Return the positions that a segment's units run through, evenly along their curve."""
    shares, span = (np.arange(_CURVE_POINTS) + 0.5) / _CURVE_POINTS, segment.span or dataset.span
    return position(segment.archetype.pieces(span), shares, np.full(_CURVE_POINTS, span / dataset.grain.per_year))


def _means(metric: Metric, baseline: Baseline | None) -> tuple[float, float]:
    if isinstance(baseline, tuple):
        return baseline
    low, high = metric.means
    begin, end = BASELINES[baseline] if baseline else (0.0, 1.0)
    return low + begin * (high - low), low + end * (high - low)
