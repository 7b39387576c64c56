"""What is wrong between the parts of a config: names that nothing has, circles, things outside the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from plotsim_core.config.check_calendar import calendars, rhythms
from plotsim_core.config.check_effects import noises, treatments, variations
from plotsim_core.config.check_lives import lives
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
from plotsim_core.config.star import DATE_DIMENSION
from plotsim_core.config.tables import KIND_WORDS, SECTIONS, SOURCE_WORDS, Column, DeclaredTable, Knowledge
from plotsim_core.errors import Problem
from plotsim_core.families import nearest
from plotsim_core.numerics.codes import LARGEST_SEGMENT, segment_number

Parts = dict[str, Any]
"""Section name to what of it could be read: items as (path, part) pairs in lists, other sections as themselves."""


def check(parts: Parts, scope: Scope) -> list[Problem]:
    """Return everything that is wrong between the parts, in no particular order."""
    return [problem for rule in RULES for problem in rule(parts, scope)]


def _unique(parts: Parts, scope: Scope) -> Iterator[Problem]:
    for section in ("metrics", "segments"):
        yield from _twice(section[:-1], ((path, part.name) for path, part in parts[section]))
    yield from _twice("table", ((declared.path, declared.name) for declared in parts["tables"] if declared.name))
    for declared in parts["tables"]:
        columns = enumerate(declared.columns)
        yield from _twice("column", ((f"{declared.path}.columns[{number}]", name) for number, name in columns))


def _twice(noun: str, named: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    """Names that differ only in capitals are one name to databases and to some file systems."""
    seen: dict[str, tuple[str, str]] = {}
    for path, name in named:
        if name.lower() in seen:
            first, spelling = seen[name.lower()]
            more = "" if spelling == name else f", where it is written '{spelling}'"
            yield Problem(f"{path}.name", f"a second {noun} is named '{name}'; the first is {first}{more}")
        seen.setdefault(name.lower(), (path, name))


def _follows(parts: Parts, scope: Scope) -> Iterator[Problem]:
    for path, metric in parts["metrics"]:
        if metric.follows is None:
            continue
        yield from scope.unknown_metric(metric.follows, f"{path}.follows")
        circle = _circle(metric, scope)
        names = [other.name for _, other in parts["metrics"]]
        if circle and metric.name == min(circle, key=names.index):
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
    yield from _connected(parts["connections"], scope)
    pooled = {frozenset((c.metric_a, c.metric_b)): path for path, c in parts["connections"] if c.pooled}
    phase: ConnectionPhase
    last = -1
    for path, phase in parts["connection_phases"]:
        within = [(f"{path}.connections[{number}]", connection) for number, connection in enumerate(phase.connections)]
        yield from _connected(within, scope)
        for place, connection in within:
            other = pooled.get(frozenset((connection.metric_a, connection.metric_b)))
            if other is not None:
                yield Problem(place, f"the pair is connected over the whole window, by `pooled` at {other}")
        if phase.start_period <= last:
            yield Problem(f"{path}.start_period", f"expected phases in order, from {last + 1}, found {phase.start_period}")
        last = max(last, phase.end_period)
        if scope.window is not None and scope.window.stop is not None:
            final = scope.window.stop - scope.window.first - 1
            if phase.end_period > final:
                where = f"expected a period of the window, 0 to {final}"
                yield Problem(f"{path}.end_period", f"{where}, found {phase.end_period}")


def _connected(connections: list[tuple[str, Connection]], scope: Scope) -> Iterator[Problem]:
    seen: dict[frozenset[str], str] = {}
    for path, connection in connections:
        for name in (connection.metric_a, connection.metric_b):
            yield from scope.unknown_metric(name, path)
        pair = frozenset((connection.metric_a, connection.metric_b))
        if pair in seen:
            yield Problem(path, f"{' and '.join(sorted(pair))} are connected twice; first at {seen[pair]}")
        seen.setdefault(pair, path)


def _lifecycle(parts: Parts, scope: Scope) -> Iterator[Problem]:
    lifecycle: Lifecycle | None = parts.get("lifecycle")
    if lifecycle is None:
        return
    yield from scope.unknown_metric(lifecycle.track, "lifecycle.track")
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
    numbers: dict[int, str] = {}
    for path, segment in parts["segments"]:
        other = numbers.setdefault(segment_number(segment.name), segment.name)
        if other != segment.name:
            yield Problem(f"{path}.name", f"units of {segment.name} would have the keys of units of {other}", "rename one")
        for name in segment.baseline:
            yield from scope.unknown_metric(name, f"{path}.baseline.{name}")
        if parts["scale"] * segment.count > LARGEST_SEGMENT:
            yield Problem(f"{path}.count", f"more than {LARGEST_SEGMENT} units, scale included")


def _unit_dimension(parts: Parts, scope: Scope) -> Iterator[Problem]:
    if "unit" not in parts:
        return
    if f"dim_{scope.unit}" == DATE_DIMENSION:
        yield Problem("unit", f"a unit cannot be called '{scope.unit}': {DATE_DIMENSION} is the date dimension")
    kinds = [declared.kind for declared in parts["tables"]]
    if "unit" not in kinds and None not in kinds:
        yield Problem(
            "dimensions",
            f"there is no dimension of the {scope.unit}",
            f"add one with `per: unit`, named dim_{scope.unit}",
        )


_LACKS: dict[Knowledge, str] = {
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
                lacks = _LACKS[missing[0]].format(unit=scope.unit)
                fitting = [name for name, other in KIND_WORDS.items() if words.needs <= other.knows]
                yield Problem(
                    f"{path}.type",
                    f"'{column.word}' has no place in {declared.name}: its rows {lacks}",
                    f"it has one in tables of these kinds: {', '.join(fitting)}",
                )
                continue
            for problem in words.check(column.source, column, declared.table, scope):
                yield problem.under(path)
        for problem in kind.check(declared.table, scope):
            yield problem.under(declared.path)


def _locale(parts: Parts, scope: Scope) -> Iterator[Problem]:
    from faker.config import AVAILABLE_LOCALES

    names = parts.get("locale", ())
    for number, name in enumerate(names):
        path = f"locale[{number}]" if len(names) > 1 else "locale"
        if name not in AVAILABLE_LOCALES:
            near = nearest(name, sorted(AVAILABLE_LOCALES))
            hint = f"did you mean '{near}'?" if near else "locales are written like en_US, de_DE, fr_FR"
            yield Problem(path, f"Faker has no locale '{name}'", hint)
        elif name in names[:number]:
            yield Problem(path, f"'{name}' stands twice")


def _seasons(parts: Parts, scope: Scope) -> Iterator[Problem]:
    strengths = np.zeros(13)
    for path, season in parts["seasonality"]:
        strengths[list(season.months)] += season.strength
        if strengths.min() <= -1:
            month = int(strengths.argmin())
            yield Problem(path, f"seasons add up to {strengths.min():g} in month {month}: means would not stay above 0")
            return
    for (place, metric), (_, segment) in product(parts["metrics"], parts["segments"]):
        factors = 1 + strengths * metric.seasonal_sensitivity * segment.seasonal_sensitivity
        if factors.min() <= 0:
            month = int(factors.argmin())
            found = f"seasons multiply the means of {segment.name} by {factors.min():g} in month {month}"
            yield Problem(f"{place}.seasonal_sensitivity", found, "they have to stay above 0")
            break


def added(dataset: Dataset) -> Iterator[Problem]:
    """Yield the columns of a sound dataset whose names are those of columns that come by themselves, and what is wrong with
    columns that can only be seen in a sound one."""
    for section in SECTIONS:
        for number, table in enumerate(getattr(dataset, section)):
            kind = next(words for words in dict(KIND_WORDS.items()).values() if type(table) is words.model)
            for place, column in enumerate(table.columns):
                for problem in SOURCE_WORDS[column.word].wrong(column.source, table, dataset):
                    yield problem.under(f"{section}[{number}].columns[{place}]")
                for problem in _no_fractions(column, dataset):
                    yield problem.under(f"{section}[{number}].columns[{place}]")
            own = {column.name.lower(): place for place, column in enumerate(table.columns)}
            for column in (*kind.leading(table, dataset), *kind.added(table, dataset)):
                if column.name in own:
                    path = f"{section}[{number}].columns[{own[column.name]}].name"
                    yield Problem(path, f"{table.name} gets a column '{column.name}' by itself; choose another name")
    yield from wrong_sources(dataset)


def _no_fractions(column: Column, dataset: Dataset) -> Iterator[Problem]:
    """Yield a problem where a column that has no fractions asks for decimals."""
    type_ = SOURCE_WORDS[column.word].arrow(column.source, column, dataset)
    if column.decimals is None or type_ == pa.float64():
        return
    if pa.types.is_integer(type_):
        hint = "give an end of the range a fraction: [1.0, 20.0]" if column.word == "range" else "leave it out"
        yield Problem("decimals", f"has no effect: {column.name} has whole numbers", hint)
    elif pa.types.is_decimal(type_):
        yield Problem("decimals", f"has no effect: {column.name} has the {type_.scale} decimals of what it is made from")
    else:
        yield Problem("decimals", f"has no effect: {column.name} has no numbers")


RULES: tuple[Callable[[Parts, Scope], Iterator[Problem]], ...] = (
    _unique,
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
