"""Every distribution family: its quantiles, its mean, its bounds and its quantile tables, against scipy's own."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtr, ndtri

from plotsim_core.numerics import quantiles
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.quantiles import MeanUnreachable, SolvedRows, quantile_table
from plotsim_core.numerics.random import key, normals, words
from tests.families.cases import CASES, Case, goodness
from tests.laws.strategies import examples
from tests.marks import slow_but

DRAWS = 40_000
SCORES = normals(key(5, "families"), words(np.arange(DRAWS)))
LEVELS = np.linspace(0.001, 0.999, 333)


INFLATED = [case for case in CASES if DISTRIBUTIONS[case.family].inflated]
BOUNDED = [case for case in CASES if case.bounds is not None]


def named(case: Case) -> str:
    """Return how a case is called in a report."""
    return "-".join([case.family, *(f"{value:g}" for value in case.parameters.values())])


every_case = pytest.mark.parametrize("case", CASES, ids=named)
every_bounded_case = pytest.mark.parametrize("case", BOUNDED, ids=named)
every_inflated_case = pytest.mark.parametrize("case", INFLATED, ids=named)


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
        inner, shape, twin = case.rest(mean)
        actual = DISTRIBUTIONS[case.family].quantile(LEVELS, inner, **shape)
        assert (np.diff(actual) > 0).all()
        whole = np.ceil(actual) if case.support == "count" else actual
        assert np.allclose(whole, twin.ppf(LEVELS), rtol=1e-9, atol=1e-9)
        assert case.at(mean).mean() == pytest.approx(mean)


@every_case
def test_cdf_and_quantile_undo_each_other(case: Case) -> None:
    for mean in case.means:
        distribution = DISTRIBUTIONS[case.family]
        inner, shape, _ = case.rest(mean)
        actual = distribution.quantile(LEVELS, inner, **shape)
        tolerance = 1e-8 if distribution.support == "count" else 1e-10
        inside = actual > -0.999 if distribution.support == "count" else np.isfinite(actual)
        back = distribution.cdf(actual, inner, **shape)
        assert np.allclose(back[inside], LEVELS[inside], atol=tolerance)


@every_case
def test_a_cdf_is_scipys_cdf(case: Case) -> None:
    for mean in case.means:
        inner, shape, twin = case.rest(mean)
        places = twin.ppf(LEVELS)
        assert np.allclose(DISTRIBUTIONS[case.family].cdf(places, inner, **shape), twin.cdf(places))


@every_case
def test_values_lie_in_the_support(case: Case) -> None:
    """Also at the most extreme scores, and never infinite."""
    extreme = np.array([-9.0, -6.0, 0.0, 6.0, 9.0])
    actual = case.table().lookup(np.array(case.means)[:, None], extreme[None, :])
    assert np.isfinite(actual).all()
    if case.support in ("positive", "unit"):
        assert ((actual > 0) | (DISTRIBUTIONS[case.family].inflated & (actual == 0))).all()
    if case.support == "unit":
        assert (actual < 1).all()
    if case.support == "count":
        assert (actual >= 0).all() and (actual == np.rint(actual)).all()


@every_case
def test_a_quantile_table_gives_scipys_distribution(case: Case) -> None:
    """Kolmogorov-Smirnov, for counts chi-square; a true family is refused once in ten thousand tries."""
    for mean in case.means:
        drawn = case.table().lookup(np.full(DRAWS, mean), SCORES)
        assert goodness(drawn, case.at(mean), case.support == "count") > 1e-4, mean


@every_inflated_case
def test_extra_zeros_are_exactly_their_share_and_the_rest_begins_right_above(case: Case) -> None:
    """Without chance: below the share's score there are nothing but zeros; above is the rest, from its lowest value on."""
    for mean in case.means:
        twin = case.at(mean)
        border = ndtri(twin.zeros)
        around = border + np.array([-3.0, -1e-12, 1e-12])
        low, last, first = case.table().lookup(np.array(mean), around)
        assert low == last == 0
        assert first <= twin.rest.ppf(1e-5)
        assert first > 0 or case.support == "count"
        high = case.table().lookup(np.array(mean), np.array([5.0]))
        assert np.allclose(high, twin.rest.isf(ndtr(-5.0) / (1 - twin.zeros)), rtol=2e-3, atol=1)


@every_case
def test_the_mean_that_is_asked_for_is_the_mean_that_comes(case: Case) -> None:
    """Within one per cent, found by integrating over scores and so without chance."""
    for table, means in ((case.table(), case.means), *([(case.truncated(), case.inside)] if case.bounds else [])):
        scores = np.linspace(-6, 6, 24001)
        weights = np.exp(-0.5 * scores**2)
        weights /= weights.sum()
        for mean in means:
            actual = float(np.sum(table.lookup(np.array(mean), scores) * weights))
            width = case.bounds[1] - case.bounds[0] if case.bounds and case.support == "real" else 0
            assert abs(actual - mean) <= 0.01 * max(abs(mean), width)


@every_bounded_case
def test_a_truncated_table_stays_inside_and_does_not_pile_up_on_a_bound(case: Case) -> None:
    """Fewer than half a per cent of the values, as stored with two decimals, lie exactly on a bound."""
    assert case.bounds is not None
    low, high = case.bounds
    for mean in case.inside:
        drawn = case.truncated().lookup(np.full(DRAWS, mean), SCORES)
        assert (drawn >= low).all() and (drawn <= high).all()
        drawn = drawn[(drawn > 0) | (not DISTRIBUTIONS[case.family].inflated)]  # zeros of its own are no pile-up
        stored = np.round(drawn, 4 if high <= 1 else 2)
        assert ((stored == low) | (stored == high)).mean() < 0.005


@pytest.mark.parametrize("case", slow_but(BOUNDED), ids=named)
def test_a_truncated_table_gives_scipys_distribution_truncated(case: Case) -> None:
    """The untruncated mean is not known, but some mean must fit: it is searched for with scipy alone."""
    for mean in case.inside:
        drawn = case.truncated().lookup(np.full(DRAWS, mean), SCORES)
        assert goodness(drawn, case.truncated_at(mean), counts=False) > 1e-4, mean


@every_case
def test_the_deviation_of_a_table_is_scipys(case: Case) -> None:
    for mean in case.means:
        actual = float(case.table().deviation(np.array([mean]))[0])
        assert actual == pytest.approx(float(case.at(mean).std()), rel=0.02)


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


@pytest.mark.slow
@every_case
def test_a_lookup_is_the_same_alone_and_among_others(case: Case) -> None:
    """Bit by bit, in whatever shape."""
    means = np.linspace(case.means[0], case.means[-1], 60)
    together = case.table().lookup(means[:, None], SCORES[None, :50])
    alone = [[float(case.table().lookup(np.array(m), np.array(s))) for s in SCORES[:50]] for m in means]
    assert np.array_equal(together, np.array(alone))
    assert np.array_equal(together[::3, ::2], case.table().lookup(means[::3, None], SCORES[None, :50:2]))


@pytest.mark.slow
@pytest.mark.parametrize(("case", "bounded"), [(c, b) for c in CASES for b in (False, True) if c.bounds or not b])
def test_rows_are_solved_when_they_are_read_to_the_same_bits_in_any_order(
    case: Case, bounded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds, means = (case.bounds, case.inside) if bounded else (None, case.means)
    monkeypatch.setattr(quantiles, "solved_rows", cache(SolvedRows))  # so that nothing is solved from before
    once = quantile_table(case.family, case.sorted_parameters, bounds, (means[0], means[-1]))
    low, high = once.mean_bounds()
    read = np.concatenate([np.linspace(low, high, 30), np.linspace(means[0], means[-1], 10)])
    values, deviations = once.lookup(read[:, None], SCORES[None, :50]), once.deviation(read)
    monkeypatch.setattr(quantiles, "solved_rows", cache(SolvedRows))
    for place in np.random.default_rng(3).permutation(len(read)):
        assert np.array_equal(once.deviation(read[[place]]), deviations[[place]])
        assert np.array_equal(once.lookup(read[[place], None], SCORES[None, :50]), values[[place]])


def test_a_mean_that_no_truncation_can_have_is_refused_with_those_it_can_have() -> None:
    with pytest.raises(MeanUnreachable) as caught:
        quantile_table("gamma", (("shape", 4.0),), (0.0, 10.0), (1.0, 9.9))
    assert 0 < caught.value.low < caught.value.high < 9.9


def test_a_mean_that_zeros_make_unreachable_is_refused_in_terms_of_the_whole() -> None:
    """Of 100 at most is left 20 on average when eight in ten are zeros."""
    with pytest.raises(MeanUnreachable) as caught:
        quantile_table("zero_inflated_gamma", (("shape", 4.0), ("zeros", 0.8)), (0.0, 100.0), (5.0, 50.0))
    assert 0 < caught.value.low < caught.value.high < 20


def test_the_scores_that_these_tests_draw_are_normal() -> None:
    assert stats.kstest(ndtr(SCORES), "uniform").pvalue > 1e-3
