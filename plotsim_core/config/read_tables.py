"""Tables and columns as written: their kind and source, and their words validated by its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

from pydantic import TypeAdapter

from plotsim_core.config.column_source import SOURCES, DeclaredSource, DerivedColumn
from plotsim_core.config.model import Part, is_name
from plotsim_core.config.pydantic_errors import unknown_key, validated, words_of
from plotsim_core.config.star_schema import list_or_empty
from plotsim_core.config.table_kind import declared_kinds
from plotsim_core.config.tables import Column, DeclaredTable, Table, derived_column
from plotsim_core.errors import ConfigError, Problem, value_text
from plotsim_core.families import UnknownMember, nearest


def read_section(section: str, raw: Any, unit: str, foreign: Sequence[str], problems: list[Problem]) -> list[DeclaredTable]:
    """Return the valid tables of a section, and add the problems of the others to `problems`.

    References to `foreign` dimensions do not count for the kind of a table.
    """
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list of tables, found {value_text(raw)}"))
        return [DeclaredTable("", section, None, None)]
    if section == "dimensions":
        raw = _with_child_counts(raw, unit, foreign)
    return [_table(f"{section}[{index}]", section, item, unit, foreign, problems) for index, item in enumerate(raw)]


def _with_child_counts(raw: Sequence[Any], unit: str, foreign: Sequence[str]) -> list[Any]:
    """Return dimensions as written, with `count: 1` for those per unit beside the main one (dim_<unit> or the first): their
    rows are one child of each unit."""
    unit_kinds = [kind for kind in declared_kinds().values() if kind.is_unit_dimension]
    unit_tables = [
        item
        for item in raw
        if isinstance(item, Mapping) and any(kind.recognise(_without_foreign(item, foreign), unit) for kind in unit_kinds)
    ]
    main_table = next(
        (item for item in unit_tables if item.get("name") == f"dim_{unit}"), unit_tables[0] if unit_tables else None
    )
    child_ids = [id(item) for item in unit_tables if item is not main_table]
    return [{**item, "count": 1} if id(item) in child_ids else item for item in raw]


def _table(path: str, section: str, raw: Any, unit: str, foreign: Sequence[str], problems: list[Problem]) -> DeclaredTable:
    if isinstance(raw, Part):
        raw = raw.model_dump()
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a table, found {value_text(raw)}"))
        return DeclaredTable("", path, None, None)
    name = raw["name"] if is_name(raw.get("name")) else ""
    problem_count = len(problems)
    raw, kind = _recognised(path, section, raw, unit, foreign, problems)
    is_optional = kind is not None and not kind.model_fields["columns"].is_required()
    has_no_columns = is_optional and raw.get("columns") in (None, [], ())
    columns = [] if has_no_columns else _columns(f"{path}.columns", raw.get("columns"), problems)
    names = tuple(
        item["name"] if isinstance(item, Mapping) and is_name(item.get("name")) else ""
        for item in list_or_empty(raw.get("columns"))
    )
    is_open = "" in names or not isinstance(raw.get("columns"), list | tuple | None)
    if kind is None:
        problems.append(_unknown_kind(path, section, raw))
        return DeclaredTable(name, path, None, None, names, is_open=is_open)
    adapter: TypeAdapter[Table] = TypeAdapter(kind)
    table = validated(
        adapter, {**raw, "columns": columns if columns or has_no_columns else [_PLACEHOLDER]}, path, kind, problems
    )
    is_whole = len(problems) == problem_count
    rest = table if columns and not is_whole else None
    return DeclaredTable(name, path, kind, table if is_whole else None, names, rest, is_open)


def _recognised(
    path: str, section: str, raw: Mapping[str, Any], unit: str, foreign: Sequence[str], problems: list[Problem]
) -> tuple[Mapping[str, Any], type[Table] | None]:
    """Return a table as written and its kind, if there is one. A misspelt key by which another kind would know the table is
    added to `problems`, and spelt rightly."""

    def kind_of(table: Mapping[str, Any]) -> type[Table] | None:
        written = _without_foreign(table, foreign)
        return next((kind for kind in kinds if kind.recognise(written, unit)), None)

    kinds = declared_kinds(section).values()
    kind = kind_of(raw)
    own_words = words_of(kind)
    words = list(dict.fromkeys(word for kind in kinds for word in words_of(kind)))
    for key in raw:
        word = None if key in words or nearest(str(key), own_words) else nearest(str(key), words)
        if word is None or word in raw:
            continue
        respelt = {word if name == key else name: value for name, value in raw.items()}
        other_kind = kind_of(respelt)
        if other_kind not in (None, kind):
            problems.append(unknown_key(f"{path}.{key}", str(key), [word]))
            return respelt, other_kind
    return raw, kind


def _without_foreign(raw: Mapping[str, Any], foreign: Sequence[str]) -> Mapping[str, Any]:
    """Return a table as written without its references to other kinds of unit and to listed rows, which do not count for the
    kind of a dimension."""
    foreign_types = [f"ref.{name}" for name in foreign]
    columns = raw.get("columns")
    if not foreign_types or not isinstance(columns, list | tuple):
        return raw
    return {**raw, "columns": [c for c in columns if not (isinstance(c, Mapping) and c.get("type") in foreign_types)]}


def _unknown_kind(path: str, section: str, raw: Mapping[str, Any]) -> Problem:
    """Return the problem of a table that no kind recognises, by the words that distinguish kinds: those with fixed
    values."""
    choices: dict[str, list[Any]] = {}
    known_words = {name for kind in declared_kinds().values() for name in words_of(kind)}
    for kind in declared_kinds(section).values():
        for name, field in kind.model_fields.items():
            if get_origin(field.annotation) is Literal:
                choices.setdefault(name, []).extend(v for v in get_args(field.annotation) if v not in choices.get(name, ()))
    pairs = [(name, value) for name, values in choices.items() for value in values]
    examples = " or ".join(f"`{name}: {value if isinstance(value, str) else value_text(value)}`" for name, value in pairs)
    for key, value in raw.items():
        if key in choices:
            return Problem(f"{path}.{key}", f"expected {examples}, found {value_text(value)}")
        if key not in known_words and nearest(str(key), list(choices)):
            return unknown_key(f"{path}.{key}", str(key), list(choices))
    return Problem(path, "cannot tell what kind of table this is", f"give {examples}")


def _columns(path: str, raw: Any, problems: list[Problem]) -> list[Column]:
    if raw is None:
        problems.append(Problem(path, "is missing", "a list of at least one column"))
        return []
    if not isinstance(raw, list | tuple) or not raw:
        text = "none" if raw in ([], ()) else value_text(raw)
        problems.append(Problem(path, f"expected a list of at least one column, found {text}"))
        return []
    columns = [_column(f"{path}[{index}]", item, problems) for index, item in enumerate(raw)]
    return [column for column in columns if column is not None]


_COMMON_KEYS = ("name", "type", "description", "decimals", "pii_note")


def _column(path: str, raw: Any, problems: list[Problem]) -> Column | None:
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a column, with name and type, found {value_text(raw)}"))
        return None
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
        problems.extend(unknown_key(f"{path}.{key}", str(key), [*_COMMON_KEYS, *options]) for key in unknown_keys)
        misspelt_keys = {nearest(str(key), missing_keys) for key in unknown_keys}
        problems.extend(Problem(f"{path}.{key}", "is missing") for key in missing_keys if key not in misspelt_keys)
        if missing_keys or source_class is None:
            return None
    draft = validated(TypeAdapter(Column), {**common, "source": DerivedColumn()}, path, Column, problems)
    if source_class is None:
        return None
    source_options = {key: raw[key] for key in options if key in raw}
    if argument is not None:
        source_options[argument] = raw["type"].partition(".")[2]
    source_problems: list[Problem] = []
    source = validated(TypeAdapter(source_class), source_options, path, source_class, source_problems)
    problems.extend(
        replace(p, path=f"{path}.type") if argument is not None and p.path == f"{path}.{argument}" else p
        for p in source_problems
    )
    return None if draft is None or source is None or other_keys else draft.model_copy(update={"source": source})


def _source_class(path: str, type_: Any, problems: list[Problem]) -> type[DeclaredSource] | None:
    """Return the source that a column's type names."""
    if not isinstance(type_, str):
        problems.append(Problem(f"{path}.type", f"expected a text, found {value_text(type_)}"))
        return None
    word, dot, _ = type_.partition(".")
    try:
        source = SOURCES[word]
    except UnknownMember as unknown:
        problems.append(Problem(f"{path}.type", unknown.message, unknown.hint))
        return None
    if bool(dot) != (source.argument is not None) and (dot or not source.beside):
        hint = f"write it like {source.example}" if source.argument else "it takes nothing after a dot"
        problems.append(Problem(f"{path}.type", f"cannot read '{type_}' as a {word} column", hint))
        return None
    return source


def column(name: str, type_: str, **options: Any) -> Column:
    """Return the column of that name and type. Raises ConfigError if there is no such column."""
    problems: list[Problem] = []
    result = _column(name, {"name": name, "type": type_, **options}, problems)
    if result is None:
        raise ConfigError(problems)
    return result


_PLACEHOLDER = derived_column("placeholder", "placeholder")
"""The column in the place of invalid ones, so that the rest of their table is still checked."""
