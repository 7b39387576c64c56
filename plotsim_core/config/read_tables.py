"""Tables and columns as they are written: which kind and which source each is, and its words read by that one's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

from pydantic import TypeAdapter

from plotsim_core.config.model import Part
from plotsim_core.config.problems import unknown_key, validated, words_of
from plotsim_core.config.star import listed
from plotsim_core.config.tables import KIND_WORDS, SOURCE_WORDS, Column, DeclaredTable, SourceWords
from plotsim_core.errors import ConfigError, Problem, shown
from plotsim_core.families import UnknownMember, nearest


def read_section(section: str, raw: Any, unit: str, foreign: Sequence[str], problems: list[Problem]) -> list[DeclaredTable]:
    """Return the tables of a section as far as they could be read, and add what is wrong with them to `problems`.

    References to `foreign` dimensions do not tell what kind of table one is.
    """
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list of tables, found {shown(raw)}"))
        return [DeclaredTable("", section, None, None)]
    if section == "dimensions":
        raw = _beside_units(raw, unit, foreign)
    return [_table(f"{section}[{number}]", section, item, unit, foreign, problems) for number, item in enumerate(raw)]


def _beside_units(raw: Sequence[Any], unit: str, foreign: Sequence[str]) -> list[Any]:
    """Return dimensions as written, but for those per unit beside the unit's own, dim_<unit> or the first: a row per unit is
    one child of each."""
    recognise = KIND_WORDS["unit"].recognise
    found = [item for item in raw if isinstance(item, Mapping) and recognise(_at_home(item, foreign), unit)]
    own = next((item for item in found if item.get("name") == f"dim_{unit}"), found[0] if found else None)
    beside = [id(item) for item in found if item is not own]
    return [{**item, "count": 1} if id(item) in beside else item for item in raw]


def _table(path: str, section: str, raw: Any, unit: str, foreign: Sequence[str], problems: list[Problem]) -> DeclaredTable:
    if isinstance(raw, Part):
        raw = raw.model_dump()
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a table, found {shown(raw)}"))
        return DeclaredTable("", path, None, None)
    name = raw["name"] if isinstance(raw.get("name"), str) else ""
    kinds = [(kind, words) for kind, words in KIND_WORDS.items() if words.section == section]
    kind, words = next(((k, w) for k, w in kinds if w.recognise(_at_home(raw, foreign), unit)), (None, None))
    before = len(problems)
    optional = words is not None and not words.model.model_fields["columns"].is_required()
    without = optional and raw.get("columns") in (None, [], ())
    columns = [] if without else _columns(f"{path}.columns", raw.get("columns"), problems)
    declared = tuple(str(item.get("name")) for item in listed(raw.get("columns")) if isinstance(item, Mapping))
    if kind is None or words is None:
        problems.append(_unknown_kind(path, section, raw))
        return DeclaredTable(name, path, None, None, declared)
    adapter: TypeAdapter[Any] = TypeAdapter(words.model)
    table = validated(
        adapter, {**raw, "columns": columns if columns or without else [_PLACEHOLDER]}, path, words.model, problems
    )
    return DeclaredTable(name, path, kind, table if len(problems) == before else None, declared)


def _at_home(raw: Mapping[str, Any], foreign: Sequence[str]) -> Mapping[str, Any]:
    """Return a table as written without its references to other kinds of unit and to listed rows: a dimension of units with
    such a reference is still one."""
    away = [f"ref.{name}" for name in foreign]
    columns = raw.get("columns")
    if not away or not isinstance(columns, list | tuple):
        return raw
    return {**raw, "columns": [c for c in columns if not (isinstance(c, Mapping) and c.get("type") in away)]}


def _unknown_kind(path: str, section: str, raw: Mapping[str, Any]) -> Problem:
    """Return the problem of a table that no kind recognises by what tells kinds apart: their words with one value."""
    choices: dict[str, list[Any]] = {}
    fields = {name for words in dict(KIND_WORDS.items()).values() for name in words_of(words.model)}
    for words in dict(KIND_WORDS.items()).values():
        for name, field in words.model.model_fields.items():
            if words.section == section and get_origin(field.annotation) is Literal:
                choices.setdefault(name, []).extend(v for v in get_args(field.annotation) if v not in choices.get(name, ()))
    pairs = [(name, value) for name, values in choices.items() for value in values]
    examples = " or ".join(f"`{name}: {value if isinstance(value, str) else shown(value)}`" for name, value in pairs)
    for key, value in raw.items():
        if key in choices:
            return Problem(f"{path}.{key}", f"expected {examples}, found {shown(value)}")
        if key not in fields and nearest(str(key), list(choices)):
            return unknown_key(f"{path}.{key}", str(key), list(choices))
    return Problem(path, "cannot tell what kind of table this is", f"give {examples}")


def _columns(path: str, raw: Any, problems: list[Problem]) -> list[Column]:
    if not isinstance(raw, list | tuple) or not raw:
        found = "none" if raw in (None, [], ()) else shown(raw)
        problems.append(Problem(path, f"expected a list of at least one column, found {found}"))
        return []
    read = [_column(f"{path}[{number}]", item, problems) for number, item in enumerate(raw)]
    return [column for column in read if column is not None]


_HEAD = ("name", "type", "description", "decimals", "pii_note")


def _column(path: str, raw: Any, problems: list[Problem]) -> Column | None:
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a column, with name and type, found {shown(raw)}"))
        return None
    words = _words(path, raw.get("type"), problems) if "type" in raw else None
    options = words_of(words.options) if words else []
    within = words is not None and words.argument is not None and ("." in raw["type"] or not words.beside)
    if within and words is not None:
        options.remove(str(words.argument))
    head = {key: raw[key] for key in _HEAD if key in raw}
    others = {key: value for key, value in raw.items() if key not in _HEAD and (words is None or key not in options)}
    if words is not None or "type" not in raw:
        unknown = others if words is not None else {key: raw[key] for key in others if nearest(str(key), list(_HEAD))}
        missing = [key for key in ("name", "type") if key not in raw]
        problems.extend(unknown_key(f"{path}.{key}", str(key), [*_HEAD, *options]) for key in unknown)
        there = {nearest(str(key), missing) for key in unknown}
        problems.extend(Problem(f"{path}.{key}", "is missing") for key in missing if key not in there)
        if missing or words is None:
            return None
    shell = validated(TypeAdapter(Column), {**head, "source": _Placeholder()}, path, Column, problems)
    if words is None:
        return None
    own = {key: raw[key] for key in options if key in raw}
    if within:
        own[str(words.argument)] = raw["type"].partition(".")[2]
    found: list[Problem] = []
    source = validated(TypeAdapter(words.options), own, path, words.options, found)
    problems.extend(replace(p, path=f"{path}.type") if within and p.path == f"{path}.{words.argument}" else p for p in found)
    return None if shell is None or source is None or others else shell.model_copy(update={"source": source})


def _words(path: str, type_: Any, problems: list[Problem]) -> SourceWords | None:
    """Return the words of the source that a column's type names."""
    if not isinstance(type_, str):
        problems.append(Problem(f"{path}.type", f"expected a text, found {shown(type_)}"))
        return None
    word, dot, _ = type_.partition(".")
    try:
        words = SOURCE_WORDS[word]
    except UnknownMember as unknown:
        problems.append(Problem(f"{path}.type", unknown.message, unknown.hint))
        return None
    if bool(dot) != (words.argument is not None) and (dot or not words.beside):
        hint = f"write it like {words.example}" if words.argument else "it takes nothing after a dot"
        problems.append(Problem(f"{path}.type", f"cannot read '{type_}' as a {word} column", hint))
        return None
    return words


def column(name: str, type_: str, **options: Any) -> Column:
    """Return the column of that name and type. Raises ConfigError if there is no such column."""
    problems: list[Problem] = []
    made = _column(name, {"name": name, "type": type_, **options}, problems)
    if made is None:
        raise ConfigError(problems)
    return made


class _Placeholder(Part):
    pass


_PLACEHOLDER = Column(name="placeholder", type="placeholder", source=_Placeholder())
"""Stands in for columns that could not be read, so that the rest of their table is still checked."""
