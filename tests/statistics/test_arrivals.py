"""Arrivals are as declared: steps by the unit, the others in the periods that they name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plotsim_core import ConfigError, Plan, from_mapping
from plotsim_core.engine.roster import select

Raw = dict[str, Any]
FIFTHS = {"kind": "step", "blocks": [{"period": p, "fraction": f} for p, f in ((0, 0.5), (3, 0.3), (9, 0.2))]}


def _plan(arrival: Raw, count: int = 60, before: int = 0, months: int = 12) -> Plan:
    earlier = [{"name": "earlier", "count": before, "archetype": "flat"}] if before else []
    raw = {
        "about": "Shops",
        "unit": "shop",
        "window": {"start": "2024-01", "end": f"2024-{months:02}", "every": "month"},
        "metrics": [{"name": "mood", "type": "score", "polarity": "positive"}],
        "segments": [*earlier, {"name": "new", "count": count, "archetype": "growth", "arrival": arrival}],
        "seed": 9,
    }
    return from_mapping(raw, name="shops")


def _arrivals(plan: Plan) -> np.ndarray:
    """Return the period of arrival of each unit of the last segment, from 0 at the window's start."""
    units = select(plan.population, 0, plan.population.units)
    return units.arrival[units.segment == len(plan.population.segments) - 1] - plan.first


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (60, [(30,), (18,), (12,)]),
        (10, [(5,), (3,), (2,)]),
        (7, [(3, 4), (2, 3), (1, 2)]),
        (1001, [(500, 501), (300, 301), (200, 201)]),
    ],
)
def test_steps_are_exact(count: int, expected: list[tuple[int, ...]]) -> None:
    actual = _arrivals(_plan(FIFTHS, count))
    assert len(actual) == count
    for period, most in zip((0, 3, 9), expected, strict=True):
        assert np.count_nonzero(actual == period) in most


def test_more_units_or_another_segment_move_no_step() -> None:
    few, many = _arrivals(_plan(FIFTHS, 33)), _arrivals(_plan(FIFTHS, 34, before=5))
    assert np.array_equal(few, many[:33])


@pytest.mark.parametrize("kind", ["uniform", "linear"])
def test_nobody_arrives_at_the_end_any_more(kind: str) -> None:
    actual = _arrivals(_plan({"kind": kind, "start": 2, "end": 7}, 2000))
    assert set(actual.tolist()) == {2, 3, 4, 5, 6}
    assert set(_arrivals(_plan({"kind": kind, "start": 4, "end": 5})).tolist()) == {4}
    assert set(_arrivals(_plan({"kind": kind, "start": 4, "end": 12}, 2000)).tolist()) == set(range(4, 12))


@pytest.mark.parametrize(("months", "last"), [(12, 9), (3, 0), (2, 0)])
def test_without_an_end_units_have_two_periods_where_there_are_two(months: int, last: int) -> None:
    assert _arrivals(_plan({"kind": "uniform"}, 2000, months=months)).max() == last


def test_an_end_that_is_the_start_leaves_no_period() -> None:
    with pytest.raises(ConfigError, match=r"arrival\.start: expected less than 8, before which units arrive, found 8"):
        _plan({"kind": "uniform", "start": 8, "end": 8})
