"""What a grammar of texts reads of rows: which case of a decision each has, the texts of slots, and the draws of rules; and
which alternatives one row took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.as_of import band_indexes, scaled_values
from plotsim_core.columns.formula_values import formula_input
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.columns.text_slots import slot_texts
from plotsim_core.columns.text_values import TextInputs, draw_rules
from plotsim_core.config.cases import ELSE
from plotsim_core.config.text_grammar import Grammar
from plotsim_core.config.text_rules import BAND, SEGMENT, Alternatives, Decision, Slot
from plotsim_core.engine.steps import Step
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan


def text_inputs(column: ColumnPlan, table: TablePlan, rows: Rows, bands: Sequence[str], metric: str | None) -> TextInputs:
    """Return what the grammar of a column reads of rows; `bands` are those of a `metric`, or of the position."""

    def codes(decision: Decision) -> Integers:
        cases = list(decision.cases)
        other = cases.index(ELSE) if ELSE in cases else -1
        if decision.by == SEGMENT:
            segments = [segment.spec.name for segment in rows.block.population.segments]
            return _case_numbers(cases, segments)[rows.block.units.segment[rows.unit]]
        if decision.by == BAND:
            band, is_missing = rows.cached(
                ("bands", table.name, column.name), lambda: band_indexes(scaled_values(rows, metric), len(bands))
            )
            return np.where(is_missing, -1, _case_numbers(cases, bands)[band])
        texts = pc.cast(fill(table.column(decision.by), table, rows), pa.string())
        numbers = pc.index_in(texts, pa.array(cases, pa.string())).fill_null(-1).to_numpy(zero_copy_only=False)
        return np.where(numbers < 0, other, numbers).astype(np.int64)

    def texts(slot: Slot) -> ArrowArray:
        key = ("slot", table.name, column.name, slot.name, slot.format)
        return rows.cached(key, lambda: slot_texts(slot, column, table, rows))

    return TextInputs(
        count=len(rows),
        codes=codes,
        uniforms=lambda rule: rows.uniforms(table, column, rule),
        texts=texts,
        is_many=lambda name: formula_input(fill(table.column(name), table, rows)) != 1.0,
    )


def _case_numbers(cases: list[str], values: Sequence[str]) -> Integers:
    """Return the number of the case of each value, that of `else` for those without one, or -1."""
    other = cases.index(ELSE) if ELSE in cases else -1
    return np.array([cases.index(value) if value in cases else other for value in values], dtype=np.int64)


def text_steps(grammar: Grammar, inputs: TextInputs) -> list[Step]:
    """Return which alternative of each rule one row took, rules before those that their texts name."""
    steps: list[Step] = []
    for name, draws in draw_rules(grammar, inputs).items():
        if name == grammar.start or not len(draws.numbers):
            continue
        number, rule, reasons = int(draws.numbers[0]), grammar.rules[name], []
        while isinstance(rule, Decision):
            case_number = int(inputs.codes(rule)[0])
            if case_number < 0:
                break
            case = list(rule.cases)[case_number]
            reasons.append(f"{rule.by} {case}")
            rule = rule.cases[case]
        count = len(rule.templates) if isinstance(rule, Alternatives) else 0
        words = f"one of {count} texts of {name}" + (f" for {', '.join(reasons)}" if reasons else "")
        steps.append(Step(name, str(draws.templates[number]) if number >= 0 else None, words, depth=1))
    return steps
