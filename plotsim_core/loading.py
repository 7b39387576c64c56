"""From a config as read to its plan: its parts, the numbers of its metrics, and its populations."""

from __future__ import annotations

from dataclasses import dataclass, replace

from plotsim_core.config import load
from plotsim_core.config.dataset import dataset_name
from plotsim_core.config.document import Document
from plotsim_core.config.notes import notes
from plotsim_core.config.parts import Parts
from plotsim_core.engine.pooled import solve_pooled
from plotsim_core.engine.slice import full_slice
from plotsim_core.errors import ConfigError, Problem, UsageError
from plotsim_core.numerics.scale_solver import scale_to
from plotsim_core.plan.plan import Plan, Population
from plotsim_core.plan.resolve import Numbers, numbers, phase_connections, population_plan, resolve
from plotsim_core.rules import formula as _rules  # noqa: F401 - importing the package makes every rule known
from plotsim_core.tables.kept_share import kept_problems
from plotsim_core.tables.label_solver import with_intercepts
from plotsim_core.tables.row_estimates import sizes

_SMALLEST, _LARGEST = 1e-6, 1e6
"""The scales at which a number of rows is looked for."""
_NEAR, _ERRORS = 0.02, 3.0
"""Rows are near their target within this share, or so many standard deviations of their count, whichever is more."""


def plan_of_rows(document: Document, name: str, target_rows: int) -> Plan:
    """Return the plan of a config at the scale whose expected rows, of all tables, are nearest to `target_rows`; with a note
    if no scale is near."""
    plans = {(base_plan := plan_of(document, name)).dataset.scale: base_plan}
    if not base_plan.kinds:
        raise UsageError("there are no units to scale to the target rows; each table says itself how many rows it has")

    def rows(scale: float) -> float:
        try:
            if scale not in plans:
                plans[scale] = plan_of(document.with_value({**document.value, "scale": scale}, "scale"), name)
        except ConfigError:  # larger than a segment may be, or than the budget of cells
            return float("inf")
        plan = plans[scale]
        slice_ = full_slice(plan.population, plan.first, plan.stop_or_span)
        return float(sum(size.rows for size in sizes(plan, plan.tables, slice_)))

    scale, row_count = scale_to(rows, target_rows, base_plan.dataset.scale, _SMALLEST, _LARGEST)
    plan = plans[scale]
    if abs(row_count - target_rows) <= max(_NEAR * target_rows, _ERRORS * target_rows**0.5):
        return plan
    limit = "whole units allow" if row_count > target_rows else "the largest scale allows"
    message = f"the nearest that {limit} to {target_rows:,} rows is about {row_count:,.0f}"
    return replace(plan, notes=(*plan.notes, Problem("scale", f"{message}, at scale {scale:g}")))


def plan_of(document: Document, name: str) -> Plan:
    """Return the plan of a config as read. Raises ConfigError with everything that is wrong."""
    parts, problems = load.read_parts(document)
    if parts is None:
        raise ConfigError(document.located(problems), document.source)
    kind_numbers: list[Numbers | None] = []
    for kind in parts.kinds:
        own_paths = tuple(f"{kind.path}.{section}" if kind.path else section for section in ("metrics", "connection"))
        has_metrics = bool(kind.metrics) or not kind.has_units
        has_sound_metrics = has_metrics and not any(problem.path.startswith(own_paths) for problem in problems)
        kind_numbers.append(_numbers(kind) if has_sound_metrics else None)
    for kind, metric_numbers in zip(parts.kinds, kind_numbers, strict=True):
        if metric_numbers is not None:
            problems.extend(problem.under(kind.path) for problem in metric_numbers.problems)
    if problems or document.problems:
        raise ConfigError(document.located(problems), document.source)
    resolved: list[_Resolved] = []
    for kind, metric_numbers in zip(parts.kinds, kind_numbers, strict=True):
        assert metric_numbers is not None
        others = tuple(other.population for other in resolved)
        resolved.append(_resolved(kind, metric_numbers, others, document))
    notes_of_kinds = [note for kind in resolved for note in kind.notes]
    first = resolved.pop(parts.position)
    return resolve(
        dataset_name(name),
        document.value,
        [kind.population for kind in (first, *resolved)],
        document.as_written(warning for kind in (first, *resolved) for warning in kind.warnings),
        [*document.notes, *document.as_written(notes_of_kinds)],
    )


def _numbers(parts: Parts) -> Numbers:
    """Return the numbers of metrics and of the connections that are not pooled."""
    connections = [entry for entry in parts.connections if not entry[1].pooled]
    return numbers(parts.metrics, connections, phase_connections(parts.connection_phases))


@dataclass(frozen=True, eq=False)
class _Resolved:
    """A population, and what loading says of it."""

    population: Population
    warnings: list[Problem]
    notes: list[Problem]


def _resolved(parts: Parts, metric_numbers: Numbers, others: tuple[Population, ...], document: Document) -> _Resolved:
    """Return the population of parts; pooled connections are solved against a roster of its segments."""
    inherited, dataset = parts.inherited_tables if parts.path else None, parts.dataset
    warnings = list(metric_numbers.warnings)
    kind_notes = [note for note in notes(dataset, inherited) if parts.declares(note.path)]
    population = population_plan(dataset, metric_numbers, others, inherited)
    if any(connection.pooled for _, connection in parts.connections):
        connections, problems, pooled_warnings, pooled_notes = solve_pooled(population, parts.connections)
        pooled_numbers = numbers(parts.metrics, connections, phase_connections(parts.connection_phases))
        if problems or pooled_numbers.problems:
            pooled_problems = [problem.under(parts.path) for problem in (*problems, *pooled_numbers.problems)]
            raise ConfigError(document.located(pooled_problems), document.source)
        warnings = [*pooled_numbers.warnings, *warnings, *pooled_warnings]
        kind_notes += pooled_notes
        population = population_plan(dataset, pooled_numbers, others, inherited)
    population = _with_intercepts(population, parts, document, kind_notes)
    declarations = {declaration.name: declaration for declaration in parts.tables}
    share_problems = [
        declarations[name].placed(problem) for name, problem in kept_problems(population) if name in declarations
    ]
    if share_problems:
        raise ConfigError(document.located([problem.under(parts.path) for problem in share_problems]), document.source)
    return _Resolved(population, *([problem.under(parts.path) for problem in part] for part in (warnings, kind_notes)))


def _with_intercepts(population: Population, parts: Parts, document: Document, kind_notes: list[Problem]) -> Population:
    """Return a population with the intercepts of its labels; what is to be known of these joins the notes."""
    population, problems, label_notes = with_intercepts(population)
    places = {declaration.name: declaration for declaration in parts.tables}

    def placed(table: str, column: str, problem: Problem) -> Problem:
        index = [name.lower() for name in places[table].columns].index(column.lower())
        return places[table].placed(problem.under(f"columns[{index}]"))

    if problems:
        located = [placed(*problem).under(parts.path) for problem in problems]
        raise ConfigError(document.located(located), document.source)
    kind_notes += [placed(*note) for note in label_notes if note[0] in places]
    return population
