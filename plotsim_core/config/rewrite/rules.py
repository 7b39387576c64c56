"""What of the language is spelt otherwise today: a rule each, and a config in today's words.

A rule takes a place of a config as read and returns its value in today's words: the same object where it has nothing to say.
What it writes gives the same tables, values and schema. How a column of a type is spelt, its source says (`todays_words`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.connections import SCOPE_WORDS
from plotsim_core.config.dataset import ALIASES as SECTION_ALIASES
from plotsim_core.config.metrics import ALIASES as DISTRIBUTION_ALIASES
from plotsim_core.config.rewrite.places import PartName, Place, Steps, places
from plotsim_core.config.rewrite.sections import with_tables
from plotsim_core.numerics.calendar import ADVERBS

_MOST_PASSES = 8
"""So many times a config is gone through at most: what a rule has written, another one may have to spell otherwise."""


@dataclass(frozen=True)
class Rule:
    """A rule of spelling: the part of a config that it is about, and its function, from a place to the value there."""

    part: PartName
    rewrite: Callable[[Place], Any]


def canonical(raw: Any) -> Any:
    """Return a config as read in today's words, as a copy."""
    value = _copy(raw)
    for _ in range(_MOST_PASSES):
        is_changed = False
        for place in list(places(value)):
            todays = todays_value(place)
            if todays is not place.value:
                value = _with_value(value, place.steps, todays)
                is_changed = True
        if not is_changed:
            break
    return value


def todays_value(place: Place) -> Any:
    """Return the value of a place in today's words: the same object where they are its own."""
    value = place.value
    for rule in RULES:
        if rule.part == place.part:
            value = rule.rewrite(replace(place, value=value))
    return value


def _copy(value: Any) -> Any:
    """Return a value of which no part is another's too, as aliases of YAML make it."""
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _with_value(value: Any, steps: Steps, part: Any) -> Any:
    """Return a config whose part at `steps` is another one; it is changed in place."""
    if not steps:
        return part
    owner = value
    for step in steps[:-1]:
        owner = owner[step]
    owner[steps[-1]] = part
    return value


def renamed(mapping: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a mapping with other names of keys, in its order; the same one where no key changes, or one would stand
    twice."""
    if not names.keys() & mapping.keys() or any(name in mapping for key, name in names.items() if key in mapping):
        return mapping
    return {names.get(key, key): value for key, value in mapping.items()}


def _dataset(place: Place) -> Any:
    """`stages` and `output_format` are the sections lifecycle and output."""
    return renamed(place.value, SECTION_ALIASES)


def _sections(place: Place) -> Any:
    """All tables are of one shape: per, rows, when. Further kinds of unit keep their sections."""
    return place.value if place.steps else with_tables(place.value)


def _window(place: Place) -> Any:
    """A period is called by its noun: `every: month`, not monthly."""
    window = place.value
    if isinstance(window, Mapping) and str(window.get("every")) in ADVERBS:
        return {**window, "every": ADVERBS[window["every"]]}
    if isinstance(window, list | tuple) and len(window) == 3 and str(window[2]) in ADVERBS:
        return [*window[:2], ADVERBS[window[2]]]
    return window


def _metric(place: Place) -> Any:
    """A distribution has one name."""
    metric = place.value
    if isinstance(metric, Mapping) and str(metric.get("distribution")) in DISTRIBUTION_ALIASES:
        return {**metric, "distribution": DISTRIBUTION_ALIASES[metric["distribution"]]}
    return metric


def _connection(place: Place) -> Any:
    """A connection is a sentence: `visits driven_by mood`, `visits 0.4 mood pooled`."""
    connection = place.value
    if isinstance(connection, Mapping):
        words = [connection.get("metric_a"), connection.get("relationship", connection.get("coefficient"))]
        words += [connection.get("metric_b")]
        if connection.get("pooled") is True:
            words.append("pooled")
        is_known = len(connection) == len(words) + ("pooled" in connection and connection["pooled"] is False)
    elif isinstance(connection, list | tuple):
        words, is_known = list(connection), True
    elif isinstance(connection, str):
        words, is_known = list(connection.split()), True
        if len(words) != 4 or SCOPE_WORDS.get(str(words[3]), True):
            return connection
    else:
        return connection
    if len(words) == 4 and SCOPE_WORDS.get(str(words[3])) is False:
        words.pop()
    is_sentence = len(words) in (3, 4) and all(type(word) in (str, int, float) for word in words)
    return " ".join(map(str, words)) if is_known and is_sentence else connection


def _table(place: Place) -> Any:
    """A threshold is crossed `for` so many periods."""
    return renamed(place.value, {"for_periods": "for"})


def _column(place: Place) -> Any:
    """What a column's source says of it: names stand after the dot of the type, options beside it."""
    column = {"type": place.value} if isinstance(place.value, str) else place.value
    if not isinstance(column, Mapping) or not isinstance(column.get("type"), str):
        return place.value
    word = column["type"].partition(".")[0]
    if word not in SOURCES:
        return place.value
    name = place.steps[-1] if isinstance(place.steps[-1], str) else column.get("name")
    todays = SOURCES[word].todays_words({**column, "name": name}, place.is_in_listed_table)
    if todays == {**column, "name": name}:
        return place.value
    rest = {key: value for key, value in todays.items() if key != "name" or "name" in column}
    return rest["type"] if isinstance(place.value, str) and list(rest) == ["type"] else rest


RULES = (
    Rule("dataset", _dataset),
    Rule("dataset", _sections),
    Rule("window", _window),
    Rule("metric", _metric),
    Rule("connection", _connection),
    Rule("table", _table),
    Rule("column", _column),
)
"""The rules, those of a part in the order in which they are asked."""
