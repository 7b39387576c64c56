"""Arrivals follow growth, seasons, rhythm and effects; hazards of leaving change with age; rows know their unit's age."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from plotsim_core import Plan, from_mapping, generate_tables
from plotsim_core.config.tenure import Tenure
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.roster import Units, select
from plotsim_core.errors import UsageError
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.tenure import mixed_ages, total_tenure

Raw = dict[str, Any]
SMALLEST_P = 1e-3
LEVELS = (np.arange(200_000) + 0.5) / 200_000
"""Evenly spread uniforms: what is made of them has its distribution to one part in so many."""


def shop(arrival: Raw, count: int = 10, end: str = "2025-12-31", **more: Any) -> Plan:
    """Return the plan of a dataset of days whose visitors arrive in some way."""
    raw = {
        "about": "Shop",
        "unit": "visitor",
        "seed": 5,
        "window": {"start": "2024-01-01", "end": end, "every": "day"},
        "metrics": [{"name": "orders", "type": "count", "polarity": "positive"}],
        "segments": [{"name": "all", "count": count, "archetype": "flat", "arrival": arrival}],
        **more,
    }
    return from_mapping(raw, name="shop")


def ongoing(rate: float, **more: Any) -> Raw:
    return {"kind": "ongoing", "per_period": rate, "ages": "new", **more}


def arrivals(plan: Plan) -> pd.DatetimeIndex:
    """Return the days on which units arrive after the start and in the window."""
    population = plan.population
    assert population.stop is not None
    units = select(population, 0, units_by(population, population.stop))
    is_later = (units.arrival > population.first) & (units.arrival < population.stop)
    return pd.DatetimeIndex(units.arrival[is_later].astype("datetime64[D]"))


def p_of(days: pd.DatetimeIndex, factors: pd.Series) -> float:
    """Return the p of arrivals by day of the week and month against what factors of days declare (chi-square)."""
    counts = pd.Series(days).value_counts().reindex(factors.index, fill_value=0)
    groups = [factors.index.year, factors.index.month, factors.index.day_of_week]
    expected = (factors / factors.sum() * len(days)).groupby(groups).sum()
    actual = counts.groupby(groups).sum()
    is_open = expected.to_numpy() > 0
    assert actual.to_numpy()[~is_open].sum() == 0
    return float(stats.chisquare(actual.to_numpy()[is_open], expected.to_numpy()[is_open]).pvalue)


def all_days(first: str = "2024-01-02", last: str = "2025-12-31") -> pd.Series:
    """Return a factor of 1 for each day."""
    return pd.Series(1.0, pd.date_range(first, last))


def test_arrivals_follow_growth_season_rhythm_and_effects() -> None:
    """Counted by month and weekday; the total has the rate, within four errors of a count."""
    effect = {"name": "Campaign", "start": "2024-06-03", "end": "2024-06-30", "factor": 3, "arrivals": True}
    seasons = [{"months": [12], "strength": 0.4}]
    moved = ongoing(60, growth="40% a year", seasonal_sensitivity=0.5, rhythm={"weekdays": [2, 1, 1, 1, 1, 1, 0]})
    days = arrivals(shop(moved, effects=[effect], seasonality=seasons))
    factors = all_days()
    factors *= 1.4 ** ((factors.index - pd.Timestamp("2024-01-01")).days / 365.25)
    factors *= np.where(factors.index.month == 12, 1.2, 1.0)
    factors *= np.array([2, 1, 1, 1, 1, 1, 0])[factors.index.day_of_week]
    factors *= np.where((factors.index >= "2024-06-03") & (factors.index <= "2024-06-30"), 3.0, 1.0)
    assert p_of(days, factors) > SMALLEST_P
    assert abs(len(days) - 60 * factors.sum()) < 4 * np.sqrt(60 * factors.sum())


@pytest.mark.parametrize("kind", ["uniform", "linear"])
def test_arrivals_by_lot_have_a_rhythm(kind: str) -> None:
    moved = {"kind": kind, "start": 1, "end": 365, "rhythm": {"weekdays": "weekends"}}
    days = arrivals(shop(moved, count=30_000))
    factors = all_days(last="2024-12-30")
    factors *= np.where(factors.index.day_of_week >= 5, 2.0, 0.6)
    factors *= 2 * np.arange(len(factors)) + 1 if kind == "linear" else 1
    assert len(days) == 30_000
    assert p_of(days, factors) > SMALLEST_P


def same(units: Units, others: Units, count: int) -> None:
    for name in ("arrival", "last_period", "address"):
        assert np.array_equal(getattr(units, name)[:count], getattr(others, name)[:count]), name


def test_a_later_end_and_more_units_move_no_arrival() -> None:
    moved = ongoing(5, growth="40% a year", rhythm={"weekdays": "workdays"})
    windows = [{"start": "2024-01-01", "end": end, "every": "day", "span": 200} for end in ("2024-12-31", "2025-12-31")]
    short, long = (shop(moved, window=window) for window in windows)
    count = units_by(short.population, int(short.population.stop or 0))
    same(*(select(plan.population, 0, count) for plan in (short, long)), count)


def test_what_grows_beyond_the_keys_is_refused_when_it_comes() -> None:
    raw = {
        "about": "Shop",
        "unit": "visitor",
        "window": {"start": "2024-01-01", "every": "day", "span": 100},
        "metrics": [{"name": "orders", "type": "count", "polarity": "positive"}],
        "segments": [{"name": "all", "count": 1, "archetype": "flat", "arrival": ongoing(5, growth="900% a year")}],
    }
    population = from_mapping(raw, name="shop").population
    assert units_by(population, population.first + 300) > 0
    with pytest.raises(UsageError, match="more arrivals than keys"):
        units_by(population, population.first + 3650)


def survivors(tenures: Integers, length: int) -> Floats:
    """Return the share that stays longer than 0, 1, 2 ... periods."""
    return np.array([np.mean(tenures > age) for age in range(length)])


def test_hazards_are_those_that_are_declared() -> None:
    hazards = (0.5, 0.2, 0.0, 0.1)
    tenures = Tenure(hazards=hazards).total(np.zeros(len(LEVELS), dtype=np.int64), LEVELS)
    stays = np.cumprod([1, 0.5, 0.8, 1.0, 0.9, 0.9, 0.9])
    np.testing.assert_allclose(survivors(tenures, 7), stays, atol=2e-5)
    assert Tenure(hazards=hazards).average == pytest.approx(tenures.mean(), rel=1e-3)


@pytest.mark.parametrize("shape", [0.5, 0.8, 2.0, 6.0])
def test_a_shape_keeps_the_mean_and_bends_the_hazard(shape: float) -> None:
    """SciPy's Weibull, cut into periods."""
    tenure = Tenure(mean=9.5, least=3, shape=shape)
    tenures = tenure.total(np.zeros(len(LEVELS), dtype=np.int64), LEVELS)
    assert tenures.min() == 3
    assert tenures.mean() == pytest.approx(9.5, rel=2e-3)
    survival = tenure.survival
    assert survival is not None
    scale = (-np.log(survival.shares[3])) ** (-1 / shape)
    expected = stats.weibull_min.sf(np.arange(1, 20), shape, scale=scale)
    np.testing.assert_allclose(survivors(tenures, 22)[3:], expected, atol=2e-5)
    hazards = 1 - survival.shares[4:15] / survival.shares[3:14]
    assert np.all(np.diff(hazards) < 0) if shape < 1 else np.all(np.diff(hazards) > -1e-9)


def test_a_constant_hazard_is_the_tenure_without_a_shape() -> None:
    tenure, age = Tenure(hazards=(0.2, 0.2)), (np.arange(len(LEVELS)) % 7).astype(np.int64)
    assert tenure.average == pytest.approx(5)
    assert np.mean(tenure.total(age, LEVELS) != total_tenure(5.0, 1, age, LEVELS)) < 1e-4
    assert np.mean(tenure.ages(LEVELS) != mixed_ages(5.0, 1, LEVELS)) < 1e-4


@pytest.mark.parametrize("tenure", [Tenure(hazards=(0.5, 0.2, 0.1)), Tenure(mean=9.5, least=3, shape=0.6)])
def test_ages_are_those_of_a_population_in_balance(tenure: Tenure) -> None:
    """In proportion to who stays longer; and who has stayed so long stays as a newcomer would who has."""
    survival = tenure.survival
    assert survival is not None
    ages = tenure.ages(LEVELS)
    known = np.arange(12)
    shares = np.array([np.mean(ages == age) for age in known])
    np.testing.assert_allclose(shares, survival.at(known) / survival.mean, atol=2e-5)
    left = tenure.total(np.full(len(LEVELS), 6, dtype=np.int64), LEVELS)
    np.testing.assert_allclose(np.mean(left > 9), survival.at(np.array([9]))[0] / survival.at(np.array([6]))[0], atol=2e-5)


def test_a_population_with_falling_hazards_stays_in_balance() -> None:
    segment = {
        "name": "all",
        "count": 1200,
        "archetype": "flat",
        "arrival": {"kind": "ongoing", "per_period": 40},
        "tenure": {"mean": 30, "shape": 0.6},
    }
    population = shop({}, segments=[segment]).population
    units = select(population, 0, units_by(population, int(population.stop or 0)))
    periods = np.arange(population.first, population.stop or 0, 50)
    counts = [int(np.sum((units.arrival <= period) & (units.last_period >= period))) for period in periods.tolist()]
    assert abs(np.mean(counts) - 1200) < 4 * np.sqrt(1200 / 5)


def test_rows_know_the_age_of_their_unit() -> None:
    raw = {
        "about": "Shop",
        "unit": "visitor",
        "window": {"start": "2024-01", "end": "2024-12", "every": "month"},
        "metrics": [{"name": "orders", "type": "count", "polarity": "positive", "mean": [20, 40]}],
        "segments": [
            {"name": "late", "count": 3, "archetype": "flat", "arrival": {"kind": "explicit", "start_periods": [0, 2, 5]}}
        ],
        "dimensions": [{"name": "dim_visitor", "per": "unit", "columns": {"visitor_id": "id"}}],
        "events": [
            {
                "name": "evt_order",
                "trigger": "proportional",
                "driver": "orders",
                "columns": {
                    "order_id": "id",
                    "date_key": "ref.dim_date",
                    "visitor_id": "ref.dim_visitor",
                    "age": "derived.age",
                    "is_new": "= 1 if age < 3 else 0",
                },
            }
        ],
    }
    orders = generate_tables(from_mapping(raw, name="shop"))["evt_order"].reset_index()
    months = orders["date_key"] // 100 % 100 - 1
    first = months.groupby(orders["visitor_id"]).transform("min")
    assert (orders["age"] == months - first).all()
    assert (orders["is_new"] == (orders["age"] < 3)).all()
