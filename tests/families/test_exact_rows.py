"""Exactly N rows over periods: the sum is exact, any period and any row is known alone, and weights are kept."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.binomial import binomial, logarithm, normal_score
from plotsim_core.numerics.exact_rows import WEIGHT, ExactRows, whole_weights
from plotsim_core.numerics.random import key, uniforms, words
from plotsim_core.numerics.split_tree import node_addresses
from tests.laws.strategies import examples

LEVELS = (np.arange(40_000) + 0.5) / 40_000


def weekly(periods: Integers) -> Integers:
    """Weights that grow within 1,000 days and differ by weekday, with one day of the week off."""
    return whole_weights((1 + periods % 1000 / 1000) * np.array([1, 1, 1, 1.1, 1.3, 0.7, 0])[periods % 7])


def exact(total: int, span: int, seed: int = 7) -> ExactRows:
    """Rows of spans that begin at a Thursday."""
    return ExactRows(seed, "orders", total, 19_723, span, weekly)


def test_logarithms_and_scores_are_scipys() -> None:
    assert np.max(np.abs(logarithm(LEVELS) - np.log(LEVELS))) < 4e-15
    assert np.max(np.abs(normal_score(LEVELS) - special.ndtri(LEVELS))) < 4e-15


@pytest.mark.parametrize(
    ("trials", "chance"),
    [
        (0, 0.3),
        (1, 0.5),
        (10, 0.3),
        (100, 0.02),
        (160, 0.3),
        (97, 0.5),
        (1000, 0.05),
        (1000, 0.95),
        (10**6, 0.5),
        (10**9, 1e-7),
    ],
)
def test_binomial_counts_are_scipys(trials: int, chance: float) -> None:
    """All but one in 500 are the exact inverse, the others its neighbour."""
    counts = binomial(np.full(LEVELS.shape, trials), np.full(LEVELS.shape, chance), LEVELS)
    off = np.abs(counts - stats.binom.ppf(LEVELS, trials, chance))
    assert off.max() <= 1
    assert np.mean(off > 0) < 1 / 500


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_what_never_or_always_happens_is_exact(chance: float) -> None:
    trials = np.array([0, 1, 50, 10**12])
    assert np.array_equal(
        binomial(trials, np.full(4, chance), np.array([1e-15, 0.5, 0.999, 1 - 2**-53])), trials * int(chance)
    )


def test_counts_are_the_same_bits_on_any_machine() -> None:
    """The digest was made with another instruction set switched on, too: nothing but IEEE arithmetic is asked for."""
    numbers = np.arange(200_000)
    trials = (words(numbers) >> np.uint64(34)).astype(np.int64) >> (numbers % 30)
    counts = binomial(trials, uniforms(key(6, "chance"), words(numbers)), uniforms(key(5, "level"), words(numbers)))
    all_counts = np.append(counts, exact(10**9, 731).counts(np.arange(19_723, 19_723 + 731)))
    assert hashlib.blake2b(all_counts.tobytes(), digest_size=8).hexdigest() == "76ac29cdba68c5f5"


def test_nodes_have_addresses_of_their_own() -> None:
    """A level and a node that are swapped, equal ones, and trees: no two addresses are equal."""
    levels, nodes = (part.ravel() for part in np.meshgrid(np.arange(-40, 40), np.arange(0, 60)))
    addresses = np.concatenate([node_addresses(tree, levels, nodes) for tree in range(3)])
    assert len(np.unique(addresses)) == len(addresses)


@pytest.mark.parametrize("total", [0, 1, 5_000, 10**9])
@pytest.mark.parametrize("span", [2, 90, 731])
def test_each_span_has_exactly_its_rows(total: int, span: int) -> None:
    rows = exact(total, span)
    periods = np.arange(rows.first, rows.first + 3 * span)
    counts = rows.counts(periods).reshape(3, span)
    assert counts.sum(axis=1).tolist() == [total] * 3
    assert not counts.ravel()[weekly(periods) == 0].any()


def test_there_are_no_rows_before_the_first_period() -> None:
    rows = exact(1000, 90)
    assert rows.counts(np.arange(rows.first - 20, rows.first)).sum() == 0


def test_a_span_may_be_one_period() -> None:
    rows = ExactRows(7, "orders", 300, 5, 1, np.ones_like)
    assert rows.counts(np.arange(3, 9)).tolist() == [0, 0, 300, 300, 300, 300]


def test_a_span_without_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="expected weights"):
        ExactRows(1, "t", 10, 0, 7, np.zeros_like).counts(np.array([0]))


@examples(30)
@given(total=st.integers(1, 10**10), span=st.integers(2, 400), data=st.data())
def test_any_rows_are_those_of_the_whole(total: int, span: int, data: st.DataObject) -> None:
    """Some row numbers, in any order, have the periods and shares that they have in a range and alone; shares rise."""
    rows = exact(total, span)
    start = data.draw(st.integers(0, 3 * total - 1))
    numbers = range(start, min(start + 2000, 3 * total))
    periods, shares = rows.periods_and_shares(numbers)
    assert (np.diff(periods + shares) >= 0).all()
    assert ((shares >= 0) & (shares < 1)).all()
    chosen = np.array(data.draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=40)))
    some_periods, some_shares = rows.periods_and_shares(chosen)
    assert np.array_equal(some_periods, periods[chosen - start])
    assert np.array_equal(some_shares, shares[chosen - start])
    firsts = rows.before(some_periods)
    assert ((firsts <= chosen) & (chosen < firsts + rows.counts(some_periods))).all()


def test_a_change_of_weights_after_a_span_moves_nothing_in_it() -> None:
    rows = exact(10_000, 90)

    def changed(periods: Integers) -> Integers:
        return np.where(periods >= rows.first + 90, WEIGHT, weekly(periods))

    other = ExactRows(7, "orders", 10_000, rows.first, 90, changed)
    for numbers, equal in ((range(10_000), True), (range(10_000, 20_000), False)):
        pairs = zip(rows.periods_and_shares(numbers), other.periods_and_shares(numbers), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs) is equal


@pytest.mark.slow
@pytest.mark.parametrize("total", [5_000, 10**6])
def test_counts_are_multinomial(total: int) -> None:
    """Chi-square over 300 seeds is uniform: a fixed seed, so p is fixed; below 1 in 1,000 it would be wrong."""
    chances = weekly(np.arange(19_723, 19_723 + 300))
    chances = chances / chances.sum()
    p_values = []
    for seed in range(300):
        counts = exact(total, 300, seed).counts(np.arange(19_723, 19_723 + 300))
        p_values.append(stats.chisquare(counts[chances > 0], chances[chances > 0] * total).pvalue)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


def test_shares_are_even_within_a_period_and_across_leaves() -> None:
    rows = exact(10**7, 90)
    first, stop = rows.before(np.array([rows.first + 31, rows.first + 32]))
    _, shares = rows.periods_and_shares(range(int(first), int(stop)))
    assert stop - first > 50_000
    assert stats.kstest(shares, "uniform").pvalue > 1e-3
