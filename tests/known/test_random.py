"""Randomness against its published answers, and against what independent uniforms look like. All seeds are fixed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.permutation import code, permute
from plotsim_core.numerics.random import GOLDEN, choose, fold, key, mix, normals, uniforms, words

VIGNA = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
"""The first outputs of Vigna's splitmix64.c from the state 1234567."""

UNITS, PERIODS = 400, 500
FAR = 4.5
"""How many standard errors a statistic may be off: less than one in a hundred thousand is, by chance."""


def field(*stream: str, seed: int = 3) -> Floats:
    """Return the uniforms of many units and periods, addressed as the engine addresses them, shape (periods, units)."""
    units = fold(np.full(UNITS, key(0, "segment", "only")), words(np.arange(UNITS)))
    return uniforms(key(seed, *stream), fold(units[None, :], words(np.arange(600, 600 + PERIODS))[:, None]))


def correlation(first: Floats, second: Floats) -> float:
    """Return the correlation of uniforms in standard errors (it has variance 1/n where they are independent)."""
    scaled = (first.ravel() - 0.5) * (second.ravel() - 0.5) * 12
    return float(scaled.mean() * np.sqrt(scaled.size))


def test_mix_is_the_output_function_of_splitmix64() -> None:
    states = np.uint64(1234567) + GOLDEN * np.arange(1, 6, dtype=np.uint64)
    assert mix(states).tolist() == VIGNA


def test_mix_leaves_its_argument_alone() -> None:
    numbers = np.arange(5, dtype=np.uint64)
    mix(numbers)
    assert numbers.tolist() == [0, 1, 2, 3, 4]


def test_uniforms_fill_buckets_evenly() -> None:
    """Chi-square over 1000 buckets."""
    counts = np.bincount((field("shock", "alpha").ravel() * 1000).astype(int), minlength=1000)
    expected = UNITS * PERIODS / 1000
    statistic = float(((counts - expected) ** 2 / expected).sum())
    assert chi2.ppf(1e-5, 999) < statistic < chi2.ppf(1 - 1e-5, 999)


def test_pairs_of_neighbours_fill_squares_evenly() -> None:
    """Chi-square of (this period, next period) and (this unit, next unit) over 30 x 30 squares."""
    drawn = (field("shock", "alpha") * 30).astype(int)
    for first, second in ((drawn[:-1], drawn[1:]), (drawn[:, :-1], drawn[:, 1:])):
        counts = np.bincount((first * 30 + second).ravel(), minlength=900)
        expected = first.size / 900
        statistic = float(((counts - expected) ** 2 / expected).sum())
        assert chi2.ppf(1e-5, 899) < statistic < chi2.ppf(1 - 1e-5, 899)


def test_uniforms_do_not_follow_each_other_along_units_or_periods() -> None:
    drawn = field("shock", "alpha")
    for lag in (1, 2, 3, 7, 12):
        assert abs(correlation(drawn[:-lag], drawn[lag:])) < FAR
        assert abs(correlation(drawn[:, :-lag], drawn[:, lag:])) < FAR


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (field("shock", "alpha"), field("shock", "bravo")),
        (field("shock", "alpha"), field("level", "alpha")),
        (field("shock", "alpha"), field("shock", "alpha", seed=4)),
        (field("a", "bc"), field("ab", "c")),
    ],
    ids=["metrics", "streams", "seeds", "names"],
)
def test_streams_are_independent(first: Floats, second: Floats) -> None:
    assert abs(correlation(first, second)) < FAR
    assert not np.any(first == second)


def test_normals_have_the_moments_of_the_normal() -> None:
    drawn = normals(key(1, "x"), words(np.arange(200_000)))
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(float((drawn**power).mean()) - moment) < FAR * np.sqrt(spread / 200_000)


@given(st.integers(0, 2**64 - 1))
def test_uniforms_lie_strictly_between_0_and_1(address: int) -> None:
    drawn = float(uniforms(np.uint64(0), np.array([address], dtype=np.uint64))[0])
    assert 0.0 < drawn < 1.0
    assert np.isfinite(normals(np.uint64(0), np.array([address], dtype=np.uint64))).all()


def test_words_of_integers_are_distinct_below_zero_too() -> None:
    assert len(set(words(np.arange(-5000, 5000)).tolist())) == 10_000


def test_choices_are_even_and_within_their_counts() -> None:
    counts = np.tile(np.array([1, 2, 7]), 20_000)
    chosen = choose(key(1, "choice"), words(np.arange(len(counts))), counts)
    assert (chosen >= 0).all() and (chosen < counts).all()
    actual = np.bincount(chosen[counts == 7])
    assert float(((actual - 20_000 / 7) ** 2 / (20_000 / 7)).sum()) < chi2.ppf(1 - 1e-5, 6)


def test_keys_tell_apart_where_a_name_ends_and_what_the_seed_is() -> None:
    names: list[tuple[str | int, ...]] = [("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), ("", "abc"), (1, "abc")]
    assert len({int(key(seed, *name)) for name in names for seed in (0, 1, 11)}) == 3 * len(names)


def test_pinned_key() -> None:
    """A change of this number changes every dataset that anyone has ever made."""
    assert int(key(42, "shock", "alpha")) == 4515657563039486087


@pytest.mark.parametrize("bits", [2, 8, 14])
def test_a_permutation_is_a_bijection(bits: int) -> None:
    """Of all numbers of so many bits, under several keys; and not the identity."""
    numbers = np.arange(1 << bits, dtype=np.uint64)
    values = [permute(numbers, bits, key(seed, "code")) for seed in range(4)]
    assert all(np.array_equal(np.sort(one), numbers) for one in values)
    assert bits == 2 or not any(np.array_equal(one, numbers) for one in values)


@given(st.lists(st.integers(0, 2**50 - 1), min_size=2, max_size=50, unique=True))
def test_codes_of_distinct_numbers_are_distinct(numbers: list[int]) -> None:
    result = code(permute(np.array(numbers, dtype=np.uint64), 50, key(0, "code")), 10)
    assert len(set(result.tolist())) == len(numbers)
    assert all(len(text) == 10 and not set(text) & set("ILOU") for text in result.tolist())
