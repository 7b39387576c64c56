"""What a distribution family is: a record of functions, parameterised by the mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plotsim_core.families import Family
from plotsim_core.numerics.bounds import Bound

Floats = NDArray[np.float64]
Support = Literal["real", "positive", "unit", "count"]


@dataclass(frozen=True)
class Distribution:
    """A family whose members are picked out by their mean and its shape parameters.

    `quantile(u, mean, **parameters)` and `cdf(x, mean, **parameters)` broadcast over arrays. On the `unit` support the
    mean and the values lie in (0, 1) and are stretched to the metric's range by the caller; on the `count` support both
    are continuous extensions, with value = ceil(quantile) and cdf exact at the integers. `means` says where in a range
    the means at trajectory position 0 and 1 lie when a config does not give them.
    """

    support: Support
    quantile: Callable[..., Floats]
    cdf: Callable[..., Floats]
    means: tuple[float, float]
    parameters: Mapping[str, Bound] = field(default_factory=dict)


DISTRIBUTIONS: Family[Distribution] = Family("distribution")
