"""`after: previous` or `after: ordered_at` with a `wait` beside a timestamp: moments that come a while after others.

After `previous`, the first of the rows that belong to one row comes a wait after the moment of that row, each other one a
wait after the one before. The waits of the rows before a row are drawn again at their own addresses, so that a row is made
without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plotsim_core.columns.formula_dates import days_of, moments_of
from plotsim_core.columns.formula_inputs import row_inputs
from plotsim_core.columns.formula_problems import input_kinds, may_have_nulls, name_problems, value_problems
from plotsim_core.columns.formula_steps import draw_steps
from plotsim_core.columns.formula_values import Inputs, formula_value
from plotsim_core.columns.moment_inputs import (
    clocks_at,
    instants_in,
    instants_of,
    may_lack_moments,
    moment_name_problems,
    moment_text,
    moment_type_problems,
)
from plotsim_core.columns.recorded_moments import moments
from plotsim_core.columns.row_relations import child_rows, parent_of
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.columns.working_days import WORKING_DAYS
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import FormulaError, draw_nodes, names, parse_formula, reads_null
from plotsim_core.config.formula_kinds import kind_of
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan

PREVIOUS = "previous"
_LONGEST = 10**16
"""Most microseconds of a wait in a chain, about 317 years: they are added up as whole numbers."""
_MOST_DAYS = 100_000
"""Most working days of one, more than 317 years of them."""
_AMOUNT = re.compile(r"(?P<amount>.*?\S)\s+(?P<unit>second|minute|hour|day|week|working day)s?")
_EXAMPLE = "write it like 3 days, 2 working days, or minutes(exponential(3))"


@dataclass(frozen=True)
class Wait:
    """How long a wait is: a formula that gives a span of time, or a number of working days."""

    formula: str
    in_working_days: bool


def read_wait(text: str) -> Wait:
    """Return the wait that a text says: a formula of a span, or one of a number before a unit (`3 days`)."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or _is_formula(text):
        return Wait(text, False)
    amount, unit = match["amount"], match["unit"]
    return Wait(amount, True) if unit == "working day" else Wait(f"{unit}s({amount})", False)


def _is_formula(text: str) -> bool:
    try:
        parse_formula(text)
    except FormulaError:
        return False
    return True


def _is_nothing(formula: str) -> bool:
    """Return whether a formula that neither reads a column nor draws is 0 or less."""
    if names(formula) or draw_nodes(formula) or reads_null(formula):
        return False
    with np.errstate(all="ignore"):
        value = formula_value(parse_formula(formula), Inputs({}, {}, 1))
    return isinstance(value, np.ndarray) and bool(value[0] <= 0)


@dataclass(frozen=True)
class Waits:
    """Moments that come a `wait` after those of the column `after`, or after the row before (`previous`)."""

    after: str
    wait: str

    @cached_property
    def length(self) -> Wait:
        return read_wait(self.wait)

    @property
    def is_chain(self) -> bool:
        """Whether rows that belong to one row come one after the other."""
        return self.after == PREVIOUS

    @property
    def statement(self) -> str:
        return f"{self.wait} after {'the one before' if self.is_chain else self.after}"

    @property
    def inputs(self) -> tuple[str, ...]:
        try:
            formula_names = tuple(names(self.length.formula))
        except FormulaError:  # reported at the formula
            formula_names = ()
        return formula_names if self.is_chain else (self.after, *formula_names)

    @property
    def formula_texts(self) -> tuple[str, ...]:
        formula = self.length.formula
        return (f"add_working_days({self.after}, {formula})",) if self.length.in_working_days else (formula,)

    @property
    def bounds(self) -> tuple[str | None, str | None]:
        return None if self.is_chain else self.after, None

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if not self.is_chain:
            yield from moment_name_problems(self.after, "after", column, table, scope)
            if self.after == column.name:
                return
        elif table.parent_name is None:
            message = f"rows of {table.name} belong to no row with a moment"
            yield Problem("after", message, "name a column whose moments they come after: after: ordered_at")
            return
        if _is_formula(self.length.formula):
            yield from name_problems(self.length.formula, "wait", column, table, scope)
        else:
            hint = (
                f"{_EXAMPLE}; between braces {{ ... }} one with a comma stands in quotes" if "(" in self.wait else _EXAMPLE
            )
            yield Problem("wait", f"expected how long a wait is, found '{self.wait}'", hint)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if not self.is_chain:
            yield from moment_type_problems(self.after, "after", table, dataset)
        formula, in_working_days = self.length.formula, self.length.in_working_days
        problems = list(value_problems(formula, "wait", table, dataset))
        yield from problems
        if not problems and _is_nothing(formula):
            yield Problem("wait", f"{self.wait} is no wait at all", "leave `after` and `wait` out, or wait longer")
        kind = None if problems else kind_of(parse_formula(formula), input_kinds(formula, table, dataset))
        if kind is not None and (kind not in ("whole", "number") if in_working_days else kind != "span"):
            noun = "a number of working days" if in_working_days else "a span of time"
            yield Problem("wait", f"expected {noun}", _EXAMPLE)

    def may_have_nulls(self, table: Table, dataset: Dataset) -> bool:
        lacks_begin = not self.is_chain and may_lack_moments((self.after,), table, dataset)
        return lacks_begin or may_have_nulls(self.length.formula, table, dataset)

    def moments(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> Floats:
        """Return the moments of rows, in microseconds of UTC. A wait below 0 is none; after one that is null there is no
        moment: NaN."""
        begins = self._begins(table, rows)
        lengths = self._lengths(column, table, rows)
        if not self.length.in_working_days:
            return begins + lengths
        population = rows.block.population
        clocks = clocks_at(begins, population.grain.zone)
        days = days_of(clocks)
        is_known = ~np.isnan(begins) & ~np.isnan(lengths)
        ends = np.full(len(rows), np.nan)
        if is_known.any():
            calendar = population.dataset.calendar
            ends[is_known] = WORKING_DAYS["add_working_days"](calendar, days[is_known], lengths[is_known])
        return instants_of(moments_of(ends) + (clocks - moments_of(days)), population.grain.zone)

    def _begins(self, table: TablePlan, rows: Rows) -> Floats:
        """Return the moments that waits begin at: in a chain those of the rows that rows belong to."""
        if not self.is_chain:
            return instants_in(self.after, table, rows)
        return moments(table, rows).astype("datetime64[us]").astype(np.int64).astype(np.float64)

    def _lengths(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> Floats:
        """Return the wait of each row, with those of the rows before it in a chain: microseconds or whole working days."""
        siblings, places = _with_earlier(rows) if self.is_chain else (rows, np.arange(len(rows), dtype=np.int64))
        formula, most = self.length.formula, _MOST_DAYS if self.length.in_working_days else _LONGEST
        with np.errstate(all="ignore"):
            waits: Floats = formula_value(parse_formula(formula), row_inputs(formula, column, table, siblings))
        is_unknown = np.isnan(waits)
        if not self.is_chain:
            return np.maximum(np.floor(waits), 0.0)
        lengths = np.clip(np.where(is_unknown, 0.0, waits), 0.0, most).astype(np.int64)
        unknown_counts = _running(is_unknown.astype(np.int64), siblings)[places]
        return np.where(unknown_counts > 0, np.nan, _running(lengths, siblings)[places].astype(np.float64))

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        noun = f"the moment of the row of {parent_of(table)} that it belongs to" if self.is_chain else self.after
        scale, unit = (1.0, "working days") if self.length.in_working_days else (1e6, "seconds")
        total = "its own wait and those of the rows before it" if self.is_chain else "its wait"
        return [
            Step("after", moment_text(self._begins(table, row), row.block.population.grain.zone), noun),
            *draw_steps(self.length.formula, row_inputs(self.length.formula, column, table, row)),
            Step("waits", float(self._lengths(column, table, row)[0]) / scale, f"{unit} of {total}"),
        ]


def _with_earlier(rows: Rows) -> tuple[Rows, Integers]:
    """Return rows with all that come before them among those of the same row, in the order of these, and the position of
    each row there."""
    assert rows.parent is not None  # of a table with a parent
    counts = np.zeros(len(rows.parent), dtype=np.int64)
    np.maximum.at(counts, rows.owner, rows.ordinal + 1)
    owners, numbers = sibling_numbers(counts)
    if np.array_equal(owners, rows.owner) and np.array_equal(numbers, rows.ordinal):
        return rows, np.arange(len(rows), dtype=np.int64)
    places = (np.cumsum(counts) - counts)[rows.owner] + rows.ordinal
    return child_rows(rows.parent, owners, numbers), places


def _running(numbers: Integers, rows: Rows) -> Integers:
    """Return the sums of whole numbers over each row and those before it that belong to the same row."""
    sums = np.cumsum(numbers)
    is_first = rows.ordinal == 0
    firsts = np.maximum.accumulate(np.where(is_first, np.arange(len(rows), dtype=np.int64), 0))
    running: Integers = sums - (sums - numbers)[firsts]
    return running
