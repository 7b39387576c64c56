"""YAML or keywords to a `Dataset`, or one exception that names everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import AliasChoices, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from plotsim_core.config.check import Parts, check
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.star import complete
from plotsim_core.config.tables import KIND_WORDS, SOURCE_WORDS, Column, DeclaredTable
from plotsim_core.errors import ConfigError, Problem
from plotsim_core.families import UnknownMember, did_you_mean

_LISTS = ("metrics", "segments", "connections", "seasonality")
_TABLES = ("dimensions", "facts", "events")
_TABLE_WORD = {"dimensions": "a dimension", "facts": "a fact", "events": "an event"}


class _Loader(yaml.SafeLoader):
    """The safe loader, refusing a key that stands twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        name = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if isinstance(name, str | int) and name in seen:
            raise yaml.MarkedYAMLError(
                problem=f"{name!r} stands twice, first in line {seen[name]}", problem_mark=key_node.start_mark
            )
        if isinstance(name, str | int):
            seen[name] = line
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(path: Path) -> Any:
    """Return what a YAML file says, unchecked. Raises ConfigError if it cannot be read or parsed."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}")], str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError([Problem("", "is not UTF-8 text")], str(path)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError([Problem(where, f"is not valid YAML: {error.problem}")], str(path)) from None
    except yaml.YAMLError as error:
        raise ConfigError([Problem("", f"is not valid YAML: {error}")], str(path)) from None


def parse(raw: Any) -> tuple[Parts, list[Problem]]:
    """Return what could be read of a config and everything that is wrong with it."""
    if not isinstance(raw, Mapping):
        return {}, [Problem("", f"expected keys and values, found {_shown(raw)}")]
    problems: list[Problem] = []
    raw = complete(_known_keys(raw, problems))
    parts: Parts = {name: _items(name, raw.get(name), problems) for name in _LISTS}
    parts["tables"] = [
        table for section in _TABLES for table in _section(section, raw.get(section), str(raw.get("unit", "")), problems)
    ]
    for name, field in Dataset.model_fields.items():
        if name in raw and name not in (*_LISTS, *_TABLES):
            annotation = Any if field.annotation is None else field.annotation
            value = [raw[name]] if name == "locale" and isinstance(raw[name], str) else raw[name]
            adapter: TypeAdapter[Any] = TypeAdapter(_annotated(annotation, field.metadata))
            found = _validated(adapter, value, name, _part_of(annotation), problems)
            if found is not None:
                parts[name] = found
        elif field.is_required() and name not in raw:
            problems.append(Problem(name, "is missing", "about, unit, window, metrics and segments are required"))
    scope = _scope(parts, raw)
    problems.extend(check(parts, scope))
    return parts, sorted(set(problems), key=lambda problem: _place(problem.path, raw))


def dataset(parts: Parts) -> Dataset:
    """Return the Dataset of parts that nothing is wrong with."""
    sections = {name: tuple(part for _, part in parts[name]) for name in _LISTS}
    tables = {section: tuple(d.table for d in parts["tables"] if d.path.startswith(section)) for section in _TABLES}
    rest = {name: value for name, value in parts.items() if name not in (*_LISTS, "tables")}
    return Dataset.model_validate({**rest, **sections, **tables})


def _annotated(annotation: Any, metadata: list[Any]) -> Any:
    return Annotated[annotation, *metadata] if metadata else annotation


def _known_keys(raw: Mapping[Any, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return `raw` without unknown keys and with aliases under their own name."""
    aliases: dict[str, str] = {}
    for name, field in Dataset.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            aliases |= {str(choice): name for choice in field.validation_alias.choices if choice != name}
    known: dict[str, Any] = {}
    for key, value in raw.items():
        name = aliases.get(str(key), str(key))
        if name not in Dataset.model_fields:
            problems.append(Problem(str(key), "unknown key", did_you_mean(str(key), list(Dataset.model_fields))))
        elif name in known:
            problems.append(Problem(str(key), f"says the same as {name}; give one of them"))
        elif value is not None or name == "lifecycle":
            known[name] = value
    return known


def _items(section: str, raw: Any, problems: list[Problem]) -> list[tuple[str, Any]]:
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list, found {_shown(raw)}"))
        return []
    if not raw and section in ("metrics", "segments"):
        problems.append(Problem(section, f"is empty; expected at least one {section[:-1]}"))
    item_type = get_args(Dataset.model_fields[section].annotation)[0]
    adapter: TypeAdapter[Any] = TypeAdapter(item_type)
    read = [
        (f"{section}[{number}]", _validated(adapter, item, f"{section}[{number}]", item_type, problems))
        for number, item in enumerate(raw)
    ]
    return [(path, item) for path, item in read if item is not None]


def _section(section: str, raw: Any, unit: str, problems: list[Problem]) -> list[DeclaredTable]:
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list of tables, found {_shown(raw)}"))
        return []
    return [_table(f"{section}[{number}]", section, item, unit, problems) for number, item in enumerate(raw)]


def _table(path: str, section: str, raw: Any, unit: str, problems: list[Problem]) -> DeclaredTable:
    if isinstance(raw, Part):
        raw = raw.model_dump()
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a table, found {_shown(raw)}"))
        return DeclaredTable("", path, None, None)
    name = str(raw.get("name", ""))
    kinds = [(kind, words) for kind, words in KIND_WORDS.items() if words.section == section]
    kind, words = next(((k, w) for k, w in kinds if w.recognise(raw, unit)), (None, None))
    before = len(problems)
    columns = _columns(f"{path}.columns", raw.get("columns"), problems)
    declared = tuple(str(item.get("name")) for item in raw.get("columns") or () if isinstance(item, Mapping))
    if kind is None or words is None:
        choices = ", ".join(k for k, _ in kinds)
        problems.append(
            Problem(path, f"cannot tell what kind of table {name!r} is", f"{_TABLE_WORD[section]} is one of: {choices}")
        )
        return DeclaredTable(name, path, None, None, declared)
    adapter: TypeAdapter[Any] = TypeAdapter(words.model)
    table = _validated(adapter, {**raw, "columns": columns or [_PLACEHOLDER]}, path, words.model, problems)
    return DeclaredTable(name, path, kind, table if len(problems) == before else None, declared)


def _columns(path: str, raw: Any, problems: list[Problem]) -> list[Column]:
    if not isinstance(raw, list | tuple) or not raw:
        problems.append(
            Problem(path, "expected at least one column" if raw in (None, []) else f"expected a list, found {_shown(raw)}")
        )
        return []
    read = [_column(f"{path}[{number}]", item, problems) for number, item in enumerate(raw)]
    return [column for column in read if column is not None]


def _column(path: str, raw: Any, problems: list[Problem]) -> Column | None:
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a column with name and type, found {_shown(raw)}"))
        return None
    missing = [key for key in ("name", "type") if not isinstance(raw.get(key), str)]
    if missing:
        problems.append(Problem(path, f"a column needs a {missing[0]}, found {_shown(raw.get(missing[0]))}"))
        return None
    word, dot, argument = raw["type"].partition(".")
    try:
        words = SOURCE_WORDS[word]
    except UnknownMember as unknown:
        problems.append(Problem(f"{path}.type", str(unknown)))
        return None
    if bool(dot) != (words.argument is not None):
        expected = f"write it like {words.example}" if words.argument else "it takes nothing after a dot"
        problems.append(Problem(f"{path}.type", f"cannot read {raw['type']!r} as a {word} column; {expected}"))
        return None
    own = {key: value for key, value in raw.items() if key not in ("name", "type", "description")}
    if words.argument:
        own[words.argument] = argument
    options = _validated(TypeAdapter(words.options), own, path, words.options, problems)
    if options is None:
        return None
    shell = {key: raw[key] for key in ("name", "type", "description") if key in raw}
    return _validated(TypeAdapter(Column), {**shell, "source": options}, path, Column, problems)


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


def _validated(adapter: TypeAdapter[Any], value: Any, path: str, model: Any, problems: list[Problem]) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        problems.extend(_problem(path, details, model) for details in error.errors())
        return None


def _problem(path: str, details: ErrorDetails, model: Any) -> Problem:
    location = path
    owner = model
    for step in details["loc"]:
        fields = getattr(owner, "model_fields", None)
        if isinstance(step, int):
            location += f"[{step}]"
        elif fields is not None and step in fields:
            location += f".{step}"
            owner = _part_of(fields[step].annotation, details["loc"])
        elif (details["type"] == "extra_forbidden" and step == details["loc"][-1]) or fields is None:
            location += f".{step}"
    if details["type"] == "extra_forbidden":
        known = list(getattr(owner, "model_fields", {}))
        return Problem(location, "unknown key", did_you_mean(str(details["loc"][-1]), known))
    if details["type"] == "missing":
        return Problem(location, "is missing")
    message = re.sub(r"^Value error, ", "", details["msg"])
    if details["type"] not in ("value_error",):
        message = f"{message[0].lower()}{message[1:]}, found {_shown(details['input'])}"
    return Problem(location, message)


def _part_of(annotation: Any, loc: tuple[Any, ...] = ()) -> Any:
    """Return the model inside an annotation (`X | None`, `tuple[X, ...]`, a union told apart by its `kind`)."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    found = [part for part in (_part_of(inner, loc) for inner in get_args(annotation)) if part is not None]
    for part in found:
        kind = part.model_fields.get("kind")
        if kind is not None and get_args(kind.annotation)[0] in loc:
            return part
    return found[0] if found else None


def _scope(parts: Parts, raw: Mapping[str, Any]) -> Scope:
    declared = [item.get("name") for item in raw.get("metrics") or () if isinstance(item, Mapping)]
    read = {metric.name: metric for _, metric in parts["metrics"]}
    return Scope(
        unit=str(raw.get("unit", "")),
        window=parts.get("window"),
        metrics={name: read.get(name) for name in declared if isinstance(name, str)} | read,
        segments=tuple(segment for _, segment in parts["segments"]),
        tables={table.name: table for table in parts["tables"]},
        lifecycle=parts.get("lifecycle"),
    )


def _place(path: str, raw: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sort problems as their places stand in the file."""
    section = re.split(r"[.\[]", path)[0]
    order = list(raw)
    numbers = tuple(int(number) for number in re.findall(r"\[(\d+)\]", path))
    return (order.index(section) if section in order else -1, numbers, path)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
