"""What is wrong with `quality`, `holdout` and `entity_features`, seen beside the rest of a config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.holdout import FEATURES, HOLDOUT, TRAIN, EntityFeatures, Holdout
from plotsim_core.config.quality import ARRIVAL, DELIVERED, LEDGER, MOST, Issue, drifted, orphan_mark
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import KIND_WORDS, SOURCE_WORDS, Column, DeclaredTable, KindWords, Table, column_type
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean

Parts = dict[str, Any]


def quality(parts: Parts, scope: Scope) -> Iterator[Problem]:
    """Yield what is wrong with issues as far as names and periods go; columns are looked at by `broken_columns`."""
    issues: list[tuple[str, Issue]] = parts.get("quality", [])
    if len(issues) > MOST:
        yield Problem("quality", f"expected at most {MOST} issues, found {len(issues)}")
    tables = {t.name: t for t in _declared(parts)}
    for path, issue in issues:
        if issue.table not in tables and "" not in tables:
            known = [name for name, table in tables.items() if not table.path.startswith("dimensions")]
            yield Problem(f"{path}.table", f"no table is named '{issue.table}'", did_you_mean(issue.table, known))
        yield from _place_of(path, issue, tables.get(issue.table))
        yield from _periods(path, issue, scope)
    yield from _taken(LEDGER, tables, bool(issues), "quality")


def _declared(parts: Parts) -> list[DeclaredTable]:
    further = [table for _, own in parts.get("units", []) for table in own["tables"]]
    return [*parts["tables"], *further]


def _place_of(path: str, issue: Issue, declared: DeclaredTable | None) -> Iterator[Problem]:
    if declared is None:
        return
    if declared.path.startswith("dimensions"):
        says = f"{issue.table} is a dimension: it is written anew with every period, so nothing in it is broken once"
        yield Problem(f"{path}.table", says, "name a fact, an event or a bridge that has rows per period")
    elif declared.table is not None and KIND_WORDS[declared.kind or ""].of(declared.table) is not None:
        of = KIND_WORDS[declared.kind or ""].of(declared.table)
        says = f"{issue.table} shows {of} as it is, so that what is made of both agrees"
        yield Problem(f"{path}.table", says, "name a fact or an event of its own rows")
    elif declared.table is not None and KIND_WORDS[declared.kind or ""].time(declared.table) is None:
        yield Problem(f"{path}.table", f"rows of {issue.table} are of no period: there is no date reference to list them by")


def _periods(path: str, issue: Issue, scope: Scope) -> Iterator[Problem]:
    named = [("period", issue.period)] if issue.period is not None else []
    named += [(f"periods[{place}]", period) for place, period in enumerate(issue.periods or ())]
    yield from _since(path, issue, scope)
    if scope.window is None or scope.window.stop is None:
        return
    last = scope.window.stop - scope.window.first - 1
    for word, period in named:
        if period is not None and period > last:
            yield Problem(f"{path}.{word}", f"expected a period of the window, 0 to {last}, found {period}")


def _since(path: str, issue: Issue, scope: Scope) -> Iterator[Problem]:
    window = scope.window
    if window is None or issue.since is None:
        return
    try:
        period = window.grain.read(issue.since)
    except ValueError:
        yield Problem(f"{path}.since", f"there is no day {issue.since}")
        return
    if period < window.first or (window.stop is not None and period >= window.stop):
        last = f"to {window.grain.label(window.stop - 1)}" if window.stop is not None else "on"
        says = f"expected a date of the window, from {window.grain.label(window.first)} {last}; found {issue.since}"
        yield Problem(f"{path}.since", says)


def _taken(name: str, tables: dict[str, DeclaredTable], wanted: bool, section: str) -> Iterator[Problem]:
    if wanted and name in tables:
        yield Problem(f"{tables[name].path}.name", f"'{name}' is the table that `{section}` adds; choose another")


def holdout(parts: Parts, scope: Scope) -> Iterator[Problem]:
    """Yield what is wrong with the holdout: its target, a window too short or without end, names that are taken."""
    held: Holdout | None = parts.get("holdout")
    if held is None:
        return
    yield from _held_by_a_fact(held.target, "holdout.target", parts, scope)
    window = scope.window
    if window is not None and window.stop is None:
        yield Problem("holdout", "an open window has no last periods to hold out", "give the window an end")
    elif window is not None and window.stop is not None:
        most = window.stop - window.first - held.min_training_periods
        if held.periods > most:
            left = f"the window has {window.stop - window.first} and {held.min_training_periods} are for training"
            yield Problem("holdout.periods", f"expected at most {max(most, 0)}, since {left}; found {held.periods}")
    tables = {t.name: t for t in _declared(parts)}
    for declared in parts["tables"]:
        if declared.kind == "fact":
            for end in (TRAIN, HOLDOUT):
                yield from _taken(f"{declared.name}{end}", tables, True, "holdout")


def entity_features(parts: Parts, scope: Scope) -> Iterator[Problem]:
    """Yield what is wrong with the features: metrics that no fact holds, a name that is taken."""
    features: EntityFeatures | None = parts.get("entity_features")
    if features is None:
        return
    held: Holdout | None = parts.get("holdout")
    for place, name in enumerate(features.metrics):
        path = f"entity_features.metrics[{place}]"
        yield from _held_by_a_fact(name, path, parts, scope)
        if name in features.metrics[:place]:
            yield Problem(path, f"'{name}' is listed twice")
        if held is not None and name == held.target:
            yield Problem(path, f"{name} is the target of the holdout: nothing that is learnt from may tell it")
    wanted = {*_fact_metrics(parts)} - {held.target if held else None}
    whole = all(declared.table is not None for declared in parts["tables"])
    if not features.metrics and not wanted and whole:
        yield Problem("entity_features", "no fact per unit and period holds a metric that could be summed up")
    yield from _taken(FEATURES, {t.name: t for t in _declared(parts)}, True, "entity_features")


def _fact_metrics(parts: Parts) -> list[str]:
    """Return the metrics that facts per unit and period hold."""
    facts = [declared.table for declared in parts["tables"] if declared.kind == "fact" and declared.table is not None]
    columns = [column.type.partition(".")[2] for fact in facts for column in fact.sourced("metric")]
    return [*columns, *(name for fact in facts for name in getattr(fact, "metrics", ()))]


def _held_by_a_fact(name: str, path: str, parts: Parts, scope: Scope) -> Iterator[Problem]:
    unknown = scope.unknown_metric(name, path)
    yield from unknown
    known = {*_fact_metrics(parts)}
    if not unknown and name not in known and all(declared.table is not None for declared in parts["tables"]):
        yield Problem(path, f"no fact per unit and period holds the metric '{name}'", did_you_mean(name, sorted(known)))


def broken_columns(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is wrong with the columns that the issues of a sound dataset name."""
    for place, issue in enumerate(dataset.quality):
        for kind in (dataset, *dataset.units):
            table = next((table for table in kind.tables if table.name == issue.table), None)
            if table is not None:
                yield from (problem.under(f"quality[{place}]") for problem in _broken(issue, table, kind, dataset))
                break


def _broken(issue: Issue, table: Table, dataset: Dataset, whole: Dataset) -> Iterator[Problem]:
    words = _words(table)
    columns = {column.name: column for column in _all(table, dataset)}
    if issue.issue == "late_arrival" and ARRIVAL in columns:
        yield Problem("table", f"{table.name} has a column '{ARRIVAL}' of its own; rename it")
    if issue.delivers and DELIVERED in columns:
        yield Problem("table", f"{table.name} has a column '{DELIVERED}' of its own; rename it")
    if issue.drops:
        by = [other.name for kind in (whole, *whole.units) for other in kind.tables if _refers_to(other, table, kind)]
        if by:
            yield Problem("mode", f"rows of {by[0]} refer to rows of {table.name}, which have to be there")
    if issue.column is None:
        return
    drifts = [other for other in whole.quality if (other.table, other.issue) == (issue.table, "schema_drift")]
    if issue.mode == "rename" and sum(other.column == issue.column for other in drifts) > 1:
        yield Problem("mode", f"{issue.column} is renamed, and drifts in another entry as well: one of them has to go")
    if issue.column not in columns:
        says = f"{table.name} has no column '{issue.column}'"
        yield Problem("column", says, did_you_mean(issue.column, _open(table, columns, words, dataset)))
    elif issue.issue == "orphaned_keys":
        yield from _orphaned(issue.column, columns[issue.column], table, words, dataset)
    else:
        yield from _spoilt(issue, columns, table, words, dataset)


def _orphaned(name: str, column: Column, table: Table, words: KindWords, dataset: Dataset) -> Iterator[Problem]:
    refers = SOURCE_WORDS[column.word].refers(column.source, dataset)
    if refers is None:
        yield Problem("column", f"{name} refers to nothing, so it cannot be orphaned", "name a column of type ref.<table>")
        return
    to = next(other for kind in (dataset, *dataset.units) for other in kind.tables if other.name == refers[0])
    keys = next((getattr(own.source, "values", None) for own in to.sourced("id")), None)
    if getattr(to, "per", None) in ("period", "time"):
        yield Problem("column", f"{name} is a date or a time, which stay what they are", "name another reference")
    elif keys is not None and orphan_mark(keys) is None:
        says = (
            f"the keys of {to.name} lie so far apart, {min(keys)} to {max(keys)}, that no whole number is left for orphans"
        )
        yield Problem("column", says, "name another reference, or write the keys in quotes")


def _spoilt(issue: Issue, columns: dict[str, Column], table: Table, words: KindWords, dataset: Dataset) -> Iterator[Problem]:
    name = issue.column or ""
    free = _open(table, columns, words, dataset)
    if name not in free:
        hint = "to break a reference there is orphaned_keys" if name not in words.key(table, dataset) else ""
        yield Problem("column", f"{name} is a key, a reference or a date of {table.name}, which stay what they are", hint)
        return
    type_ = column_type(columns[name], dataset)
    if issue.issue == "type_mismatch" and pa.types.is_nested(type_):
        yield Problem("column", f"{name} holds lists or structures, which cannot be written as a value of another type")
    if issue.issue == "schema_drift" and drifted(name) in columns:
        yield Problem("column", f"{table.name} has a column '{drifted(name)}' of its own, where the values would drift to")


def _open(table: Table, columns: dict[str, Column], words: KindWords, dataset: Dataset) -> list[str]:
    """Return the columns that may be broken: those that are no key, no reference, and not what was told of a change."""
    kept = {*words.key(table, dataset), words.time(table)}
    refers = {n for n, c in columns.items() if SOURCE_WORDS[c.word].refers(c.source, dataset) is not None}
    return [name for name in columns if name not in kept | refers and columns[name].word not in ("id", "version", "cdc")]


def _refers_to(other: Table, table: Table, dataset: Dataset) -> bool:
    targets = (SOURCE_WORDS[column.word].refers(column.source, dataset) for column in _all(other, dataset))
    return other is not table and any(target is not None and target[0] == table.name for target in targets)


def _all(table: Table, dataset: Dataset) -> tuple[Column, ...]:
    """Return the columns of a table with those that it gets by itself."""
    words = _words(table)
    return (*words.leading(table, dataset), *table.columns, *words.added(table, dataset))


def _words(table: Table) -> KindWords:
    return next(words for _, words in KIND_WORDS.items() if type(table) is words.model)


__all__ = ["broken_columns", "entity_features", "holdout", "quality"]
