"""Notes on a sound config: words without effect that plotsim accepts, and limits.

Words of this language alone that have no effect are refused; these are noted when the config is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from plotsim_core.config.connections import Connection
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.metrics import Metric
from plotsim_core.config.named_effects import occasions_of
from plotsim_core.config.output import NEEDS_FORMAT, Output
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.errors import Problem
from plotsim_core.numerics.quantiles import quantile_table

_YEAR = 12
_ROUNDING = 1e-9


def notes(dataset: Dataset, inherited_tables: frozenset[str] | None = None) -> Iterator[Problem]:
    """Yield the notes on a dataset, or on a further kind of unit, which shares the tables of the names
    `inherited_tables`."""
    if inherited_tables is None:
        yield from _seasons(dataset)
        yield from _locale(dataset)
        yield from _output(dataset.output)
    yield from _effects(dataset)
    yield from _sensitivities(dataset)
    yield from _phases(dataset)
    yield from _attributes(dataset)
    yield from _tables(dataset, inherited_tables or frozenset())
    yield from _columns(dataset, inherited_tables or frozenset())


def _seasons(dataset: Dataset) -> Iterator[Problem]:
    """Yield seasons without effect."""
    kinds = (dataset, *dataset.units)
    moves_rows = any("event" in table.knows and not table.has_unit_rows for table in dataset.all_tables)
    moves_metrics = any(metric.seasonal_sensitivity for kind in kinds for metric in kind.metrics)
    moves_segments = any(segment.seasonal_sensitivity for kind in kinds for segment in kind.segments)
    window_months = _months(dataset)
    for index, season in enumerate(dataset.seasonality):
        path = f"seasonality[{index}]"
        if season.strength == 0:
            yield Problem(f"{path}.strength", "0 has no effect")
        elif not (moves_rows or (moves_metrics and moves_segments)):
            yield Problem(
                path, f"has no effect: every {'segment' if moves_metrics else 'metric'} has a seasonal_sensitivity of 0"
            )
        elif not window_months & {*season.months}:
            yield Problem(f"{path}.months", "has no effect: no period of the window begins in these months")


def _effects(dataset: Dataset) -> Iterator[Problem]:
    """Yield effects that no period of the window has, and factors that means cannot follow in full."""
    if dataset.window is None:
        return
    stop = dataset.first + dataset.span if dataset.stop is None else dataset.stop
    periods = np.arange(dataset.first, stop, dtype=np.int64)
    for index, occasions in enumerate(occasions_of(dataset)):
        path = f"effects[{index}]"
        idle = [one.name for one in occasions if not one.weights(dataset.grain, periods).any()]
        if len(idle) == len(occasions) and dataset.stop is not None:
            yield Problem(path, "has no effect: it is never in the window")
        elif idle and dataset.stop is not None:
            yield Problem(f"{path}.rows_of", f"{len(idle)} of the {len(occasions)} rows are never in the window")
        for metric in (metric for kind in (dataset, *dataset.units) for metric in kind.metrics):
            factors = [occasion.factor for occasion in occasions if occasion.acts_on(metric)]
            yield from (problem.under(path) for problem in _cut_means(metric, factors))
    for index, metric in enumerate(dataset.metrics):
        if metric.growth is not None:
            last_factor = float(metric.growth.factors(dataset.grain, dataset.first, periods[-1:])[0])
            yield from (problem.under(f"metrics[{index}].growth") for problem in _cut_means(metric, [last_factor]))


def _cut_means(metric: Metric, factors: Sequence[float]) -> Iterator[Problem]:
    """Yield a note where the largest or the least of some factors leads means of a metric beyond what they can be."""
    if not factors:
        return
    low, high = quantile_table(metric.family, metric.parameters, metric.bounds, metric.means).mean_bounds()
    largest, least = max(factors) * metric.means[1], min(factors) * metric.means[0]
    if largest > high * (1 + _ROUNDING) and max(factors) > 1:
        message = f"leads means of {metric.name} to {largest:.4g}, and they are cut off at {high:.4g}"
        yield Problem("", message, "give the metric a wider range")
    if least < low * (1 - _ROUNDING) and min(factors) < 1:
        message = f"leads means of {metric.name} to {least:.4g}, and they are cut off at {low:.4g}"
        yield Problem("", message, "give the metric a wider range")


def _output(output: Output) -> Iterator[Problem]:
    """Yield options of another format, with their usual value: others are refused."""
    for name in sorted(NEEDS_FORMAT.keys() & output.model_fields_set):
        if output.format != NEEDS_FORMAT[name]:
            yield Problem(f"output.{name}", f"has no effect without `format: {NEEDS_FORMAT[name]}`")


def _months(dataset: Dataset) -> set[int]:
    """Return the months, from 1, in which periods of the window begin."""
    if dataset.stop is None:
        return set(range(1, _YEAR + 1))
    starts = dataset.grain.civil_starts(np.arange(dataset.first, dataset.stop)).astype("datetime64[M]").astype(np.int64)
    return set((np.unique(starts % _YEAR) + 1).tolist())


def _sensitivities(dataset: Dataset) -> Iterator[Problem]:
    """Yield sensitivities to seasons where there are no seasons."""
    for section in ("metrics", "segments") if not dataset.seasonality else ():
        for index, part in enumerate(getattr(dataset, section)):
            if "seasonal_sensitivity" in part.model_fields_set and part.seasonal_sensitivity != 1:
                yield Problem(f"{section}[{index}].seasonal_sensitivity", "has no effect: there is no `seasonality`")


def _phases(dataset: Dataset) -> Iterator[Problem]:
    """Yield connections of phases that repeat those of the dataset."""

    def pair_coefficient(connection: Connection) -> tuple[frozenset[str], float]:
        return frozenset((connection.metric_a, connection.metric_b)), connection.coefficient

    declared_pairs = {pair_coefficient(connection) for connection in dataset.connections}
    for index, phase in enumerate(dataset.connection_phases):
        for connection_index, connection in enumerate(phase.connections):
            if pair_coefficient(connection) in declared_pairs:
                path = f"connection_phases[{index}].connections[{connection_index}]"
                yield Problem(path, "has no effect: `connections` says the same of the whole window")


def _attributes(dataset: Dataset) -> Iterator[Problem]:
    """Yield attributes of segments that no column shows."""
    shown_names = {name for table in dataset.all_tables for column in table.columns for name in column.source.attributes}
    for index, segment in enumerate(dataset.segments):
        for name in segment.attributes:
            if name not in shown_names:
                hint = f"give a column the type pool.{name}"
                yield Problem(f"segments[{index}].attributes.{name}", "has no effect: no column shows it", hint)


def _locale(dataset: Dataset) -> Iterator[Problem]:
    """Yield a locale that no text uses. Further kinds of unit have that of the dataset."""
    if "locale" not in dataset.model_fields_set:
        return
    columns = [column for kind in (dataset, *dataset.units) for table in kind.all_tables for column in table.columns]
    if not any(column.source.has_locale for column in columns):
        yield Problem("locale", "has no effect: no column is of Faker's texts", "give one a type such as faker.name")


def _tables(dataset: Dataset, inherited_tables: frozenset[str]) -> Iterator[Problem]:
    """Yield what the kinds of tables have to say of them."""
    for section in SECTIONS:
        for index, table in enumerate(getattr(dataset, section)):
            for problem in () if table.name in inherited_tables else table.notes():
                yield problem.under(f"{section}[{index}]")


def _columns(dataset: Dataset, inherited_tables: frozenset[str]) -> Iterator[Problem]:
    for section in SECTIONS:
        for index, table in enumerate(getattr(dataset, section)):
            for column_index, column in enumerate(() if table.name in inherited_tables else table.columns):
                for problem in column.source.notes(table, dataset):
                    yield problem.under(f"{section}[{index}].columns[{column_index}]")
