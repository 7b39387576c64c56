"""What is wrong between the parts of a config: names that nothing has, circles, things outside the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from plotsim_core.config.connections import Connection
from plotsim_core.config.effects import Lifecycle
from plotsim_core.config.metrics import Metric
from plotsim_core.config.scope import Scope
from plotsim_core.config.segments import LinearArrival, Segment, StepArrival, UniformArrival
from plotsim_core.config.tables import KIND_WORDS, SOURCE_WORDS, DeclaredTable
from plotsim_core.errors import Problem

Parts = dict[str, Any]
"""Section name to what of it could be read: items as (path, part) pairs in lists, other sections as themselves."""


def check(parts: Parts, scope: Scope) -> list[Problem]:
    """Return everything that is wrong between the parts, in no particular order."""
    return [problem for rule in RULES for problem in rule(parts, scope)]


def _unique(parts: Parts, scope: Scope) -> Iterator[Problem]:
    for section in ("metrics", "segments"):
        yield from _twice(f"{section[:-1]}", ((path, part.name) for path, part in parts[section]))
    yield from _twice("table", ((declared.path, declared.name) for declared in parts["tables"]))
    for declared in parts["tables"]:
        columns = enumerate(declared.columns)
        yield from _twice("column", ((f"{declared.path}.columns[{number}]", name) for number, name in columns))


def _twice(noun: str, named: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for path, name in named:
        if name in seen:
            yield Problem(path, f"a second {noun} is named {name!r}; the first is {seen[name]}")
        seen.setdefault(name, path)


def _follows(parts: Parts, scope: Scope) -> Iterator[Problem]:
    for path, metric in parts["metrics"]:
        if metric.follows is None:
            continue
        for message in scope.unknown_metric(metric.follows):
            yield Problem(f"{path}.follows", message)
        circle = _circle(metric, scope)
        if circle:
            yield Problem(f"{path}.follows", f"metrics follow each other in a circle: {' > '.join(circle)}")


def _circle(metric: Metric, scope: Scope) -> list[str]:
    chain = [metric.name]
    while True:
        known = scope.metrics.get(chain[-1])
        if known is None or known.follows is None:
            return []
        if known.follows == metric.name:
            return [*chain, metric.name]
        if known.follows in chain:
            return []
        chain.append(known.follows)


def _connections(parts: Parts, scope: Scope) -> Iterator[Problem]:
    seen: dict[frozenset[str], str] = {}
    connection: Connection
    for path, connection in parts["connections"]:
        for name in (connection.metric_a, connection.metric_b):
            for message in scope.unknown_metric(name):
                yield Problem(path, message)
        pair = frozenset((connection.metric_a, connection.metric_b))
        if pair in seen:
            yield Problem(path, f"{' and '.join(sorted(pair))} are connected twice; first at {seen[pair]}")
        seen.setdefault(pair, path)


def _lifecycle(parts: Parts, scope: Scope) -> Iterator[Problem]:
    lifecycle: Lifecycle | None = parts.get("lifecycle")
    if lifecycle is None:
        return
    for message in scope.unknown_metric(lifecycle.track):
        yield Problem("lifecycle.track", message)
    declared = [table for table in parts["tables"] if table.path.startswith("facts")]
    broken = any(table.table is None for table in declared)
    holders = [
        table
        for table in declared
        if table.table and any(column.type == f"metric.{lifecycle.track}" for column in table.table.columns)
    ]
    if parts["tables"] and not holders and not broken and lifecycle.track in scope.metrics:
        yield Problem(
            "lifecycle.track", f"no fact has a column of type metric.{lifecycle.track}, so no row would have a stage"
        )


def _segments(parts: Parts, scope: Scope) -> Iterator[Problem]:
    segment: Segment
    for path, segment in parts["segments"]:
        for name in segment.baseline:
            for message in scope.unknown_metric(name):
                yield Problem(f"{path}.baseline", message)
        if scope.window is None:
            continue
        length = scope.window.length
        for at in segment.archetype.breaks:
            if at >= length:
                yield Problem(f"{path}.archetype", f"period {at} is not before the end of the window's {length} periods")
        yield from _arrival(path, segment, length)


def _arrival(path: str, segment: Segment, length: int) -> Iterator[Problem]:
    arrival = segment.arrival
    if isinstance(arrival, UniformArrival | LinearArrival):
        last = length - 1 if arrival.end is None else arrival.end
        if arrival.start > last:
            yield Problem(f"{path}.arrival", f"starts at period {arrival.start}, after it ends at {last}")
        offsets = [arrival.start, last]
    elif isinstance(arrival, StepArrival):
        offsets = [block.period for block in arrival.blocks]
    else:
        offsets = list(arrival.start_periods) if arrival else []
    late = max(offsets, default=0)
    if late >= length:
        yield Problem(f"{path}.arrival", f"period {late} is not in the window, whose periods are 0 to {length - 1}")


def _unit_dimension(parts: Parts, scope: Scope) -> Iterator[Problem]:
    kinds = [declared.kind for declared in parts["tables"]]
    if "unit" not in kinds and None not in kinds:
        yield Problem(
            "dimensions",
            f"there is no dimension of the {scope.unit}",
            f"add one with `per: unit`, named dim_{scope.unit}",
        )


def _columns(parts: Parts, scope: Scope) -> Iterator[Problem]:
    declared: DeclaredTable
    for declared in parts["tables"]:
        if declared.table is None or declared.kind is None:
            continue
        kind = KIND_WORDS[declared.kind]
        for number, column in enumerate(declared.table.columns):
            path = f"{declared.path}.columns[{number}]"
            words = SOURCE_WORDS[column.word]
            missing = sorted(words.needs - kind.knows)
            if missing:
                yield Problem(
                    f"{path}.type",
                    f"a {column.word} column has no place in {declared.name}: its rows have no {missing[0]}",
                    f"fits {', '.join(name for name, other in KIND_WORDS.items() if words.needs <= other.knows)}",
                )
                continue
            for message in words.check(column.source, column, declared.table, scope):
                yield Problem(path, message)
        for message in kind.check(declared.table, scope):
            yield Problem(declared.path, message)


def _locale(parts: Parts, scope: Scope) -> Iterator[Problem]:
    from faker.config import AVAILABLE_LOCALES

    for name in parts.get("locale", ()):
        if name not in AVAILABLE_LOCALES:
            yield Problem("locale", f"Faker has no locale {name!r}", "locales are written like en_US, de_DE, fr_FR")


def _seasons(parts: Parts, scope: Scope) -> Iterator[Problem]:
    strengths = np.zeros(13)
    for path, season in parts["seasonality"]:
        strengths[list(season.months)] += season.strength
        if strengths.min() <= -1:
            yield Problem(
                path,
                f"seasons add up to {strengths.min():g} in month {int(strengths.argmin())}: means would not stay above 0",
            )


RULES: tuple[Callable[[Parts, Scope], Iterator[Problem]], ...] = (
    _unique,
    _follows,
    _connections,
    _lifecycle,
    _segments,
    _unit_dimension,
    _columns,
    _locale,
    _seasons,
)
