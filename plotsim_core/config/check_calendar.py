"""Problems of the calendar and the rhythm with the rest of a config: parts of them that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from plotsim_core.config.calendar import Calendar, Rhythm
from plotsim_core.config.day_rules import is_date
from plotsim_core.config.formula import reads_calendar
from plotsim_core.config.holidays import known_years
from plotsim_core.config.parts import Parts
from plotsim_core.config.scope import Scope
from plotsim_core.config.segments import MovedArrival
from plotsim_core.config.star_schema import TIME_DIMENSION
from plotsim_core.config.tables import Table
from plotsim_core.errors import Problem
from plotsim_core.numerics.calendar import Grain

_SHOWING_COLUMNS = {
    "fiscal_year_starts": ("fiscal_year", "fiscal_quarter", "fiscal_month", "fiscal_week"),
    "fiscal_weeks": ("fiscal_year", "fiscal_quarter", "fiscal_month", "fiscal_week"),
    "weekend": ("is_weekend", "is_working_day", "working_days"),
    "holidays": ("is_holiday", "holiday_name", "is_working_day", "working_days", "holidays"),
}
"""Part of the calendar to the parts of a date that show it."""


def calendars(parts: Parts) -> Iterator[Problem]:
    """Yield the parts of the calendar that nothing shows, and holidays of countries that are not known of the window."""
    calendar, scope = parts.calendar, parts.scope
    if calendar is None:
        return
    dates = scope.date_dimension
    rhythms = [*(rhythm for _, rhythm, _ in _rhythms(parts)), *_arrival_rhythms(parts)]
    has_formula = any(map(reads_calendar, _formulas(parts)))
    for name, columns in _SHOWING_COLUMNS.items():
        is_used = (name == "holidays" and any(rhythm.holidays is not None for rhythm in rhythms)) or (
            name == "weekend" and any(isinstance(rhythm.weekdays, str) and rhythm.weekdays != "even" for rhythm in rhythms)
        )
        is_used |= has_formula and name in ("weekend", "holidays")
        if name not in calendar.model_fields_set or is_used or dates is None or "" in scope.tables:
            continue
        if not {column.source.date_part(column) for column in dates.columns} & set(columns):
            rhythm_hint = "; or a rhythm that reads it" if name in ("weekend", "holidays") else ""
            shown = [part for part in columns if part != "fiscal_week" or calendar.fiscal_weeks is not None]
            hint = f"give {dates.name} one of the columns {', '.join(shown)}{rhythm_hint}"
            yield Problem(f"calendar.{name}", "has no effect: nothing shows it", hint)
    if scope.window is not None:
        yield from _years(calendar, scope)


def _formulas(parts: Parts) -> Iterator[str]:
    """Yield the formulas of the tables of all kinds of unit: of columns, of their nulls, of the rows that are kept, and of
    rules."""
    for table in (declaration.table for declaration in parts.declared_tables):
        for column in table.columns if table is not None else ():
            yield from column.source.formula_texts
            if column.nulls is not None and column.nulls.where is not None:
                yield column.nulls.where
        if table is not None and table.filter is not None:
            yield table.filter
    yield from (formula for _, rule in parts.checks for _, formula in rule.formulas())


def _years(calendar: Calendar, scope: Scope) -> Iterator[Problem]:
    window = scope.window
    assert window is not None
    start_year, end_year = int(window.start[:4]), int((window.end or window.start)[:4])
    for index, holiday in enumerate(calendar.holidays):
        if holiday.country is None:
            if (
                holiday.date is not None
                and is_date(holiday.date)
                and not start_year <= int(holiday.date[:4]) <= end_year
                and window.end
            ):
                yield Problem(f"calendar.holidays[{index}].date", f"{holiday.date} lies outside the window")
            continue
        first_known, last_known = known_years(holiday.country, holiday.subdivision, holiday.language)
        if start_year < first_known or end_year > last_known:
            message = f"the holidays of {holiday.country} are known for the years {first_known} to {last_known}"
            yield Problem(
                f"calendar.holidays[{index}]", f"{message}; the window begins in {start_year} and ends in {end_year}"
            )


def rhythms(parts: Parts) -> Iterator[Problem]:
    """Yield rhythms, and parts of them, that move nothing."""
    scope = parts.scope
    grain = scope.window.grain if scope.window is not None else None
    dataset_rhythm = parts.rhythm
    event_tables = list(events(parts))
    for path, rhythm, table in _rhythms(parts):
        if rhythm.holidays is not None and scope.calendar is not None and not scope.calendar.holidays:
            yield Problem(f"{path}.holidays", "has no effect: no day is a holiday", "give `calendar: { holidays: ... }`")
        if grain is None or any(declaration.table is None for declaration in parts.tables):
            continue
        rhythm_events = [table] if table is not None else [event for event in event_tables if _has_open_words(event)]
        has_moments = not grain.is_part_of_day and any(shows_moments(event) for event in rhythm_events)
        proportional_events = [event for event in rhythm_events if event.has_rhythm]
        moves_metrics = table is None and any(metric.follows_rhythm for _, metric in parts.metrics)
        moves_values = grain.is_within_day and (bool(proportional_events) or moves_metrics)
        if "hours" in rhythm.model_fields_set and not has_moments and not (moves_values and grain.is_part_of_day):
            yield Problem(f"{path}.hours", *_no_effect(grain))
        for name in ("weekdays", "holidays"):
            if name in rhythm.model_fields_set and not (has_moments and not grain.is_within_day) and not moves_values:
                yield Problem(f"{path}.{name}", *_no_effect(grain))
    if dataset_rhythm is None or grain is None or not grain.is_within_day:
        for path, metric in parts.metrics:
            is_read = dataset_rhythm is not None or parts.raw.get("rhythm") is None
            if metric.rhythm_sensitivity is not None and grain is not None and is_read:
                reason = "there is no `rhythm`" if dataset_rhythm is None else f"a rhythm moves no metric of a {grain.noun}"
                yield Problem(f"{path}.rhythm_sensitivity", f"has no effect: {reason}")


def _no_effect(grain: Grain) -> tuple[str, str]:
    """Return the message and the hint of a rhythm without effect."""
    way_out = f"give events a column of type timestamp: it moves their moments in a {grain.noun}"
    hint = "" if grain.is_part_of_day else way_out
    return "has no effect: it moves no value and no moment", hint


def events(parts: Parts) -> Iterator[Table]:
    """Yield the tables of all kinds of unit whose rows have moments."""
    for declaration in parts.declared_tables:
        if declaration.table is not None and "event" in declaration.table.knows:
            yield declaration.table


def _rhythms(parts: Parts) -> Iterator[tuple[str, Rhythm, Table | None]]:
    """Yield the rhythm of the dataset and those of events, each with its path and its event."""
    if parts.rhythm is not None:
        yield "rhythm", parts.rhythm, None
    for declaration in parts.tables:
        event_rhythm = declaration.table.row_rhythm if declaration.table is not None else None
        if event_rhythm is not None:
            yield f"{declaration.path}.rhythm", event_rhythm, declaration.table


def _arrival_rhythms(parts: Parts) -> Iterator[Rhythm]:
    """Yield the rhythms in which units of all kinds arrive."""
    for segment in (segment for kind in parts.kinds for _, segment in kind.segments):
        if isinstance(segment.arrival, MovedArrival) and segment.arrival.rhythm is not None:
            yield segment.arrival.rhythm


def _has_open_words(event: Table) -> bool:
    """Return whether an event takes some words of its rhythm from the dataset's."""
    event_rhythm = event.row_rhythm
    return event_rhythm is None or len(event_rhythm.model_fields_set) < len(Rhythm.model_fields)


def shows_moments(event: Table) -> bool:
    """Return whether a column shows the moments of events: as timestamps, or as a reference to times."""
    shown_columns = [column for column in event.columns if not column.hidden]
    return any(column.source.is_moment or column.source.target_name == TIME_DIMENSION for column in shown_columns)
