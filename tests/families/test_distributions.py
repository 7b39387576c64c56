"""Every distribution family: its quantiles, its mean, its bounds and its quantile tables, against scipy's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import gamma, ndtr

from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.quantiles import MeanUnreachable, QuantileTable, quantile_table
from plotsim_core.numerics.random import Floats, key, normals, words
from tests.laws.strategies import examples

DRAWS = 40_000
SCORES = normals(key(5, "families"), words(np.arange(DRAWS)))
LEVELS = np.linspace(0.001, 0.999, 333)


@dataclass(frozen=True)
class Case:
    """A family with parameters, means to try it at, and scipy's distribution of that mean: the outside witness.

    `bounds` are those a metric of the family would be truncated to, with means that it can have inside them.
    """

    family: str
    parameters: dict[str, float]
    means: tuple[float, ...]
    twin: Callable[..., Any]
    bounds: tuple[float, float] | None = None
    inside: tuple[float, ...] = ()

    @property
    def own(self) -> tuple[tuple[str, float], ...]:
        return tuple(sorted(self.parameters.items()))

    def table(self) -> QuantileTable:
        """Return the quantile table without bounds (a beta's are its support)."""
        return quantile_table(self.family, self.own, None, (self.means[0], self.means[-1]))

    def truncated(self) -> QuantileTable:
        """Return the quantile table inside the bounds."""
        return quantile_table(self.family, self.own, self.bounds, (self.inside[0], self.inside[-1]))


CASES = [
    Case("normal", {"sigma": 2.0}, (-3.0, 0.5, 10.0), lambda m, sigma: stats.norm(m, sigma), (-4.0, 6.0), (-2.5, 1.0, 4.0)),
    Case("normal", {"sigma": 0.1}, (0.2, 0.5, 0.8), lambda m, sigma: stats.norm(m, sigma), (0.0, 1.0), (0.15, 0.5, 0.9)),
    Case(
        "lognormal",
        {"s": 0.4},
        (0.5, 20.0, 300.0),
        lambda m, s: stats.lognorm(s, scale=m * np.exp(-s * s / 2)),
        (5.0, 500.0),
        (30.0, 100.0, 250.0),
    ),
    Case("lognormal", {"s": 1.2}, (2.0, 40.0), lambda m, s: stats.lognorm(s, scale=m * np.exp(-s * s / 2))),
    Case("beta", {"precision": 15.0}, (0.05, 0.3, 0.9), lambda m, precision: stats.beta(m * precision, (1 - m) * precision)),
    Case("beta", {"precision": 4.0}, (0.2, 0.5, 0.7), lambda m, precision: stats.beta(m * precision, (1 - m) * precision)),
    Case(
        "gamma",
        {"shape": 4.0},
        (0.5, 30.0, 110.0),
        lambda m, shape: stats.gamma(shape, scale=m / shape),
        (5.0, 250.0),
        (20.0, 60.0, 130.0),
    ),
    Case("gamma", {"shape": 0.7}, (1.0, 50.0), lambda m, shape: stats.gamma(shape, scale=m / shape)),
    Case(
        "weibull",
        {"shape": 2.0},
        (0.5, 10.0, 60.0),
        lambda m, shape: stats.weibull_min(shape, scale=m / gamma(1 + 1 / shape)),
        (0.0, 90.0),
        (8.0, 30.0, 60.0),
    ),
    Case("poisson", {}, (0.05, 0.7, 4.0, 40.0, 900.0), lambda m: stats.poisson(m)),
]
"""Each family stands here at least once; a test sees to it."""
BOUNDED = [case for case in CASES if case.bounds is not None]


def named(case: Case) -> str:
    """Return how a case is called in a report."""
    return "-".join([case.family, *(f"{value:g}" for value in case.parameters.values())])


every_case = pytest.mark.parametrize("case", CASES, ids=named)
every_bounded_case = pytest.mark.parametrize("case", BOUNDED, ids=named)


def test_every_family_has_a_case() -> None:
    assert {case.family for case in CASES} == set(DISTRIBUTIONS)


@pytest.mark.parametrize("name", list(DISTRIBUTIONS))
def test_a_default_lies_within_the_bounds_of_its_parameter(name: str) -> None:
    distribution = DISTRIBUTIONS[name]
    assert all(bound.low <= bound.default <= bound.high for bound in distribution.parameters.values())
    assert 0 < distribution.means[0] < distribution.means[1] <= 1


@every_case
def test_a_quantile_is_scipys_quantile_and_rises_with_its_level(case: Case) -> None:
    for mean in case.means:
        found = DISTRIBUTIONS[case.family].quantile(LEVELS, np.array(mean), **case.parameters)
        twin = case.twin(mean, **case.parameters)
        assert (np.diff(found) > 0).all()
        whole = np.ceil(found) if DISTRIBUTIONS[case.family].support == "count" else found
        assert np.allclose(whole, twin.ppf(LEVELS), rtol=1e-9, atol=1e-9)
        assert twin.mean() == pytest.approx(mean)


@every_case
def test_cdf_and_quantile_undo_each_other(case: Case) -> None:
    for mean in case.means:
        distribution = DISTRIBUTIONS[case.family]
        found = distribution.quantile(LEVELS, np.array(mean), **case.parameters)
        tolerance = 1e-8 if distribution.support == "count" else 1e-10
        inside = found > -0.999 if distribution.support == "count" else np.isfinite(found)
        back = distribution.cdf(found, np.array(mean), **case.parameters)
        assert np.allclose(back[inside], LEVELS[inside], atol=tolerance)


@every_case
def test_a_cdf_is_scipys_cdf(case: Case) -> None:
    for mean in case.means:
        twin = case.twin(mean, **case.parameters)
        places = twin.ppf(LEVELS)
        assert np.allclose(DISTRIBUTIONS[case.family].cdf(places, np.array(mean), **case.parameters), twin.cdf(places))


@every_case
def test_values_lie_in_the_support(case: Case) -> None:
    """Also at the most extreme scores, and never infinite."""
    extreme = np.array([-9.0, -6.0, 0.0, 6.0, 9.0])
    found = case.table().lookup(np.array(case.means)[:, None], extreme[None, :])
    assert np.isfinite(found).all()
    support = DISTRIBUTIONS[case.family].support
    if support in ("positive", "unit"):
        assert (found > 0).all()
    if support == "unit":
        assert (found < 1).all()
    if support == "count":
        assert (found >= 0).all() and (found == np.rint(found)).all()


@every_case
def test_a_quantile_table_gives_scipys_distribution(case: Case) -> None:
    """Kolmogorov-Smirnov, for counts chi-square; a true family is refused once in ten thousand tries."""
    for mean in case.means:
        drawn = case.table().lookup(np.full(DRAWS, mean), SCORES)
        twin = case.twin(mean, **case.parameters)
        if DISTRIBUTIONS[case.family].support == "count":
            assert goodness(drawn, twin) > 1e-4, (mean, goodness(drawn, twin))
        else:
            assert stats.kstest(drawn, twin.cdf).pvalue > 1e-4, mean


def goodness(drawn: Floats, twin: Any) -> float:
    """Return the chi-square probability of counts, over cells of at least 20 expected."""
    edges = np.unique(twin.ppf(np.linspace(0.001, 0.999, 60)))
    levels = np.concatenate([[0.0], twin.cdf(edges), [1.0]])
    expected = np.diff(levels) * len(drawn)
    observed = np.diff(np.concatenate([[0], [(drawn <= edge).sum() for edge in edges], [len(drawn)]]))
    kept = expected >= 20
    return float(stats.chi2.sf(((observed - expected) ** 2 / expected)[kept].sum(), kept.sum() - 1))


@every_case
def test_the_mean_that_is_asked_for_is_the_mean_that_comes(case: Case) -> None:
    """Within one per cent, found by integrating over scores and so without chance."""
    for table, means in ((case.table(), case.means), *([(case.truncated(), case.inside)] if case.bounds else [])):
        scores = np.linspace(-6, 6, 24001)
        weights = np.exp(-0.5 * scores**2)
        weights /= weights.sum()
        for mean in means:
            found = float(np.sum(table.lookup(np.array(mean), scores) * weights))
            width = case.bounds[1] - case.bounds[0] if case.bounds and DISTRIBUTIONS[case.family].support == "real" else 0
            assert abs(found - mean) <= 0.01 * max(abs(mean), width)


@every_bounded_case
def test_a_truncated_table_stays_inside_and_does_not_pile_up_on_a_bound(case: Case) -> None:
    """Fewer than half a per cent of the values, as stored with two decimals, lie exactly on a bound."""
    assert case.bounds is not None
    low, high = case.bounds
    for mean in case.inside:
        drawn = case.truncated().lookup(np.full(DRAWS, mean), SCORES)
        assert (drawn >= low).all() and (drawn <= high).all()
        stored = np.round(drawn, 4 if high <= 1 else 2)
        assert ((stored == low) | (stored == high)).mean() < 0.005


@every_bounded_case
def test_a_truncated_table_gives_scipys_distribution_truncated(case: Case) -> None:
    """The untruncated mean is not known, but some mean must fit: it is searched for with scipy alone."""
    assert case.bounds is not None
    low, high = case.bounds
    nodes, weights = np.polynomial.legendre.leggauss(80)
    levels = 0.5 * (nodes + 1)

    def inside(location: float) -> tuple[Any, float, float]:
        twin = case.twin(location, **case.parameters)
        return twin, float(twin.cdf(low)), float(twin.cdf(high))

    def mean_of(location: float) -> float:
        twin, start, stop = inside(location)
        return float(np.sum(0.5 * weights * twin.ppf(start + levels * (stop - start))))

    positive = DISTRIBUTIONS[case.family].support == "positive"
    for mean in case.inside:
        below, above = (mean / 50, mean * 50) if positive else (mean - (high - low) / 2, mean + (high - low) / 2)
        for _ in range(60):
            middle = (below * above) ** 0.5 if positive else 0.5 * (below + above)
            below, above = (middle, above) if mean_of(middle) < mean else (below, middle)
        twin, start, stop = inside(above)
        drawn = case.truncated().lookup(np.full(DRAWS, mean), SCORES)
        found = stats.kstest(drawn, lambda x, twin=twin, a=start, b=stop: (twin.cdf(x) - a) / (b - a))
        assert found.pvalue > 1e-4, mean


@every_case
def test_the_deviation_of_a_table_is_scipys(case: Case) -> None:
    for mean in case.means:
        found = float(case.table().deviation(np.array([mean]))[0])
        assert found == pytest.approx(float(case.twin(mean, **case.parameters).std()), rel=0.02)


@every_case
@examples(20)
@given(place=st.floats(0, 1), share=st.floats(0.01, 0.99))
def test_a_value_rises_with_the_mean_and_with_the_score(case: Case, place: float, share: float) -> None:
    """No family ignores the trajectory."""
    low, high = case.means[0], case.means[-1]
    table = case.table()
    mean = low + place * share * (high - low)
    scores = np.linspace(-4, 4, 41)
    near, far = table.lookup(np.array(mean), scores), table.lookup(np.array(high), scores)
    assert (np.diff(near) >= 0).all()
    assert (far >= near).all()


@every_case
def test_a_lookup_is_the_same_alone_and_among_others(case: Case) -> None:
    """Bit by bit, in whatever shape."""
    means = np.linspace(case.means[0], case.means[-1], 60)
    together = case.table().lookup(means[:, None], SCORES[None, :50])
    alone = [[float(case.table().lookup(np.array(m), np.array(s))) for s in SCORES[:50]] for m in means]
    assert np.array_equal(together, np.array(alone))
    assert np.array_equal(together[::3, ::2], case.table().lookup(means[::3, None], SCORES[None, :50:2]))


def test_a_mean_that_no_truncation_can_have_is_refused_with_those_it_can_have() -> None:
    with pytest.raises(MeanUnreachable) as caught:
        quantile_table("gamma", (("shape", 4.0),), (0.0, 10.0), (1.0, 9.9))
    assert 0 < caught.value.low < caught.value.high < 9.9


def test_the_scores_that_these_tests_draw_are_normal() -> None:
    assert stats.kstest(ndtr(SCORES), "uniform").pvalue > 1e-3
