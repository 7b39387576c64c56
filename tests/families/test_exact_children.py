"""Exactly N children over parents: sum and bounds are exact, any parents are known alone, and the laws are the declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from plotsim_core.numerics.exact_children import ExactChildren

PARENTS, TOTAL = 10_007, 42_000
FORMS: list[dict[str, Any]] = [
    {},
    {"shape": 0.5},
    {"shape": 2.0},
    {"zipf": 1.0},
    {"zipf": 1.1},
    {"least": 1, "most": 12},
    {"shape": 1.0, "least": 1, "most": 200},
    {"zipf": 1.1, "least": 1, "most": 50},
]
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


@every_form
def test_sum_and_bounds_are_exact_and_any_parent_is_known_alone(form: dict[str, Any]) -> None:
    children = ExactChildren(3, "lines", TOTAL, PARENTS, **form)
    counts = children.counts(range(PARENTS))
    assert counts.sum() == TOTAL
    assert counts.min() >= form.get("least", 0)
    assert counts.max() <= form.get("most", TOTAL)
    some = np.random.default_rng(0).integers(0, PARENTS, 300)
    assert np.array_equal(children.counts(some), counts[some])
    assert np.array_equal(children.counts(range(5000, 5300)), counts[5000:5300])
    assert children.counts(some[:1]).tolist() == [counts[some[0]]]


@every_form
def test_each_child_has_one_parent_and_a_number_there(form: dict[str, Any]) -> None:
    children = ExactChildren(3, "lines", TOTAL, PARENTS, **form)
    parents, numbers = children.parents_of(range(TOTAL))
    counts = children.counts(range(PARENTS))
    assert np.array_equal(np.bincount(parents, minlength=PARENTS), counts)
    assert (numbers < counts[parents]).all()
    assert len(np.unique(parents * TOTAL + numbers)) == TOTAL
    some = np.random.default_rng(0).integers(0, TOTAL, 300)
    some_parents, some_numbers = children.parents_of(some)
    assert np.array_equal(some_parents, parents[some])
    assert np.array_equal(some_numbers, numbers[some])


@pytest.mark.parametrize("form", [{}, {"shape": 1.0}, {"zipf": 1.0}], ids=str)
@pytest.mark.parametrize("total", [1000, 1050, 11_500, 12_000])
def test_tight_bounds_are_kept(form: dict[str, float], total: int) -> None:
    counts = ExactChildren(1, "lines", total, 1000, least=1, most=12, **form).counts(range(1000))
    assert (counts.sum(), counts.min() >= 1, counts.max() <= 12) == (total, True, True)


@pytest.mark.parametrize(
    ("total", "form"), [(999, {"least": 1}), (12_001, {"most": 12}), (10, {"shape": 1.0, "zipf": 1.0}), (-1, {})]
)
def test_what_does_not_fit_is_refused(total: int, form: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|do not fit"):
        ExactChildren(1, "lines", total, 1000, **form)


@pytest.mark.slow
def test_equal_parents_have_multinomial_counts() -> None:
    """Chi-square over 200 seeds is uniform; seeds are fixed, and p below 1 in 1,000 would be wrong."""
    p_values = [stats.chisquare(ExactChildren(s, "lines", 20_000, 500).counts(range(500))).pvalue for s in range(200)]
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("shape", [0.5, 2.0])
def test_a_shape_gives_negative_binomial_counts(shape: float) -> None:
    parents, mean = 60_000, 4.2
    counts = ExactChildren(3, "lines", round(parents * mean), parents, shape=shape).counts(range(parents))
    expected = stats.nbinom.pmf(np.arange(60), shape, shape / (shape + mean)) * parents
    expected[-1] += parents - expected.sum()
    observed = np.bincount(np.minimum(counts, 59), minlength=60)
    is_many = expected > 20
    pooled, wanted = (np.append(array[is_many], array[~is_many].sum()) for array in (observed, expected))
    assert stats.chisquare(pooled, wanted).pvalue > 1e-3


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.3])
def test_zipf_gives_ranks_their_weights_in_an_order_of_its_own(exponent: float) -> None:
    parents, total = 5_000, 10**6
    counts = ExactChildren(3, "lines", total, parents, zipf=exponent).counts(range(parents))
    weights = np.arange(1.0, parents + 1) ** -exponent
    expected = weights / weights.sum() * total
    ranked = np.sort(counts)[::-1]
    assert np.abs(ranked[:20] - expected[:20]).max() < 5 * np.sqrt(expected[0])
    assert abs(np.corrcoef(counts, np.arange(parents))[0, 1]) < 5 / np.sqrt(parents)


def test_a_hundred_million_parents_are_never_counted() -> None:
    for form in FORMS:
        children = ExactChildren(3, "lines", 10**9, 10**8, **form)
        numbers = np.array([0, 7, 10**9 - 1])
        parents, places = children.parents_of(numbers)
        assert (places < children.counts(parents)).all()
