"""Loading: a config as read to its valid parts, and to all its problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter

from plotsim_core.config.calendar import Calendar
from plotsim_core.config.dataset import ALIASES, LISTS, Dataset
from plotsim_core.config.document import Document, likely_section
from plotsim_core.config.missing import LEAST, missing_sections
from plotsim_core.config.model import Part, is_name
from plotsim_core.config.partial import partial_part
from plotsim_core.config.parts import Parts
from plotsim_core.config.pydantic_errors import part_of, unknown_key, validated, without_misspelt
from plotsim_core.config.read_data_rules import read_rules, without_rules
from plotsim_core.config.read_tables import read_section, read_tables
from plotsim_core.config.rules import rule_problems
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import is_listed, with_defaults
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.table_shape import OtherKinds
from plotsim_core.config.tables import DeclaredTable
from plotsim_core.config.units import FurtherKind, further_kinds, kind_names, reading_order, tables_of_units
from plotsim_core.config.written_tables import columns_of, list_or_empty, written_per
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import nearest


def read_parts(document: Document) -> tuple[Parts | None, list[Problem]]:
    """Return the valid parts of a config (None where it has no sections), and all its problems, in no particular order."""
    raw = document.value
    if raw is None or raw == {}:
        return None, [Problem("", "is empty: no key stands in it", f"the least is {LEAST}")]
    if not isinstance(raw, Mapping):
        return None, [Problem("", f"expected keys and values, found {value_text(raw)}", f"the least is {LEAST}")]
    reading_problems: list[Problem] = []
    rules = read_rules(raw, reading_problems)
    sections = _sections(without_rules(raw), reading_problems)
    kinds = further_kinds(sections, reading_problems)
    wrong_files = [problem.path for problem in document.problems]
    parts = replace(_read_kinds(sections, kinds, wrong_files, reading_problems), checks=rules)
    paths = [problem.path for problem in (*reading_problems, *document.problems)]
    problems = without_misspelt([*reading_problems, *rule_problems(parts, paths)])
    written = {"": sections, **{f"{kind.path}.": kind.sections for kind in kinds}}
    return parts, _without_added(problems, written)


def _read_kinds(
    sections: Mapping[str, Any], kinds: Sequence[FurtherKind], wrong_files: Sequence[str], problems: list[Problem]
) -> Parts:
    """Return the valid parts of a whole config, with its further kinds of unit, and add their problems to `problems`."""
    completed = with_defaults(sections)
    order = reading_order(completed, kinds)
    raws = {kind: completed if kind is None else kind.raw for kind in order}
    names_of_kinds = {kind: kind_names(raw) for kind, raw in raws.items()}
    read_kinds: list[Parts] = []
    position = order.index(None)
    for index, kind in enumerate(order):
        later = {name: unit for other in order[index + 1 :] for name, unit in names_of_kinds[other].items()}
        others = OtherKinds(
            {name: unit for other in order if other is not kind for name, unit in names_of_kinds[other].items()},
            {name: table for other in order[:index] for name, table in tables_of_units(raws[other]).items()},
        )
        if kind is None:
            read_kinds.append(_kind_parts(sections, completed, read_kinds, later, others, wrong_files, problems))
        else:
            kind_problems: list[Problem] = []
            read_kinds.append(_kind_parts(kind.raw, kind.raw, read_kinds, later, others, wrong_files, kind_problems, kind))
            problems.extend(problem.under(kind.path) for problem in kind_problems if kind.declares(problem.path))
    root = read_kinds.pop(position)
    return replace(root, units=tuple(read_kinds), position=position)


def _kind_parts(
    sections: Mapping[str, Any],
    completed: Mapping[str, Any],
    units: Sequence[Parts],
    later: Mapping[str, str],
    others: OtherKinds,
    wrong_files: Sequence[str],
    problems: list[Problem],
    kind: FurtherKind | None = None,
) -> Parts:
    """Return the valid parts of a kind of unit, from its sections as written, and as completed by defaults; `units` are the
    kinds that it may refer to, `later` the kinds that it may not refer to by the names of their tables, `others` what the
    other kinds declare, `wrong_files` the paths of files of listed tables that cannot be read."""
    partial_items: list[tuple[str, str, Part]] = []
    values: dict[str, Any] = {name: _list_items(name, completed.get(name), problems, partial_items) for name in LISTS}
    for name, field in Dataset.model_fields.items():
        if name in sections and name not in (*LISTS, *SECTIONS, "units"):
            annotation = Any if field.annotation is None else field.annotation
            adapter: TypeAdapter[Any] = TypeAdapter(_annotated(annotation, field.metadata))
            values[name] = validated(adapter.validate_python, sections[name], name, part_of(annotation), problems)
            if values[name] is None and name != "window":  # all else is judged by it
                partial_items += _partial_item(name, name, part_of(annotation), sections[name])
    problems.extend(missing_sections(sections, kind is not None))
    prefix = f"{kind.path}." if kind is not None else ""
    values["tables"] = tuple(
        replace(table, table=None, is_open=True)
        if any(path.startswith(f"{prefix}{table.path}.rows") for path in wrong_files)
        else table
        for table in _tables(sections, completed, units, others, problems)
    )
    scope = _scope(values, completed, units, later)
    items = tuple(partial_items)
    return Parts(**values, partial_items=items, kind=kind, raw=completed, units=tuple(units), scope=scope)


def _tables(
    sections: Mapping[str, Any],
    completed: Mapping[str, Any],
    units: Sequence[Parts],
    others: OtherKinds,
    problems: list[Problem],
) -> Iterator[DeclaredTable]:
    dimensions = list_or_empty(completed.get("dimensions"))
    foreign_names = [t.name for kind in units for t in kind.tables if t.kind is None or t.kind.comes_with_units]
    foreign_names += [str(table.get("name")) for table in dimensions if is_listed(table)]
    foreign_names += [str(table["name"]) for table in list_or_empty(completed.get("tables")) if _is_plain(table)]
    foreign_names += _undeclared_names(completed)
    unit = str(sections.get("unit", ""))
    for section in SECTIONS[:-1]:
        yield from read_section(section, completed.get(section), unit, foreign_names, problems)
    yield from read_tables(completed, unit, others, problems)


def _undeclared_names(completed: Mapping[str, Any]) -> list[str]:
    """Return the names that dimensions refer to and no table has, which are misspelt."""
    tables = [table for section in SECTIONS for table in list_or_empty(completed.get(section)) if isinstance(table, Mapping)]
    names = {str(table.get("name")) for table in tables}
    types = [type_ for table in list_or_empty(completed.get("dimensions")) for _, type_ in columns_of(table)]
    targets = (type_.split(".")[1] for type_ in types if type_.startswith("ref."))
    return [target for target in dict.fromkeys(targets) if target not in names]


def _is_plain(table: Any) -> bool:
    """Return whether a table of the section `tables` as written has a name, and is per nothing."""
    return isinstance(table, Mapping) and is_name(table.get("name")) and written_per(table) == ()


def _without_added(problems: list[Problem], written: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Return problems without those of added tables that are not in the file, which follow from others, unless there are no
    others. `written` are the sections of each kind of unit, by what its paths begin with."""
    missing = tuple(f"{start}{name}[" for start, sections in written.items() for name in SECTIONS if not sections.get(name))
    return [problem for problem in problems if not problem.path.startswith(missing)] or problems


def _annotated(annotation: Any, metadata: list[Any]) -> Any:
    return Annotated[annotation, *metadata] if metadata else annotation


def _sections(raw: Mapping[Any, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return `raw` without unknown keys, with aliases under their own name, and with lists whose key is misspelt."""
    sections: dict[str, Any] = {}
    for key, value in raw.items():
        name = ALIASES.get(str(key), str(key))
        if name not in Dataset.model_fields:
            problems.append(unknown_key(str(key), str(key), [*Dataset.model_fields, *ALIASES]))
            name = likely_section(name, raw) or name
        if name not in Dataset.model_fields:
            continue
        if name in sections:
            problems.append(Problem(str(key), f"says the same as {name}; give one of them"))
        elif value is not None:
            sections[name] = value
    return sections


def _list_items(
    section: str, raw: Any, problems: list[Problem], partial_items: list[tuple[str, str, Part]]
) -> tuple[tuple[str, Any], ...]:
    """Return the valid items of a list with their paths; of the others, add what could be read to `partial_items`."""
    if raw is None:
        return ()
    if not isinstance(raw, list | tuple):
        problems.append(Problem(section, f"expected a list, found {value_text(raw)}"))
        return ()
    if not raw and section in ("metrics", "segments"):
        problems.append(Problem(section, f"expected at least one {section[:-1]}, found none"))
    item_type = get_args(Dataset.model_fields[section].annotation)[0]
    adapter: TypeAdapter[Any] = TypeAdapter(item_type)
    items = []
    for index, raw_item in enumerate(raw):
        path = f"{section}[{index}]"
        item = validated(adapter.validate_python, raw_item, path, item_type, problems)
        if item is not None:
            items.append((path, item))
        else:
            partial_items += _partial_item(section, path, item_type, raw_item)
    return tuple(items)


def _partial_item(section: str, path: str, model: Any, raw: Any) -> list[tuple[str, str, Part]]:
    """Return the partial part of what is written for a section or an item of one, if there is one."""
    item = partial_part(model, raw, ()) if isinstance(raw, Mapping) and isinstance(model, type) else None
    return [] if item is None else [(section, path, item)]


def _name_of(item: Any) -> Any:
    """Return the name of an item of a list as written, also where that key is misspelt."""
    if not isinstance(item, Mapping):
        return None
    return item.get("name", next((value for key, value in item.items() if nearest(str(key), ["name"])), None))


def _scope(values: Mapping[str, Any], raw: Mapping[str, Any], units: Sequence[Parts], later: Mapping[str, str]) -> Scope:
    items = list_or_empty(raw.get("metrics"))
    names = [_name_of(item) for item in items]
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
        foreign={t.name: t for kind in units for t in kind.tables if t.kind is None or t.kind.comes_with_units}
        | unknown_kinds,
        later=later,
        foreign_metrics={name: kind.scope.unit for kind in units for name in kind.scope.metrics},
        unreachable={table.name: kind.scope.unit for kind in units for table in kind.tables if table.name not in tables},
    )
