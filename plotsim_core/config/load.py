"""Loading: a config as read to its valid parts, and to all its problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter

from plotsim_core.config.calendar import Calendar
from plotsim_core.config.dataset import ALIASES, Dataset
from plotsim_core.config.document import Document
from plotsim_core.config.model import is_name
from plotsim_core.config.parts import LISTS, Parts
from plotsim_core.config.pydantic_errors import part_of, unknown_key, validated, without_misspelt
from plotsim_core.config.read_tables import read_section
from plotsim_core.config.rules import rule_problems
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import is_listed, list_or_empty, with_defaults
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.tables import DeclaredTable
from plotsim_core.config.units import FurtherKind, further_kinds, unit_dimensions
from plotsim_core.errors import Problem, value_text


def read_parts(document: Document) -> tuple[Parts | None, list[Problem]]:
    """Return the valid parts of a config (None where it has no sections), and all its problems, in no particular order."""
    raw = document.value
    if raw is None or raw == {}:
        return None, [Problem("", "is empty", _NEEDS)]
    if not isinstance(raw, Mapping):
        return None, [Problem("", f"expected keys and values, found {value_text(raw)}", _NEEDS)]
    reading_problems: list[Problem] = []
    sections = _sections(raw, reading_problems)
    kinds = further_kinds(sections, reading_problems)
    wrong_files = [problem.path for problem in document.problems]
    units: list[Parts] = []
    for kind in kinds:
        kind_problems: list[Problem] = []
        units.append(_kind_parts(kind.raw, kind.raw, units, wrong_files, kind_problems, kind))
        reading_problems.extend(problem.under(kind.path) for problem in kind_problems if kind.declares(problem.path))
    parts = _kind_parts(sections, with_defaults(sections), units, wrong_files, reading_problems)
    paths = [problem.path for problem in (*reading_problems, *document.problems)]
    problems = without_misspelt([*reading_problems, *rule_problems(parts, paths)])
    return parts, _without_added(problems, sections)


def _kind_parts(
    sections: Mapping[str, Any],
    completed: Mapping[str, Any],
    units: Sequence[Parts],
    wrong_files: Sequence[str],
    problems: list[Problem],
    kind: FurtherKind | None = None,
) -> Parts:
    """Return the valid parts of a kind of unit, from its sections as written, and as completed by defaults; `units` are the
    kinds before it, `wrong_files` the paths of files of listed tables that cannot be read."""
    values: dict[str, Any] = {name: _list_items(name, completed.get(name), problems) for name in LISTS}
    for name, field in Dataset.model_fields.items():
        if name in sections and name not in (*LISTS, *SECTIONS, "units"):
            annotation = Any if field.annotation is None else field.annotation
            adapter: TypeAdapter[Any] = TypeAdapter(_annotated(annotation, field.metadata))
            values[name] = validated(adapter, sections[name], name, part_of(annotation), problems)
        elif field.is_required() and name not in sections:
            problems.append(Problem(name, "is missing", _REQUIRED[name]))
    prefix = f"{kind.path}." if kind is not None else ""
    values["tables"] = tuple(
        replace(table, table=None, is_open=True)
        if any(path.startswith(f"{prefix}{table.path}.rows") for path in wrong_files)
        else table
        for table in _tables(sections, completed, units, problems)
    )
    return Parts(**values, kind=kind, raw=completed, units=tuple(units), scope=_scope(values, completed, units))


def _tables(
    sections: Mapping[str, Any], completed: Mapping[str, Any], units: Sequence[Parts], problems: list[Problem]
) -> Iterator[DeclaredTable]:
    dimensions = list_or_empty(completed.get("dimensions"))
    foreign_names = [name for kind in units for name in unit_dimensions(kind.raw)]
    foreign_names += [str(table.get("name")) for table in dimensions if is_listed(table)]
    unit = str(sections.get("unit", ""))
    for section in SECTIONS:
        yield from read_section(section, completed.get(section), unit, foreign_names, problems)


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


def _without_added(problems: list[Problem], sections: Mapping[str, Any]) -> list[Problem]:
    """Return problems without those of added tables that are not in the file, which follow from others, unless there are no
    others."""
    missing = tuple(f"{name}[" for name in SECTIONS if not sections.get(name))
    return [problem for problem in problems if not problem.path.startswith(missing)] or problems


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


def _list_items(section: str, raw: Any, problems: list[Problem]) -> tuple[tuple[str, Any], ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list, found {value_text(raw)}"))
        return ()
    if not raw and section in ("metrics", "segments"):
        problems.append(Problem(section, f"expected at least one {section[:-1]}, found none"))
    item_type = get_args(Dataset.model_fields[section].annotation)[0]
    adapter: TypeAdapter[Any] = TypeAdapter(item_type)
    items = [
        (f"{section}[{index}]", validated(adapter, item, f"{section}[{index}]", item_type, problems))
        for index, item in enumerate(raw)
    ]
    return tuple((path, item) for path, item in items if item is not None)


def _scope(values: Mapping[str, Any], raw: Mapping[str, Any], units: Sequence[Parts]) -> Scope:
    items = list_or_empty(raw.get("metrics"))
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    metrics = {metric.name: metric for _, metric in values["metrics"]}
    tables: dict[str, DeclaredTable] = {}
    for table in values["tables"]:
        tables.setdefault(table.name, table)
    raw_units = raw.get("units")
    unknown_kinds = {} if isinstance(raw_units, list | tuple | None) else {"": DeclaredTable("", "units", None, None)}
    return Scope(
        unit=str(raw.get("unit", "")),
        window=values.get("window"),
        metrics={str(name): metrics.get(str(name)) for name in names} if all(map(is_name, names)) else {},
        segments=tuple(segment for _, segment in values["segments"]),
        tables=tables,
        lifecycle=values.get("lifecycle"),
        locale=values.get("locale") or ("en_US",),
        calendar=values.get("calendar") or (Calendar() if raw.get("calendar") is None else None),
        foreign={t.name: t for kind in units for t in kind.tables if t.kind is None or t.kind.is_unit_dimension}
        | unknown_kinds,
    )
