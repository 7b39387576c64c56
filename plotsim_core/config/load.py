"""YAML or keywords to a `Dataset`, or one exception that names everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter

from plotsim_core.config.calendar import Calendar
from plotsim_core.config.check import Parts, added, check
from plotsim_core.config.check_output import written
from plotsim_core.config.check_quality import broken_columns
from plotsim_core.config.dataset import ALIASES, Dataset
from plotsim_core.config.problems import part_of, unknown_key, validated
from plotsim_core.config.read_tables import read_section
from plotsim_core.config.scope import Scope
from plotsim_core.config.star import complete, listed
from plotsim_core.config.tables import SECTIONS, DeclaredTable
from plotsim_core.config.units import Raw, further_kinds, told_apart, unit_dimensions
from plotsim_core.errors import Problem, shown
from plotsim_core.families import nearest

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
        table for section in SECTIONS for table in read_section(section, full.get(section), unit, foreign, problems)
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
_SPREAD = {"tables": f"tables are written under {', '.join(SECTIONS[:-1])} and {SECTIONS[-1]}"}
"""Keys that are none, though what they name is there under others."""
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
        if name in _SPREAD:
            problems.append(Problem(str(key), "unknown key", _SPREAD[name]))
        elif name not in Dataset.model_fields:
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
