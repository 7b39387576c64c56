"""Further kinds of unit in one dataset (`units:`): each is a config of its own, but for what belongs to the whole dataset.

The window, the seed, the dates and the listed tables are shared by all kinds. Tables of one kind may refer to the units of
another, but not those of each to the other: kinds are read in an order in which each refers to those before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plotsim_core.config.dataset import ALIASES, Dataset
from plotsim_core.config.pydantic_errors import unknown_key
from plotsim_core.config.star_schema import is_dates, is_listed, is_times, with_defaults
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.table_shape import has_moments, unit_table_name
from plotsim_core.config.written_tables import columns_of, list_or_empty, shows_dimension, written_per
from plotsim_core.errors import Problem, value_text

Raw = Mapping[str, Any]

KIND_SECTIONS = (
    "unit",
    "metrics",
    "segments",
    "connections",
    "connection_phases",
    "lifecycle",
    "noise",
    "seasonality",
    "effects",
    *SECTIONS,
)
"""Sections of each kind of unit; noise and seasons are the dataset's where a kind has none, effects those of both."""
_SHARED = ("dimensions", "tables")
"""Sections with tables that all kinds share."""
_TABLE_WORDS = ("left", "right", "snapshot_of", "changes_of")
"""Words of a table whose values are names of tables."""
_INHERITED = ("noise", "seasonality")
_ALONE = ("checks", "quality", "holdout", "entity_features", "sources", "manifest", "owners", "units")
"""Sections of the dataset alone."""


@dataclass(frozen=True, eq=False)
class FurtherKind:
    """A further kind of unit as a config of its own: `raw`. `inherited_tables` are the names of the tables that are the
    dataset's, `sections` those that the file has."""

    path: str
    raw: dict[str, Any]
    inherited_tables: frozenset[str]
    sections: Mapping[str, Any]

    def declares(self, path: str) -> bool:
        """Return whether something in `raw` is written in this part of the file, or follows from what is."""
        section = path.partition(".")[0].partition("[")[0]
        if section in _SHARED and "[" in path:
            index = int(path.partition("[")[2].partition("]")[0])
            table = self.raw[section][index]
            return not isinstance(table, Mapping) or str(table.get("name")) not in self.inherited_tables
        if section == "effects" and "[" in path:
            return int(path.partition("[")[2].partition("]")[0]) < len(list_or_empty(self.sections.get("effects")))
        if section in _INHERITED:
            return section in self.sections
        return section in KIND_SECTIONS or not section


def further_kinds(sections: Raw, problems: list[Problem]) -> list[FurtherKind]:
    """Return the further kinds of unit of a config, and add the problems of their sections to `problems`."""
    entries = sections.get("units")
    if entries is None:
        return []
    if not isinstance(entries, list | tuple):
        problems.append(Problem("units", f"expected a list, found {value_text(entries)}"))
        return []
    completed = with_defaults(sections)
    shared_tables = {
        section: [table for table in list_or_empty(completed.get(section)) if _is_shared(section, table)]
        for section in _SHARED
    }
    return [
        kind
        for index, raw in enumerate(entries)
        if (kind := _kind(f"units[{index}]", raw, sections, shared_tables, problems))
    ]


def _kind(
    path: str, raw: Any, root: Raw, shared_tables: Mapping[str, list[Any]], problems: list[Problem]
) -> FurtherKind | None:
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a kind of unit, with unit, metrics and segments, found {value_text(raw)}"))
        return None
    sections = {ALIASES.get(str(key), str(key)): value for key, value in raw.items()}
    own_sections = {key: value for key, value in sections.items() if key in KIND_SECTIONS and value is not None}
    for key in sections:
        if key in Dataset.model_fields and key not in KIND_SECTIONS:
            problems.append(Problem(f"{path}.{key}", "is said once for the whole dataset, beside `units`"))
        elif key not in KIND_SECTIONS:
            problems.append(unknown_key(f"{path}.{key}", key, list(KIND_SECTIONS)))
    completed = with_defaults(own_sections)
    for index, table in enumerate(list_or_empty(own_sections.get("dimensions"))):
        if isinstance(table, Mapping) and is_dates(table):
            problems.append(Problem(f"{path}.dimensions[{index}]", "the dates are the dataset's, declared beside `units`"))
    dimensions = [
        table for table in list_or_empty(completed.get("dimensions")) if not (isinstance(table, Mapping) and is_dates(table))
    ]
    shared_sections = {key: value for key, value in root.items() if key not in (*KIND_SECTIONS, *_ALONE)}
    inherited_sections = {key: root[key] for key in _INHERITED if key in root}
    if isinstance(inherited_sections.get("noise"), Mapping):  # without `mar_*`, which name a metric of the first kind
        inherited_sections["noise"] = {
            key: value for key, value in inherited_sections["noise"].items() if not key.startswith("mar_")
        }
    kind_raw = {**shared_sections, **inherited_sections, **completed}
    if isinstance(kind_raw.get("effects", []), list | tuple):
        kind_raw["effects"] = [*kind_raw.get("effects", []), *list_or_empty(root.get("effects"))]
    own_tables = {"dimensions": dimensions, "tables": list_or_empty(completed.get("tables"))}
    for section, tables in shared_tables.items():
        if isinstance(kind_raw.get(section, []), list | tuple):
            kind_raw[section] = [*own_tables[section], *tables]
    names = frozenset(str(table.get("name")) for tables in shared_tables.values() for table in tables)
    return FurtherKind(path, kind_raw, names, raw)


def _is_shared(section: str, table: Any) -> bool:
    """Return whether a table as written is the whole dataset's: dates, times of day, listed rows."""
    if not isinstance(table, Mapping):
        return False
    if section == "tables":
        return written_per(table) == () and not has_moments(table) and not shows_dimension(table)
    return is_dates(table) or is_listed(table) or is_times(table)


def reading_order(sections: Raw, kinds: Sequence[FurtherKind]) -> list[FurtherKind | None]:
    """Return the kinds of unit, None for that of `sections`, each after those whose units its tables name: as far as that is
    possible, the further ones in the order written, and then the first."""
    raws: dict[FurtherKind | None, Raw] = {**{kind: kind.raw for kind in kinds}, None: sections}
    names = {kind: {*kind_names(raw)} for kind, raw in raws.items()}
    named_tables = {kind: {*_named_tables(raw)} for kind, raw in raws.items()}
    pending, order = list(raws), list[FurtherKind | None]()

    def is_free(kind: FurtherKind | None) -> bool:
        return not any(named_tables[kind] & names[other] for other in pending if other is not kind)

    while pending:
        order.append(next(filter(is_free, pending), pending[0]))
        pending.remove(order[-1])
    return order


def _named_tables(raw: Raw) -> Iterator[str]:
    """Yield the names of tables and kinds that tables as written name: in references, as the ends of bridges, as what they
    show or combine."""
    for table in (table for section in SECTIONS for table in list_or_empty(raw.get(section)) if isinstance(table, Mapping)):
        yield from (str(table[word]) for word in _TABLE_WORDS if word in table)
        yield from written_per(table) or ()
        yield from (type_.removeprefix("ref.") for _, type_ in columns_of(table) if type_.startswith("ref."))


def kind_names(raw: Raw) -> dict[str, str]:
    """Return the name of a kind of unit and those of the tables that are its own, each with the kind."""
    unit = raw.get("unit")
    if not isinstance(unit, str):
        return {}
    sections = ((section, table) for section in SECTIONS for table in list_or_empty(raw.get(section)))
    tables = [table for section, table in sections if isinstance(table, Mapping) and not _is_shared(section, table)]
    return {name: unit for name in (unit, *(table.get("name") for table in tables)) if isinstance(name, str)}


def tables_of_units(raw: Raw) -> dict[str, Raw]:
    """Return the table of units of a kind as written, by its name and that of the kind; empty where it cannot be read."""
    unit = str(raw.get("unit"))
    name = unit_table_name(raw, unit)
    tables = (table for section in _SHARED for table in list_or_empty(raw.get(section)) if isinstance(table, Mapping))
    return {key: table for table in tables if table.get("name") == name for key in (unit, name)}
