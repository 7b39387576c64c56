"""A fact of whole periods (`per: period`): one row per period in which there are units; its metrics are over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from plotsim_core.columns.population import table_totals
from plotsim_core.columns.rows import Rows
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.tables import KindWords
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import Floats, words
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import AnyFact, added_columns, check_metrics, date_column, measured_metrics, reference_to
from plotsim_core.tables.kind import Kind, add_kind


class PeriodFact(AnyFact):
    """One row per period.

    `per`: that its rows are periods.
    """

    per: Literal["period"]


def _check(table: PeriodFact, scope: Scope) -> Iterable[Problem]:
    yield from check_metrics(table, scope)
    if not table.references_to(DATE_DIMENSION):
        yield Problem("columns", f"{table.name} has rows per period, so it needs a column of type ref.{DATE_DIMENSION}")


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    """A row is of all units, whatever the units of the slice."""
    yield Slice(slice_.first, slice_.stop, 0, 1)


def _rows(table: TablePlan, block: Block) -> Rows:
    if len(block.periods) == 0:
        return Rows(block=block, address=words(block.periods), period=block.periods)
    period = block.periods[table_totals(table, block).units > 0]
    return Rows(block=block, address=words(period), period=period)


def _expect(table: TablePlan, sample: Sample) -> Floats:
    return np.minimum(sample.total(sample.there), 1.0)


add_kind(
    "period",
    KindWords(
        section="facts",
        recognise=lambda raw, unit: raw.get("per") == "period" and not {"row_count_driver", "parent_table"} & raw.keys(),
        model=PeriodFact,
        knows=frozenset({"period", "metrics", "crowd", "key"}),
        key=lambda table, dataset: (reference_to("date", table, dataset),),
        describe=lambda table, dataset: (
            f"{measured_metrics(table, dataset)} over all {dataset.plural}, one row per {dataset.window.grain.name}."
        ),
        check=_check,
        time=date_column,
        added=added_columns,
    ),
    Kind(_cut, _rows, _expect, state=False),
)
