"""Orders of groups are those of a general sort."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core.numerics.estimates import rank_correlation
from plotsim_core.numerics.groups import sorted_within, stable_order


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(0, 2**32 - 1))
def test_values_are_sorted_within_each_group(counts: list[int], seed: int) -> None:
    lengths = np.array(counts, dtype=np.int64)
    values = np.random.default_rng(seed).random(int(lengths.sum())).round(1)
    group = np.repeat(np.arange(len(lengths)), lengths)
    assert np.array_equal(sorted_within(values, lengths), values[np.lexsort((values, group))])


@pytest.mark.parametrize("most", [1, 9, 65_535, 65_536, 10**12])
def test_an_order_is_stable_however_far_numbers_lie_apart(most: int) -> None:
    values = np.random.default_rng(most).integers(0, most, 5_000, endpoint=True) - most // 2
    assert np.array_equal(stable_order(values), np.argsort(values, kind="stable"))
    assert len(stable_order(values[:0])) == 0


def test_rank_correlations_are_those_of_scipy() -> None:
    """Of values of which many are equal, too."""
    first = np.random.default_rng(3).normal(size=(4, 500)).round(1)
    second = (first + np.random.default_rng(4).normal(size=first.shape)).round(1)
    assert rank_correlation(first, second)[0] == pytest.approx(scipy.stats.spearmanr(first.ravel(), second.ravel())[0])
