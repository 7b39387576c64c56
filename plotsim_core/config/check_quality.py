"""Problems of `quality`, `holdout` and `entity_features` with the rest of a config."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.holdout import FEATURES, HOLDOUT, TRAIN
from plotsim_core.config.parts import Parts
from plotsim_core.config.quality import ARRIVAL, DELIVERED, LEDGER, MOST_ISSUES, Issue, drift_column, orphan_mark
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, DeclaredTable, Table, column_type, extreme_keys
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean


def quality(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of the names and periods of issues; `broken_columns` yields those of their columns."""
    issues, scope = parts.quality, parts.scope
    if len(issues) > MOST_ISSUES:
        yield Problem("quality", f"expected at most {MOST_ISSUES} issues, found {len(issues)}")
    tables = {t.name: t for t in parts.declared_tables}
    for path, issue in issues:
        if issue.table not in tables and "" not in tables:
            table_names = [name for name, table in tables.items() if not table.is_dimension]
            yield Problem(f"{path}.table", f"no table is named '{issue.table}'", did_you_mean(issue.table, table_names))
        yield from _issue_table(path, issue, tables.get(issue.table))
        yield from _periods(path, issue, scope)
    yield from _name_clash(LEDGER, tables, bool(issues), "quality")


def _issue_table(path: str, issue: Issue, declaration: DeclaredTable | None) -> Iterator[Problem]:
    if declaration is None:
        return
    if declaration.is_dimension:
        message = f"{issue.table} is a dimension: it is written anew with every period, so nothing in it is broken once"
        yield Problem(f"{path}.table", message, "name a fact, an event or a bridge that has rows per period")
    elif declaration.table is not None and declaration.table.dimension_name is not None:
        message = f"{issue.table} shows {declaration.table.dimension_name} as it is, so that what is made of both agrees"
        yield Problem(f"{path}.table", message, "name a fact or an event of its own rows")
    elif declaration.table is not None and declaration.table.time_column() is None:
        yield Problem(f"{path}.table", f"rows of {issue.table} are of no period: there is no date reference to list them by")


def _periods(path: str, issue: Issue, scope: Scope) -> Iterator[Problem]:
    written_periods = [("period", issue.period)] if issue.period is not None else []
    written_periods += [(f"periods[{index}]", period) for index, period in enumerate(issue.periods or ())]
    yield from _since_problems(path, issue, scope)
    if scope.window is None or scope.window.stop is None:
        return
    last_period = scope.window.stop - scope.window.first - 1
    for field, period in written_periods:
        if period is not None and period > last_period:
            yield Problem(f"{path}.{field}", f"expected a period of the window, 0 to {last_period}, found {period}")


def _since_problems(path: str, issue: Issue, scope: Scope) -> Iterator[Problem]:
    window = scope.window
    if window is None or issue.since is None:
        return
    try:
        period = window.grain.read(issue.since)
    except ValueError:
        yield Problem(f"{path}.since", f"there is no day {issue.since}")
        return
    if period < window.first or (window.stop is not None and period >= window.stop):
        end = f"to {window.grain.label(window.stop - 1)}" if window.stop is not None else "on"
        message = f"expected a date of the window, from {window.grain.label(window.first)} {end}; found {issue.since}"
        yield Problem(f"{path}.since", message)


def _name_clash(name: str, tables: dict[str, DeclaredTable], is_added: bool, section: str) -> Iterator[Problem]:
    if is_added and name in tables:
        yield Problem(f"{tables[name].path}.name", f"'{name}' is the table that `{section}` adds; choose another")


def holdout(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of the holdout: its target, a window too short or without end, names that are taken."""
    settings, scope = parts.holdout, parts.scope
    if settings is None:
        return
    yield from _unstored_metric(settings.target, "holdout.target", parts, scope)
    window = scope.window
    if window is not None and window.stop is None:
        yield Problem("holdout", "an open window has no last periods to hold out", "give the window an end")
    elif window is not None and window.stop is not None:
        most_periods = window.stop - window.first - settings.min_training_periods
        if settings.periods > most_periods:
            reason = f"the window has {window.stop - window.first} and {settings.min_training_periods} are for training"
            yield Problem(
                "holdout.periods", f"expected at most {max(most_periods, 0)}, since {reason}; found {settings.periods}"
            )
    tables = {t.name: t for t in parts.declared_tables}
    for declaration in parts.tables:
        if declaration.kind is not None and declaration.kind.is_per_cell:
            for suffix in (TRAIN, HOLDOUT):
                yield from _name_clash(f"{declaration.name}{suffix}", tables, True, "holdout")


def entity_features(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of the features: metrics that no fact holds, a name that is taken."""
    features, scope = parts.entity_features, parts.scope
    if features is None:
        return
    holdout_settings = parts.holdout
    for index, name in enumerate(features.metrics):
        path = f"entity_features.metrics[{index}]"
        yield from _unstored_metric(name, path, parts, scope)
        if name in features.metrics[:index]:
            yield Problem(path, f"'{name}' is listed twice")
        if holdout_settings is not None and name == holdout_settings.target:
            yield Problem(path, f"{name} is the target of the holdout: nothing that is learnt from may tell it")
    feature_metrics = {*_fact_metrics(parts)} - {holdout_settings.target if holdout_settings else None}
    is_readable = all(declaration.table is not None for declaration in parts.tables)
    if not features.metrics and not feature_metrics and is_readable:
        yield Problem("entity_features", "no fact per unit and period holds a metric that could be summed up")
    yield from _name_clash(FEATURES, {t.name: t for t in parts.declared_tables}, True, "entity_features")


def _fact_metrics(parts: Parts) -> list[str]:
    """Return the metrics that facts per unit and period hold."""
    facts = [table.table for table in parts.tables if table.table is not None and table.table.is_per_cell]
    stored_metrics = (column.source.stored_metric for fact in facts for column in fact.columns if not column.hidden)
    shown_metrics = [name for name in stored_metrics if name is not None]
    return [*shown_metrics, *(name for fact in facts for name in fact.listed_metrics)]


def _unstored_metric(name: str, path: str, parts: Parts, scope: Scope) -> Iterator[Problem]:
    unknown_problems = scope.unknown_metric(name, path)
    yield from unknown_problems
    stored_metrics = {*_fact_metrics(parts)}
    if (
        not unknown_problems
        and name not in stored_metrics
        and all(declaration.table is not None for declaration in parts.tables)
    ):
        yield Problem(
            path, f"no fact per unit and period holds the metric '{name}'", did_you_mean(name, sorted(stored_metrics))
        )


def broken_columns(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of the columns that issues name."""
    dataset = parts.dataset
    for path, issue in parts.quality:
        for kind in (dataset, *dataset.units):
            table = next((table for table in kind.all_tables if table.name == issue.table), None)
            if table is not None:
                yield from (problem.under(path) for problem in _broken_column(issue, table, kind, dataset))
                break


def _broken_column(issue: Issue, table: Table, dataset: Dataset, root: Dataset) -> Iterator[Problem]:
    columns = {column.name: column for column in table.stored_columns(dataset)}
    if issue.issue == "late_arrival" and ARRIVAL in columns:
        yield Problem("table", f"{table.name} has a column '{ARRIVAL}' of its own; rename it")
    if issue.delivers and DELIVERED in columns:
        yield Problem("table", f"{table.name} has a column '{DELIVERED}' of its own; rename it")
    if issue.drops:
        referring_tables = [
            other.name for kind in (root, *root.units) for other in kind.all_tables if _refers_to(other, table, kind)
        ]
        if referring_tables:
            yield Problem("mode", f"rows of {referring_tables[0]} refer to rows of {table.name}, which have to be there")
    if issue.column is None:
        return
    drifts = [other for other in root.quality if (other.table, other.issue) == (issue.table, "schema_drift")]
    if issue.mode == "rename" and sum(other.column == issue.column for other in drifts) > 1:
        yield Problem("mode", f"{issue.column} is renamed, and drifts in another entry as well: one of them has to go")
    if issue.column not in columns:
        message = f"{table.name} has no column '{issue.column}'"
        yield Problem("column", message, did_you_mean(issue.column, _breakable_columns(table, columns, dataset)))
    elif issue.issue == "orphaned_keys":
        yield from _orphaned_column(issue.column, columns[issue.column], dataset)
    else:
        yield from _unbreakable_column(issue, columns, table, dataset)


def _orphaned_column(name: str, column: Column, dataset: Dataset) -> Iterator[Problem]:
    target = column.source.target(dataset)
    if target is None:
        yield Problem("column", f"{name} refers to nothing, so it cannot be orphaned", "name a column of type ref.<table>")
        return
    owners = ((other, kind) for kind in (dataset, *dataset.units) for other in kind.all_tables)
    owner, kind = next(pair for pair in owners if pair[0].name == target[0])
    ids = None if owner.is_date_dimension or owner.is_time_dimension else extreme_keys(target[1], owner, kind)
    if owner.is_date_dimension or owner.is_time_dimension:
        yield Problem("column", f"{name} is a date or a time, which stay what they are", "name another reference")
    elif ids is not None and orphan_mark(ids) is None:
        bounds = f"{min(map(int, ids))} to {max(map(int, ids))}"
        message = f"the keys of {owner.name} lie so far apart, {bounds}, that no whole number is left for orphans"
        yield Problem("column", message, "name another reference, or write the keys in quotes")


def _unbreakable_column(issue: Issue, columns: dict[str, Column], table: Table, dataset: Dataset) -> Iterator[Problem]:
    name = issue.column or ""
    breakable = _breakable_columns(table, columns, dataset)
    if name not in breakable:
        hint = "to break a reference there is orphaned_keys" if name not in table.key_columns(dataset) else ""
        yield Problem("column", f"{name} is a key, a reference or a date of {table.name}, which stay what they are", hint)
        return
    type_ = column_type(columns[name], dataset)
    if issue.issue == "type_mismatch" and pa.types.is_nested(type_):
        yield Problem("column", f"{name} holds lists or structures, which cannot be written as a value of another type")
    if issue.issue == "schema_drift" and drift_column(name) in columns:
        yield Problem(
            "column", f"{table.name} has a column '{drift_column(name)}' of its own, where the values would drift to"
        )


def _breakable_columns(table: Table, columns: dict[str, Column], dataset: Dataset) -> list[str]:
    """Return the columns that an issue may break: no keys, references, versions or records of changes (CDC)."""
    fixed_names = {*table.key_columns(dataset), table.time_column()}
    references = {n for n, c in columns.items() if c.source.target(dataset) is not None}
    return [name for name in columns if name not in fixed_names | references and columns[name].source.is_breakable]


def _refers_to(other: Table, table: Table, dataset: Dataset) -> bool:
    targets = (column.source.target(dataset) for column in other.all_columns(dataset))
    return other is not table and any(target is not None and target[0] == table.name for target in targets)
