"""Loading: YAML or keywords to a `Dataset`, or to one exception that names all problems."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter

from plotsim_core.config.calendar import Calendar
from plotsim_core.config.check import Parts, check, column_problems
from plotsim_core.config.check_output import output_problems
from plotsim_core.config.check_quality import broken_columns
from plotsim_core.config.dataset import ALIASES, Dataset
from plotsim_core.config.pydantic_errors import part_of, unknown_key, validated
from plotsim_core.config.read_tables import read_section
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import list_or_empty, with_defaults
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.tables import DeclaredTable
from plotsim_core.config.units import Raw, further_kinds, shared_name_problems, unit_dimensions
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import nearest

_LISTS = ("metrics", "segments", "connections", "connection_phases", "seasonality", "quality")


def parse(raw: Any) -> tuple[Parts, list[Problem]]:
    """Return the valid parts of a config and all its problems, in file order."""
    if raw is None or raw == {}:
        return {}, [Problem("", "is empty", _NEEDS)]
    if not isinstance(raw, Mapping):
        return {}, [Problem("", f"expected keys and values, found {value_text(raw)}", _NEEDS)]
    problems: list[Problem] = []
    sections = _sections(raw, problems)
    kinds = further_kinds(sections, problems)
    parts = _read_parts(sections, with_defaults(sections), [kind.raw for kind in kinds], problems)
    parts["units"] = []
    for index, kind in enumerate(kinds):
        kind_problems: list[Problem] = []
        kind_parts = _read_parts(kind.raw, kind.raw, [other.raw for other in kinds[:index]], kind_problems)
        kind_parts["inherited"], kind_parts["raw"] = kind.inherited, kind.raw
        kind_parts["units"] = parts["units"][:]
        parts["units"].append((kind.path, kind_parts))
        problems.extend(problem.under(kind.path) for problem in kind_problems if kind.says(problem.path))
    for index, kind in enumerate(kinds):
        kind_parts = parts["units"][index][1]
        scope = _scope(kind_parts, kind.raw, parts["units"][:index])
        problems.extend(p.under(kind.path) for p in check({"scale": 1.0, **kind_parts}, scope) if kind.says(p.path))
    problems.extend(check({"scale": 1.0, **parts}, _scope(parts, with_defaults(sections), parts["units"])))
    problems.extend(shared_name_problems(parts))
    if not problems:
        problems.extend(column_problems(dataset(parts)))
        problems.extend(output_problems(dataset(parts)))
        problems.extend(broken_columns(dataset(parts)))
        for path, kind_parts in parts["units"]:
            problems.extend(problem.under(path) for problem in column_problems(dataset(kind_parts)))
    return parts, _in_file_order(problems, raw, sections)


def _read_parts(
    sections: Mapping[str, Any], completed: Mapping[str, Any], other_kinds: Sequence[Raw], problems: list[Problem]
) -> Parts:
    """Return the valid parts of the sections of a config; `other_kinds` are the kinds of unit that its tables may refer
    to."""
    tables = [table for table in list_or_empty(completed.get("dimensions")) if isinstance(table, Mapping)]
    foreign_names = [name for other in other_kinds for name in unit_dimensions(other)]
    foreign_names += [str(table.get("name")) for table in tables if table.get("reference")]
    unit = str(sections.get("unit", ""))
    parts: Parts = {name: _list_items(name, completed.get(name), problems) for name in _LISTS}
    parts["tables"] = [
        table
        for section in SECTIONS
        for table in read_section(section, completed.get(section), unit, foreign_names, problems)
    ]
    for name, field in Dataset.model_fields.items():
        if name in sections and name not in (*_LISTS, *SECTIONS, "units"):
            annotation = Any if field.annotation is None else field.annotation
            adapter: TypeAdapter[Any] = TypeAdapter(_annotated(annotation, field.metadata))
            value = validated(adapter, sections[name], name, part_of(annotation), problems)
            if value is not None:
                parts[name] = value
        elif field.is_required() and name not in sections and not any(_misspells(key, name) for key in sections):
            problems.append(Problem(name, "is missing", _REQUIRED[name]))
    return parts


_REQUIRED = {
    "about": "what the data is about: Subscription customers",
    "unit": "what a unit is called, in the singular: customer",
    "window": "from when to when, in which periods: [2024-01, 2024-12, month]",
    "metrics": "what is measured: [{ name: engagement, type: score, polarity: positive }]",
    "segments": "the groups of units: [{ name: active, count: 50, archetype: growth }]",
}
_SPLIT_KEYS = {"tables": f"tables are written under {', '.join(SECTIONS[:-1])} and {SECTIONS[-1]}"}
"""Keys that the language has not, to the sections that hold their content."""
_NEEDS = f"{', '.join(_REQUIRED)} are required"


def _misspells(key: Any, name: str) -> bool:
    return str(key) not in Dataset.model_fields and nearest(str(key), list(Dataset.model_fields)) == name


def _in_file_order(problems: list[Problem], raw: Mapping[Any, Any], sections: Mapping[str, Any]) -> list[Problem]:
    """Return each problem once, in file order. Problems of added tables that are not in the file follow from others: they
    are left out, unless there are no others."""
    unique = list(dict.fromkeys(problems))
    missing = [name for name in SECTIONS if not sections.get(name)]
    in_file = [problem for problem in unique if not problem.path.startswith(tuple(f"{name}[" for name in missing))]
    return sorted(in_file or unique, key=lambda problem: _file_position(problem.path, raw))


def dataset(parts: Parts) -> Dataset:
    """Return the Dataset of parts without problems."""
    sections = {name: tuple(part for _, part in parts[name]) for name in _LISTS}
    tables = {section: tuple(d.table for d in parts["tables"] if d.path.startswith(section)) for section in SECTIONS}
    rest = {name: value for name, value in parts.items() if name not in (*_LISTS, "tables", "units", "inherited", "raw")}
    units = tuple(dataset(kind_parts) for _, kind_parts in parts["units"])
    return Dataset.model_validate({**rest, **sections, **tables, "units": units})


def _annotated(annotation: Any, metadata: list[Any]) -> Any:
    return Annotated[annotation, *metadata] if metadata else annotation


def _sections(raw: Mapping[Any, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return `raw` without unknown keys and with aliases under their own name."""
    sections: dict[str, Any] = {}
    for key, value in raw.items():
        name = ALIASES.get(str(key), str(key))
        if name in _SPLIT_KEYS:
            problems.append(Problem(str(key), "unknown key", _SPLIT_KEYS[name]))
        elif name not in Dataset.model_fields:
            problems.append(unknown_key(str(key), str(key), [*Dataset.model_fields, *ALIASES]))
        elif name in sections:
            problems.append(Problem(str(key), f"says the same as {name}; give one of them"))
        elif value is not None:
            sections[name] = value
    return sections


def _list_items(section: str, raw: Any, problems: list[Problem]) -> list[tuple[str, Any]]:
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list, found {value_text(raw)}"))
        return []
    if not raw and section in ("metrics", "segments"):
        problems.append(Problem(section, f"expected at least one {section[:-1]}, found none"))
    item_type = get_args(Dataset.model_fields[section].annotation)[0]
    adapter: TypeAdapter[Any] = TypeAdapter(item_type)
    items = [
        (f"{section}[{index}]", validated(adapter, item, f"{section}[{index}]", item_type, problems))
        for index, item in enumerate(raw)
    ]
    return [(path, item) for path, item in items if item is not None]


def _scope(parts: Parts, raw: Mapping[str, Any], other_kinds: Sequence[tuple[str, Parts]]) -> Scope:
    names = [item.get("name") for item in list_or_empty(raw.get("metrics")) if isinstance(item, Mapping)]
    metrics = {metric.name: metric for _, metric in parts["metrics"]}
    nameless = [name for name in names if not isinstance(name, str)]
    tables: dict[str, DeclaredTable] = {}
    for table in parts["tables"]:
        tables.setdefault(table.name, table)
    return Scope(
        unit=str(raw.get("unit", "")),
        window=parts.get("window"),
        metrics={} if nameless else {name: metrics.get(name) for name in names} | metrics,
        segments=tuple(segment for _, segment in parts["segments"]),
        tables=tables,
        lifecycle=parts.get("lifecycle"),
        locale=parts.get("locale", ("en_US",)),
        calendar=parts.get("calendar", Calendar() if raw.get("calendar") is None else None),
        foreign={
            t.name: t for _, kind_parts in other_kinds for t in kind_parts["tables"] if t.kind and t.kind.is_unit_dimension
        },
    )


def _file_position(path: str, raw: Any) -> tuple[int, ...]:
    """Return the position of a path in the file, for sorting; missing keys come after present ones."""
    position: list[int] = []
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(raw, Mapping):
            keys = [str(key) for key in raw]
            step = next((alias for alias, name in ALIASES.items() if name == step and alias in keys), step)
            position.append(keys.index(step) if step in keys else len(keys))
            raw = next((value for key, value in raw.items() if str(key) == step), None)
        elif isinstance(raw, list | tuple) and step.isdigit() and int(step) < len(raw):
            position.append(int(step))
            raw = raw[int(step)]
    return tuple(position)
