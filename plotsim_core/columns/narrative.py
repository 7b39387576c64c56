"""`narrative`: a text of a template, whose slots are filled by rules, columns of the row, and types of columns.

`template` has the slots, `{greeting} {name}, {amount:,.2f} is due.`; `rules` say for each of them which texts there are:
alternatives with weights, which have slots in their turn, chosen by chance, or by a column, the segment or the band of the
row. Bands are equal parts of the position on the unit's curve, or with `metric` of that metric's stored value. `lexicons`
is short for rules by segment and band.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field, WithJsonSchema, model_validator

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.as_of import Band, band_origin, check_metric, may_be_missing, quantity_name
from plotsim_core.columns.dependencies import names_in, scope_of, table_with
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.columns.text_forms import TEXT_FORMS
from plotsim_core.columns.text_inputs import text_inputs, text_steps
from plotsim_core.columns.text_slots import (
    check_slots,
    circle_problems,
    may_lack_slots,
    slot_columns,
    slot_count,
    slot_reads,
    type_problems,
    whole_values,
)
from plotsim_core.columns.text_values import grammar_texts
from plotsim_core.columns.text_variety import variety_text
from plotsim_core.config.cases import ELSE
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Group, Name
from plotsim_core.config.partial import UnreadError
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.text_grammar import Grammar, read_grammar
from plotsim_core.config.text_rules import (
    BAND,
    SEGMENT,
    Alternatives,
    Decision,
    Rule,
    Template,
    read_rule,
    read_template,
    slots_of,
)
from plotsim_core.config.words import phrase
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem, ProblemError, key_text, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, TablePlan

Phrases = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1, max_length=100)]
_MOST_RULES = 200
_RULE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1000},
        {
            "type": "object",
            "properties": {"by": {"type": "string"}, "cases": {"type": "object"}},
            "required": ["by", "cases"],
            "additionalProperties": False,
        },
        {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}, "minProperties": 1},
    ]
}


@add_source
class Narrative(ColumnSource):
    """`template` is the whole text, `rules` {slot: texts} are what its slots may be: a list of texts, texts with weights, or
    `{ by: column, cases: { value: texts } }`, by a column, `segment` or `band`. `lexicons` {segment: {slot: {band:
    [phrases]}}} is short for rules by segment and band, `bands` are their names from low to high, and `metric` is what they
    are bands of (the position on the curve without one)."""

    word = "narrative"
    in_cases = True
    example = "narrative"

    template: Annotated[str, Field(min_length=1, max_length=2000)]
    """The text, with slots in braces: rules, columns, and types of columns such as `{faker.first_name}`."""
    rules: Annotated[
        dict[Name, Annotated[Any, WithJsonSchema(_RULE_SCHEMA)]] | None, Field(min_length=1, max_length=_MOST_RULES)
    ] = None
    """The texts that a slot may have: a list, each with a weight, or by the value of a column, `segment` or `band`."""
    lexicons: Annotated[dict[Group, dict[Name, dict[str, Phrases]]] | None, Field(min_length=1)] = None
    """The phrases of slots by segment and band: {segment: {slot: {band: [phrases]}}}."""
    bands: Annotated[tuple[Band, ...], Field(min_length=2, max_length=20)] = ("low", "mid", "high")
    """The names of the bands, from low to high."""
    metric: Name | None = None
    """The metric that they are bands of; the position on the curve without one."""

    @model_validator(mode="after")
    def _check_parts(self) -> Narrative:
        problems = [*self._word_problems(self._read())]
        if problems:
            raise ProblemError(*problems)
        return self

    @cached_property
    def grammar(self) -> Grammar:
        """The rules, with those of the lexicons. Raises UnreadError where something is wrong in them, which is reported
        there."""
        try:
            return self._read()
        except ProblemError:
            raise UnreadError from None

    def _problems(self) -> Iterator[Problem]:
        try:
            if not read_template(self.template).slots:
                yield Problem("template", "has no slot to fill", "write slots in braces: {mood} about {subject}")
        except ValueError as error:
            yield Problem("template", str(error))
        if len(set(self.bands)) != len(self.bands):
            yield Problem("bands", f"two bands have one name in {value_text(list(self.bands))}")
        slots = list(dict.fromkeys(slot for lexicon in (self.lexicons or {}).values() for slot in lexicon))
        for segment, lexicon in (self.lexicons or {}).items():
            path = f"lexicons.{segment}"
            for slot in slots:
                if slot not in lexicon:
                    yield Problem(path, f"the slot '{slot}' has no phrases, and it has some in other segments")
                if slot in (self.rules or {}):
                    yield Problem(path, f"the slot '{slot}' has a rule as well", "give it one of the two")
            for slot, phrases in lexicon.items():
                yield from _band_problems(f"{path}.{slot}", phrases, self.bands)
        for name, written in (self.rules or {}).items():
            try:
                read_rule(f"rules.{name}", written)
            except ProblemError as error:
                yield from error.problems

    def _read(self) -> Grammar:
        """Return the grammar. Raises ProblemError with all that is wrong in it."""
        problems = list(self._problems())
        if problems:
            raise ProblemError(*problems)
        rules: dict[str, Rule] = {name: read_rule(f"rules.{name}", rule) for name, rule in (self.rules or {}).items()}
        lexicons = self.lexicons or {}
        for slot in next(iter(lexicons.values()), {}):
            cases = {name: _lexicon_rule(f"lexicons.{name}.{slot}", lexicons[name][slot], self.bands) for name in lexicons}
            rules[slot] = Decision(f"lexicons.{next(iter(lexicons))}.{slot}", SEGMENT, cases)
        return read_grammar(read_template(self.template), rules)

    def _word_problems(self, grammar: Grammar) -> Iterator[Problem]:
        """Yield forms that there are none of, and words that have no effect in these rules."""
        for rule in grammar.rules.values():
            path = rule.path
            for form in dict.fromkeys(form for slot in slots_of(rule) for form in slot.forms):
                if form.word not in TEXT_FORMS:
                    yield Problem(path, f"no form is named '{form.word}'", did_you_mean(form.word, list(TEXT_FORMS)))
                elif form.column is not None and not TEXT_FORMS[form.word].takes_column:
                    yield Problem(path, f"the form '{form.word}' depends on no column, so '{form.column}' has no effect")
        if not any(decision.by == BAND for decision in grammar.decisions):
            for word in ("bands", "metric"):
                if word in self.model_fields_set:
                    yield Problem(
                        word, "has no effect: no rule is by `band`", "leave it out, or write { by: band, cases: ... }"
                    )
        for decision in grammar.decisions:
            if decision.by == BAND:
                yield from _unknown_cases(decision, list(self.bands), "band")

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        segments = [segment.name for segment in scope.segments]
        for name in segments if self.lexicons else ():
            if name not in (self.lexicons or {}):
                yield Problem("lexicons", f"the segment {name} has no phrases")
        for decision in self.grammar.decisions:
            yield from self._decision_problems(decision, column, table, scope)
        yield from check_metric(self.metric, scope)
        slot_problems = list(check_slots(self.grammar, column, table, scope))
        yield from slot_problems or circle_problems(column, table, scope)

    def _decision_problems(self, decision: Decision, column: Column, table: Table, scope: Scope) -> Iterator[Problem]:
        path = "lexicons" if decision.path.startswith("lexicons.") else f"{decision.path}.by"
        if decision.by in (SEGMENT, BAND):
            if "unit" not in table.knows:
                yield Problem(
                    path, f"a row of {table.name} belongs to no {scope.unit_word} whose {decision.by} could decide"
                )
            elif decision.by == SEGMENT and scope.segments:
                yield from _unknown_cases(decision, [segment.name for segment in scope.segments], "segment")
            return
        names = [name for name in names_in(scope.tables[table.name]) if name != column.name]
        if decision.by not in names:
            hint = did_you_mean(decision.by, [*names, SEGMENT, BAND])
            yield Problem(path, f"{table.name} has no column '{decision.by}'", hint)
        deciding = next((other for other in table.columns if other.name == decision.by), None)
        values = None if deciding is None else deciding.source.possible_values(table, scope)
        if values is not None:
            texts = [key_text(value) for value in values if value is not None]
            yield from _unknown_cases(decision, texts, decision.by)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        yield from type_problems(self.grammar, table, dataset)

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        words = {decision.by for decision in self.grammar.decisions}
        if not words:
            return "Text of a grammar, by chance."
        nouns = {SEGMENT: f"the {phrase(dataset.unit)}'s segment", BAND: quantity_name(self.metric)}
        quantities = [nouns.get(word, word) for word in sorted(words, key=lambda word: (word == SEGMENT, word))]
        start = f"{', '.join(quantities[:-1])} and " if len(quantities) > 1 else ""
        return f"Text that fits {start}{quantities[-1]}."

    def variety(self, table: Table, dataset: Dataset) -> str:
        if self.lexicons and not self.rules:
            return ""
        scope = scope_of(dataset)
        return variety_text(self.grammar, lambda slot: slot_count(slot, table, dataset, scope))

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        table, decisions = table_with(self, dataset), self.grammar.decisions
        known = {SEGMENT: [segment.name for segment in dataset.segments], BAND: list(self.bands)}
        for by in {decision.by for decision in decisions} - {*known}:
            known[by] = whole_values(by, table, dataset)
        is_open = any(
            ELSE not in decision.cases and not (known[decision.by] and {*known[decision.by]} <= {*decision.cases})
            for decision in decisions
        )
        may_lack_band = any(decision.by == BAND for decision in decisions) and may_be_missing(self.metric, dataset)
        return is_open or may_lack_band or may_lack_slots(self.grammar, table, dataset)

    @property
    def changes_over_time(self) -> bool:
        return any(decision.by == BAND for decision in self.grammar.decisions) or any(
            column.source.changes_over_time for column in slot_columns("slot", self.grammar)
        )

    def stage_origin(self, dataset: Dataset) -> Origin | None:
        return band_origin(self.metric) if any(decision.by == BAND for decision in self.grammar.decisions) else None

    def reads(self, table: Table) -> Iterable[Origin]:
        try:
            grammar = self.grammar
        except UnreadError:
            return  # reported at the rules
        yield from slot_reads(grammar, table)
        for decision in grammar.decisions:
            if decision.by not in (SEGMENT, BAND):
                yield table.name, decision.by

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(name for column in slot_columns("slot", self.grammar) for name in column.source.attributes)

    @property
    def has_locale(self) -> bool:
        return any(column.source.has_locale for column in slot_columns("slot", self.grammar))

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        return grammar_texts(self.grammar, text_inputs(column, table, rows, self.bands, self.metric))

    def row_steps(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> list[Step]:
        inputs = text_inputs(column, table, rows, self.bands, self.metric)
        return [Step("template", self.template, "the slots are filled for this row"), *text_steps(self.grammar, inputs)]


def _lexicon_rule(path: str, phrases: Mapping[str, Sequence[str]], bands: Sequence[str]) -> Decision:
    """Return the phrases of each band as a rule; they have no slots."""
    cases = {band: Alternatives(path, tuple(Template((text,)) for text in phrases[band])) for band in bands}
    return Decision(path, BAND, cases)


def _band_problems(path: str, phrases: Mapping[str, Sequence[str]], bands: Sequence[str]) -> Iterator[Problem]:
    for band in bands:
        if band not in phrases:
            yield Problem(path, f"the band '{band}' has no phrases")
    for band in phrases:
        if band not in bands:
            yield Problem(f"{path}.{band}", f"no band is named '{band}'", did_you_mean(band, list(bands)))


def _unknown_cases(decision: Decision, values: list[str], noun: str) -> Iterator[Problem]:
    """Yield cases of values that there are none of."""
    for case in decision.cases:
        if case != ELSE and case not in values:
            path = f"lexicons.{case}" if decision.path.startswith("lexicons.") else f"{decision.path}.cases.{case}"
            message = f"no {noun} is named '{case}'" if noun in (SEGMENT, BAND) else f"{noun} is never '{case}'"
            yield Problem(path, message, did_you_mean(case, values))
