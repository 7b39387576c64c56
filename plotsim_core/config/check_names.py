"""Problems of names: those that stand twice, those that are reserved for the stages, those that kinds of unit share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from plotsim_core.config.parts import Parts
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.tables import RESERVED
from plotsim_core.config.written_tables import list_or_empty
from plotsim_core.errors import Problem
from plotsim_core.numerics.codes import segment_number

STAGE_COLUMNS = ("segment", "trajectory")
"""The columns of the stage `trajectories` beside the keys of the date and the unit."""


def stages(parts: Parts) -> Iterator[Problem]:
    """Yield the tables named like a stage, and the columns of a stage that would share a name: the keys of the date and the
    unit, and a column for each metric."""
    holders = dict.fromkeys(STAGE_COLUMNS, "a column of the stage trajectories")
    declarations = parts.tables
    for declaration in declarations:
        if declaration.name.lower() in RESERVED:
            yield Problem(f"{declaration.path}.name", f"'{declaration.name}' is the name of a stage; choose another")
        elif declaration.name == DATE_DIMENSION and declaration.kind and not declaration.kind.is_date_dimension:
            message = f"{DATE_DIMENSION} is the table of the dates, and the rows of this one are others"
            yield Problem(f"{declaration.path}.name", message, "choose another name")
    dates = [declaration for declaration in declarations if declaration.kind and declaration.kind.is_date_dimension]
    units = [declaration for declaration in declarations if declaration.kind and declaration.kind.is_unit_dimension]
    for declaration in (*dates[:1], *units[:1]):
        for column in [c for c in declaration.table.columns if c.source.is_key][:1] if declaration.table else ():
            name, index = column.name.lower(), declaration.columns.index(column.name)
            if name in holders:
                path = f"{declaration.path}.columns[{index}].name"
                yield Problem(path, f"'{column.name}' is {holders[name]}; choose another")
            holders.setdefault(name, f"the key of {declaration.name}")
    for path, metric in parts.metrics:
        name = metric.name.lower()
        if name in holders and name not in STAGE_COLUMNS:
            yield Problem(f"{path}.name", f"'{metric.name}' is {holders[name]}; choose another")


def duplicate_names(parts: Parts) -> Iterator[Problem]:
    """Yield the names of metrics, segments, tables and columns of a table that stand twice."""
    for section in ("metrics", "segments"):
        items = enumerate(list_or_empty(parts.raw.get(section)))
        names = ((f"{section}[{index}]", item.get("name")) for index, item in items if isinstance(item, Mapping))
        yield from _duplicates(section[:-1], ((path, name) for path, name in names if isinstance(name, str) and name))
    yield from _duplicates(
        "table", ((declaration.path, declaration.name) for declaration in parts.tables if declaration.name)
    )
    for declaration in parts.tables:
        columns = [(index, name) for index, name in enumerate(declaration.columns) if name]
        yield from _duplicates("column", ((f"{declaration.path}.columns[{index}]", name) for index, name in columns))


def _duplicates(noun: str, names: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    """Yield the names that occur twice. Names that differ only in capitals are one to databases and some file systems."""
    first_uses: dict[str, tuple[str, str]] = {}
    for path, name in names:
        if name.lower() in first_uses:
            first, spelling = first_uses[name.lower()]
            note = "" if spelling == name else f", where it is written '{spelling}'"
            yield Problem(f"{path}.name", f"a second {noun} is named '{name}'; the first is {first}{note}")
        first_uses.setdefault(name.lower(), (path, name))


def shared_names(parts: Parts) -> Iterator[Problem]:
    """Yield a problem for each name that two kinds of unit share: of the unit, a segment, a table."""
    first_paths: dict[tuple[str, str], str] = {}
    numbers: dict[int, str] = {}
    stage_names = {f"{kind.unit}_{name}".lower() for kind in parts.units for name in RESERVED}
    for kind in (parts, *parts.units):
        prefix = f"{kind.path}." if kind.path else ""
        entries = [("unit", f"{prefix}unit", kind.unit)] if kind.unit is not None else []
        entries += [("segment", f"{prefix}{entry_path}.name", segment.name) for entry_path, segment in kind.segments]
        tables = [table for table in kind.tables if table.name and table.name not in kind.inherited_tables]
        entries += [("table", f"{prefix}{table.path}.name", table.name) for table in tables]
        for noun, entry_path, name in entries:
            if noun == "table" and name.lower() in stage_names:
                yield Problem(entry_path, f"'{name}' is the name of a stage; choose another")
        kind_paths: dict[tuple[str, str], str] = {}
        for noun, entry_path, name in entries:
            if (noun, name.lower()) in first_paths:
                yield Problem(
                    entry_path, f"another kind of unit has a {noun} named '{name}', at {first_paths[noun, name.lower()]}"
                )
            kind_paths.setdefault((noun, name.lower()), entry_path)
        for entry_path, segment in kind.segments:
            other_name = numbers.setdefault(segment_number(segment.name), segment.name)
            if other_name != segment.name and kind.path:
                yield Problem(
                    f"{prefix}{entry_path}.name", f"its units would have the keys of units of {other_name}", "rename one"
                )
        first_paths = {**kind_paths, **first_paths}
