"""The intercepts of labels: what is added to the odds of each row, so that the declared share of all rows is true.

They are solved at load, on a sample of rows of a reference population: so many more units or plain rows, and a later end,
move no label. Labels whose odds read others are solved after these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from plotsim_core.columns.label import Label, solved
from plotsim_core.config.column_source import Origin
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.log_odds import chances, clustered_error, intercept_of
from plotsim_core.plan.plan import ColumnPlan, Intercept, Population, TablePlan
from plotsim_core.tables.drawn_rows import lineage
from plotsim_core.tables.row_sample import WeightedRows, clusters_of, reference_population, sampled_rows

_TOLERANCE = 3.0
"""Standard errors by which the rate of the units that there are is another one than that of as many of each segment."""

LabelPath = tuple[TablePlan, ColumnPlan]
TableProblem = tuple[str, str, Problem]
"""A table, a column of it, and a problem with its path in the column."""


@dataclass(frozen=True, eq=False)
class LabelSample:
    """Rows that have labels: the `values` of each, shape (n,), how many rows it stands for (`weights`), and its cluster."""

    values: Floats
    weights: Floats
    clusters: np.ndarray[tuple[int], np.dtype[np.int64]]

    @property
    def mean(self) -> float:
        return float(np.sum(self.weights * self.values)) / float(np.sum(self.weights))

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return clustered_error(self.values, self.weights, self.clusters)


def with_intercepts(population: Population) -> tuple[Population, list[TableProblem], list[TableProblem]]:
    """Return a population with the intercepts of its labels, what is wrong with these, and what is to be known of them."""
    problems: list[TableProblem] = []
    notes: list[TableProblem] = []
    pending = list(_labels(population))
    while pending:
        pairs = {(table.name, column.name) for table, column in pending}
        ready = [pair for pair in pending if not pairs & _origins(population, *pair)]
        if not ready:
            message = "follow from which rows there are, and these from the label"
            problems += [(table.name, column.name, Problem("odds", message)) for table, column in pending]
            break
        for table, column in ready:
            solution = _solution(population, table, column)
            if isinstance(solution, Problem):
                problems.append((table.name, column.name, solution))
                solution = Intercept(0.0, 0, 0.0)
            population = _with_intercept(population, table.name, column.name, solution)
            notes += _notes(population, table.name, column.name)
        pending = [pair for pair in pending if pair not in ready]
    return population, problems, notes


def label_chances(population: Population, table: TablePlan, column: ColumnPlan, first: int, stop: int) -> LabelSample | None:
    """Return the chances of rows of a table in some periods, of those that there are; None where no row has one."""
    source = column.spec.source
    assert isinstance(source, Label)
    rows = sampled_rows(population, table, first, stop)
    return _sample((part, source.chances(column, table, part[1])) for part in rows)


def _sample(parts: Iterable[tuple[WeightedRows, Floats]]) -> LabelSample | None:
    values, weights, clusters = [], [], []
    for (weight, rows), part_values in parts:
        is_known = ~np.isnan(part_values)
        values.append(part_values[is_known])
        weights.append(np.full(int(is_known.sum()), weight))
        clusters.append(clusters_of(rows)[is_known])
    if not sum(map(len, values)):
        return None
    return LabelSample(np.concatenate(values), np.concatenate(weights), np.concatenate(clusters))


def _labels(population: Population) -> Iterator[LabelPath]:
    """Yield the labels of the tables that a population is the first to have."""
    for table in population.tables:
        is_own = table.population == population.unit or not table.population
        for column in table.all_columns if is_own and not table.shown_table else ():
            if isinstance(column.spec.source, Label):
                yield table, column


def _origins(population: Population, table: TablePlan, column: ColumnPlan) -> set[Origin]:
    """Return the columns that the odds of a label and the rows of its sample are made of, directly or through others."""
    tables = {other.name: other for other in population.tables if not other.shown_table}
    pending = [*column.spec.depends_on(table.spec)]
    for step in lineage(population, table):
        pending += step.spec.row_origins() if step is not table else ()
    if not _is_by_label(population, table, column):
        pending += table.spec.row_origins()
    return _closure(tables, pending)


def _closure(tables: dict[str, TablePlan], pending: list[Origin]) -> set[Origin]:
    visited: set[Origin] = set()
    while pending:
        origin = pending.pop()
        if origin in visited:
            continue
        visited.add(origin)
        table = tables.get(origin[0])
        for other in table.all_columns if table is not None else ():
            if table is not None and other.name == origin[1]:
                pending += other.spec.depends_on(table.spec)
                for name in (other.spec.source.target_name, other.spec.source.detail_table):
                    target = tables.get(name or "")
                    pending += target.spec.row_origins() if target is not None else ()
    return visited


def _is_by_label(population: Population, table: TablePlan, column: ColumnPlan) -> bool:
    """Return whether a label decides which rows of its table are kept."""
    tables = {other.name: other for other in population.tables if not other.shown_table}
    return table.spec.filter is not None and (table.name, column.name) in _closure(tables, [*table.spec.row_origins()])


def _solution(population: Population, table: TablePlan, column: ColumnPlan) -> Intercept | Problem:
    source = column.spec.source
    assert isinstance(source, Label)
    reference = reference_population(population, table)
    sampled = reference.table(table.name)
    if _is_by_label(population, table, column):  # the rate is that of the rows that may be kept
        sampled = replace(sampled, spec=sampled.spec.model_copy(update={"where": None}))
    rows = sampled_rows(reference, sampled, reference.first, reference.first + reference.span)
    sample = _sample((part, source.log_odds(sampled, part[1])) for part in rows)
    if sample is None:
        return Problem("odds", f"no row of {table.name} has a value of them, in a sample of the span")
    if float(sample.values.min()) == float(sample.values.max()):
        message = f"are the same in each of {len(sample.values):,} rows of a sample"
        return Problem("odds", message, f"give it a chance of its own: = chance({source.rate:g})")
    value = intercept_of(sample.values, sample.weights, source.rate)
    error = replace(sample, values=chances(sample.values, value)).error
    return Intercept(value, len(sample.values), error)


def _with_intercept(population: Population, table: str, column: str, intercept: Intercept) -> Population:
    """Return a population with the intercept of a label, in its table and in those that show its rows."""

    def with_solution(columns: tuple[ColumnPlan, ...]) -> tuple[ColumnPlan, ...]:
        return tuple(
            replace(other, intercept=intercept) if other.name == column and isinstance(other.spec.source, Label) else other
            for other in columns
        )

    tables = (
        replace(other, columns=with_solution(other.columns), hidden=with_solution(other.hidden))
        if other.stream == table
        else other
        for other in population.tables
    )
    return replace(population, tables=tuple(tables))


def _notes(population: Population, table_name: str, column_name: str) -> Iterator[TableProblem]:
    """Yield what a new segment does to labels that know of units, and which rate the units that there are have, where that
    is another one."""
    table = population.table(table_name)
    column = table.column(column_name)
    source = column.spec.source
    assert isinstance(source, Label)
    tables = {table_name, *(name for name, _ in _origins(population, table, column))}
    if not any(other.spec.has_unit_rows for other in population.tables if other.name in tables):
        return
    stop = population.stop if population.stop is not None else population.first + population.span
    sample = label_chances(population, table, column, population.first, stop)
    message = "the rate is of as many units of each segment: one segment more changes labels"
    if sample is not None:
        allowed = _TOLERANCE * float(np.hypot(sample.error, solved(column).error))
        if abs(sample.mean - source.rate) > allowed:
            message += f"; those that there are have {sample.mean:.3g}"
    yield table_name, column_name, Problem("rate", message)
