"""What is wrong between the calendar, the rhythm and the rest of a config: parts of them that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plotsim_core.config.calendar import Calendar, Rhythm
from plotsim_core.config.holidays import known_years
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import KIND_WORDS, Table
from plotsim_core.errors import Problem

_READS = {
    "fiscal_year_starts": ("fiscal_year", "fiscal_quarter", "fiscal_month"),
    "weekend": ("is_weekend", "is_working_day", "working_days"),
    "holidays": ("is_holiday", "holiday_name", "is_working_day", "working_days", "holidays"),
}
"""Parts of the calendar, and the columns of the date dimension that show them."""
_DAYS = ("day", "hour")


def calendars(parts: dict[str, Any], scope: Scope) -> Iterator[Problem]:
    """Yield the parts of the calendar that nothing shows, and holidays of countries that are not known of the window."""
    calendar: Calendar | None = parts.get("calendar")
    if calendar is None:
        return
    dates = scope.dimension("date")
    rhythms = [rhythm for _, rhythm, _ in _rhythms(parts)]
    for name, columns in _READS.items():
        used = (name == "holidays" and any(rhythm.holidays is not None for rhythm in rhythms)) or (
            name == "weekend" and any(isinstance(rhythm.weekdays, str) and rhythm.weekdays != "even" for rhythm in rhythms)
        )
        if name not in calendar.model_fields_set or used or dates is None:
            continue
        there = [column.name for column in dates.columns]
        if not set(there) & set(columns):
            shown = "; or a rhythm that reads it" if name != "fiscal_year_starts" else ""
            hint = f"give {dates.name} one of the columns {', '.join(columns)}{shown}"
            yield Problem(f"calendar.{name}", "has no effect: nothing shows it", hint)
    if scope.window is not None:
        yield from _years(calendar, scope)


def _years(calendar: Calendar, scope: Scope) -> Iterator[Problem]:
    window = scope.window
    assert window is not None
    begins, ends = int(window.start[:4]), int((window.end or window.start)[:4])
    for place, entry in enumerate(calendar.holidays):
        if entry.country is None:
            if entry.date is not None and len(entry.date) > 5 and not begins <= int(entry.date[:4]) <= ends and window.end:
                yield Problem(f"calendar.holidays[{place}].date", f"{entry.date} lies outside the window")
            continue
        first, last = known_years(entry.country, entry.subdivision, entry.language)
        if begins < first or ends > last:
            says = f"the holidays of {entry.country} are known for the years {first} to {last}"
            yield Problem(f"calendar.holidays[{place}]", f"{says}; the window begins in {begins} and ends in {ends}")


def rhythms(parts: dict[str, Any], scope: Scope) -> Iterator[Problem]:
    """Yield rhythms, and parts of them, that move nothing."""
    calendar: Calendar | None = parts.get("calendar")
    grain = scope.window.grain.name if scope.window is not None else None
    root: Rhythm | None = parts.get("rhythm")
    moved_tables = list(events(parts))
    for path, rhythm, table in _rhythms(parts):
        if rhythm.holidays is not None and (calendar is None or not calendar.holidays):
            yield Problem(f"{path}.holidays", "has no effect: no day is a holiday", "give `calendar: { holidays: ... }`")
        if grain is None or any(declared.table is None for declared in parts["tables"]):
            continue
        inside = [table] if table is not None else [event for event in moved_tables if _leaves_open(event)]
        placed = grain != "hour" and any(timed(event) for event in inside)
        counted = [event for event in inside if getattr(event, "trigger", None) == "proportional"]
        moved = table is None and any(metric.follows_rhythm for _, metric in parts["metrics"])
        many = grain in _DAYS and (bool(counted) or moved)
        if "hours" in rhythm.model_fields_set and not placed and not (many and grain == "hour"):
            yield Problem(f"{path}.hours", *_unseen(grain))
        for name in ("weekdays", "holidays"):
            if name in rhythm.model_fields_set and not (placed and grain != "day") and not many:
                yield Problem(f"{path}.{name}", *_unseen(grain))
    if root is None or grain not in _DAYS:
        for path, metric in parts["metrics"]:
            if metric.rhythm_sensitivity is not None and grain is not None:
                why = "there is no `rhythm`" if root is None else f"a rhythm moves no metric of a {grain}"
                yield Problem(f"{path}.rhythm_sensitivity", f"has no effect: {why}")


def _unseen(grain: str) -> tuple[str, str]:
    hint = "" if grain == "hour" else f"give events a column of type timestamp: it moves their moments in a {grain}"
    return "has no effect: it moves no value and no moment", hint


def events(parts: dict[str, Any]) -> Iterator[Table]:
    """Yield the tables of all kinds of unit whose rows have moments."""
    for declared in [*parts["tables"], *(table for _, own in parts.get("units", ()) for table in own["tables"])]:
        if declared.table is not None and "event" in KIND_WORDS[declared.kind].knows:
            yield declared.table


def _rhythms(parts: dict[str, Any]) -> Iterator[tuple[str, Rhythm, Table | None]]:
    """Yield the rhythm of the dataset and those of events, each with its path and its event."""
    if parts.get("rhythm") is not None:
        yield "rhythm", parts["rhythm"], None
    for declared in parts["tables"]:
        own = getattr(declared.table, "rhythm", None)
        if own is not None:
            yield f"{declared.path}.rhythm", own, declared.table


def _leaves_open(event: Table) -> bool:
    own: Rhythm | None = getattr(event, "rhythm", None)
    return own is None or len(own.model_fields_set) < len(Rhythm.model_fields)


def timed(event: Table) -> bool:
    """Return whether the moments of events can be seen: as they are, or as what they refer to."""
    return any(column.word == "timestamp" or column.type == "ref.dim_time" for column in event.columns)
