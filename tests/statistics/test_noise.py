"""Noise comes at its declared rates and with its family's shape, and values go missing where the config says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from plotsim_core import explain, generate_tables
from plotsim_core.config.effects import Noise, null_rate
from plotsim_core.engine.block import Block
from plotsim_core.engine.noised import jittered
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Population
from tests.statistics.samples import FAR, Raw, block_of, metric, plan_of

BINOMIAL = 3.0
"""How many standard deviations a rate may be off its declared one, with the fixed seed of the samples."""


def noisy_block(noise: Raw | str, metrics: list[Raw] | None = None, units: int = 10_000, **more: Any) -> Block:
    """Return the stages of units that stay at half way, under a noise."""
    archetype = [{"curve": "plateau", "level": 0.5, "until": 1.0}]
    segment = {"name": "only", "count": units, "archetype": archetype, "variation": "none", **more}
    metrics = metrics or [metric("a", "beta"), metric("b", "gamma"), metric("c", "normal")]
    return block_of(plan_of(metrics, periods=12, segments=[segment], noise=noise))


def declared(population: Population, place: int) -> float:
    """Return the share of a metric's values that the config says are missing."""
    return null_rate(population.dataset, population.metrics[place].spec)


def near(cells: NDArray[np.bool_], rate: float) -> bool:
    """Whether a share of independent cells is a rate, within the binomial's deviations."""
    return bool(abs(cells.mean() - rate) < BINOMIAL * np.sqrt(rate * (1 - rate) / cells.size))


@pytest.mark.parametrize("sigma", [0.02, 0.1])
@pytest.mark.parametrize("scaled", [False, True])
def test_jitter_has_the_declared_deviation_relative_to_the_value(sigma: float, scaled: bool) -> None:
    """And in proportion to the position, here a half, with `scale_with_trajectory`."""
    block = noisy_block({"gaussian_sigma": sigma, "scale_with_trajectory": scaled})
    true = block.correlated(1)
    mask = (true > 40) & (true < 200)  # where neither rounding nor the bounds matter
    relative = (block.noised(1)[mask] / true[mask] - 1) / (sigma * (0.5 if scaled else 1.0))
    assert abs(relative.mean()) < FAR / np.sqrt(relative.size)
    assert abs(relative.std() - 1) < FAR / np.sqrt(2 * relative.size)


@pytest.mark.parametrize(
    ("family", "degrees", "excess"),
    [("gaussian", None, 0.0), ("laplace", None, 3.0), pytest.param("student_t", 10, 6 / (10 - 4), marks=pytest.mark.slow)],
)
def test_jitter_has_the_kurtosis_of_its_family(family: str, degrees: int | None, excess: float) -> None:
    """The error is that of the fourth standardised moment k of a symmetric sample: z^4 - k - 2 k (z^2 - 1) per draw."""
    block = noisy_block("clean", units=100_000)
    noise = Noise.model_validate({"gaussian_sigma": 1.0, "noise_family": family, "degrees_of_freedom": degrees})
    population = block.population
    drawn = (
        jittered(
            population.seed, noise, population.metrics[2], block.address, np.ones(block.address.shape), block.positions()
        )
        - 1
    )
    z = (drawn - drawn.mean()) / drawn.std()
    moment = float((z**4).mean())
    error = np.std(z**4 - 2 * moment * z**2) / np.sqrt(z.size)
    assert FAR * error < 0.5, "the sample is too small to tell the families apart"
    assert abs(moment - 3 - excess) < FAR * error


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_outliers_come_at_their_rate(rate: float) -> None:
    block = noisy_block({"outlier_rate": rate})
    for place, decimals in enumerate((4, 2, 2)):
        assert near(block.noised(place) != np.round(block.correlated(place), decimals), rate)


@pytest.mark.parametrize("rate", [0.005, 0.1, 0.4])
def test_values_missing_completely_at_random_are_as_many_as_declared_whatever_they_are(rate: float) -> None:
    block = noisy_block({"mcar_rate": rate})
    for place in range(3):
        missing = np.isnan(block.noised(place))
        true = block.correlated(place)
        high = true > np.median(true)
        assert declared(block.population, place) == pytest.approx(rate)
        assert near(missing, rate)
        assert near(missing[high], rate)
        assert near(missing[~high], rate)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("when", ["high", "low"])
def test_values_missing_by_another_value_are_as_many_as_declared_and_where_it_is(rate: float, when: str) -> None:
    """Above its median half as many again, below it half as many, in its top tenth nearly twice as many; it itself has
    none missing."""
    block = noisy_block({"mar_rate": rate, "mar_on": "a", "mar_when": when})
    driver = block.noised(0)
    assert not np.isnan(driver).any()
    assert declared(block.population, 0) == 0
    side = driver if when == "high" else -driver
    above, top = side > np.median(side), side > np.quantile(side, 0.9)
    for place in (1, 2):
        missing = np.isnan(block.noised(place))
        assert declared(block.population, place) == pytest.approx(rate)
        assert near(missing, rate)
        assert near(missing[above], 1.5 * rate)
        assert near(missing[~above], 0.5 * rate)
        assert near(missing[top], 1.9 * rate)


def test_missing_by_a_value_holds_its_rate_where_units_differ_and_persist() -> None:
    """It is then units that are independent."""
    metrics = [metric("a", "beta", persistence=0.8), metric("b", "gamma")]
    noise = {"mar_rate": 0.3, "mar_on": "a"}
    block = noisy_block(noise, metrics, variation={"level": 0.5, "timing": 0, "size": 0.5})
    of_unit = np.isnan(block.noised(1)).mean(axis=0)
    assert abs(of_unit.mean() - 0.3) < BINOMIAL * of_unit.std() / np.sqrt(len(of_unit))


@pytest.mark.parametrize(("mcar", "mar"), [(0.1, 0.0), (0.0, 0.2), (0.1, 0.2)])
def test_values_are_missing_together_as_often_as_their_rates_say(mcar: float, mar: float) -> None:
    """At a quantile q of the driver a value is there with probability (1 - mcar)(1 - 2 mar q), independently of the other
    one: the mean of the square of its complement is how often both are missing."""
    block = noisy_block({"mcar_rate": mcar} | ({"mar_rate": mar, "mar_on": "a"} if mar else {}))
    first, second = (np.isnan(block.noised(place)) for place in (1, 2))
    present_share = (1 - mcar) * (1 - mar)
    there_squared = (1 - mcar) ** 2 * (1 - 2 * mar + 4 * mar**2 / 3)
    both = 1 - 2 * present_share + there_squared
    assert declared(block.population, 1) == pytest.approx(1 - present_share)
    assert near(first, 1 - present_share)
    assert near(second, 1 - present_share)
    assert near(first & second, both)
    if mar:
        assert not near(first & second, (1 - present_share) ** 2), "missing by a value of the same metric goes together"


def test_a_metric_with_noise_of_its_own_has_that_and_the_others_have_the_datasets() -> None:
    values: Raw = {"mcar_rate": 0.3, "mar_rate": 0.1, "mar_on": "c"}
    metrics = [metric("a", "beta", noise=values), metric("b", "gamma", noise="clean"), metric("c", "normal")]
    block = noisy_block({"outlier_rate": 0.2, "mcar_rate": 0.05}, metrics)
    missing = [np.isnan(block.noised(place)) for place in range(3)]
    assert [declared(block.population, place) for place in range(3)] == pytest.approx([1 - 0.7 * 0.9, 0, 0.05])
    assert near(missing[0], 1 - 0.7 * 0.9)
    assert near(missing[2], 0.05)

    def off(place: int, decimals: int) -> NDArray[np.bool_]:
        true: Floats = np.round(block.correlated(place), decimals)
        return (block.noised(place) != true)[~missing[place]]

    assert not off(0, 4).any()
    assert not off(1, 2).any()
    assert near(off(2, 2), 0.2)


def test_explain_tells_why_a_value_is_missing() -> None:
    metrics = [metric("a", "beta"), metric("b", "gamma")]
    plan = plan_of(metrics, units=5, noise={"mcar_rate": 0.3, "mar_rate": 0.4, "mar_on": "a"})
    stored = generate_tables(plan, tables=["noised_metrics"])["noised_metrics"]
    seen = set()
    for key, period, value in stored[["unit_id", "date_key", "b"]].to_numpy().tolist():
        actual = explain(plan, "noised_metrics", key, str(period), "b")
        steps = {step.name: step.value for step in actual.steps}
        assert steps["missing"] == np.isnan(value) == (steps["at random"] or steps["by value"])
        seen.add((steps["at random"], steps["by value"]))
    assert len(seen) == 4, "each reason, both and neither have been looked at"


def test_columns_are_nullable_where_values_may_be_missing_and_nowhere_else() -> None:
    """The stage is as missing as the metric it is read from."""
    metrics = [metric("a", "beta"), metric("b", "beta"), metric("c", "beta", noise="clean")]
    for track, missing in (("a", False), ("b", True), ("c", False)):
        lifecycle = {"track": track, "stages": [{"low": 0.0}, {"high": 0.5}]}
        plan = plan_of(metrics, 200, noise={"mar_rate": 0.2, "mar_on": "a"}, lifecycle=lifecycle)
        frames = generate_tables(plan)
        nullable = {c.name: c.nullable for table in plan.tables if table.kind == "fact" for c in table.columns}
        nulls = {name for table in plan.tables for name, n in frames[table.name].isna().sum().items() if n}
        assert {name for name in ("a", "b", "c", "stage") if nullable[name]} == ({"b", "stage"} if missing else {"b"})
        assert nulls & set(nullable) == ({"b", "stage"} if missing else {"b"})
