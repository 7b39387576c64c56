"""`plotsim info` tells how long a backfill through Dagster takes, and when longer partitions would help."""

from __future__ import annotations

from typing import Any

import pytest

from plotsim_core import create
from plotsim_core.show import backfill

METRICS = [{"name": "use", "type": "score", "polarity": "positive"}]
SEGMENTS = [{"name": "all", "count": 3, "archetype": "growth"}]


def advice_on(rows: int, **window: Any) -> list[str]:
    return backfill(create(about="x", unit="thing", window=window, metrics=METRICS, segments=SEGMENTS), rows)


def test_ten_years_of_days_are_better_off_in_longer_partitions() -> None:
    """The first length that makes the records quick is named; with it, there is nothing more to say."""
    days, advice = advice_on(100_000, start="2014-01", end="2023-12", every="day")
    assert "(4 assets x 3,652 partitions)" in days
    assert "`window.partition: month`" in advice
    (months,) = advice_on(100_000, start="2014-01", end="2023-12", every="day", partition="month")
    assert "(4 assets x 120 partitions)" in months


@pytest.mark.parametrize(
    "window",
    [
        {"start": "2014-01-15", "end": "2023-12-20", "every": "day"},
        {"start": "2014-01-15", "every": "day", "span": 3652},
    ],
)
def test_no_length_is_named_that_the_window_could_not_have(window: dict[str, Any]) -> None:
    """A window from the middle of a month, on a Wednesday, to another has no partitions of weeks or months."""
    assert len(advice_on(100_000, **window)) == 1


def test_where_the_rows_take_longer_nothing_is_advised() -> None:
    assert len(advice_on(1_000_000_000, start="2014-01", end="2023-12", every="day")) == 1


def test_a_short_window_has_nothing_to_gain() -> None:
    assert len(advice_on(1000, start="2024-01", end="2024-12", every="month")) == 1
