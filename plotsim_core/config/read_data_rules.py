"""Rules as written: those of the section `checks`, and those that stand in the table that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plotsim_core.config.data_rule import DATA_RULES, MOST_RULES, DataRule
from plotsim_core.config.model import is_name
from plotsim_core.config.pydantic_errors import unknown_key, validated, words_of
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.written_tables import list_or_empty
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import nearest

CHECKS = "checks"
"""The word under which rules stand."""


def without_rules(raw: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a config as written without its rules, on which no value depends."""
    result: dict[Any, Any] = _without_rules_of_tables(_without_checks(raw))
    if isinstance(result.get("units"), list | tuple):
        result["units"] = [_without_rules_of_tables(kind) for kind in result["units"]]
    return result


def _without_rules_of_tables(kind: Any) -> Any:
    """Return what is written of a kind of unit without the rules that stand in its tables."""
    if not isinstance(kind, Mapping):
        return kind
    sections = {section: kind[section] for section in SECTIONS if isinstance(kind.get(section), list | tuple)}
    return {**kind, **{section: [_without_checks(table) for table in tables] for section, tables in sections.items()}}


def _without_checks(part: Any) -> Any:
    return {key: value for key, value in part.items() if key != CHECKS} if isinstance(part, Mapping) else part


def read_rules(raw: Mapping[Any, Any], problems: list[Problem]) -> tuple[tuple[str, DataRule], ...]:
    """Return the valid rules of a config, each with its path, and add the problems of the others to `problems`."""
    rules = []
    places = [*_written_rules(raw, "", problems)]
    for path, table, written in places:
        rule = _read_rule(path, table, written, problems)
        if rule is not None:
            rules.append((path, rule))
    if len(places) > MOST_RULES:
        problems.append(Problem(CHECKS, f"expected at most {MOST_RULES} rules, found {len(places)}"))
    return tuple(rules)


def _written_rules(raw: Mapping[Any, Any], prefix: str, problems: list[Problem]) -> Iterator[tuple[str, str | None, Any]]:
    """Yield the rules of a config, or of a kind of unit, as written: with their paths, and the tables in which they stand
    (None: in none)."""
    if not prefix:
        yield from _items(raw.get(CHECKS), CHECKS, None, problems)
    for section in SECTIONS:
        for index, table in enumerate(list_or_empty(raw.get(section))):
            if isinstance(table, Mapping) and CHECKS in table:
                name = table["name"] if is_name(table.get("name")) else ""
                yield from _items(table[CHECKS], f"{prefix}{section}[{index}].{CHECKS}", name, problems)
    for index, kind in enumerate(list_or_empty(raw.get("units")) if not prefix else ()):
        if isinstance(kind, Mapping):
            yield from _written_rules(kind, f"units[{index}].", problems)


def _items(value: Any, path: str, table: str | None, problems: list[Problem]) -> Iterator[tuple[str, str | None, Any]]:
    if value is None:
        return
    if not isinstance(value, list | tuple):
        problems.append(Problem(path, f"expected a list of rules, found {value_text(value)}"))
        return
    yield from ((f"{path}[{index}]", table, item) for index, item in enumerate(value))


def _read_rule(path: str, table: str | None, written: Any, problems: list[Problem]) -> DataRule | None:
    """Return a rule; None for one that is wrong, whose problems are added to `problems`."""
    if isinstance(written, str) and table is not None:
        written = {"formula": written.removeprefix("=").strip()}
    if not isinstance(written, Mapping):
        is_text = isinstance(written, str)
        hint = "write { table: ..., formula: ... }: beside the tables, a rule names its own" if is_text else ""
        problems.append(Problem(path, f"expected the words of a rule, found {value_text(written)}", hint))
        return None
    words = [word for word in DATA_RULES if word in written]
    if len(words) != 1:
        problems.append(_kind_problem(path, words, written))
        return None
    rule = DATA_RULES[words[0]]
    if table is None:
        if "table" not in written:
            problems.append(Problem(f"{path}.table", "is missing", "say which table it is about"))
            return None
        return _validated(rule, written, path, problems)
    if "table" in written:
        problems.append(Problem(f"{path}.table", "has no effect: a rule in a table is about that one", "leave it out"))
        return None
    return _validated(rule, {**written, "table": table} if table else written, path, problems)


def _validated(rule: type[DataRule], written: Mapping[Any, Any], path: str, problems: list[Problem]) -> DataRule | None:
    result: DataRule | None = validated(rule.model_validate, written, path, rule, problems)
    return result


def _kind_problem(path: str, words: list[str], written: Mapping[Any, Any]) -> Problem:
    """Return the problem of a rule that has no word of a kind, or those of several."""
    if words:
        return Problem(f"{path}.{words[1]}", f"has no place beside {words[0]}: a rule says one thing", "write two rules")
    known_words = list(dict.fromkeys(word for _, rule in DATA_RULES.items() for word in words_of(rule)))
    for key in written:
        if str(key) not in known_words and nearest(str(key), [*DATA_RULES, *known_words]):
            return unknown_key(f"{path}.{key}", str(key), [*DATA_RULES, *known_words])
    return Problem(path, f"says nothing: expected one of {', '.join(DATA_RULES)}")
