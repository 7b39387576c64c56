"""The calendar, the rhythm of events and metrics, times of day, kept stages, and events that fire again."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from plotsim_core.numerics.calendar import GRAINS

Raw = dict[str, Any]


def add(draw: st.DrawFn, raw: Raw) -> None:
    """Add what of the theme has a place in the config."""
    grain = raw["window"]["every"]
    dates = next((table for table in raw["dimensions"] if table["name"] == "dim_date"), None)
    if dates is not None and draw(st.booleans()):
        _dates(draw, raw, dates, grain)
    events = raw.get("events", [])
    if draw(st.booleans()):
        every = draw(st.sampled_from(["minute", "hour"]))
        columns = {"time_key": "id", "day_part": "string", "hour": "int"}
        listed = [{"name": name, "type": word} for name, word in columns.items()]
        raw["dimensions"].append({"name": "dim_time", "per": "time", "every": every, "columns": listed})
        for event in events:
            event["columns"].append({"name": "time_key", "type": "ref.dim_time"})
    visits = [event for event in events if event["trigger"] == "proportional"]
    if (visits or (events and not GRAINS[grain].is_within_day)) and draw(st.booleans()):
        raw["rhythm"] = _rhythm(draw, raw)
    if visits and draw(st.booleans()):
        visits[0]["rhythm"] = _rhythm(draw, raw)
    for event in events:
        if event["trigger"] == "threshold" and not event.get("ends_unit") and draw(st.booleans()):
            event["refire"] = True
            if draw(st.booleans()):
                event["again_after"] = event.get("for", 1) + draw(st.integers(2, 4))
    if draw(st.booleans()):
        raw["lifecycle"] = _lifecycle(draw, raw)


def _dates(draw: st.DrawFn, raw: Raw, dates: Raw, grain: str) -> None:
    known = ["DE-BY"] if raw["window"]["start"] >= "1991" else []  # the years before have no list
    named = [["US", {"name": "Sale", "date": "11-29"}], [{"name": "Leap", "date": "02-29"}]]
    holidays = draw(st.sampled_from([*known, *named]))
    raw["calendar"] = {
        "fiscal_year_starts": draw(st.integers(1, 12)),
        "weekend": draw(st.sampled_from([["saturday", "sunday"], ["friday", "saturday"], "sunday"])),
        "holidays": holidays,
    }
    if draw(st.booleans()):
        begin = draw(st.sampled_from(["monday", "sunday"]))
        pattern = draw(st.sampled_from(["4-4-5", "4-5-4", "5-4-4"]))
        raw["calendar"]["fiscal_weeks"] = {"pattern": pattern, "begin": begin}
        dates["columns"].append({"name": "week_of_year", "type": "calendar.fiscal_week"})
    columns = {"fiscal_year": "int", "fiscal_quarter": "string", "fiscal_month": "float", "working_days": "int"}
    columns |= {"holidays": "int"}
    columns |= {"holiday_name": "string", "is_working_day": "bool"} if GRAINS[grain].is_within_day else {}
    columns |= {"minute": "int", "time": "string"} if GRAINS[grain].is_part_of_hour else {}
    dates["columns"] += [{"name": name, "type": word} for name, word in columns.items()]
    dates["columns"].append({"name": "named", "type": draw(st.sampled_from(["calendar.month_name", "calendar.year"]))})


def _rhythm(draw: st.DrawFn, raw: Raw) -> Raw:
    """A rhythm of weekdays and hours, where each moves something."""
    weeks = st.sampled_from(["workdays", "weekends", [1, 1, 1, 1, 1, 0, 0.5]])
    days = st.sampled_from(["office_hours", "evening", [*[0] * 8, *[1] * 10, *[0.5] * 6]])
    rhythm = {"weekdays": draw(weeks), "hours": draw(days)}
    if "calendar" in raw and draw(st.booleans()):
        rhythm["holidays"] = draw(st.sampled_from([0, 0.3, 2]))
    if draw(st.booleans()):
        del rhythm[draw(st.sampled_from(["weekdays", "hours"]))]
    return rhythm


def _lifecycle(draw: st.DrawFn, raw: Raw) -> Raw:
    track = draw(st.sampled_from(raw["metrics"]))["name"]
    stages: list[Any] = [["early", 0.0], {"name": "middle", "threshold": 0.3}, {"late": 0.6}]
    lifecycle: Raw = {"track": track, "stages": stages, "enforce_order": True}
    if draw(st.booleans()):
        lifecycle["downgrade_delay"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        stages[1]["threshold_exit"] = draw(st.sampled_from([0.0, 0.1, 0.3]))
        if draw(st.booleans()):
            stages[2] = {"name": "late", "threshold": 0.6, "threshold_exit": 0.4}
    return lifecycle
