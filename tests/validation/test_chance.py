"""The bounds of chance hold: for few terms, for heavy tails, for counts, and for a whole dataset's questions together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, chi2

from docs.datasets import shown
from plotsim_core import template
from plotsim_core.validation.chance import (
    BLOCKING,
    SOFT,
    allowed_errors,
    bernstein,
    chi_square_allowed,
    comparisons,
    hit_bounds,
)
from tests.marks import slow_but

PLAN = shown(template("saas"))


@pytest.mark.parametrize("terms", slow_but([30, 100, 1000], 30, 100))
@pytest.mark.parametrize("shape", ["normal", "cauchy", "signs"])
def test_sums_over_their_own_errors_stay_inside(terms: int, shape: str) -> None:
    """The tail of a self-normalised sum is no heavier than stated, whatever the terms are."""
    random = np.random.default_rng(5)
    draws = {
        "normal": random.standard_normal((20_000, terms)),
        "cauchy": random.standard_cauchy((20_000, terms)),
        "signs": random.choice([-1.0, 1.0], (20_000, terms)),
    }[shape]
    scores = np.abs(draws.sum(axis=1)) / np.sqrt((draws**2).sum(axis=1))
    for limit in (2.0, 3.0, 3.5):
        odds = 2 * math.exp(-(limit**2) / 2)
        assert np.mean(scores > limit) <= odds + 4 * math.sqrt(odds / len(scores))


def test_questions_share_the_odds_of_a_dataset() -> None:
    """All comparisons together exceed their limits with probability `SOFT` at most."""
    each = 2 * math.exp(-(allowed_errors(PLAN.population) ** 2) / 2)
    assert each * comparisons(PLAN.population) == pytest.approx(SOFT)
    assert chi2.sf(chi_square_allowed(PLAN.population, 6), 6) * comparisons(PLAN.population) == pytest.approx(SOFT)


def test_tables_of_no_population_count_once() -> None:
    """Dates and listed tables are comparisons of the first kind of unit: another one shares the rate among its own."""
    customers, stores = shown(template("retail")).populations
    assert (comparisons(customers), comparisons(stores)) == (252, 85)
    assert any(not table.population for table in stores.tables)


@pytest.mark.parametrize("count", [1, 7, 60, 5000])
@pytest.mark.parametrize("rate", [0.001, 0.05, 0.5, 0.97])
def test_hits_lie_inside_their_quantiles(count: int, rate: float) -> None:
    """Less than the least, or more than the most, has half the chance each; one step further in has more."""
    for chance in (1e-3, BLOCKING):
        least, most = hit_bounds(count, rate, rate, chance)
        assert binom.cdf(least - 1, count, rate) <= chance / 2 * (1 + 1e-6)
        assert binom.sf(most, count, rate) <= chance / 2 * (1 + 1e-6)
        assert binom.cdf(least, count, rate) > chance / 2 or least == count
        assert binom.sf(most - 1, count, rate) > chance / 2 or most == 0


@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0.0, 0.0), (1.0, 9.0, 9.0)])
def test_what_is_certain_has_no_room(rate: float, least: float, most: float) -> None:
    assert hit_bounds(9, rate, rate, 1e-3) == (least, most)


@pytest.mark.parametrize("count", [10, 1000])
@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_bounded_terms_stay_inside(count: int, rate: float) -> None:
    """Bernstein's bound holds for a sum of independent flags, whose tail is known."""
    for chance in (1e-2, 1e-6):
        far = bernstein(count * rate * (1 - rate), 1.0, chance)
        outside = binom.sf(math.ceil(count * rate + far) - 1, count, rate) + binom.cdf(count * rate - far, count, rate)
        assert outside <= chance
