"""Dates and moments in formulas give what Python's own datetime gives, and what does not go together is refused."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables, slices
from plotsim_core.columns.formula_dates import as_dates, as_moments
from plotsim_core.columns.formula_values import formula_value, inputs_of
from plotsim_core.config.calendar import Calendar
from plotsim_core.config.formula import parse_formula
from plotsim_core.config.formula_kinds import kind_of
from tests.laws.test_table_slices import part_rows

DRAWN = np.random.default_rng(4)
DAYS = [date(1900, 2, 28), date(1969, 12, 31), date(2020, 2, 29), date(2021, 1, 3), date(2024, 12, 30), date(2100, 12, 31)]
DAYS += [date(1930, 1, 1) + timedelta(days=int(days)) for days in DRAWN.integers(0, 60_000, 400)]
OTHERS = [day + timedelta(days=int(days)) for day, days in zip(DAYS, DRAWN.integers(-9000, 9000, len(DAYS)), strict=True)]
MOMENTS = [
    datetime.combine(day, datetime.min.time()) + timedelta(microseconds=int(part))
    for day, part in zip(DAYS, DRAWN.integers(0, 86_400_000_000, len(DAYS)), strict=True)
]
COUNTS = DRAWN.integers(-40, 40, len(DAYS)).tolist()


def computed(formula: str) -> list[Any]:
    """Return a formula over d and e (dates), at (a moment) and n (a number), as Python values."""
    columns = {
        "d": pa.array(DAYS, pa.date32()),
        "e": pa.array(OTHERS, pa.date32()),
        "at": pa.array(MOMENTS, pa.timestamp("us")),
        "n": pa.array(COUNTS, pa.int64()),
    }
    inputs = inputs_of(columns, {}, len(DAYS), Calendar())
    with np.errstate(all="ignore"):
        values = formula_value(parse_formula(formula), inputs)
    kind = kind_of(parse_formula(formula), inputs.kinds)
    if kind in ("date", "moment"):
        return (as_dates if kind == "date" else as_moments)(values).to_pylist()
    return values.to_pylist() if isinstance(values, pa.Array) else values.tolist()


def midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())


def later_month(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def age(born: date, at: date) -> int:
    return at.year - born.year - ((at.month, at.day) < (born.month, born.day))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("year(d)", lambda d, e, at, n: d.year),
        ("quarter(at)", lambda d, e, at, n: (at.month + 2) // 3),
        ("month(d)", lambda d, e, at, n: d.month),
        ("day(at)", lambda d, e, at, n: at.day),
        ("weekday(d)", lambda d, e, at, n: d.isoweekday()),
        ("iso_year(d)", lambda d, e, at, n: d.isocalendar().year),
        ("iso_week(at)", lambda d, e, at, n: at.isocalendar().week),
        ("day_of_year(d)", lambda d, e, at, n: d.timetuple().tm_yday),
        ("month_end(d)", lambda d, e, at, n: d.replace(day=calendar.monthrange(d.year, d.month)[1])),
        ("add_months(d, n)", lambda d, e, at, n: later_month(d, n)),
        ("age(d, e)", lambda d, e, at, n: age(d, e)),
        ("age(d, at + days(4000))", lambda d, e, at, n: age(d, (at + timedelta(days=4000)).date())),
        ("hour(at)", lambda d, e, at, n: at.hour),
        ("minute(at)", lambda d, e, at, n: at.minute),
        ("date(at)", lambda d, e, at, n: at.date()),
        ("moment(d)", lambda d, e, at, n: midnight(d)),
        ("d + n", lambda d, e, at, n: d + timedelta(days=n)),
        ("2 + d - 7", lambda d, e, at, n: d - timedelta(days=5)),
        ("d - e", lambda d, e, at, n: (d - e).days),
        ("at + hours(n) - seconds(90)", lambda d, e, at, n: at + timedelta(hours=n, seconds=-90)),
        ("at + (weeks(1) * 2 + minutes(30) / 2)", lambda d, e, at, n: at + timedelta(days=14, minutes=15)),
        (
            "(moment(d) - at) / hours(1)",
            lambda d, e, at, n: (datetime.combine(d, datetime.min.time()) - at) / timedelta(hours=1),
        ),
        ("-hours(3) / minutes(1)", lambda d, e, at, n: -180),
        ("d < e", lambda d, e, at, n: d < e),
        ("at >= moment(d) + hours(12)", lambda d, e, at, n: at.hour >= 12),
        ("max(d, e, date('2000-01-01'))", lambda d, e, at, n: max(d, e, date(2000, 1, 1))),
        ("where(d < e, d, e)", lambda d, e, at, n: min(d, e)),
        ("text(d)", lambda d, e, at, n: d.isoformat()),
        ("text(at)", lambda d, e, at, n: at.isoformat(" ", "seconds")),
        ("text(d, '%d.%m.%y %a %B %j')", lambda d, e, at, n: d.strftime("%d.%m.%y %a %B %j")),
        ("text(at, '%G-W%V-%u %H:%M:%S')", lambda d, e, at, n: at.strftime("%G-W%V-%u %H:%M:%S")),
    ],
)
def test_a_formula_gives_what_python_gives(formula: str, expected: Any) -> None:
    actual = computed(formula)
    wanted = [expected(*values) for values in zip(DAYS, OTHERS, MOMENTS, COUNTS, strict=True)]
    assert actual == [pytest.approx(value, abs=1e-9) if isinstance(value, float) else value for value in wanted]


def test_a_null_gives_null_and_the_years_end_at_9999() -> None:
    columns = {"d": pa.array([None, date(9999, 12, 1)], pa.date32()), "at": pa.array([None, None], pa.timestamp("us"))}
    inputs = inputs_of(columns, {}, 2, Calendar())
    assert as_dates(formula_value(parse_formula("month_end(d)"), inputs)).to_pylist() == [None, date(9999, 12, 31)]
    assert as_dates(formula_value(parse_formula("add_months(d, 90000)"), inputs)).to_pylist() == [None, date(9999, 12, 31)]
    assert as_moments(formula_value(parse_formula("at + days(3)"), inputs)).to_pylist() == [None, None]
    assert formula_value(parse_formula("text(d)"), inputs).to_pylist() == [None, "9999-12-01"]


def plan(**columns: Any) -> Plan:
    table = {
        "name": "stays",
        "rows": 3000,
        "columns": {"stay_id": "id", "at": "timestamp", "born": "faker.date_of_birth", "name": "faker.name", **columns},
    }
    window = {"start": "2024-01-01", "end": "2024-03-31", "every": "day"}
    return from_mapping({"about": "Stays", "window": window, "tables": [table]}, name="stays")


def test_a_second_moment_comes_after_the_first_by_a_drawn_wait() -> None:
    """Of three thousand stays the median length is that of the lognormal, within five standard errors; all rows alone are
    those of the whole."""
    stays = plan(
        out="= at + days(lognormal(4, 0.7, 0.2, 60))",
        hours="= (out - at) / hours(1)",
        nights="= date(out) - date(at)",
        age="= age(born, at)",
        late="= where(out > at + weeks(1), out, null)",
    )
    rows = generate_tables(stays)["stays"]
    assert (rows["out"] > rows["at"]).all()
    lengths = (rows["out"] - rows["at"]) / pd.Timedelta(hours=1)
    assert np.abs(lengths - rows["hours"]).max() < 1e-4
    assert lengths.between(0.2 * 24, 60 * 24).all()
    median = np.log(4 * np.exp(-0.245))
    assert np.log(lengths / 24).median() == pytest.approx(median, abs=5 * 1.2533 * 0.7 / np.sqrt(len(rows)) + 0.01)
    assert (rows["nights"] == (rows["out"].dt.normalize() - rows["at"].dt.normalize()).dt.days).all()
    assert (rows["late"].notna() == (lengths > 168)).all()
    assert stays.table("stays").column("late").type == pa.timestamp("us")
    parts = part_rows(stays, slices(stays, ["stays"], 5)).to_pandas()
    pd.testing.assert_frame_equal(parts, rows, check_dtype=False)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("at + 3", "cannot compute `at \\+ 3`, of a moment and a number.*say how long: days"),
        ("born + days(3)", "of a date and a span of time.*a date takes whole days"),
        ("born - at", "of a date and a moment.*make them alike"),
        ("born + born", "cannot compute `born \\+ born`, of a date and a date"),
        ("born * 2", "of a date and a number"),
        ("at < born", "cannot compare a moment with a date.*make them alike"),
        ("born == '2000-01-01'", "cannot compare a date with a text.*write a date like date"),
        ("weekday('2024-01-01')", "is given a text.*write a date like date"),
        ("text(born, '%Y-%M')", "writes a time of day, which a date has not.*the month is %m"),
        ("text(at, 'year')", "a format has: %Y"),
        ("max(born, at)", "cannot compare a date and a moment"),
        ("at - at", "is a span of time, which no column holds.*divide it"),
        ("hour(born)", "`hour\\(born\\)` is given a date, and takes a moment"),
        ("year(3)", "is given a number, and takes a date or a moment"),
        ("round(born)", "is given a date, and takes a number"),
        ("date(name)", "is given a text that is not written here"),
        ("date('2024-02-30')", "expected a date as in date"),
        ("text(born, 2)", "is given a date, which takes how it is written"),
        ("text(3, '%Y')", "is given a number, which takes a number of digits"),
        ("text(born, '%Q')", "a format has: %Y %y %m"),
        ("where(born, 1, 2)", "a date is neither true nor false"),
        ("where(true, born, 1)", "would be a date in some rows and a number in others"),
        ("pick(born, 1)", "would be a date in some rows and a number in others"),
        ("normal(born, 1)", "counts with a date"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_way_out(formula: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        plan(value=f"= {formula}")
