"""Every noise family and preset: centred, with the quartiles of a standard normal, and nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from plotsim_core.config.effects import Noise
from plotsim_core.engine.noised import noised
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.noise import NOISE, PRESETS
from plotsim_core.numerics.random import words
from plotsim_core.plan.plan import MetricPlan
from tests.laws.made import bundled

LEVELS = np.linspace(0.001, 0.999, 999)
METRICS = [metric for name in ("saas", "delivery") for metric in bundled(name).population.metrics]
every_family = pytest.mark.parametrize("name", list(NOISE))


def apply(noise: Noise, metric: MetricPlan, count: int = 2000) -> tuple[Floats, Floats]:
    """Return (true values, stored values) of a metric at spread positions."""
    means = np.linspace(*metric.spec.means, count)
    places = np.linspace(0.01, 1.0, count)
    values = metric.quantiles.lookup(means, np.linspace(-2, 2, count))
    return values, noised(7, noise, metric, words(np.arange(count)), values, places, None)


def stored(metric: MetricPlan, values: Floats) -> Floats:
    """Return values with the decimals that they are stored with."""
    return np.rint(values) if metric.spec.decimals is None else np.round(values, metric.spec.decimals)


@every_family
@pytest.mark.parametrize("degrees", [1.0, 3.0, 30.0])
def test_quartiles_are_those_of_a_standard_normal(name: str, degrees: float) -> None:
    quartiles = NOISE[name](np.array([0.25, 0.5, 0.75]), degrees)
    assert np.allclose(quartiles, stats.norm.ppf([0.25, 0.5, 0.75]), atol=1e-12)


@every_family
def test_noise_is_symmetric_and_rises_with_its_level(name: str) -> None:
    drawn = NOISE[name](LEVELS, 3.0)
    assert (np.diff(drawn) > 0).all()
    assert np.allclose(drawn, -drawn[::-1], atol=1e-9)


TWINS = {"gaussian": stats.norm(), "student_t": stats.t(3.0), "laplace": stats.laplace()}


@every_family
def test_a_family_is_scipys_up_to_its_scale(name: str) -> None:
    """Every noise family has SciPy's quantiles, scaled to the quartiles of a standard normal."""
    expected = TWINS[name].ppf(LEVELS) / TWINS[name].ppf(0.75) * stats.norm.ppf(0.75)
    assert np.allclose(NOISE[name](LEVELS, 3.0), expected)


def test_every_family_has_a_twin() -> None:
    assert set(NOISE) == {"gaussian", "student_t", "laplace"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_no_noise_stores_the_true_values(metric: MetricPlan) -> None:
    values, actual = apply(Noise(), metric)
    assert np.array_equal(actual, stored(metric, values))


@every_family
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_jitter_has_its_size_and_stays_inside_the_metrics_range(name: str, metric: MetricPlan) -> None:
    """The middle half of relative jitter lies within 0.67 sigma; a value never leaves what its metric can be."""
    noise = Noise(gaussian_sigma=0.05, noise_family=name, degrees_of_freedom=4 if name == "student_t" else None)
    values, actual = apply(noise, metric, 20_000)
    if metric.spec.bounds is not None:
        low, high = metric.spec.bounds
        assert (actual >= low).all() and (actual <= high).all()
        assert ((actual == low) | (actual == high)).mean() < 0.005
    if metric.spec.positive:
        assert (actual >= 0).all()
    if metric.spec.decimals is not None:
        inner = np.abs(values) > 20 * 10.0**-metric.spec.decimals
        if metric.spec.bounds is not None:
            inner &= (np.abs(values) * 1.2 < max(map(abs, metric.spec.bounds))) & (values * 0.8 > metric.spec.bounds[0])
        relative = np.abs(actual[inner] - values[inner]) / np.abs(values[inner])
        share = float((relative < 0.05 * 0.6745).mean())
        assert abs(share - 0.5) < 4.5 * np.sqrt(0.25 / inner.sum()) + 0.01


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_outliers_and_missing_values_come_at_their_rates(metric: MetricPlan) -> None:
    values, actual = apply(Noise(outlier_rate=0.05, mcar_rate=0.1), metric, 20_000)
    missing = np.isnan(actual)
    assert abs(missing.mean() - 0.1) < 4.5 * np.sqrt(0.09 / 20_000)
    mask = ~missing & (values > 0.5)
    changed = actual[mask] != stored(metric, values)[mask]
    assert changed.mean() < 0.05 + 4.5 * np.sqrt(0.05 / mask.sum())
    assert changed.mean() > 0.03


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_is_the_noise_it_stands_for(preset: str) -> None:
    noise = Noise.model_validate(preset)
    assert (noise.gaussian_sigma, noise.outlier_rate, noise.mcar_rate) == PRESETS[preset]
