"""The rules that a config has to keep beyond the form of its parts: one tuple, each rule in the file of its theme."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from plotsim_core.config import (
    check_calendar,
    check_columns,
    check_data_rules,
    check_effects,
    check_filters,
    check_lifetimes,
    check_locale,
    check_metrics,
    check_named_effects,
    check_names,
    check_output,
    check_quality,
    check_sources,
    check_tables,
    missing,
)
from plotsim_core.config.partial import known_problems
from plotsim_core.config.parts import Parts, lies_in
from plotsim_core.errors import Problem


@dataclass(frozen=True)
class Rule:
    """A rule: `problems` yields where parts break it, with paths that begin at their kind of unit.

    With `of_all` it is asked of the whole config only, not of each kind of unit. With `of_sound` it is asked of the parts
    in which the other rules have found nothing wrong, whose `dataset` it may look at; with `by_column` also of those tables
    of which single columns are wrong, without these.
    """

    problems: Callable[[Parts], Iterator[Problem]]
    of_all: bool = False
    of_sound: bool = False
    by_column: bool = False


RULES = (
    Rule(missing.idle_sections, of_all=True),
    Rule(check_names.duplicate_names),
    Rule(check_names.stages),
    Rule(check_names.shared_names, of_all=True),
    Rule(check_metrics.followers),
    Rule(check_metrics.connections),
    Rule(check_metrics.lifecycles),
    Rule(check_metrics.seasons),
    Rule(check_lifetimes.segments),
    Rule(check_lifetimes.lives),
    Rule(check_lifetimes.moved_arrivals, of_sound=True),
    Rule(check_effects.treatments),
    Rule(check_effects.variations),
    Rule(check_effects.noises),
    Rule(check_named_effects.named_effects, of_all=True),
    Rule(check_calendar.calendars),
    Rule(check_calendar.rhythms),
    Rule(check_tables.unit_dimension),
    Rule(check_tables.columns),
    Rule(check_tables.sound_columns, of_sound=True, by_column=True),
    Rule(check_columns.common_words, of_sound=True, by_column=True),
    Rule(check_filters.filters),
    Rule(check_filters.sound_filters, of_sound=True, by_column=True),
    Rule(check_filters.row_counts, of_sound=True, by_column=True),
    Rule(check_locale.locales),
    Rule(check_quality.quality, of_all=True),
    Rule(check_quality.holdout, of_all=True),
    Rule(check_quality.entity_features, of_all=True),
    Rule(check_quality.broken_columns, of_all=True, of_sound=True),
    Rule(check_sources.source_systems, of_all=True, of_sound=True),
    Rule(check_data_rules.data_rules, of_all=True),
    Rule(check_data_rules.sound_data_rules, of_all=True, of_sound=True, by_column=True),
    Rule(check_output.logs),
    Rule(check_output.budget, of_all=True),
    Rule(check_output.layouts, of_all=True),
    Rule(check_output.log_layouts, of_all=True, of_sound=True),
    Rule(check_output.partition_folders, of_all=True, of_sound=True),
    Rule(check_output.sort_columns, of_all=True, of_sound=True),
    Rule(check_output.folder_columns, of_all=True, of_sound=True),
    Rule(check_output.wide_tables, of_all=True, of_sound=True),
)


def rule_problems(parts: Parts, wrong_paths: Iterable[str]) -> list[Problem]:
    """Return the problems of all rules; `wrong_paths` are where something is wrong already."""
    first_rules = [rule for rule in RULES if not rule.of_sound]
    problems = [*_problems(first_rules, parts), *_partial_problems(first_rules, parts)]
    paths = [*wrong_paths, *(problem.path for problem in problems)]
    paths = [path for path in paths if not is_of_checks(path)]  # a rule is a part of nothing else
    sound_parts = parts if not paths else parts.sound(paths)
    problems += _problems((rule for rule in RULES if rule.of_sound), sound_parts)
    if paths:
        problems += _problems((rule for rule in RULES if rule.by_column), parts.sound(paths, by_column=True))
    return [*dict.fromkeys(problems)]


def is_of_checks(path: str) -> bool:
    """Return whether a path leads to `checks`, of the dataset or of a table."""
    return re.match(r"(checks\b|(units\[\d+\]\.)?\w+\[\d+\]\.checks\b)", path) is not None


def _partial_problems(rules: Sequence[Rule], parts: Parts) -> Iterator[Problem]:
    """Yield what the rules find of partial items, each among the sound ones."""
    for kind in parts.kinds:
        for path, completed in kind.with_partial_items:
            for rule in rules:
                for problem in known_problems(rule.problems(completed)):
                    if lies_in(problem.path, path):
                        yield problem.under(kind.path)


def _problems(rules: Iterable[Rule], parts: Parts) -> Iterator[Problem]:
    for rule in rules:
        for kind in (parts,) if rule.of_all else parts.kinds:
            yield from (problem.under(kind.path) for problem in rule.problems(kind) if kind.declares(problem.path))
