"""Problems between the parts of a config: unknown names, circles, periods outside the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from plotsim_core.config.check_calendar import calendars, rhythms
from plotsim_core.config.check_effects import noises, treatments, variations
from plotsim_core.config.check_lifetimes import lives
from plotsim_core.config.check_names import stages
from plotsim_core.config.check_output import budget, layouts, logs
from plotsim_core.config.check_quality import entity_features, holdout, quality
from plotsim_core.config.connections import Connection, ConnectionPhase
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.effects import Lifecycle
from plotsim_core.config.metrics import Metric
from plotsim_core.config.scope import Scope
from plotsim_core.config.segments import Segment
from plotsim_core.config.sources import wrong_sources
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.table_kind import SECTIONS, Knowledge, declared_kinds
from plotsim_core.config.tables import Column, DeclaredTable
from plotsim_core.errors import Problem
from plotsim_core.families import nearest
from plotsim_core.numerics.codes import LARGEST_SEGMENT, segment_number

Parts = dict[str, Any]
"""Section name to its valid parts: lists as (path, part) pairs, other sections as they are."""


def check(parts: Parts, scope: Scope) -> list[Problem]:
    """Return all problems between the parts, in no particular order."""
    return [problem for rule in RULES for problem in rule(parts, scope)]


def _duplicate_names(parts: Parts, scope: Scope) -> Iterator[Problem]:
    for section in ("metrics", "segments"):
        yield from _duplicates(section[:-1], ((path, part.name) for path, part in parts[section]))
    yield from _duplicates(
        "table", ((declaration.path, declaration.name) for declaration in parts["tables"] if declaration.name)
    )
    for declaration in parts["tables"]:
        columns = enumerate(declaration.columns)
        yield from _duplicates("column", ((f"{declaration.path}.columns[{index}]", name) for index, name in columns))


def _duplicates(noun: str, names: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    """Yield the names that occur twice. Names that differ only in capitals are one to databases and some file systems."""
    first_uses: dict[str, tuple[str, str]] = {}
    for path, name in names:
        if name.lower() in first_uses:
            first, spelling = first_uses[name.lower()]
            note = "" if spelling == name else f", where it is written '{spelling}'"
            yield Problem(f"{path}.name", f"a second {noun} is named '{name}'; the first is {first}{note}")
        first_uses.setdefault(name.lower(), (path, name))


def _follows(parts: Parts, scope: Scope) -> Iterator[Problem]:
    for path, metric in parts["metrics"]:
        if metric.follows is None:
            continue
        yield from scope.unknown_metric(metric.follows, f"{path}.follows")
        circle = _driver_circle(metric, scope)
        names = [other.name for _, other in parts["metrics"]]
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


def _connections(parts: Parts, scope: Scope) -> Iterator[Problem]:
    yield from _pair_problems(parts["connections"], scope)
    pooled_paths = {frozenset((c.metric_a, c.metric_b)): path for path, c in parts["connections"] if c.pooled}
    phase: ConnectionPhase
    last_period = -1
    for path, phase in parts["connection_phases"]:
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


def _pair_problems(connections: list[tuple[str, Connection]], scope: Scope) -> Iterator[Problem]:
    first_paths: dict[frozenset[str], str] = {}
    for path, connection in connections:
        for name in (connection.metric_a, connection.metric_b):
            yield from scope.unknown_metric(name, path)
        pair = frozenset((connection.metric_a, connection.metric_b))
        if pair in first_paths:
            yield Problem(path, f"{' and '.join(sorted(pair))} are connected twice; first at {first_paths[pair]}")
        first_paths.setdefault(pair, path)


def _lifecycle(parts: Parts, scope: Scope) -> Iterator[Problem]:
    lifecycle: Lifecycle | None = parts.get("lifecycle")
    if lifecycle is None:
        return
    yield from scope.unknown_metric(lifecycle.track, "lifecycle.track")
    facts = [table for table in parts["tables"] if table.path.startswith("facts")]
    has_unreadable = any(table.table is None for table in facts)
    holders = [
        table
        for table in facts
        if table.table and any(column.source.stored_metric == lifecycle.track for column in table.table.columns)
    ]
    if parts["tables"] and not holders and not has_unreadable and lifecycle.track in scope.metrics:
        yield Problem(
            "lifecycle.track", f"no fact has a column of type metric.{lifecycle.track}, so no row would have a stage"
        )


def _segments(parts: Parts, scope: Scope) -> Iterator[Problem]:
    segment: Segment
    numbers: dict[int, str] = {}
    for path, segment in parts["segments"]:
        other_name = numbers.setdefault(segment_number(segment.name), segment.name)
        if other_name != segment.name:
            yield Problem(
                f"{path}.name", f"units of {segment.name} would have the keys of units of {other_name}", "rename one"
            )
        for name in segment.baseline:
            yield from scope.unknown_metric(name, f"{path}.baseline.{name}")
        if parts["scale"] * segment.count > LARGEST_SEGMENT:
            yield Problem(f"{path}.count", f"more than {LARGEST_SEGMENT} units, scale included")


def _unit_dimension(parts: Parts, scope: Scope) -> Iterator[Problem]:
    if "unit" not in parts:
        return
    if f"dim_{scope.unit}" == DATE_DIMENSION:
        yield Problem("unit", f"a unit cannot be called '{scope.unit}': {DATE_DIMENSION} is the date dimension")
    kinds = [declaration.kind for declaration in parts["tables"]]
    if not any(kind is None or kind.is_unit_dimension for kind in kinds):
        yield Problem(
            "dimensions",
            f"there is no dimension of the {scope.unit}",
            f"add one with `per: unit`, named dim_{scope.unit}",
        )


_MISSING_KNOWLEDGE: dict[Knowledge, str] = {
    "unit": "belong to no {unit}",
    "period": "belong to no period",
    "cell": "are not of one {unit} in one period",
    "metrics": "are not of one {unit} in one period",
    "crowd": "are not of all {unit}s in a period",
    "event": "are not events",
    "calendar": "are not dates",
    "history": "are not versions of a {unit}",
    "key": "are told apart by what they refer to",
    "number": "are not numbered",
    "list": "are not listed",
}


def _columns(parts: Parts, scope: Scope) -> Iterator[Problem]:
    declaration: DeclaredTable
    for declaration in parts["tables"]:
        if declaration.table is None:
            continue
        for index, column in enumerate(declaration.table.columns):
            path = f"{declaration.path}.columns[{index}]"
            missing = sorted(column.source.needs - declaration.table.knows)
            if missing:
                reason = _MISSING_KNOWLEDGE[missing[0]].format(unit=scope.unit)
                fitting_kinds = [name for name, kind in declared_kinds().items() if column.source.needs <= kind.knows]
                yield Problem(
                    f"{path}.type",
                    f"'{column.word}' has no place in {declaration.name}: its rows {reason}",
                    f"it has one in tables of these kinds: {', '.join(fitting_kinds)}",
                )
                continue
            for problem in column.source.check(column, declaration.table, scope):
                yield problem.under(path)
        for problem in declaration.table.check(scope):
            yield problem.under(declaration.path)


def _locale(parts: Parts, scope: Scope) -> Iterator[Problem]:
    from faker.config import AVAILABLE_LOCALES

    names = parts.get("locale", ())
    for index, name in enumerate(names):
        path = f"locale[{index}]" if len(names) > 1 else "locale"
        if name not in AVAILABLE_LOCALES:
            suggestion = nearest(name, sorted(AVAILABLE_LOCALES))
            hint = f"did you mean '{suggestion}'?" if suggestion else "locales are written like en_US, de_DE, fr_FR"
            yield Problem(path, f"Faker has no locale '{name}'", hint)
        elif name in names[:index]:
            yield Problem(path, f"'{name}' stands twice")


def _seasons(parts: Parts, scope: Scope) -> Iterator[Problem]:
    strengths = np.zeros(13)
    for path, season in parts["seasonality"]:
        strengths[list(season.months)] += season.strength
        if strengths.min() <= -1:
            month = int(strengths.argmin())
            yield Problem(path, f"seasons add up to {strengths.min():g} in month {month}: means would not stay above 0")
            return
    for (metric_path, metric), (_, segment) in product(parts["metrics"], parts["segments"]):
        factors = 1 + strengths * metric.seasonal_sensitivity * segment.seasonal_sensitivity
        if factors.min() <= 0:
            month = int(factors.argmin())
            message = f"seasons multiply the means of {segment.name} by {factors.min():g} in month {month}"
            yield Problem(f"{metric_path}.seasonal_sensitivity", message, "they have to stay above 0")
            break


def column_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield the problems of columns that need a sound dataset: names of columns that its kind of table adds, sources,
    decimals."""
    for section in SECTIONS:
        for index, table in enumerate(getattr(dataset, section)):
            for column_index, column in enumerate(table.columns):
                for problem in column.source.problems(table, dataset):
                    yield problem.under(f"{section}[{index}].columns[{column_index}]")
                for problem in _idle_decimals(column, dataset):
                    yield problem.under(f"{section}[{index}].columns[{column_index}]")
            indices = {column.name.lower(): column_index for column_index, column in enumerate(table.columns)}
            for column in (*table.leading_columns(dataset), *table.added_columns(dataset)):
                if column.name in indices:
                    path = f"{section}[{index}].columns[{indices[column.name]}].name"
                    yield Problem(path, f"{table.name} gets a column '{column.name}' by itself; choose another name")
    yield from wrong_sources(dataset)


def _idle_decimals(column: Column, dataset: Dataset) -> Iterator[Problem]:
    """Yield a problem where a column that has no fractions asks for decimals."""
    type_ = column.source.arrow_type(column, dataset)
    if column.decimals is None or type_ == pa.float64():
        return
    if pa.types.is_integer(type_):
        yield Problem("decimals", f"has no effect: {column.name} has whole numbers", column.source.decimals_hint)
    elif pa.types.is_decimal(type_):
        yield Problem("decimals", f"has no effect: {column.name} has the {type_.scale} decimals of what it is made from")
    else:
        yield Problem("decimals", f"has no effect: {column.name} has no numbers")


RULES: tuple[Callable[[Parts, Scope], Iterator[Problem]], ...] = (
    _duplicate_names,
    stages,
    _follows,
    _connections,
    _lifecycle,
    _segments,
    lives,
    treatments,
    variations,
    noises,
    calendars,
    rhythms,
    _unit_dimension,
    _columns,
    _locale,
    _seasons,
    quality,
    holdout,
    entity_features,
    logs,
    budget,
    layouts,
)
