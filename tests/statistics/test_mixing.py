"""What is declared of several metrics at once holds: in any order, for many, in phases, after decays, and over the table."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest

from plotsim_core import ConfigError, Plan
from plotsim_core.engine.block import Block
from plotsim_core.numerics.correlation import completion
from plotsim_core.plan.copula import lagged_correlations
from tests.marks import slow_but
from tests.statistics.samples import FAR, Raw, block_of, correlation, metric, plan_of, residuals

SOLVED = 0.005


def latent(plan: Plan, mixing: int = 0) -> np.ndarray:
    """Return the correlations of the shocks, by metric."""
    lower = plan.population.mixings[mixing].shocks
    return lower @ lower.T


def star(names: tuple[str, ...]) -> Plan:
    """Return a plan in which three metrics are connected with `hub`, declared in the order of `names`."""
    connections = [["hub", 0.75, "a"], ["b", 0.75, "hub"], ["hub", -0.6, "c"]]
    return plan_of([metric(name, "normal") for name in names], 50, 4, connections=connections)


def test_the_order_of_declaration_does_not_matter() -> None:
    """Whatever comes first, declared correlations are delivered, and those that follow from them are the same."""
    wanted = {("hub", "a"): 0.75, ("hub", "b"): 0.75, ("hub", "c"): -0.6, ("a", "b"): 0.5625, ("a", "c"): -0.45}
    for names in permutations(("hub", "a", "b", "c")):
        plan = star(names)
        assert plan.warnings == ()
        actual = latent(plan)
        for (first, second), expected in wanted.items():
            assert actual[names.index(first), names.index(second)] == pytest.approx(expected, abs=2e-3)


def test_a_ring_of_connections_is_completed_with_the_largest_entropy() -> None:
    """Where nothing is declared, metrics are independent given the others: the inverse of the matrix is zero there."""
    actual = completion(4, {(0, 1): 0.6, (1, 2): 0.5, (2, 3): 0.4, (0, 3): 0.5})
    assert np.allclose([actual[0, 1], actual[1, 2], actual[2, 3], actual[0, 3]], [0.6, 0.5, 0.4, 0.5], atol=1e-9)
    inverse = np.linalg.inv(actual)
    assert abs(inverse[0, 2]) < 1e-7 and abs(inverse[1, 3]) < 1e-7


def test_connections_that_exclude_each_other_are_moved_to_the_nearest_that_do_not_and_all_are_named() -> None:
    """0.82, -0.75, 0.68 of three metrics: compared with a search over all correlation matrices of three."""
    wanted = {(0, 1): 0.5, (1, 2): 0.5, (0, 2): -0.6}
    actual = completion(3, wanted)
    off = sum((actual[pair] - target) ** 2 for pair, target in wanted.items())
    grid = np.linspace(-0.999, 0.999, 161)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    reach = np.sqrt((1 - x**2) * (1 - y**2))
    z = np.clip(-0.6, x * y - reach, x * y + reach)
    best = ((x - 0.5) ** 2 + (y - 0.5) ** 2 + (z + 0.6) ** 2).min()
    assert off == pytest.approx(best, rel=0.02, abs=1e-4)
    metrics = [metric(name, "normal") for name in "abc"]
    plan = plan_of(metrics, 50, 4, connections=[["a", 0.5, "b"], ["b", 0.5, "c"], ["a", -0.6, "c"]])
    assert {problem.path for problem in plan.warnings} == {"connections[0]", "connections[1]", "connections[2]"}
    with pytest.raises(ConfigError, match="cannot hold together"):
        plan_of(metrics, 50, 4, connections=[["a", 0.9, "b"], ["b", 0.9, "c"], ["a", -0.9, "c"]])


@pytest.mark.slow
def test_fifty_metrics_with_all_their_pairs_declared() -> None:
    """A matrix of three factors, all 1,225 pairs declared, every one of them delivered."""
    rng = np.random.default_rng(3)
    loads = rng.normal(size=(50, 3))
    matrix = loads @ loads.T + np.diag(rng.uniform(0.5, 2.0, 50))
    scale = np.sqrt(np.diag(matrix))
    matrix = np.round(matrix / np.outer(scale, scale), 3)
    names = [f"m{number}" for number in range(50)]
    connections = [[names[a], float(matrix[a, b]), names[b]] for a, b in combinations(range(50), 2)]
    plan = plan_of([metric(name, "normal") for name in names], 1500, 8, connections=connections)
    assert plan.warnings == ()
    block = block_of(plan)
    left = np.stack([residuals(block, place).ravel() for place in range(50)])
    actual = np.corrcoef(left)
    error = (1 - matrix**2) / np.sqrt(left.shape[1])
    assert (np.abs(actual - matrix) < 5 * error + SOLVED)[~np.eye(50, dtype=bool)].all()


def in_periods(block: Block, first: int, stop: int) -> tuple[float, float]:
    return correlation(residuals(block, 0)[first:stop], residuals(block, 1)[first:stop])


@pytest.mark.parametrize("persistence", [0.0, 0.8])
def test_phases_switch_on_their_date(persistence: float) -> None:
    """In the very period a phase begins its correlation is there, in the one before and the one after it is the other."""
    phases = [{"start_period": 6, "end_period": 8, "connections": [["a", -0.6, "b"]]}]
    metrics = [metric("a", "beta", persistence=persistence), metric("b", "gamma", persistence=persistence)]
    varied = {"level": 0.3, "timing": 0, "size": 0}
    plan = plan_of(metrics, 20_000, 12, connections=["a 0.7 b"], connection_phases=phases, variation=varied)
    block = block_of(plan)
    for period in range(4, 11):
        expected = -0.6 if 6 <= period <= 8 else 0.7
        estimate, error = in_periods(block, period, period + 1)
        assert abs(estimate - expected) < FAR * error + 0.015, (period, estimate)


def test_a_phase_leaves_the_pairs_it_does_not_name_as_they_are() -> None:
    phases = [{"start_period": 2, "end_period": 5, "connections": [["a", 0.1, "b"]]}]
    metrics = [metric(name, "normal") for name in "abc"]
    plan = plan_of(metrics, 50, 8, connections=["a 0.5 b", "b 0.4 c"], connection_phases=phases)
    assert latent(plan, 1)[0, 1] == pytest.approx(0.1, abs=1e-3)
    assert latent(plan, 1)[1, 2] == pytest.approx(latent(plan, 0)[1, 2], abs=1e-9)


@pytest.mark.parametrize("kernel", ["geometric", "linear"])
def test_a_decay_is_found_with_the_weights_of_its_kernel(kernel: str) -> None:
    """Where nothing persists, the cross-correlation of scores is strength times the kernel, scaled to unit length."""
    follower = metric("b", "normal", follows="a", delay=2, strength=0.9, decay_window=4, decay_kernel=kernel)
    block = block_of(plan_of([metric("a", "normal"), follower], 6000, 16))
    weights = 0.5 ** np.arange(4) if kernel == "geometric" else np.arange(4, 0, -1)
    expected = np.zeros(9)
    expected[2:6] = 0.9 * weights / np.sqrt(np.sum(weights**2))
    driver, entry = block.scores(0), block.scores(1)
    for lag in range(9):
        estimate, error = correlation(driver[: len(driver) - lag], entry[lag:])
        assert abs(estimate - expected[lag]) < FAR * error, lag


def test_a_decay_reads_the_same_average_of_the_trajectory() -> None:
    raw: Raw = {"follows": "a", "delay": 1, "decay_window": 3, "decay_kernel": "linear"}
    block = block_of(plan_of([metric("a", "beta"), metric("b", "beta", **raw)], 3, 16))
    at = block.positions()
    expected = (3 * at[3:-1] + 2 * at[2:-2] + at[1:-3]) / 6
    assert np.allclose(block.metric_positions(1)[4:], expected)


@pytest.mark.parametrize("persistence", [0.0, 0.5])
def test_how_much_of_a_driver_is_left_in_its_follower_is_known(persistence: float) -> None:
    metrics = [
        metric("a", "normal", persistence=persistence),
        metric("b", "normal", follows="a", delay=2, strength=0.8, decay_window=3),
    ]
    plan = plan_of(metrics, 6000, 16, connections=["a 0.2 b"])
    block = block_of(plan)
    driver, entry = block.scores(0), block.scores(1)
    for lag in range(6):
        estimate, error = correlation(driver[: len(driver) - lag], entry[lag:])
        expected, _ = lagged_correlations([m.latent for m in plan.population.metrics], plan.population.mixings[0], 0, 1, lag)
        assert abs(estimate - expected) < FAR * error * (1 + 2 * persistence), lag


POOLED: dict[str, Any] = {
    "flat": "flat",
    "growth": "growth",
    "seasonal": "seasonal",
    "composite": "flat > growth @ 12",
}


def pooled_plan(archetypes: list[str], declared: float, families: tuple[str, str] = ("beta", "lognormal")) -> Plan:
    metrics = [metric("a", families[0]), metric("b", families[1])]
    segments = [{"name": f"s{number}", "count": 5000, "archetype": word} for number, word in enumerate(archetypes)]
    connections = [{"metric_a": "a", "metric_b": "b", "coefficient": declared, "pooled": True}]
    plan = plan_of(metrics, 10, 25, connections=["a 0.1 b"])
    return plan_of(plan.raw["metrics"], 10, 25, segments=segments, connections=connections)


@pytest.mark.parametrize(
    "archetypes", slow_but([["flat"], ["growth"], ["seasonal"], ["flat > growth @ 12"], ["growth", "decline"]], ["growth"])
)
def test_a_pooled_correlation_is_that_of_the_table(archetypes: list[str]) -> None:
    """As close as 0.02 with 125,000 cells and more; within the level of a unit's own the cells are not independent."""
    declared = 0.7
    plan = pooled_plan(archetypes, declared)
    assert plan.warnings == ()
    block = block_of(plan)
    estimate, _ = correlation(block.correlated(0), block.correlated(1))
    assert abs(estimate - declared) < 0.02


@pytest.mark.slow
def test_a_pooled_correlation_that_the_trajectory_does_not_allow_is_refused_with_what_it_allows() -> None:
    with pytest.raises(ConfigError, match=r"over the whole table a and b cannot have a correlation of -0.9\s+they can have"):
        pooled_plan(["growth", "decline"], -0.9)
