"""Tenures: for how many periods units stay, and how long those have stayed who are there at some time.

Everyone stays `minimum` periods; after that the share q = m / (1 + m) stays from period to period, with
m = mean - minimum, so the periods beyond `minimum` are geometric and their mean is m.
"""

from __future__ import annotations

import numpy as np

from plotsim_core.numerics.arrays import Floats, Integers


def _geometric(mean: float, u: Floats) -> Integers:
    """Return geometric numbers with that `mean`, by inversion of u (inverse CDF)."""
    if mean == 0.0:
        return np.zeros(len(u), dtype=np.int64)
    numbers: Integers = (np.log1p(-u) / np.log(mean / (1.0 + mean))).astype(np.int64)
    return numbers


def total_tenure(mean: float, minimum: int, age: Integers, u: Floats) -> Integers:
    """Return for how many periods units stay in all that have stayed for `age` periods and stay for one more at least."""
    return np.maximum(minimum, age + 1) + _geometric(mean - minimum, u)


def mixed_ages(mean: float, minimum: int, u: Floats) -> Integers:
    """Return how many periods those have stayed before who are there at some time, when as many always arrive: `age` with
    a probability in proportion to the share that stays longer than `age`."""
    elapsed = u * mean
    if mean == minimum:
        return elapsed.astype(np.int64)
    share = np.clip((elapsed - minimum) / (mean - minimum), 0.0, 1.0 - 2.0**-53)
    return np.where(elapsed < minimum, elapsed.astype(np.int64), minimum + _geometric(mean - minimum, share))
