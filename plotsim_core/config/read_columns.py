"""Columns as written: their source, and their words validated by its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plotsim_core.config.column_source import SOURCES, USUAL_SOURCES, DeclaredSource, DerivedColumn
from plotsim_core.config.partial import partial_part
from plotsim_core.config.pydantic_errors import unknown_key, validated, words_of
from plotsim_core.config.tables import Column
from plotsim_core.config.written_tables import KEY_TYPES, LIKELY_KEY_TYPES
from plotsim_core.errors import ConfigError, Problem, value_text
from plotsim_core.families import UnknownMember, did_you_mean, nearest

ReadColumn = tuple[Column | None, Column | None]
"""A column that can be read (without what is wrong of what all columns say), and a partial one where something is wrong."""


def read_columns(path: str, raw: Any, problems: list[Problem]) -> list[ReadColumn]:
    """Return the columns of a table as written, and add their problems to `problems`."""
    if raw is None:
        problems.append(Problem(path, "is missing", "at least one column: { name: type }"))
        return []
    if not isinstance(raw, list | tuple) or not raw:
        text = "none" if raw in ([], ()) else value_text(raw)
        problems.append(Problem(path, f"expected at least one column, as name: type or as a list, found {text}"))
        return []
    return [_column(f"{path}[{index}]", item, problems) for index, item in enumerate(raw)]


_STORED_AS = (
    "str",
    "text",
    "varchar",
    "char",
    "integer",
    "number",
    "numeric",
    "double",
    "boolean",
    "datetime",
    "time",
    "formula",
)
"""What people write who mean what values are stored as."""
UNIQUE = "unique"
"""The option of sources that can give each row a value of its own."""
_COMMON_KEYS = tuple(word for word in words_of(Column) if word != "source")


def _column(path: str, raw: Any, problems: list[Problem]) -> ReadColumn:
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a column, with name and type, found {value_text(raw)}"))
        return None, None
    source_class = _source_class(path, raw.get("type"), problems) if "type" in raw else None
    options = words_of(source_class) if source_class else []
    argument = None if source_class is None or ("." not in raw["type"] and source_class.beside) else source_class.argument
    if argument is not None:
        options.remove(argument)
    common = {key: raw[key] for key in _COMMON_KEYS if key in raw}
    other_keys = {
        key: value for key, value in raw.items() if key not in _COMMON_KEYS and (source_class is None or key not in options)
    }
    if source_class is not None or "type" not in raw:
        unknown_keys = (
            other_keys
            if source_class is not None
            else {key: raw[key] for key in other_keys if nearest(str(key), list(_COMMON_KEYS))}
        )
        missing_keys = [key for key in ("name", "type") if key not in raw]
        problems.extend(_unknown_option(f"{path}.{key}", str(key), options, source_class) for key in unknown_keys)
        misspelt_keys = {nearest(str(key), missing_keys) for key in unknown_keys}
        problems.extend(Problem(f"{path}.{key}", "is missing") for key in missing_keys if key not in misspelt_keys)
        if missing_keys or source_class is None:
            return None, None
    written = {**common, "source": DerivedColumn()}
    draft: Column | None = validated(Column.model_validate, written, path, Column, problems)
    if source_class is None:
        return None, None
    source_options = {key: raw[key] for key in options if key in raw}
    if argument is not None:
        source_options[argument] = raw["type"].partition(".")[2]
    source_problems: list[Problem] = []
    source = validated(source_class.model_validate, source_options, path, source_class, source_problems)
    problems.extend(
        replace(p, path=f"{path}.type") if argument is not None and p.path == f"{path}.{argument}" else p
        for p in source_problems
    )
    if draft is not None and source is not None:
        return draft.model_copy(update={"source": source}), None
    partial_draft = draft or partial_part(Column, written, ("name", "type"))
    partial_source = source or partial_part(source_class, source_options, ())
    if partial_draft is None or partial_source is None:
        return None, None
    partial_column = partial_draft.model_copy(update={"source": partial_source})
    if source is None:
        return None, partial_column
    bare_column = Column(name=raw["name"], type=raw["type"], source=DerivedColumn())
    return bare_column.model_copy(update={"source": source}), partial_column


def _unknown_option(path: str, key: str, options: list[str], source: type[DeclaredSource] | None) -> Problem:
    """Return the problem of a key that a column of a source does not have."""
    if key == UNIQUE and source is not None:
        keepers = [word for word, other in SOURCES.items() if UNIQUE in other.model_fields]
        message = f"has no place here: what '{source.word}' gives has no numbers of which each row could keep one"
        return Problem(path, message, f"these can be unique: {', '.join(keepers)}")
    return unknown_key(path, key, [*_COMMON_KEYS, *options])


def _type_hint(word: str) -> str:
    """Return what to write in the place of a type that no source has."""
    sources = [(name, source) for name, source in SOURCES.items() if not source.is_old_spelling]
    offering = next((name for name, source in sources if source.offers(word)), None)
    if offering is not None:
        return f"did you mean '{offering}.{word}'?"
    if word.lower() in _STORED_AS:
        return f"{USUAL_SOURCES}; `as` says what they are stored as"
    return did_you_mean(word, [name for name, _ in sources], SOURCES.page)


def _source_class(path: str, type_: Any, problems: list[Problem]) -> type[DeclaredSource] | None:
    """Return the source that a column's type names."""
    if not isinstance(type_, str):
        problems.append(Problem(f"{path}.type", f"expected a text, found {value_text(type_)}"))
        return None
    word, dot, _ = type_.partition(".")
    try:
        source = SOURCES[word]
    except UnknownMember as unknown:
        is_likely_key = type_.lower() in LIKELY_KEY_TYPES
        hint = f"the key of a table is `type: {KEY_TYPES[0]}`" if is_likely_key else _type_hint(word)
        problems.append(Problem(f"{path}.type", unknown.message, hint))
        return SOURCES[KEY_TYPES[0]] if is_likely_key else None
    if bool(dot) != (source.argument is not None) and (dot or not source.beside):
        hint = (
            f"write it like {source.example}"
            if source.argument
            else f"it takes nothing after a dot: its options stand beside it, behind `type: {word}`"
        )
        problems.append(Problem(f"{path}.type", f"cannot read '{type_}' as a {word} column", hint))
        return None
    return source


def column(name: str, type_: str, **options: Any) -> Column:
    """Return the column of that name and type. Raises ConfigError if there is no such column."""
    problems: list[Problem] = []
    result, _ = _column(name, {"name": name, "type": type_, **options}, problems)
    if result is None:
        raise ConfigError(problems)
    return result
