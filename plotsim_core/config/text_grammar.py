"""Grammars of texts: a template and the rules that its slots lead to, each of which comes to an end and has a use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plotsim_core.config.text_rules import (
    Alternatives,
    Decision,
    Rule,
    Slot,
    Template,
    alternatives_of,
    decisions_of,
    slots_of,
)
from plotsim_core.errors import Problem, ProblemError
from plotsim_core.families import did_you_mean

_START = ""
"""The name of the rule of the whole text, which no slot can have."""
_MOST_LETTERS = 20_000
"""The most letters of a text, those of columns not counted."""


@dataclass(frozen=True)
class Grammar:
    """Rules by name, in an order in which each stands before those that its texts name; `start` is the whole text's."""

    start: str
    rules: Mapping[str, Rule]

    @property
    def slots(self) -> list[Slot]:
        """The slots that name no rule, each once: columns, and types of columns."""
        slots = dict.fromkeys(slot for rule in self.rules.values() for slot in slots_of(rule))
        return [slot for slot in slots if slot.name not in self.rules]

    @property
    def decisions(self) -> list[Decision]:
        """All decisions in the rules."""
        return [decision for rule in self.rules.values() for decision in decisions_of(rule)]

    @property
    def form_columns(self) -> list[str]:
        """The columns that forms depend on, each once."""
        slots = [slot for rule in self.rules.values() for slot in slots_of(rule)]
        return list(dict.fromkeys(form.column for slot in slots for form in slot.forms if form.column is not None))


def read_grammar(template: Template, rules: Mapping[str, Rule]) -> Grammar:
    """Return the grammar of a template and its rules. Raises ProblemError for rules that nothing names, that are made of
    themselves, or whose texts may be too long."""
    start = Alternatives("template", (template,))
    all_rules: dict[str, Rule] = {_START: start, **rules}
    names = {name: list(dict.fromkeys(slot.name for slot in slots_of(rule))) for name, rule in all_rules.items()}
    order: list[str] = []
    problems = [*_circle_problems(names, all_rules, order)]
    loose_slots = list(dict.fromkeys(slot for slots in names.values() for slot in slots if slot not in rules))
    for name, rule in rules.items():
        if name not in order:
            message, hint = f"no text names the rule '{name}', so it has no effect", did_you_mean(name, loose_slots)
            problems.append(Problem(rule.path, message, hint if hint.startswith("did") else f"write {{{name}}} in a text"))
    if problems:
        raise ProblemError(*problems)
    lengths: dict[str, int] = {}
    for name in order:
        lengths[name] = max(
            sum(len(part) if isinstance(part, str) else lengths.get(part.name, 0) for part in text.parts)
            for group in alternatives_of(all_rules[name])
            for text in group.templates
        )
    if lengths[_START] > _MOST_LETTERS:
        message = f"texts may have {lengths[_START]:,} letters, more than {_MOST_LETTERS:,}"
        raise ProblemError(Problem("template", message, "let rules name each other less often"))
    return Grammar(_START, {name: all_rules[name] for name in reversed(order)})


def _circle_problems(names: Mapping[str, list[str]], rules: Mapping[str, Rule], order: list[str]) -> Iterator[Problem]:
    """Fill `order` with the rules that the whole text leads to, each after those that its texts name, and yield those that
    are made of themselves."""
    open_names: list[str] = []
    stack: list[tuple[str, Iterator[str]]] = [(_START, iter(names[_START]))]
    open_names.append(_START)
    while stack:
        name, children = stack[-1]
        child = next((child for child in children if child in rules and child not in order), None)
        if child is None:
            order.append(name)
            open_names.pop()
            stack.pop()
        elif child in open_names:
            way = ", ".join(open_names[open_names.index(child) + 1 :])
            through = f", by way of {way}" if way else ""
            yield Problem(rules[child].path, f"'{child}' is made of itself{through}, so it would have no end")
        else:
            open_names.append(child)
            stack.append((child, iter(names[child])))
