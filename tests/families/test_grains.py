"""Every grain: periods and dates are turned into each other without loss, labels are read back, keys are dates."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core.numerics.calendar import ADVERBS, GRAINS, USUAL_GRAINS, grain_named, iso_year_week

every_grain = pytest.mark.parametrize("name", list(GRAINS))
DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31))


def moment(value: date | datetime) -> np.ndarray:
    """Return a date or time as an array of one."""
    return np.array([np.datetime64(value).astype("datetime64[s]")])


@every_grain
@given(when=MOMENTS)
def test_a_moment_lies_in_the_period_that_holds_it(name: str, when: datetime) -> None:
    grain = GRAINS[name]
    period = grain.holding(moment(when))
    assert grain.civil_starts(period)[0] <= moment(when)[0] < grain.civil_starts(period + 1)[0]


@every_grain
def test_starts_and_holding_undo_each_other(name: str) -> None:
    """Before 1970 too."""
    periods = np.arange(-3000, 3000, dtype=np.int64)
    starts = GRAINS[name].civil_starts(periods)
    assert np.array_equal(GRAINS[name].holding(starts), periods)
    assert np.array_equal(GRAINS[name].holding(starts - 1), periods - 1)
    assert np.array_equal(
        GRAINS[name].seconds(periods), np.diff(GRAINS[name].civil_starts(np.arange(-3000, 3001))).astype(int)
    )


@every_grain
@given(when=MOMENTS)
def test_a_label_is_read_back(name: str, when: datetime) -> None:
    grain = GRAINS[name]
    period = int(grain.holding(moment(when))[0])
    assert grain.read(grain.label(period)) == period


@every_grain
@given(when=DAYS)
def test_a_day_is_read_as_the_period_it_lies_in(name: str, when: date) -> None:
    assert GRAINS[name].read(when.isoformat()) == int(GRAINS[name].holding(moment(when))[0])


@every_grain
@pytest.mark.parametrize("text", ["", "yesterday", "2024", "2024-13", "2024-02-30", "2024-W60", "2024-Q5", "24-01-01"])
def test_what_is_no_date_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError):
        GRAINS[name].read(text)


@given(when=DAYS)
def test_weeks_are_iso_weeks(when: date) -> None:
    year, week = iso_year_week(moment(when))
    assert (int(year[0]), int(week[0])) == tuple(when.isocalendar())[:2]
    label = GRAINS["week"].label(int(GRAINS["week"].holding(moment(when))[0]))
    assert label == f"{when.isocalendar().year}-W{when.isocalendar().week:02d}"
    start = GRAINS["week"].civil_starts(GRAINS["week"].holding(moment(when)))[0].astype("datetime64[D]").item()
    assert start == when - timedelta(days=when.weekday())


@every_grain
def test_a_date_key_is_the_date_that_a_period_begins_on(name: str) -> None:
    grain = GRAINS[name]
    periods = np.arange(-500, 500, dtype=np.int64)
    keys = grain.keys(periods)
    pattern = "%Y%m%d%H" if name == "hour" else "%Y%m%d%H%M" if "minute" in name else "%Y%m%d"
    assert [str(key) for key in keys] == [start.item().strftime(pattern) for start in grain.civil_starts(periods)]
    assert (np.diff(keys) > 0).all()


@every_grain
def test_a_year_has_as_many_periods_as_is_said(name: str) -> None:
    grain = GRAINS[name]
    first, last = (int(grain.holding(moment(date(year, 1, 1)))[0]) for year in (2000, 2400))
    assert (last - first) / 400 == pytest.approx(grain.per_year, rel=1e-3)


def test_every_adverb_is_a_grains() -> None:
    """Of those that are not of minutes."""
    assert sorted(ADVERBS.values()) == sorted(USUAL_GRAINS)


def test_minutes_divide_an_hour() -> None:
    """Each period of minutes begins at the same minutes of every hour, before 1970 too; there are no others."""
    lengths = {GRAINS[name].minutes for name in GRAINS if "minute" in name}
    assert lengths == {minutes for minutes in range(1, 60) if 60 % minutes == 0}
    for name in (name for name in GRAINS if "minute" in name):
        grain, minutes = GRAINS[name], GRAINS[name].minutes
        assert minutes is not None and (grain.seconds(np.arange(-3000, 3000)) == 60 * minutes).all()
        offsets = [start.item().minute for start in grain.civil_starts(np.arange(-3000, 3000))]
        assert set(offsets) == set(range(0, 60, minutes))


@every_grain
def test_coarser_grains_hold_whole_periods(name: str) -> None:
    """Every start of a coarser one is a start of a period, over the leap day and the turn of a year; those that are not
    coarser cut periods in two."""
    grain = GRAINS[name]
    first, last = (np.datetime64(day, "s") for day in ("2023-11-01", "2024-11-02"))
    for other in [*GRAINS, "year"]:
        longer = grain_named(other)
        if longer.per_year >= grain.per_year:
            continue
        periods = np.arange(longer.holding(np.array([first]))[0], longer.holding(np.array([last]))[0] + 1)
        starts = longer.civil_starts(periods)
        is_whole = bool((grain.civil_starts(grain.holding(starts)) == starts).all())
        assert is_whole == (other in grain.coarser)
