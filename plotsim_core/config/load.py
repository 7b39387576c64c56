"""YAML or keywords to a `Dataset`, or one exception that names everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import TypeAdapter

from plotsim_core.config.calendar import Calendar
from plotsim_core.config.check import Parts, added, check
from plotsim_core.config.check_output import written
from plotsim_core.config.check_quality import broken_columns
from plotsim_core.config.dataset import ALIASES, Dataset
from plotsim_core.config.model import Part
from plotsim_core.config.problems import part_of, unknown_key, validated, words_of
from plotsim_core.config.scope import Scope
from plotsim_core.config.star import complete, listed
from plotsim_core.config.tables import KIND_WORDS, SECTIONS, SOURCE_WORDS, Column, DeclaredTable, SourceWords
from plotsim_core.config.units import Raw, further_kinds, told_apart, unit_dimensions
from plotsim_core.errors import ConfigError, Problem, shown
from plotsim_core.families import UnknownMember, nearest

_LISTS = ("metrics", "segments", "connections", "connection_phases", "seasonality", "quality")


def parse(raw: Any) -> tuple[Parts, list[Problem]]:
    """Return what could be read of a config and everything that is wrong with it, in file order."""
    if raw is None or raw == {}:
        return {}, [Problem("", "is empty", _NEEDS)]
    if not isinstance(raw, Mapping):
        return {}, [Problem("", f"expected keys and values, found {shown(raw)}", _NEEDS)]
    problems: list[Problem] = []
    known = _known_keys(raw, problems)
    kinds = further_kinds(known, problems)
    parts = _read(known, complete(known), [kind.raw for kind in kinds], problems)
    parts["units"] = []
    for place, kind in enumerate(kinds):
        found: list[Problem] = []
        own = _read(kind.raw, kind.raw, [other.raw for other in kinds[:place]], found)
        own["inherited"], own["raw"] = kind.inherited, kind.raw
        own["units"] = parts["units"][:]
        parts["units"].append((kind.path, own))
        problems.extend(problem.under(kind.path) for problem in found if kind.says(problem.path))
    for place, kind in enumerate(kinds):
        own = parts["units"][place][1]
        scope = _scope(own, kind.raw, parts["units"][:place])
        problems.extend(p.under(kind.path) for p in check({"scale": 1.0, **own}, scope) if kind.says(p.path))
    problems.extend(check({"scale": 1.0, **parts}, _scope(parts, complete(known), parts["units"])))
    problems.extend(told_apart(parts))
    if not problems:
        problems.extend(added(dataset(parts)))
        problems.extend(written(dataset(parts)))
        problems.extend(broken_columns(dataset(parts)))
        for path, own in parts["units"]:
            problems.extend(problem.under(path) for problem in added(dataset(own)))
    return parts, _sorted(problems, raw, known)


def _read(known: Mapping[str, Any], full: Mapping[str, Any], others: Sequence[Raw], problems: list[Problem]) -> Parts:
    """Return what could be read of the sections of a config; `others` are the kinds of unit that its tables may refer to."""
    tables = [table for table in listed(full.get("dimensions")) if isinstance(table, Mapping)]
    foreign = [name for other in others for name in unit_dimensions(other)]
    foreign += [str(table.get("name")) for table in tables if table.get("reference")]
    unit = str(known.get("unit", ""))
    parts: Parts = {name: _items(name, full.get(name), problems) for name in _LISTS}
    parts["tables"] = [
        table for section in SECTIONS for table in _section(section, full.get(section), unit, foreign, problems)
    ]
    for name, field in Dataset.model_fields.items():
        if name in known and name not in (*_LISTS, *SECTIONS, "units"):
            annotation = Any if field.annotation is None else field.annotation
            adapter: TypeAdapter[Any] = TypeAdapter(_annotated(annotation, field.metadata))
            found = validated(adapter, known[name], name, part_of(annotation), problems)
            if found is not None:
                parts[name] = found
        elif field.is_required() and name not in known and not any(_misspells(key, name) for key in known):
            problems.append(Problem(name, "is missing", _REQUIRED[name]))
    return parts


_REQUIRED = {
    "about": "what the data is about: Subscription customers",
    "unit": "what a unit is called, in the singular: customer",
    "window": "from when to when, in which periods: [2024-01, 2024-12, month]",
    "metrics": "what is measured: [{ name: engagement, type: score, polarity: positive }]",
    "segments": "the groups of units: [{ name: active, count: 50, archetype: growth }]",
}
_NEEDS = f"{', '.join(_REQUIRED)} are required"


def _misspells(key: Any, name: str) -> bool:
    return str(key) not in Dataset.model_fields and nearest(str(key), list(Dataset.model_fields)) == name


def _sorted(problems: list[Problem], raw: Mapping[Any, Any], known: Mapping[str, Any]) -> list[Problem]:
    """Return each problem once, in file order. What is wrong with a table that is not in the file follows from
    something else that is wrong, unless it is all there is."""
    once = list(dict.fromkeys(problems))
    missing = [name for name in SECTIONS if not known.get(name)]
    written = [problem for problem in once if not problem.path.startswith(tuple(f"{name}[" for name in missing))]
    return sorted(written or once, key=lambda problem: _place(problem.path, raw))


def dataset(parts: Parts) -> Dataset:
    """Return the Dataset of parts that nothing is wrong with."""
    sections = {name: tuple(part for _, part in parts[name]) for name in _LISTS}
    tables = {section: tuple(d.table for d in parts["tables"] if d.path.startswith(section)) for section in SECTIONS}
    rest = {name: value for name, value in parts.items() if name not in (*_LISTS, "tables", "units", "inherited", "raw")}
    units = tuple(dataset(own) for _, own in parts["units"])
    return Dataset.model_validate({**rest, **sections, **tables, "units": units})


def _annotated(annotation: Any, metadata: list[Any]) -> Any:
    return Annotated[annotation, *metadata] if metadata else annotation


def _known_keys(raw: Mapping[Any, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return `raw` without unknown keys and with aliases under their own name."""
    known: dict[str, Any] = {}
    for key, value in raw.items():
        name = ALIASES.get(str(key), str(key))
        if name not in Dataset.model_fields:
            problems.append(unknown_key(str(key), str(key), [*Dataset.model_fields, *ALIASES]))
        elif name in known:
            problems.append(Problem(str(key), f"says the same as {name}; give one of them"))
        elif value is not None:
            known[name] = value
    return known


def _items(section: str, raw: Any, problems: list[Problem]) -> list[tuple[str, Any]]:
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list, found {shown(raw)}"))
        return []
    if not raw and section in ("metrics", "segments"):
        problems.append(Problem(section, f"expected at least one {section[:-1]}, found none"))
    item_type = get_args(Dataset.model_fields[section].annotation)[0]
    adapter: TypeAdapter[Any] = TypeAdapter(item_type)
    read = [
        (f"{section}[{number}]", validated(adapter, item, f"{section}[{number}]", item_type, problems))
        for number, item in enumerate(raw)
    ]
    return [(path, item) for path, item in read if item is not None]


def _section(section: str, raw: Any, unit: str, foreign: Sequence[str], problems: list[Problem]) -> list[DeclaredTable]:
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list of tables, found {shown(raw)}"))
        return [DeclaredTable("", section, None, None)]
    return [_table(f"{section}[{number}]", section, item, unit, foreign, problems) for number, item in enumerate(raw)]


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
    table = validated(adapter, {**raw, "columns": columns if columns or without else [_PLACEHOLDER]}, path, words.model, problems)
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


_HEAD = ("name", "type", "description", "pii_note")


def _column(path: str, raw: Any, problems: list[Problem]) -> Column | None:
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a column, with name and type, found {shown(raw)}"))
        return None
    words = _words(path, raw.get("type"), problems) if "type" in raw else None
    options = words_of(words.options) if words else []
    if words and words.argument:
        options.remove(words.argument)
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
    if words.argument:
        own[words.argument] = raw["type"].partition(".")[2]
    found: list[Problem] = []
    source = validated(TypeAdapter(words.options), own, path, words.options, found)
    problems.extend(replace(p, path=f"{path}.type") if p.path == f"{path}.{words.argument}" else p for p in found)
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
    if bool(dot) != (words.argument is not None):
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


def _scope(parts: Parts, raw: Mapping[str, Any], others: Sequence[tuple[str, Parts]]) -> Scope:
    declared = [item.get("name") for item in listed(raw.get("metrics")) if isinstance(item, Mapping)]
    read = {metric.name: metric for _, metric in parts["metrics"]}
    nameless = [name for name in declared if not isinstance(name, str)]
    tables: dict[str, DeclaredTable] = {}
    for table in parts["tables"]:
        tables.setdefault(table.name, table)
    return Scope(
        unit=str(raw.get("unit", "")),
        window=parts.get("window"),
        metrics={} if nameless else {name: read.get(name) for name in declared} | read,
        segments=tuple(segment for _, segment in parts["segments"]),
        tables=tables,
        lifecycle=parts.get("lifecycle"),
        locale=parts.get("locale", ("en_US",)),
        calendar=parts.get("calendar", Calendar() if raw.get("calendar") is None else None),
        foreign={t.name: t for _, own in others for t in own["tables"] if t.kind == "unit"},
    )


def _place(path: str, raw: Any) -> tuple[int, ...]:
    """Return where in the file a path stands, for sorting; what is missing comes after what is there."""
    place: list[int] = []
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(raw, Mapping):
            keys = [str(key) for key in raw]
            step = next((alias for alias, name in ALIASES.items() if name == step and alias in keys), step)
            place.append(keys.index(step) if step in keys else len(keys))
            raw = next((value for key, value in raw.items() if str(key) == step), None)
        elif isinstance(raw, list | tuple) and step.isdigit() and int(step) < len(raw):
            place.append(int(step))
            raw = raw[int(step)]
    return tuple(place)
