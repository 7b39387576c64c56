"""Rows per parent: each family's draws against scipy's, means after bounds, and the same counts in any array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.count_families import COUNT_FAMILIES
from plotsim_core.numerics.random import key, uniforms, words
from plotsim_core.numerics.row_counts import RowCounts, uniform_counts, weighted_counts, zipf_counts
from tests.marks import slow_but

DRAWS = 20_000
LEVELS = uniforms(key(5, "counts"), words(np.arange(DRAWS)))
Masses = Callable[[float, Integers], Any]


def lognormal_masses(s: float) -> Masses:
    """Chances of counts that are lognormal numbers rounded up or down by chance, by integration."""

    def masses(mean: float, counts: Integers) -> Any:
        law, steps = stats.lognorm(s, scale=mean * np.exp(-s * s / 2)), (np.arange(2000) + 0.5) / 2000
        below = np.array([law.cdf(count + steps).mean() for count in np.append(counts, counts[-1] + 1) - 1])
        return np.diff(below)

    return masses


MASSES: list[tuple[str, tuple[tuple[str, float], ...], Masses]] = [
    ("poisson", (), lambda mean, counts: stats.poisson.pmf(counts, mean)),
    ("geometric", (), lambda mean, counts: stats.geom.pmf(counts + 1, 1 / (1 + mean))),
    ("negative_binomial", (("shape", 0.5),), lambda mean, counts: stats.nbinom.pmf(counts, 0.5, 0.5 / (0.5 + mean))),
    ("negative_binomial", (("shape", 5.0),), lambda mean, counts: stats.nbinom.pmf(counts, 5.0, 5.0 / (5.0 + mean))),
    ("lognormal", (("s", 0.8),), lognormal_masses(0.8)),
]
every_family = pytest.mark.parametrize(("family", "parameters", "masses"), MASSES)


def goodness(drawn: Integers, counts: Integers, masses: Any) -> float:
    """Return the p value of chi-square over counts of at least 20 expected, the others together."""
    expected = masses * len(drawn)
    observed = np.bincount(drawn - counts[0], minlength=len(counts))[: len(counts)]
    is_many = expected >= 20
    rest = len(drawn) - expected[is_many].sum()
    pooled = (
        np.append(observed[is_many], len(drawn) - observed[is_many].sum()),
        np.append(expected[is_many], max(rest, 1e-9)),
    )
    return (
        float(stats.chisquare(*pooled, sum_check=False).pvalue)
        if rest > 5
        else float(stats.chisquare(observed[is_many], expected[is_many], sum_check=False).pvalue)
    )


def test_every_family_is_tried() -> None:
    assert {family for family, _, _ in MASSES} == set(COUNT_FAMILIES)


@every_family
@pytest.mark.parametrize("mean", [0.02, 0.7, 4.0, 40.0])
def test_counts_without_bounds_have_the_law_and_the_mean(
    family: str, parameters: tuple[tuple[str, float], ...], masses: Masses, mean: float
) -> None:
    drawn = RowCounts(family, parameters).draw(LEVELS, mean)
    assert goodness(drawn, np.arange(600), masses(mean, np.arange(600))) > 1e-3
    assert abs(drawn.mean() - mean) < 5 * drawn.std() / np.sqrt(DRAWS)


@every_family
@pytest.mark.parametrize(("least", "most", "mean"), [(1, 12, 2.1), (1, 12, 4.5), (0, 5, 0.1), (3, 60, 9.0)])
def test_counts_between_bounds_have_the_conditional_law_with_the_declared_mean(
    family: str, parameters: tuple[tuple[str, float], ...], masses: Masses, least: int, most: int, mean: float
) -> None:
    counts = np.arange(least, most + 1)

    def conditional(location: float) -> Any:
        parts = masses(location, counts)
        return parts / parts.sum()

    row_counts = RowCounts(family, parameters, (least, most))
    drawn = row_counts.draw(LEVELS, mean)
    assert drawn.min() >= least
    assert drawn.max() <= most
    low, high = row_counts.reach()
    reachable = min(max(mean, low), high)
    location = np.exp(
        optimize.brentq(
            lambda x: (conditional(np.exp(x)) * counts).sum() - reachable * (1 - 1e-6), np.log(mean / 20), np.log(8 * most)
        )
    )
    assert goodness(drawn, counts, conditional(location)) > 1e-3
    assert abs(drawn.mean() - reachable) < 5 * drawn.std() / np.sqrt(DRAWS)


@every_family
@pytest.mark.parametrize("between", slow_but([None, (1, 12), (0, 5000)], None, (1, 12)))
def test_a_count_is_the_same_in_any_array(
    family: str, parameters: tuple[tuple[str, float], ...], masses: Masses, between: tuple[int, int] | None
) -> None:
    row_counts = RowCounts(family, parameters, between)
    levels, means = LEVELS[:400], np.tile([0.02, 1.3, 4.0, 120.0], 100)
    together = row_counts.draw(levels, means)
    parts = [row_counts.draw(levels[start : start + 37], means[start : start + 37]) for start in range(0, 400, 37)]
    assert np.array_equal(np.concatenate(parts), together)
    for mean in (0.02, 4.0, 120.0):
        assert np.array_equal(row_counts.draw(levels[means == mean], mean), together[means == mean])


@every_family
def test_counts_rise_with_the_level_and_nothing_happens_at_mean_zero(
    family: str, parameters: tuple[tuple[str, float], ...], masses: Masses
) -> None:
    row_counts = RowCounts(family, parameters)
    assert (np.diff(row_counts.draw(np.sort(LEVELS), 40.0)) >= 0).all()
    assert not row_counts.draw(LEVELS, np.zeros(DRAWS)).any()
    assert not row_counts.draw(LEVELS, -1.0).any()


@every_family
def test_means_out_of_reach_are_the_nearest(family: str, parameters: tuple[tuple[str, float], ...], masses: Masses) -> None:
    row_counts = RowCounts(family, parameters, (2, 6))
    low, high = row_counts.reach()
    assert 2 <= low < high <= 6
    for mean, near in ((0.0, low), (100.0, high)):
        drawn = row_counts.draw(LEVELS, mean)
        assert abs(drawn.mean() - near) <= 5 * drawn.std() / np.sqrt(DRAWS) + 1e-9
    assert RowCounts(family, parameters, (4, 4)).draw(LEVELS, 4.0).tolist() == [4] * DRAWS


def test_uniform_weighted_and_zipf_counts() -> None:
    assert stats.chisquare(np.bincount(uniform_counts(LEVELS, 2, 6))[2:]).pvalue > 1e-3
    weighted = weighted_counts(LEVELS, (5, 1, 9, 7), (9.0, 1.0, 0.0, 0.0))
    assert set(weighted.tolist()) == {1, 5}
    assert stats.binomtest(int((weighted == 5).sum()), DRAWS, 0.9).pvalue > 1e-3
    assert weighted_counts(np.array([1 - 2**-53]), (5, 1, 9), (9.0, 1.0, 0.0)).tolist() == [1]
    ranks = zipf_counts(LEVELS, 1.5, 2, 40)
    expected = np.arange(2.0, 41.0) ** -1.5
    assert stats.chisquare(np.bincount(ranks, minlength=41)[2:], expected / expected.sum() * DRAWS).pvalue > 1e-3
