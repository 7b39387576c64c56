"""Variety of texts of a grammar: how many there are, and what share of many rows would have different ones.

Two rows have the same text where they draw the same alternatives; the chance of that is the sum over the alternatives of a
rule of the squared share of each, times the chances of its slots. As many texts as one in that chance would repeat as often
if each were as likely. A rule that several texts name counts once. All this is so for each combination of the cases of
decisions, which are taken to be as frequent as each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from math import expm1, prod

from plotsim_core.config.cases import ELSE
from plotsim_core.config.text_grammar import Grammar
from plotsim_core.config.text_rules import Alternatives, Rule, Slot

ROWS = 100_000
"""The rows of which the share of different texts is told."""
_SURE = 1e-300
_MOST_COMBINATIONS = 1024
"""The most combinations of cases that are looked at one by one."""
_MANY = 1e9


@dataclass(frozen=True)
class Variety:
    """`repeat` is the chance that two rows have the same text, and `likeliest` the largest share of one text."""

    repeat: float
    likeliest: float

    @property
    def count(self) -> float:
        """The number of texts that would repeat as often if each were as likely."""
        return 1.0 / max(self.repeat, _SURE)

    def different(self, rows: float) -> float:
        """Return the share of so many rows whose texts are different, as of evenly drawn ones: M (1 - exp(-n/M)) / n."""
        return -expm1(-rows / self.count) * self.count / rows


Counted = frozenset[str]
"""The rules and slots whose variety is counted already in a text."""


class _Walk:
    """A walk through a grammar, which visits a rule once for what is counted before it."""

    def __init__(self, grammar: Grammar, count: Callable[[Slot], float], cases: Mapping[str, str]) -> None:
        self.grammar, self.count, self.cases = grammar, count, cases
        self.visits: dict[tuple[str, Counted], tuple[Variety, Counted]] = {}

    def slot(self, slot: Slot, counted: Counted) -> tuple[Variety, Counted]:
        if slot.name in counted:
            return Variety(1.0, 1.0), counted
        visit = (slot.name, counted)
        if visit not in self.visits and slot.name in self.grammar.rules:
            self.visits[visit] = self.rule(self.grammar.rules[slot.name], counted | {slot.name})
        elif visit not in self.visits:
            share = 1.0 / self.count(slot)
            self.visits[visit] = Variety(share, share), counted | {slot.name}
        return self.visits[visit]

    def rule(self, rule: Rule, counted: Counted) -> tuple[Variety, Counted]:
        if not isinstance(rule, Alternatives):
            key = self.cases.get(rule.by, ELSE)
            case = rule.cases.get(key, rule.cases.get(ELSE))
            if case is not None:
                return self.rule(case, counted)
            return Variety(1.0, 1.0), counted
        weights = rule.weights or (1.0,) * len(rule.templates)
        repeat = likeliest = 0.0
        counted_after = counted
        for weight, template in zip(weights, rule.templates, strict=True):
            text_repeat = text_likeliest = weight / sum(weights)
            text_repeat, text_counted = text_repeat**2, counted
            for slot in template.slots:
                variety, text_counted = self.slot(slot, text_counted)
                text_repeat, text_likeliest = text_repeat * variety.repeat, text_likeliest * variety.likeliest
            repeat, likeliest = repeat + text_repeat, max(likeliest, text_likeliest)
            counted_after |= text_counted
        return Variety(min(repeat, 1.0), likeliest), counted_after


def variety_text(grammar: Grammar, count: Callable[[Slot], float]) -> str:
    """Return the variety of a grammar in words; `count` says how many values a slot has at least that names no rule."""
    cases: dict[str, list[str]] = {}
    for decision in grammar.decisions:
        cases[decision.by] = list(dict.fromkeys([*cases.get(decision.by, []), *decision.cases]))
    if prod(map(len, cases.values())) > _MOST_COMBINATIONS:
        return ""
    combinations = [dict(zip(cases, keys, strict=True)) for keys in product(*cases.values())]
    varieties = [_Walk(grammar, count, keys).rule(grammar.rules[grammar.start], frozenset())[0] for keys in combinations]
    total, rows = sum(variety.count for variety in varieties), ROWS / len(varieties)
    different = sum(variety.different(rows) for variety in varieties) / len(varieties)
    likeliest = max(variety.likeliest for variety in varieties) / len(varieties)
    count_text = f"more than {_MANY:,.0f}" if total > _MANY else f"about {total:,.0f}"
    shares = f"of {ROWS:,} rows {different:.1%} would be different, and one on {likeliest:.3%} of them at most"
    return f"{count_text} different texts; {shares}"
