"""Noised metrics: what a measuring device would store of the true value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from plotsim_core.config.effects import Noise
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.noise import NOISE
from plotsim_core.numerics.random import Words, key, normals, uniforms
from plotsim_core.numerics.rhythm import DAY
from plotsim_core.plan.plan import MetricPlan

_OUTLIER_FACTORS = (3.0, 10.0)
_BOUND_SHARE = 0.15


def noised(
    seed: int,
    noise: Noise,
    metric: MetricPlan,
    address: Words,
    values: Floats,
    positions: Floats,
    scores: Floats | None,
) -> Floats:
    """Return values with jitter, outliers and missing ones (NaN), rounded to the metric's decimals.

    Jitter is relative to the value (and to the position with `scale_with_trajectory`) and is reflected at the bounds of
    a range, so that none is piled upon. An outlier is three to ten times the value, or close to the farther bound.
    `scores` are those of the metric that missing values depend on, None where they depend on none.
    """
    result = jittered(seed, noise, metric, address, values, positions)
    if noise.outlier_rate > 0:
        draws = uniforms(key(seed, "outlier size", metric.name), address)
        result = np.where(is_outlier(seed, noise, metric, address), _outliers(metric, result, draws), result)
    result = np.rint(result) if metric.spec.decimals is None else np.round(result, metric.spec.decimals)
    if noise.mcar_rate > 0:
        result = np.where(is_missing(seed, noise, metric, address), np.nan, result)
    if scores is not None:
        result = np.where(missing_by_value(seed, noise, metric, address, scores), np.nan, result)
    return result


def is_outlier(seed: int, noise: Noise, metric: MetricPlan, address: Words) -> NDArray[np.bool_]:
    """Return which cells hold an outlier."""
    return uniforms(key(seed, "outlier", metric.name), address) < noise.outlier_rate


def is_missing(seed: int, noise: Noise, metric: MetricPlan, address: Words) -> NDArray[np.bool_]:
    """Return which cells are missing whatever their values are (missing completely at random, MCAR)."""
    return uniforms(key(seed, "missing", metric.name), address) < noise.mcar_rate


def missing_by_value(seed: int, noise: Noise, metric: MetricPlan, address: Words, scores: Floats) -> NDArray[np.bool_]:
    """Return which cells are missing (at random, MAR) by the normal `scores` of another metric in them."""
    return uniforms(key(seed, "missing by value", metric.name), address) < missing_odds(noise, scores)


def missing_odds(noise: Noise, scores: Floats) -> Floats:
    """Return the probability, 0 to 1, of being missing where the metric that it depends on has these normal scores.

    The quantile of a score is uniform, so that the probability averages to the rate.
    """
    return 2.0 * noise.mar_rate * ndtr(scores if noise.mar_when == "high" else -scores)


def jittered(seed: int, noise: Noise, metric: MetricPlan, address: Words, values: Floats, positions: Floats) -> Floats:
    """Return values with jitter, reflected at the bounds of a range; neither outliers nor missing ones."""
    if noise.gaussian_sigma == 0:
        return values
    draws = NOISE[noise.noise_family](uniforms(key(seed, "jitter", metric.name), address), noise.degrees_of_freedom or 1.0)
    scale = noise.gaussian_sigma * np.abs(values)
    if noise.scale_with_trajectory:
        scale = scale * positions
    return _reflected(metric, values + scale * draws)


def recorded_offsets(noise: Noise, stream: np.uint64, address: Words, microseconds: Integers, lengths: Integers) -> Integers:
    """Return the microseconds after the beginnings of their periods at which moments are recorded, which happen at other
    ones. They are reflected at both ends of a period, which is `lengths` long."""
    shift = np.rint(normals(stream, address) * (noise.temporal_jitter * DAY)).astype(np.int64)
    wrapped: Integers = (microseconds + shift) % (2 * lengths)
    return np.where(wrapped < lengths, wrapped, 2 * lengths - 1 - wrapped)


def _reflected(metric: MetricPlan, values: Floats) -> Floats:
    if metric.spec.bounds is None:
        return np.abs(values) if metric.spec.positive else values
    low, high = metric.spec.bounds
    values = np.where(values > high, 2.0 * high - values, values)
    values = np.where(values < low, 2.0 * low - values, values)
    return np.clip(values, low, high)


def _outliers(metric: MetricPlan, values: Floats, draws: Floats) -> Floats:
    if metric.spec.bounds is None:
        low, high = _OUTLIER_FACTORS
        return values * (low + (high - low) * draws)
    low, high = metric.spec.bounds
    far_bound = np.where(values - low > high - values, low, high)
    return far_bound + (values - far_bound) * (_BOUND_SHARE * draws)
