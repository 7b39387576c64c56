"""Texts of a grammar, for whole arrays of rows.

Each rule is visited once: from the whole text down, the rows that need it draw their alternatives, and the rows of each
alternative need the rules of its slots; then from the last rule up, the texts of an alternative are joined for its rows. A
rule draws from a stream of its name at the address of the row, so it has one text in a row, wherever it is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray, joined, repeated, taken
from plotsim_core.columns.choice import weighted_indexes
from plotsim_core.columns.text_forms import TEXT_FORMS
from plotsim_core.config.text_grammar import Grammar
from plotsim_core.config.text_rules import Alternatives, Decision, Rule, Slot, Template, alternatives_of
from plotsim_core.numerics.arrays import Floats, Integers


@dataclass(frozen=True)
class TextInputs:
    """What a grammar reads of rows: `codes` gives, for a decision, the number of each row's case (-1: it has none);
    `uniforms` the draws of a rule; `texts` the texts of a slot that names no rule; `is_many` where a column is not 1."""

    count: int
    codes: Callable[[Decision], Integers]
    uniforms: Callable[[str], Floats]
    texts: Callable[[Slot], ArrowArray]
    is_many: Callable[[str], NDArray[np.bool_]]


@dataclass(frozen=True)
class DrawnRule:
    """The rows that need a rule, as rising positions, and the number of the template that each has (-1: none)."""

    positions: Integers
    templates: tuple[Template, ...]
    numbers: Integers

    def rows_of(self) -> list[tuple[Template, Integers]]:
        """Return the templates that rows have, each with the places of these in `positions`."""
        order = np.argsort(self.numbers, kind="stable")
        edges = np.searchsorted(self.numbers[order], np.arange(len(self.templates) + 1))
        parts = [(template, order[edges[n] : edges[n + 1]]) for n, template in enumerate(self.templates)]
        return [(template, places) for template, places in parts if len(places)]


def draw_rules(grammar: Grammar, inputs: TextInputs) -> dict[str, DrawnRule]:
    """Return the alternatives that rows draw of each rule of a grammar that some of them need."""
    needed = {name: np.zeros(inputs.count, dtype=np.bool_) for name in grammar.rules}
    needed[grammar.start][:] = True
    drawn: dict[str, DrawnRule] = {}
    for name, rule in grammar.rules.items():
        positions = np.flatnonzero(needed[name])
        drawn[name] = rule_draws = _drawn(name, rule, positions, inputs)
        if not any(slot.name in grammar.rules for template in rule_draws.templates for slot in template.slots):
            continue
        for template, places in rule_draws.rows_of():
            for slot in template.slots:
                if slot.name in grammar.rules:
                    needed[slot.name][positions[places]] = True
    return drawn


def grammar_texts(grammar: Grammar, inputs: TextInputs) -> ArrowArray:
    """Return the text of each row; null where a slot is null, or a decision has no case for the row."""
    drawn = draw_rules(grammar, inputs)
    texts: dict[str, ArrowArray] = {}
    for name in reversed(list(grammar.rules)):
        texts[name] = _rule_texts(drawn[name], drawn, texts, inputs)
    return texts[grammar.start]


def leaf_numbers(rule: Rule, codes: Callable[[Decision], Integers], positions: Integers, first: int = 0) -> Integers:
    """Return which of a rule's lists of alternatives is for each row (-1: none); they count from `first`."""
    numbers = np.full(len(positions), first, dtype=np.int64)
    if isinstance(rule, Alternatives):
        return numbers
    numbers[:] = -1
    case_numbers = codes(rule)[positions]
    for number, case in enumerate(rule.cases.values()):
        places = np.flatnonzero(case_numbers == number)
        if len(places):
            numbers[places] = leaf_numbers(case, codes, positions[places], first)
        first += len(alternatives_of(case))
    return numbers


def _drawn(name: str, rule: Rule, positions: Integers, inputs: TextInputs) -> DrawnRule:
    leaves = alternatives_of(rule)
    leaf = leaf_numbers(rule, inputs.codes, positions)
    uniforms = inputs.uniforms(name)[positions]
    sizes = np.array([len(group.templates) for group in leaves])
    firsts = np.cumsum(sizes) - sizes
    numbers = firsts[leaf] + (uniforms * sizes[leaf]).astype(np.int64)
    for number, group in enumerate(leaves):
        if group.weights is not None:
            places = np.flatnonzero(leaf == number)
            numbers[places] = firsts[number] + weighted_indexes(uniforms[places], group.weights)
    numbers[leaf < 0] = -1
    return DrawnRule(positions, tuple(template for group in leaves for template in group.templates), numbers)


def _rule_texts(
    rule: DrawnRule, drawn: Mapping[str, DrawnRule], texts: Mapping[str, ArrowArray], inputs: TextInputs
) -> ArrowArray:
    """Return the text of a rule in each row that needs it."""
    if not any(template.slots for template in rule.templates):
        literals = pa.array([str(template) for template in rule.templates], pa.string())
        return taken(literals, np.maximum(rule.numbers, 0), rule.numbers < 0)
    parts: list[ArrowArray] = []
    order: list[Integers] = []
    for template, places in rule.rows_of():
        order.append(places)
        parts.append(_template_texts(template, rule.positions[places], drawn, texts, inputs))
    if not parts:
        return pa.nulls(len(rule.positions), pa.string())
    sources = np.full(len(rule.positions), -1, dtype=np.int64)
    sources[np.concatenate(order)] = np.arange(sum(map(len, order)))
    return taken(pa.concat_arrays(parts), sources, sources < 0)


def _template_texts(
    template: Template,
    positions: Integers,
    drawn: Mapping[str, DrawnRule],
    texts: Mapping[str, ArrowArray],
    inputs: TextInputs,
) -> ArrowArray:
    """Return the text of a template in the rows at some positions."""
    pieces: list[ArrowArray | str] = []
    for part in template.parts:
        if isinstance(part, str):
            pieces.append(part)
            continue
        if part.name in drawn:
            slot_texts = texts[part.name].take(np.searchsorted(drawn[part.name].positions, positions))
        else:
            slot_texts = inputs.texts(part).take(positions)
        for form in part.forms:
            is_many = np.ones(len(positions), bool) if form.column is None else inputs.is_many(form.column)[positions]
            slot_texts = TEXT_FORMS[form.word].apply(slot_texts, is_many)
        pieces.append(slot_texts)
    if not template.slots:
        return repeated(str(template), pa.string(), len(positions))
    return pc.cast(joined(*pieces), pa.string())
