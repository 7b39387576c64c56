"""Sections that a config lacks, and those that have nothing to speak of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plotsim_core.config.parts import Parts
from plotsim_core.config.star_schema import is_dates, speaks_of_units, table_of_units
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.table_shape import PERIOD, TIME, UNIT, has_moments
from plotsim_core.config.written_tables import list_or_empty, written_per
from plotsim_core.errors import Problem

_HINTS = {
    "about": "what the data is about: Subscription customers",
    "unit": "what a unit is called, in the singular: customer",
    "window": "from when to when, in which periods: [2024-01, 2024-12, month]",
    "metrics": "what is measured: [{ name: engagement, type: score, polarity: positive }]",
    "segments": "the groups of units: [{ name: active, count: 50, archetype: growth }]",
}
LEAST = "{ about: Orders, tables: [{ name: orders, rows: 100, columns: { order_id: id } }] }"
"""The least that a config says."""
_OF_UNITS = (
    "connections",
    "connection_phases",
    "lifecycle",
    "sources",
    "holdout",
    "entity_features",
    "noise",
)
"""Sections that speak of units."""
_OF_MOMENTS = ("seasonality", "rhythm", "effects")
"""Sections that speak of units, and of plain tables whose rows have moments."""
_OF_PERIODS = ("calendar",)
"""Sections that speak of periods."""


def missing_sections(sections: Mapping[str, Any], is_kind: bool) -> Iterator[Problem]:
    """Yield the required sections that are not there, of a config or of a further kind of unit (`is_kind`), with the reason.

    Units need all of unit, metrics and segments, and a window. There are units where one of these sections is written, where
    a table is of units, and where there are no tables at all.
    """
    if "about" not in sections:
        yield _missing("about")
    has_tables = any(sections.get(section) for section in SECTIONS)
    if sections.get("tables") in ([], ()) and not (is_kind or has_tables or speaks_of_units(sections)):
        yield Problem("tables", "expected at least one table, found none", f"the least is {LEAST}")
        return
    entry = table_of_units(sections)
    if entry is not None and _has_unknown_names(entry[1], sections):
        entry = None  # told where the name stands
    if is_kind or speaks_of_units(sections) or sections.get("units") or not has_tables:
        yield from (_missing(name) for name in ("unit", "window", "metrics", "segments") if name not in sections)
    elif entry is not None:
        path, table = entry
        name = table.get("name") if isinstance(table, Mapping) else None
        reason = f": {name or path} has rows of units"
        yield from (_missing(name, reason) for name in ("unit", "window", "metrics", "segments") if name not in sections)
    elif "window" not in sections and (name := _dated_table(sections)) is not None:
        yield _missing("window", f": rows of {name} have dates")


def _has_unknown_names(table: Any, sections: Mapping[str, Any]) -> bool:
    """Return whether a table as written is per something that is named like no other table."""
    tables = [other for section in SECTIONS for other in list_or_empty(sections.get(section)) if isinstance(other, Mapping)]
    names = [str(other.get("name")) for other in tables if other is not table]
    return any(name not in (*names, UNIT, PERIOD, TIME) for name in written_per(table) or ())


def _dated_table(sections: Mapping[str, Any]) -> str | None:
    """Return the name of the first table as written whose rows are of periods, or have moments; None if there is none."""
    dates = [table for table in list_or_empty(sections.get("dimensions")) if is_dates(table)]
    dates += [
        table
        for table in list_or_empty(sections.get("tables"))
        if PERIOD in (written_per(table) or ()) or _is_in_time(table)
    ]
    return next((str(table.get("name")) for table in dates), None)


def _is_in_time(table: Any) -> bool:
    """Return whether a table as written is a plain one whose rows have moments."""
    return not written_per(table) and has_moments(table)


def _missing(section: str, reason: str = "") -> Problem:
    return Problem(section, f"is missing{reason}", _HINTS[section])


def idle_sections(parts: Parts) -> Iterator[Problem]:
    """Yield the sections of a config that speak of units where there are none, or of periods without a window."""
    if parts.has_units or parts.units or table_of_units(parts.raw) is not None:
        return
    if parts.scale not in (None, 1):
        rows_hint = "it multiplies the units of segments; a table says its own `rows`, or --rows TABLE=N"
        yield Problem("scale", "has no effect: there are no units", rows_hint)
    hint = "give unit, window, metrics and segments, or leave it out"
    for section in _OF_UNITS:
        if _is_said(parts.raw.get(section)):
            yield Problem(section, "has no effect: there are no units", hint)
    for section in _OF_MOMENTS if not any(map(_is_in_time, list_or_empty(parts.raw.get("tables")))) else ():
        if _is_said(parts.raw.get(section)):
            message = "has no effect: there are no units, and no plain table whose rows have moments"
            yield Problem(section, message, "give the rows of a table a column of type timestamp, or leave it out")
    for section in _OF_PERIODS:
        if _is_said(parts.raw.get(section)) and parts.raw.get("window") is None:
            yield Problem(section, "has no effect: there is no window", _HINTS["window"])


def _is_said(value: Any) -> bool:
    return value not in (None, (), [], {}, False)
