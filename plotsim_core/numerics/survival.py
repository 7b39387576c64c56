"""Survival: the share of units that stay longer than so many periods, for hazards of leaving that change with age.

A survival is a table of shares, after which the share `rate` stays from period to period.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gamma

from plotsim_core.numerics.arrays import Floats, Integers

_NEGLIGIBLE = 1e-9
"""The share at which a table ends."""
_STEPS = 60
"""Bisections of a scale: more change no digit of it."""


@dataclass(frozen=True, eq=False)
class Survival:
    """`shares[k]` is the share of units that stay longer than k periods, from k = 0 on, where it is 1. Beyond the table the
    share `rate` of those who are there stays from period to period."""

    shares: Floats
    rate: float

    @property
    def mean(self) -> float:
        """For how many periods units stay on average: the sum of all shares."""
        tail = 0.0 if self.shares[-1] == 0.0 else self.shares[-1] * self.rate / (1.0 - self.rate)
        return float(np.cumsum(self.shares)[-1] + tail)

    def at(self, age: Integers) -> Floats:
        """Return the share that stays longer than each number of periods."""
        last = len(self.shares) - 1
        shares: Floats = self.shares[np.minimum(age, last)] * self.rate ** np.maximum(age - last, 0).astype(np.float64)
        return shares

    def tenures(self, age: Integers, u: Floats) -> Integers:
        """Return for how many periods units stay in all that have stayed for `age` periods and stay for one more at least,
        by inversion of u."""
        target, last = (1.0 - u) * self.at(age), len(self.shares) - 1
        within = np.searchsorted(-self.shares, -target, side="left")
        beyond = np.zeros(len(target), dtype=np.int64)
        is_beyond = within > last
        if is_beyond.any():
            steps = np.log(target[is_beyond] / self.shares[-1]) / np.log(self.rate)
            beyond[is_beyond] = np.maximum(np.ceil(steps).astype(np.int64), 1)
        tenures: Integers = np.where(is_beyond, last + beyond, within)
        return np.maximum(tenures, age + 1)

    def ages(self, u: Floats) -> Integers:
        """Return how many periods those have stayed before who are there at some time, when as many always arrive: `age`
        with a probability in proportion to the share that stays longer than `age`."""
        sums, last = np.cumsum(self.shares), len(self.shares) - 1
        target = u * self.mean
        within = np.searchsorted(sums, target, side="right")
        is_beyond = within > last
        beyond = np.zeros(len(target), dtype=np.int64)
        if is_beyond.any():
            tail = self.mean - sums[-1]
            left = np.clip(1.0 - (target[is_beyond] - sums[-1]) / tail, 2.0**-53, 1.0)
            beyond[is_beyond] = (np.log(left) / np.log(self.rate)).astype(np.int64)
        ages: Integers = np.where(is_beyond, last + 1 + beyond, within)
        return ages


@lru_cache(maxsize=64)
def hazard_survival(hazards: tuple[float, ...]) -> Survival:
    """Return the survival of units of which the share `hazards[k]` of those who are there leaves after period k + 1 of their
    life; the last hazard goes on."""
    stays = 1.0 - np.array(hazards)
    return Survival(np.concatenate([[1.0], np.cumprod(stays)]), float(stays[-1]))


@lru_cache(maxsize=64)
def weibull_survival(mean: float, least: int, shape: float) -> Survival:
    """Return the survival of units that all stay for `least` periods, and `mean` on average, so that the share
    exp(-(k / scale)**shape) stays for k periods more at least (discrete Weibull, Nakagawa and Osaki 1975).

    Its hazard falls with age for a shape below 1 and rises for one above; a shape of 1 is geometric.
    """
    wanted = mean - least
    low, high = 1e-3, 4.0 * (wanted + 1.0) / float(gamma(1.0 + 1.0 / shape)) + 1.0
    for _ in range(_STEPS):
        scale = 0.5 * (low + high)
        shares = _weibull_shares(scale, shape)
        low, high = (scale, high) if float(np.cumsum(shares)[-1]) < wanted else (low, scale)
    shares = _weibull_shares(float(f"{0.5 * (low + high):.12g}"), shape)
    rate = float(shares[-1] / shares[-2]) if len(shares) > 1 else 0.0
    return Survival(np.concatenate([np.ones(least), shares]), rate)


def _weibull_shares(scale: float, shape: float) -> Floats:
    """Return the shares that stay for 1 period, 2 periods and so on, until hardly anybody does."""
    count = int(scale * (-np.log(_NEGLIGIBLE)) ** (1.0 / shape)) + 2
    shares: Floats = np.exp(-((np.arange(1, count + 1) / scale) ** shape))
    return shares
