"""Units differ as declared: in size, level, timing and arrival; seasons and events follow what drives them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from plotsim_core.engine.roster import select
from plotsim_core.numerics.arrays import Floats
from plotsim_core.tables.proportional import ProportionalEvent
from tests.marks import slow_but
from tests.statistics.samples import FAMILIES, FAR, Raw, block_of, correlation, metric, plan_of, residuals


def test_sizes_average_to_1_and_spread_as_declared() -> None:
    plan = plan_of([metric("a", "gamma")], 20_000, variation={"level": 0, "timing": 0, "size": 0.5})
    size = select(plan.population, 0, plan.population.units).size
    assert abs(size.mean() - 1) < FAR * size.std() / np.sqrt(len(size))
    assert stats.kstest((np.log(size) + 0.125) / 0.5, "norm").pvalue > 1e-4


def test_timing_shifts_curves_around_their_own_place() -> None:
    plan = plan_of([metric("a", "beta")], 20_000, variation={"level": 0, "timing": 0.1, "size": 0})
    timing = select(plan.population, 0, plan.population.units).timing
    assert abs(timing.mean()) < FAR * 0.1 / np.sqrt(len(timing))
    assert timing.std() == pytest.approx(0.1, rel=0.05)


def test_the_largest_units_hold_the_share_that_the_lognormal_gives_them() -> None:
    """The largest 1 % of lognormal sizes of deviation s hold Phi(s - z) of the total, z being the 99 % quantile of the
    normal (37 % at s = 2). The error is the one of that share of a sample: per unit ((x - q)+ + 0.01 q - share x) / mean."""
    plan = plan_of([metric("a", "poisson")], 400_000, variation={"level": 0, "timing": 0, "size": 2})
    size = select(plan.population, 0, plan.population.units).size
    edge = np.quantile(size, 0.99)
    share = size[size > edge].sum() / size.sum()
    error = np.std((np.maximum(size - edge, 0) - share * size) / size.mean()) / np.sqrt(len(size))
    expected = stats.norm.cdf(2 - stats.norm.ppf(0.99))
    assert FAR * error < 0.1, "the sample is too small to tell"
    assert abs(share - expected) < FAR * error


WITHIN = 0.02
"""How near the data comes to a declared share or correlation."""


def between(values: Floats) -> tuple[float, float]:
    """Return (share of variance between units, its standard error) of (periods, units): the intraclass correlation from
    one-way analysis of variance and Fisher's error of it ("Statistical Methods for Research Workers", 1925)."""
    periods, units = values.shape
    among = periods * values.mean(axis=0).var(ddof=1)
    inside = values.var(axis=0, ddof=1).mean()
    share = (among - inside) / (among + (periods - 1) * inside)
    spread = 2 * ((1 - share) * (1 + (periods - 1) * share)) ** 2 / (periods * (periods - 1) * (units - 1))
    return float(share), float(np.sqrt(spread))


LINE: list[Raw] = [{"curve": "linear", "until": 1.0}]
HALF_WAY: list[Raw] = [{"curve": "plateau", "level": 0.5, "until": 1.0}]
MOST = {("beta", True): 0.88}
"""A beta leans to the right at its low end and to the left at its high end, so that a score that is far out at one is near
the middle at the other: values of units that go all the way cannot be more alike than this."""


@pytest.mark.parametrize("archetype", [LINE, HALF_WAY], ids=["moving", "standing"])
@pytest.mark.parametrize("level", slow_but([0.0, 0.2, 0.5, 0.9], 0.5))
@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_level_is_the_share_of_variance_that_lies_between_units(family: str, level: float, archetype: list[Raw]) -> None:
    """Of the values given the trajectory, whatever shape they have and wherever units are on their curve."""
    variation = {"level": level, "timing": 0, "size": 0}
    segment = {"name": "only", "count": 20_000, "archetype": archetype, "variation": variation}
    estimate, error = between(residuals(block_of(plan_of([metric("a", family)], periods=6, segments=[segment])), 0))
    assert FAR * error < WITHIN, "the sample is too small to tell"
    reached = min(level, MOST.get((family, archetype == LINE), 1.0))
    assert abs(estimate - reached) < WITHIN


@pytest.mark.parametrize("persistence", slow_but([0.0, 0.3, 0.6, 0.9, 0.95], 0.0, 0.6))
@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_persistence_is_the_correlation_with_the_period_before(family: str, persistence: float) -> None:
    """Of the values given the trajectory, whatever shape they have."""
    left = residuals(block_of(plan_of([metric("a", family, persistence=persistence)], 20_000, 6)), 0)
    estimate, _ = correlation(left[:-1], left[1:])
    assert abs(estimate - persistence) < WITHIN


@pytest.mark.parametrize("sensitivity", [1.0, 0.5, -0.5, 0.0])
def test_a_season_multiplies_the_mean_in_its_months_and_no_other(sensitivity: float) -> None:
    season = {"seasonality": [{"months": [3, 4], "strength": 0.2}, {"months": [4], "strength": 0.1}]}
    metrics = [metric("a", "gamma", seasonal_sensitivity=sensitivity)]
    without, within = plan_of(metrics, 3, 12), plan_of(metrics, 3, 12, **season)
    factor = block_of(within).centres(0) / block_of(without).centres(0)
    expected = np.ones(12)
    expected[2:4] += sensitivity * np.array([0.2, 0.3])
    assert np.allclose(factor, expected[:, None])


def arrivals(arrival: Raw, units: int = 6000, periods: int = 24) -> np.ndarray:
    """Return how many units arrive in each period."""
    plan = plan_of([metric("a", "beta")], units, periods)
    raw = {**plan.raw, "segments": [{**plan.raw["segments"][0], "arrival": arrival}]}
    plan = plan_of(raw.pop("metrics"), units, periods, segments=raw["segments"])
    return np.bincount(select(plan.population, 0, units).arrival - plan.first, minlength=periods)


@pytest.mark.parametrize(
    ("arrival", "shares"),
    [
        ({"kind": "uniform", "start": 4, "end": 16}, np.full(12, 1 / 12)),
        ({"kind": "linear", "start": 4, "end": 16, "direction": "increasing"}, (2 * np.arange(12) + 1) / 144),
        ({"kind": "linear", "start": 4, "end": 16, "direction": "decreasing"}, (2 * np.arange(12) + 1)[::-1] / 144),
        (
            {"kind": "step", "blocks": [{"period": 4, "fraction": 0.25}, {"period": 15, "fraction": 0.75}]},
            np.array([0.25, *[0] * 10, 0.75]),
        ),
    ],
    ids=["uniform", "increasing", "decreasing", "step"],
)
def test_units_arrive_as_declared(arrival: Raw, shares: np.ndarray) -> None:
    counts = arrivals(arrival)
    assert counts[:4].sum() == counts[16:].sum() == 0
    is_filled = shares > 0
    expected = shares[is_filled] * counts.sum()
    assert (counts[4:16][~is_filled] == 0).all()
    assert stats.chisquare(counts[4:16][is_filled], expected).pvalue > 1e-4


@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_events_are_poisson_around_their_driver(scale: float) -> None:
    """Mean and dispersion given the driver's true value, and independent of the value before."""
    columns = [
        {"name": "event_id", "type": "id"},
        {"name": "date_key", "type": "ref.dim_date"},
        {"name": "unit_id", "type": "ref.dim_unit"},
    ]
    event = {"name": "evt", "trigger": "proportional", "driver": "a", "scale": scale, "columns": columns}
    dimension = {"name": "dim_unit", "per": "unit", "columns": [{"name": "unit_id", "type": "id"}]}
    plan = plan_of([metric("a", "poisson", mean=[5, 20])], dimensions=[dimension], events=[event])
    block = block_of(plan)
    table = plan.table("evt")
    assert isinstance(table.spec, ProportionalEvent)
    counts, mean = table.spec.row_counts(table, block), block.correlated(0) * scale
    assert (counts[mean == 0] == 0).all()
    mask = mean > 0
    off = counts[mask] - mean[mask]
    assert abs(off.sum()) < FAR * np.sqrt(mean.sum())
    dispersion = off**2 / mean[mask]
    assert abs(dispersion.mean() - 1) < FAR * dispersion.std() / np.sqrt(dispersion.size)
    standard = np.where(mask, (counts - mean) / np.sqrt(np.maximum(mean, 1e-9)), 0.0)
    estimate, error = correlation(standard[:-1], standard[1:])
    assert abs(estimate) < FAR * error


def test_a_segment_has_the_means_that_its_baseline_says() -> None:
    """A metric of means 10 to 20 has means 50 to 90 in a segment that says so: 70 at a position of one half."""
    plateau = [{"curve": "plateau", "level": 0.5, "until": 1}]
    segment = {"name": "only", "count": 4_000, "archetype": plateau, "baseline": {"a": [50, 90]}, "variation": "none"}
    values = block_of(plan_of([metric("a", "gamma", mean=[10, 20])], segments=[segment])).correlated(0)
    assert abs(values.mean() - 70) < FAR * values.std() / np.sqrt(values.size)
