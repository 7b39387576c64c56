"""Declared correlations, lags and persistence are what the data shows, given the trajectory."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest

from tests.statistics.samples import FAMILIES, FAR, block_of, correlation, metric, plan_of, residuals

SOLVED = 0.005
"""How far load may miss a declared correlation without saying so."""


@pytest.mark.parametrize(("first", "second"), list(combinations_with_replacement(FAMILIES, 2)))
@pytest.mark.parametrize("declared", [0.5])
def test_a_declared_correlation_is_that_of_the_residuals(first: str, second: str, declared: float) -> None:
    plan = plan_of([metric("a", first), metric("b", second)], connections=[["a", declared, "b"]])
    block = block_of(plan)
    estimate, error = correlation(residuals(block, 0), residuals(block, 1))
    assert abs(estimate - declared) < FAR * error + SOLVED, (estimate, error)


@pytest.mark.parametrize("declared", [-0.75, -0.2, 0.0, 0.2, 0.75])
@pytest.mark.parametrize("polarity", ["positive", "negative"])
def test_every_strength_is_delivered_whatever_the_polarity(declared: float, polarity: str) -> None:
    metrics = [metric("a", "beta"), metric("b", "lognormal", polarity=polarity)]
    block = block_of(plan_of(metrics, connections=[["a", declared, "b"]]))
    estimate, error = correlation(residuals(block, 0), residuals(block, 1))
    assert abs(estimate - declared) < FAR * error + SOLVED, (estimate, error)


def test_correlations_hold_all_at_once_under_persistence_and_levels() -> None:
    """Three declared pairs, metrics that remember for different times, and units that differ in level. Scores persist, so
    it is the units that are independent: the standard error is that of units."""
    metrics = [
        metric("a", "beta", persistence=0.6),
        metric("b", "normal", persistence=0.0),
        metric("c", "gamma", persistence=0.3),
    ]
    connections = [["a", 0.4, "b"], ["b", -0.3, "c"], ["a", 0.2, "c"]]
    block = block_of(plan_of(metrics, 4000, 8, connections=connections, variation={"level": 0.3, "timing": 0, "size": 0}))
    left = [residuals(block, place) for place in range(3)]
    for first, declared, second in ((0, 0.4, 1), (1, -0.3, 2), (0, 0.2, 2)):
        products = (left[first] * left[second]).mean(axis=0)
        estimate, _ = correlation(left[first], left[second])
        assert abs(estimate - declared) < FAR * products.std() / np.sqrt(products.size) + SOLVED, (first, second, estimate)


def test_metrics_that_nothing_connects_are_uncorrelated() -> None:
    block = block_of(plan_of([metric("a", "beta"), metric("b", "normal"), metric("c", "poisson")]))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        estimate, error = correlation(residuals(block, first), residuals(block, second))
        assert abs(estimate) < FAR * error


@pytest.mark.parametrize("delay", [1, 3])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_follower_correlates_with_its_driver_most_at_the_declared_delay(family: str, delay: int) -> None:
    """And there as strongly as is declared, in scores; at all other distances not at all, where nothing persists."""
    follower = metric("b", family, follows="a", delay=delay, strength=0.6)
    block = block_of(plan_of([metric("a", "beta"), follower]))
    driver, entry = residuals(block, 0), residuals(block, 1)
    values = [correlation(driver[: len(driver) - lag], entry[lag:]) for lag in range(6)]
    assert int(np.argmax([abs(value) for value, _ in values])) == delay
    assert all(abs(value) < FAR * error for lag, (value, error) in enumerate(values) if lag != delay)
    scores = block.scores(0)[: len(driver) - delay], block.scores(1)[delay:]
    strength, error = correlation(*scores)
    assert abs(strength - 0.6) < FAR * error


def test_delays_add_up_along_a_chain() -> None:
    metrics = [
        metric("a", "beta"),
        metric("b", "normal", follows="a", delay=1, strength=0.8),
        metric("c", "gamma", follows="b", delay=2, strength=0.8),
    ]
    block = block_of(plan_of(metrics))
    first, last = block.scores(0), block.scores(2)
    values = [correlation(first[: len(first) - lag], last[lag:])[0] for lag in range(6)]
    assert int(np.argmax(values)) == 3
    strength, error = correlation(first[:-3], last[3:])
    assert abs(strength - 0.64) < FAR * error


def test_a_follower_of_the_other_polarity_moves_against_its_driver() -> None:
    follower = metric("b", "beta", polarity="negative", follows="a", delay=2, strength=0.6)
    block = block_of(plan_of([metric("a", "beta"), follower]))
    estimate, error = correlation(block.scores(0)[:-2], block.scores(1)[2:])
    assert abs(estimate + 0.6) < FAR * error


@pytest.mark.parametrize("persistence", [0.0, 0.3, 0.8])
def test_values_persist_by_powers_of_what_is_declared(persistence: float) -> None:
    """From the first period on: there is no warm-up."""
    left = residuals(block_of(plan_of([metric("a", "beta", persistence=persistence)], 4000, 8)), 0)
    for lag in (1, 2, 3):
        estimate, error = correlation(left[0], left[lag])
        assert abs(estimate - persistence**lag) < FAR * error + 0.01


@pytest.mark.parametrize("family", list(FAMILIES))
def test_residuals_are_standardised(family: str) -> None:
    """Given the trajectory the true values have the expected mean and the family's deviation."""
    left = residuals(block_of(plan_of([metric("a", family)])), 0)
    number = left.size
    assert abs(left.mean()) < FAR / np.sqrt(number) + 0.01
    assert abs(left.var() - 1) < FAR * np.sqrt((np.mean(left**4) - 1) / number) + 0.02
