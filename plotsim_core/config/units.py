"""Further kinds of unit in one dataset (`units:`): each is a config of its own, but for what belongs to the whole dataset.

The window, the seed, the dates and the listed dimensions are shared by all kinds; tables of the first kind may refer to the
dimension of any other, tables of a further kind to those of the kinds before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plotsim_core.config.dataset import ALIASES, Dataset
from plotsim_core.config.problems import unknown_key
from plotsim_core.config.star import complete, is_dates, listed
from plotsim_core.config.tables import RESERVED, SECTIONS
from plotsim_core.errors import Problem, shown
from plotsim_core.numerics.codes import segment_number

Raw = Mapping[str, Any]

OWN = ("unit", "metrics", "segments", "connections", "connection_phases", "lifecycle", "noise", "seasonality", *SECTIONS)
"""What each kind of unit says for itself; noise and seasons are the dataset's where it says nothing of them."""
_INHERITED = ("noise", "seasonality")
_ALONE = ("quality", "holdout", "entity_features", "sources", "manifest", "owners", "units")
"""What is said once, of the dataset."""


@dataclass(frozen=True)
class FurtherKind:
    """A further kind of unit as a config of its own: `raw`, in which `inherited` names the tables that are the dataset's."""

    path: str
    raw: dict[str, Any]
    inherited: frozenset[str]
    written: Mapping[str, Any]

    def says(self, path: str) -> bool:
        """Return whether something in `raw` is written in this part of the file, or follows from what is."""
        section = path.partition(".")[0].partition("[")[0]
        if section == "dimensions" and "[" in path:
            number = int(path.partition("[")[2].partition("]")[0])
            return str(self.raw["dimensions"][number].get("name")) not in self.inherited
        if section in _INHERITED:
            return section in self.written
        return section in OWN or not section


def further_kinds(known: Raw, problems: list[Problem]) -> list[FurtherKind]:
    """Return the further kinds of unit that a config declares, and add what is wrong with their sections."""
    written = known.get("units")
    if written is None:
        return []
    if not isinstance(written, list | tuple):
        problems.append(Problem("units", f"expected a list, found {shown(written)}"))
        return []
    everyones = [
        table
        for table in listed(complete(known).get("dimensions"))
        if isinstance(table, Mapping) and (is_dates(table) or table.get("reference") or table.get("per") == "time")
    ]
    return [
        kind for number, raw in enumerate(written) if (kind := _kind(f"units[{number}]", raw, known, everyones, problems))
    ]


def _kind(path: str, raw: Any, known: Raw, everyones: list[Any], problems: list[Problem]) -> FurtherKind | None:
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, f"expected a kind of unit, with unit, metrics and segments, found {shown(raw)}"))
        return None
    named = {ALIASES.get(str(key), str(key)): value for key, value in raw.items()}
    own = {key: value for key, value in named.items() if key in OWN and value is not None}
    for key in named:
        if key in Dataset.model_fields and key not in OWN:
            problems.append(Problem(f"{path}.{key}", "is said once for the whole dataset, beside `units`"))
        elif key not in OWN:
            problems.append(unknown_key(f"{path}.{key}", key, list(OWN)))
    full = complete(own)
    for number, table in enumerate(listed(own.get("dimensions"))):
        if isinstance(table, Mapping) and is_dates(table):
            problems.append(Problem(f"{path}.dimensions[{number}]", "the dates are the dataset's, declared beside `units`"))
    dimensions = [table for table in listed(full.get("dimensions")) if not (isinstance(table, Mapping) and is_dates(table))]
    shared = {key: value for key, value in known.items() if key not in (*OWN, *_ALONE)}
    inherited = {key: known[key] for key in _INHERITED if key in known}
    if isinstance(inherited.get("noise"), Mapping):  # whose values another kind's metric would make missing
        inherited["noise"] = {key: value for key, value in inherited["noise"].items() if not key.startswith("mar_")}
    whole = {**shared, **inherited, **full, "dimensions": [*dimensions, *everyones]}
    return FurtherKind(path, whole, frozenset(str(table.get("name")) for table in everyones), raw)


def unit_dimensions(raw: Raw) -> list[str]:
    """Return the names of the dimensions of units that a config declares, as far as they can be read."""
    tables = [table for table in listed(raw.get("dimensions")) if isinstance(table, Mapping)]
    return [str(table.get("name")) for table in tables if table.get("per") == "unit" and "count" not in table]


def told_apart(parts: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each name that two kinds of unit share: of the unit, a segment, a table."""
    seen: dict[tuple[str, str], str] = {}
    numbers: dict[int, str] = {}
    stages = {f"{own.get('unit')}_{name}".lower() for _, own in parts["units"] for name in RESERVED}
    for path, own in [("", parts), *parts["units"]]:
        dot = f"{path}." if path else ""
        named = [("unit", f"{dot}unit", str(own["unit"]))] if "unit" in own else []
        named += [("segment", f"{dot}{place}.name", segment.name) for place, segment in own["segments"]]
        tables = [table for table in own["tables"] if table.name and table.name not in own.get("inherited", ())]
        named += [("table", f"{dot}{table.path}.name", table.name) for table in tables]
        for noun, place, name in named:
            if noun == "table" and name.lower() in stages:
                yield Problem(place, f"'{name}' is the name of a stage; choose another")
        here: dict[tuple[str, str], str] = {}
        for noun, place, name in named:
            if (noun, name.lower()) in seen:
                yield Problem(place, f"another kind of unit has a {noun} named '{name}', at {seen[noun, name.lower()]}")
            here.setdefault((noun, name.lower()), place)
        for place, segment in own["segments"]:
            other = numbers.setdefault(segment_number(segment.name), segment.name)
            if other != segment.name and path:
                yield Problem(f"{dot}{place}.name", f"its units would have the keys of units of {other}", "rename one")
        seen = {**here, **seen}
