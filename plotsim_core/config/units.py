"""Further kinds of unit in one dataset (`units:`): each is a config of its own, but for what belongs to the whole dataset.

The window, the seed, the dates and the listed dimensions are shared by all kinds; tables of the first kind may refer to the
dimension of any other, tables of a further kind to those of the kinds before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plotsim_core.config.dataset import ALIASES, Dataset
from plotsim_core.config.pydantic_errors import unknown_key
from plotsim_core.config.star_schema import is_dates, is_listed, list_or_empty, with_defaults
from plotsim_core.config.table_kind import SECTIONS
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
    *SECTIONS,
)
"""Sections of each kind of unit; noise and seasons are the dataset's where a kind has none."""
_INHERITED = ("noise", "seasonality")
_ALONE = ("quality", "holdout", "entity_features", "sources", "manifest", "owners", "units")
"""Sections of the dataset alone."""


@dataclass(frozen=True)
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
        if section == "dimensions" and "[" in path:
            index = int(path.partition("[")[2].partition("]")[0])
            table = self.raw["dimensions"][index]
            return not isinstance(table, Mapping) or str(table.get("name")) not in self.inherited_tables
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
    shared_tables = [
        table
        for table in list_or_empty(with_defaults(sections).get("dimensions"))
        if isinstance(table, Mapping) and (is_dates(table) or is_listed(table) or table.get("per") == "time")
    ]
    return [
        kind
        for index, raw in enumerate(entries)
        if (kind := _kind(f"units[{index}]", raw, sections, shared_tables, problems))
    ]


def _kind(path: str, raw: Any, root: Raw, shared_tables: list[Any], problems: list[Problem]) -> FurtherKind | None:
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
    if isinstance(kind_raw.get("dimensions", []), list | tuple):
        kind_raw["dimensions"] = [*dimensions, *shared_tables]
    return FurtherKind(path, kind_raw, frozenset(str(table.get("name")) for table in shared_tables), raw)


def unit_dimensions(raw: Raw) -> list[str]:
    """Return the names of the dimensions of units that a config declares, as far as they can be read."""
    tables = [table for table in list_or_empty(raw.get("dimensions")) if isinstance(table, Mapping)]
    return [str(table.get("name")) for table in tables if table.get("per") == "unit" and "count" not in table]
