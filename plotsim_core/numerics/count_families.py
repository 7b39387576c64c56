"""Families of counts, as probabilities of at most and of more than a count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincc, gammainc, gammaincc, gammaln, ndtr

from plotsim_core.families import Family
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.bounds import Bound


@dataclass(frozen=True)
class CountFamily:
    """A family of counts from 0 up, picked out by its mean and a `parameter`, if it has one.

    `cumulative(count, mean, **parameter)` and `remaining` are the probabilities of at most and of more than a count of at
    least -1, each exact where it is small; `log_mass` is the logarithm of the probability of a count of at least 0, up to a
    constant. All broadcast.
    """

    cumulative: Callable[..., Floats]
    remaining: Callable[..., Floats]
    log_mass: Callable[..., Floats]
    parameters: Mapping[str, Bound]


COUNT_FAMILIES: Family[CountFamily] = Family("distribution of row counts")


def _poisson(count: Integers, mean: Floats) -> Floats:
    return np.where(count < 0, 0.0, gammaincc(np.maximum(count + 1.0, 1.0), mean))


def _poisson_rest(count: Integers, mean: Floats) -> Floats:
    return np.where(count < 0, 1.0, gammainc(np.maximum(count + 1.0, 1.0), mean))


def _poisson_mass(count: Integers, mean: Floats) -> Floats:
    likelihood: Floats = np.multiply(count, np.log(mean)) - gammaln(count + 1.0)
    return likelihood


def _geometric_rest(count: Integers, mean: Floats) -> Floats:
    remaining: Floats = np.exp((count + 1.0) * -np.log1p(1.0 / mean))
    return remaining


def _geometric(count: Integers, mean: Floats) -> Floats:
    cumulative: Floats = -np.expm1((count + 1.0) * -np.log1p(1.0 / mean))
    return cumulative


def _geometric_mass(count: Integers, mean: Floats) -> Floats:
    return -np.log1p(1.0 / mean) * count


def _negative_binomial(count: Integers, mean: Floats, shape: float) -> Floats:
    return np.where(count < 0, 0.0, betainc(shape, np.maximum(count + 1.0, 1.0), shape / (shape + mean)))


def _negative_binomial_rest(count: Integers, mean: Floats, shape: float) -> Floats:
    return np.where(count < 0, 1.0, betaincc(shape, np.maximum(count + 1.0, 1.0), shape / (shape + mean)))


def _negative_binomial_mass(count: Integers, mean: Floats, shape: float) -> Floats:
    return gammaln(count + shape) - gammaln(count + 1.0) - count * np.log1p(shape / mean)


def _lognormal_rest(count: Integers, mean: Floats, s: float) -> Floats:
    """Return the chance that a lognormal number, rounded up or down by chance, is more than a count: the mean of the chances
    of all numbers between the count and the next."""
    with np.errstate(divide="ignore"):
        low, high = (np.log(np.maximum(count + step, 0.0)) - np.log(mean) for step in (0.0, 1.0))
    low_part, high_part = (mean * ndtr(0.5 * s - end / s) for end in (low, high))
    low_chance, high_chance = (ndtr(-0.5 * s - end / s) for end in (low, high))
    above = low_part - high_part + (count + 1.0) * high_chance - np.maximum(count, 0.0) * low_chance
    return np.where(count < 0, 1.0, np.clip(above, 0.0, 1.0))


def _lognormal(count: Integers, mean: Floats, s: float) -> Floats:
    return 1.0 - _lognormal_rest(count, mean, s)


def _lognormal_mass(count: Integers, mean: Floats, s: float) -> Floats:
    masses = _lognormal_rest(count - 1, mean, s) - _lognormal_rest(count, mean, s)
    return np.log(np.maximum(masses, 1e-300))


COUNT_FAMILIES.add("poisson", CountFamily(_poisson, _poisson_rest, _poisson_mass, {}))
COUNT_FAMILIES.add("geometric", CountFamily(_geometric, _geometric_rest, _geometric_mass, {}))
COUNT_FAMILIES.add(
    "negative_binomial",
    CountFamily(_negative_binomial, _negative_binomial_rest, _negative_binomial_mass, {"shape": Bound(2, 0.01, 1000)}),
)
COUNT_FAMILIES.add("lognormal", CountFamily(_lognormal, _lognormal_rest, _lognormal_mass, {"s": Bound(0.4, 0.01, 3)}))
