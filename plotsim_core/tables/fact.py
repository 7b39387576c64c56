"""A fact: one row per unit and period, while the unit is there. And what facts of every kind say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from plotsim_core.columns.cdc import change_columns
from plotsim_core.columns.metric import metric_columns
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.stage import stage_column
from plotsim_core.columns.version import ROW_ID, column
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.tables import Column, KindWords, Table
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.slice import Slice, blocks
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.kind import Kind, add_kind


class AnyFact(Table):
    """What facts of every kind say: `metrics` that get a column by themselves where they have none, and with `cdc` when each
    row was written and why."""

    metrics: tuple[Name, ...] = ()
    cdc: Flag = False


class Fact(AnyFact):
    """One row per unit and period."""


_DIMENSIONS = {"date": DATE_DIMENSION}
_OTHER_WORDS = {"row_count_driver", "parent_table", "snapshot_of"}
"""Words of facts of other kinds."""


def needs_references(table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem for each of the unit's and the date's dimension that a table per unit and period lacks."""
    targets = {column.source.target_name for column in table.columns} - {None}
    if any(scope.unknown_table(name) for name in targets if name is not None and name not in scope.tables):
        return  # probably the one that would be missing here
    for kind in ("unit", "date"):
        dimension = scope.dimension(kind)
        if dimension is not None and targets.isdisjoint({dimension.name, _DIMENSIONS.get(kind, dimension.name)}):
            message = f"{table.name} has rows per {scope.unit} and period, so it needs a column of type ref.{dimension.name}"
            yield Problem("columns", message)


def reference_to(kind: str, table: Table, dataset: Dataset) -> str:
    """Return the name of a table's column that refers to the dimension of a kind (`unit` or `date`)."""
    per = {"unit": "unit", "date": "period"}[kind]
    names = [d.name for d in dataset.dimensions if getattr(d, "per", None) == per and not hasattr(d, "count")]
    return next(c.name for c in table.columns if c.source.target_name in names)


def date_column(table: Table) -> str | None:
    """Return the name of a table's date reference (the first reference to a number key it has)."""
    return next((column.name for column in table.references_to(DATE_DIMENSION)), None)


def version_column(table: Table, dataset: Dataset) -> tuple[Column, ...]:
    """Return the column that ties rows to the version of the unit that was valid at the time, if there are versions."""
    has_versions = any(dimension.history is not None for dimension in dataset.dimensions)
    if not has_versions or any(existing.source.version_part == "row_id" for existing in table.columns):
        return ()
    return (column("row_id", ROW_ID),)


def added_columns(table: AnyFact, dataset: Dataset) -> tuple[Column, ...]:
    """Return the columns that a fact gets by itself: of metrics, of the unit's version, of its stage, of changes."""
    unit_columns = () if getattr(table, "per", None) else (*version_column(table, dataset), *stage_column(table, dataset))
    return (*metric_columns(table), *unit_columns, *(change_columns(table) if table.cdc else ()))


def measured_metrics(table: AnyFact, dataset: Dataset) -> str:
    """Return what the rows of a fact hold, in words: the metrics that it has columns of."""
    shown_metrics = (column.source.shown_metric for column in table.columns)
    names = list(dict.fromkeys([*(name for name in shown_metrics if name is not None), *table.metrics]))
    nouns = [phrase(name) for name in names]
    nouns = nouns or [phrase(column.name) for column in table.columns if column.source.target_name is None]
    return capitalised(enumeration(nouns)) or "Presence"


def check_metrics(table: AnyFact, scope: Scope) -> Iterable[Problem]:
    """Yield a problem for each of a fact's metrics that there is not."""
    for index, name in enumerate(table.metrics):
        yield from scope.unknown_metric(name, f"metrics[{index}]")


def _check(table: Fact, scope: Scope) -> Iterable[Problem]:
    yield from needs_references(table, scope)
    yield from check_metrics(table, scope)


def _rows(table: TablePlan, block: Block) -> Rows:
    cell = np.flatnonzero(alive(block).ravel())
    period, unit = np.divmod(cell, len(block.units))
    return Rows(
        block=block,
        address=block.address.ravel()[cell],
        unit=unit,
        period=block.periods[period],
        cell=cell,
    )


def cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    """Cut a slice period by period."""
    return blocks(plan, slice_)


FACT_WORDS = KindWords(
    section="facts",
    recognise=lambda raw, unit: not (_OTHER_WORDS & raw.keys()) and raw.get("per") != "period",
    model=Fact,
    knows=frozenset({"unit", "period", "cell", "metrics", "key"}),
    key=lambda table, dataset: (reference_to("unit", table, dataset), reference_to("date", table, dataset)),
    describe=lambda table, dataset: (
        f"{measured_metrics(table, dataset)} of each {phrase(dataset.unit)}, one row per {phrase(dataset.unit)} "
        f"and {dataset.window.grain.name}."
    ),
    check=_check,
    time=date_column,
    added=added_columns,
)
add_kind("fact", FACT_WORDS, Kind(cut, _rows, lambda table, sample: sample.total(sample.there), state=False, sampled=True))
