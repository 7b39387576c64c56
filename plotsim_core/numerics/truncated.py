"""A family truncated to bounds, picked out by the mean that truncation leaves it.

Truncation keeps the mean: the untruncated family's location is solved for each mean, so that the truncated mean is the
one that is wanted. Everything is element-wise: the solution for one mean does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.distributions import Distribution

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
MARGIN = 0.02
"""How close to a bound of a bounded metric its mean may come, as a share of the range."""
RELATIVE_MARGIN = {"real": 0.5, "unit": 0.1, "positive": 0.001}
"""And as a share of how far the declared means stay away from it, for small units and strong seasons."""


@dataclass(frozen=True)
class Scale:
    """An axis on which means or values of a support are nearly straight, and the way back."""

    forward: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]


def _identity(x: Floats) -> Floats:
    return x


AXES = {
    "real": Scale(_identity, _identity),
    "positive": Scale(np.log, np.exp),
    "unit": Scale(logit, expit),
    "count": Scale(np.log, np.exp),
    "large count": Scale(np.log, np.exp),
}


class MeanUnreachable(ValueError):
    """A family cannot have the mean that is asked of it inside the range; `low` and `high` are what it can have."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        super().__init__(f"reachable means are {low:.4g} to {high:.4g}")


@dataclass(frozen=True, eq=False)
class Truncated:
    """A family with its shape, inside bounds that cut off the rest of it, or without any."""

    family: Distribution
    shape: Mapping[str, float]
    bounds: tuple[float, float] | None

    def values(self, levels: Floats, location: Floats) -> Floats:
        """Return the quantiles at `levels` of members whose means are `location` before they are truncated."""
        if self.bounds is None:
            return self.family.quantile(levels, location, **self.shape)
        low, high = (self.family.cdf(np.array(end), location, **self.shape) for end in self.bounds)
        smallest = np.finfo(np.float64).tiny
        inner_levels = np.clip(low + levels * (high - low), smallest, 1 - 2.0**-53)
        return np.clip(self.family.quantile(inner_levels, location, **self.shape), *self.bounds)

    def reach(self, means: tuple[float, float]) -> tuple[float, float]:
        """Return the lowest and highest mean inside the bounds, up to close to them. Raises MeanUnreachable if `means` are
        not among them."""
        assert self.bounds is not None
        margin, share = MARGIN * (self.bounds[1] - self.bounds[0]), RELATIVE_MARGIN[self.family.support]
        low = self.bounds[0] + min(margin, share * (means[0] - self.bounds[0]))
        high = self.bounds[1] - min(margin, share * (self.bounds[1] - means[1]))
        reach = self._truncated_means(self._outermost(np.array([[low], [high]])))
        low, high = max(low, float(reach[0, 0])), min(high, float(reach[1, 0]))
        if means[0] < low or means[1] > high:
            raise MeanUnreachable(low, high)
        return low, high

    def locations(self, targets: Floats, ends: Floats) -> Floats:
        """Return the untruncated means whose truncation has the means `targets`, by bisection: shapes (n, 1).

        `ends` are the lowest and highest target that there can be, shape (2, 1): every search starts from the same two
        points, whichever targets are solved together.
        """
        if self.bounds is None:
            return targets
        outermost = self._outermost(ends)
        low, high = np.full(targets.shape, outermost[0, 0]), np.full(targets.shape, outermost[1, 0])
        for _ in range(44):
            middle = 0.5 * (low + high)
            is_low = self._truncated_means(middle) < targets
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        return AXES[self.family.support].back(0.5 * (low + high))

    def _outermost(self, targets: Floats) -> Floats:
        """Return the farthest untruncated means (on the axis) that a search starts from: down, then up."""
        assert self.bounds is not None
        reach = (self.bounds[1] - self.bounds[0]) * 4.0 if self.family.support == "real" else 6.0
        return AXES[self.family.support].forward(targets) + reach * np.array([[-1.0], [1.0]])

    def _truncated_means(self, location: Floats) -> Floats:
        """Return the means after truncation of the untruncated means at `location` on the axis."""
        quantiles = self.values((0.5 * (_NODES + 1.0))[None, :], AXES[self.family.support].back(location))
        mean: Floats = np.sum(quantiles * (0.5 * _WEIGHTS), axis=1, keepdims=True)
        return mean
