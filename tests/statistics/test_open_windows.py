"""Open windows live on: as many come and go in year five as in year one, and curves go on as they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from plotsim_core import Plan, from_mapping, write_tables
from plotsim_core.engine.block import Block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.roster import select
from plotsim_core.engine.slice import Slice, full_slice
from plotsim_core.engine.strata import strata
from plotsim_core.engine.trajectories import rounds
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.tenure import mixed_ages, total_tenure
from plotsim_core.tables.row_estimates import sizes
from plotsim_core.validation.report import check_directory

Raw = dict[str, Any]
FAR = 4.5
AGES = ("mixed", "new")
STARTS = {"hour": "2020-01-01", "day": "2020-01-01", "week": "2020-01-06", "month": "2020-01"}


def shop(grain: str, rate: float, mean: float, span: int, more: Raw | None = None) -> Plan:
    """Return the plan of an open dataset: visitors who keep coming, and a few who have always been there."""
    segment: Raw = {
        "name": "visitors",
        "count": round(rate * mean),
        "archetype": "growth > decline",
        "arrival": {"kind": "ongoing", "per_period": rate},
        "tenure": {"mean": mean, "least": 2},
        **(more or {}),
    }
    old = {"name": "old", "count": 40, "archetype": "seasonal > growth", "after": "repeat", "span": 2 * span}
    to_unit = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shopper_id", "type": "ref.dim_shopper"}]
    tier = {"name": "tier", "type": "scd", "tracks": "mood", "tiers": ["low", "high"], "at": [0.5]}
    return from_mapping(
        {
            "about": "x",
            "unit": "shopper",
            "seed": 11,
            "window": {"start": STARTS[grain], "every": grain, "span": span},
            "metrics": [
                {"name": "mood", "type": "score", "polarity": "positive"},
                {"name": "orders", "type": "count", "polarity": "positive", "follows": "mood", "delay": 1},
            ],
            "segments": [segment, old],
            "dimensions": [
                {"name": "dim_shopper", "per": "unit", "columns": [{"name": "shopper_id", "type": "id"}, tier]},
            ],
            "facts": [
                {
                    "name": "fct_all",
                    "columns": [
                        *to_unit,
                        {"name": "mood", "type": "metric.mood"},
                        {"name": "orders", "type": "metric.orders"},
                    ],
                }
            ],
            "events": [
                {
                    "name": "evt_gone",
                    "trigger": "threshold",
                    "metric": "mood",
                    "below": 0.02,
                    "for": 2,
                    "ends_unit": True,
                    "columns": [{"name": "gone_id", "type": "id"}, *to_unit],
                }
            ],
        },
        name="open",
    )


def blocks(plan: Plan, first: int, stop: int) -> Iterator[Block]:
    """Yield blocks of the visitors that may be there in some periods."""
    for part in strata(plan.population, first, stop):
        if part.segment == 0:
            yield Block(plan.population, Slice(first, stop, part.first, part.first + part.count))


def in_year(plan: Plan, year: int, length: int) -> tuple[Floats, Floats]:
    """Return how many visitors are there in each period of a year, and the positions of those who are."""
    first = plan.first + year * length
    living, positions = np.zeros(length), []
    for block in blocks(plan, first, first + length):
        mask = alive(block)
        living += mask.sum(axis=1)
        positions.append(block.positions()[mask])
    return living, np.concatenate(positions)


def test_tenures_and_ages_have_the_means_they_say() -> None:
    u, v = (np.random.default_rng(seed).random(200_000) for seed in (1, 2))
    for mean, least in ((24.0, 1), (24.0, 12), (7.0, 7), (1.0, 1)):
        stays = total_tenure(mean, least, np.zeros(len(u), dtype=np.int64), u)
        assert stays.min() >= least
        assert abs(stays.mean() - mean) <= FAR * stays.std() / np.sqrt(len(u))
        ages = mixed_ages(mean, least, v)
        longer = total_tenure(mean, least, ages, u)
        assert (longer > ages).all()
        # who is met at some time stays longer than others: E[T^2] / E[T], and half of it lies before (Feller, vol. 2, I.4)
        expected = float(np.mean(stays.astype(float) ** 2)) / mean
        assert longer.mean() == pytest.approx(expected, rel=0.03)
        assert ages.mean() == pytest.approx((expected - 1) / 2, rel=0.03, abs=0.02)


@pytest.mark.parametrize(("grain", "rate", "mean", "length"), [("month", 40, 18, 12), ("week", 15, 20, 52)])
def test_year_five_looks_as_alive_as_year_one(grain: str, rate: float, mean: float, length: int) -> None:
    """The population keeps its size, as many arrive and leave, and positions are those of the second year."""
    plan = shop(grain, rate, mean, 24)
    units = select(plan.population, 0, units_by(plan.population, plan.first + 6 * length))
    mine = units.segment == 0
    for year in range(5):
        first = plan.first + year * length + 1
        arrivals, departures = (
            int(np.count_nonzero(mine & (when >= first) & (when < first + length)))
            for when in (units.arrival, units.last_period)
        )
        assert abs(arrivals - rate * length) <= FAR * np.sqrt(rate * length), year
        assert abs(departures - rate * length) <= FAR * np.sqrt(2 * rate * length), year
    (early, before), (late, after) = in_year(plan, 1, length), in_year(plan, 4, length)
    assert abs(late.mean() - early.mean()) <= FAR * np.sqrt(2 * rate * mean)
    people = rate * mean  # values of one unit hang together, so there are fewer independent ones than cells
    assert stats.ks_2samp(before, after).statistic <= 2.0 * np.sqrt(2 / people)


def test_those_there_at_the_start_are_like_those_of_any_later_time_unless_they_are_new() -> None:
    mixed, new = (shop("month", 60, 20, 24, {"arrival": {"kind": "ongoing", "per_period": 60, "ages": a}}) for a in AGES)
    (_, first), (_, late) = in_year(mixed, 0, 1), in_year(mixed, 60, 1)
    assert stats.ks_2samp(first, late).pvalue > 1e-3
    assert stats.ks_2samp(in_year(new, 0, 1)[1], late).pvalue < 1e-9


def test_arms_keep_their_shares_among_those_who_arrive() -> None:
    plan = shop("month", 50, 18, 24, {"treatment": {"fraction": 0.3, "lift_log_odds": 1.0}})
    units = select(plan.population, 0, units_by(plan.population, plan.first + 120))
    later = (units.segment == 0) & (units.arrival > plan.first)
    for cohort in np.array_split(np.flatnonzero(later), 8):
        assert abs(units.treated[cohort].mean() - 0.3) < 0.02


def one(after: str, archetype: Any, span: int = 12, timing: float = 0.0, count: int = 200) -> tuple[Plan, Floats]:
    """Return the positions of units in ten spans of months, shape (periods, units)."""
    segment = {"name": "s", "count": count, "archetype": archetype, "after": after}
    raw = {
        "about": "x",
        "unit": "u",
        "window": {"start": "2020-01", "every": "month", "span": span},
        "metrics": [{"name": "m", "type": "score", "polarity": "positive"}],
        "segments": [segment | {"variation": {"level": 0.2, "timing": timing, "size": 0}}],
    }
    plan = from_mapping(raw, name="one")
    return plan, Block(plan.population, full_slice(plan.population, None, plan.first + 10 * span)).positions()


def test_hold_stays_where_the_curve_ended() -> None:
    _, positions = one("hold", "growth", timing=0.04)
    assert (positions[24:] == positions[24]).all()
    assert (positions[24] > 0.99).all()


def test_repeat_runs_the_same_curve_again_with_the_same_timing() -> None:
    _, positions = one("repeat", "growth > decline")
    for number in range(1, 10):
        assert np.allclose(positions[12 * number : 12 * (number + 1)], positions[:12])
    _, timed = one("repeat", "growth > decline", timing=0.1)
    assert np.allclose(timed[36:48], timed[24:36])
    assert timed[30].std() > 0.01


def test_restart_runs_it_with_a_timing_of_its_own_each_time() -> None:
    plan, timed = one("restart", "growth > decline", span=24, timing=0.1)
    periods = np.arange(plan.first, plan.first + 240)
    number = rounds(plan.population, select(plan.population, 0, plan.population.units), periods)
    assert (np.diff(number, axis=0) >= 0).all()
    assert np.isin(number[-1], (9, 10)).all()
    round_starts = np.array([(number >= k).argmax(axis=0) for k in range(1, 9)])  # when each round begins
    shifts = round_starts - 24 * np.arange(1, 9)[:, None]
    assert abs(shifts.mean()) < 1
    assert shifts.std() == pytest.approx(0.1 * 24, rel=0.15)
    assert abs(np.corrcoef(shifts)[0, 1:]).max() < 0.25  # rounds differ, and not by unit
    assert not np.allclose(timed[48:72], timed[24:48])


@pytest.mark.parametrize("span", [12, 17, 30])
def test_curves_of_the_calendar_go_on_without_a_jump(span: int) -> None:
    """A seasonal curve moves by at most what a month moves it, also where a round ends in the middle of a year."""
    for after, timing in (("repeat", 0.0), ("repeat", 0.1), ("restart", 0.1)):
        _, positions = one(after, "seasonal", span, timing)
        month = 0.4 * 2 * np.pi / 12 * span / (span - 1)
        assert np.abs(np.diff(positions[span // 2 :], axis=0)).max() <= month * 1.001
        later = positions[2 * span :]
        assert np.allclose(later[12:], later[:-12])


CASES = [("month", 12, 18, 24, 12), ("week", 8, 30, 40, 52), ("day", 3, 60, 90, 365), ("hour", 0.5, 120, 240, 24 * 60)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("grain", "rate", "mean", "span", "year"),
    [CASES[0], *(pytest.param(*case, marks=pytest.mark.long) for case in CASES[1:])],
)
def test_every_check_passes_in_any_year(grain: str, rate: float, mean: float, span: int, year: int, tmp_path: Path) -> None:
    """And sizes are foretold as what they are at most: nobody knows in advance whom an event ends."""
    plan = shop(grain, rate, mean, span, {"after": "restart"})
    for number in (0, 4):
        first = plan.first + number * year
        stop = first + min(year, 370)
        periods = f"{plan.grain.label(first)}..{plan.grain.label(stop - 1)}"
        rows = write_tables(plan, tmp_path / str(number), format="parquet", periods=periods)
        report = check_directory(plan, tmp_path / str(number), "parquet", first, stop)
        assert report.score == 100, report.text()
        for size in sizes(plan, plan.tables, full_slice(plan.population, first, stop)):
            if size.table in ("fct_all", "dim_shopper"):
                assert rows[size.table] <= 1.1 * size.rows <= 2 * rows[size.table], (size, number)


@pytest.mark.slow
def test_rows_after_a_tenure_are_found(tmp_path: Path) -> None:
    """What was made with longer tenures has rows that by shorter ones must not be there."""
    longer, shorter = (shop("month", 12, mean, 24) for mean in (18, 9))
    first, stop = longer.first, longer.first + 12
    periods = f"{longer.grain.label(first)}..{longer.grain.label(stop - 1)}"
    write_tables(longer, tmp_path, format="parquet", periods=periods, tables=["dim_date", "dim_shopper", "fct_all"])
    assert "FAIL life_spans_kept" not in check_directory(longer, tmp_path, "parquet", first, stop).text()
    assert "FAIL life_spans_kept" in check_directory(shorter, tmp_path, "parquet", first, stop).text()
