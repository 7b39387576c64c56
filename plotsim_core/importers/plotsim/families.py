"""Distributions of plotsim's engine layer: SciPy's parameters become two means, a shape and a range.

plotsim draws around a centre that goes from 0 (or the least value) at position 0 to what the parameters give at position 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.quantiles import reachable

Pair = tuple[float, float]
Parameters = Mapping[str, float]

_LOW_SHARE = 0.1
"""The mean at position 0 as a share of that at position 1, where plotsim has 0: no family here has a mean of 0."""
_LAST_QUANTILE = 1 - 1e-7
"""The quantile that a range ends at where the document has none."""


@dataclass(frozen=True)
class Family:
    """A family of plotsim: its name and its shape parameters here, its other parameters, and the means that these give at
    positions 0 and 1."""

    name: str
    shapes: tuple[str, ...]
    scales: tuple[str, ...]
    means: Callable[[Parameters], Pair]

    def shape(self, parameters: Parameters) -> dict[str, float]:
        """Return the parameters that are of the shape."""
        return {name: parameters[name] for name in self.shapes if name in parameters}

    def filled(self, parameters: Parameters, width: float) -> dict[str, float]:
        """Return the shape with the defaults of the family here, for a range of a width."""
        bounds = DISTRIBUTIONS[self.name].parameters
        defaults = {name: bound.default * (width if bound.relative else 1.0) for name, bound in bounds.items()}
        return defaults | ({} if self.name == "beta" else self.shape(parameters))


def _lognormal(parameters: Parameters) -> Pair:
    base = parameters.get("loc", 0.0)
    return base, base + parameters.get("scale", 1.0) * math.exp(0.5 * parameters.get("s", 1.0) ** 2)


def _weibull(parameters: Parameters) -> Pair:
    return 0.0, parameters.get("scale", 1.0) * math.gamma(1.0 + 1.0 / max(parameters.get("shape", 1.0), 0.05))


FAMILIES = {
    "beta": Family("beta", ("alpha", "beta"), ("scale",), lambda p: (0.0, p.get("scale", 1.0))),
    "lognorm": Family("lognormal", ("s",), ("loc", "scale"), _lognormal),
    "gamma": Family("gamma", ("shape",), ("scale",), lambda p: (0.0, p.get("shape", 1.0) * p.get("scale", 1.0))),
    "weibull": Family("weibull", ("shape",), ("scale",), _weibull),
    "normal": Family("normal", ("sigma",), ("mu",), lambda p: (0.0, p.get("mu", 0.0))),
    "poisson": Family("poisson", (), ("lambda",), lambda p: (0.0, p.get("lambda", 1.0))),
}
"""plotsim's names of families to what they are here."""


def added_range(family: Family, parameters: Parameters, means: Pair) -> Pair:
    """Return a range that cuts nothing off values with these means."""
    largest = means[1] if means[1] > 0 or family.name == "normal" else 1.0
    levels, mean = (
        np.array([1 - _LAST_QUANTILE, _LAST_QUANTILE]),
        np.array([means[0] if family.name == "normal" else largest, largest]),
    )
    shape = family.filled(parameters, max(abs(largest), 1.0))
    low, high = DISTRIBUTIONS[family.name].quantile(levels, mean, **shape).tolist()
    return (_rounded_out(low) if family.name == "normal" else 0.0), _rounded_out(high)


def _rounded_out(value: float) -> float:
    """Return a number of two digits that is not nearer to 0."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return math.copysign(math.ceil(abs(value) / unit) * unit, value)


def possible_means(family: Family, parameters: Parameters, bounds: Pair | None, means: Pair) -> Pair | None:
    """Return means near those given that a family can have within a range, with four digits; None where it has none that
    rise."""
    low, high = means
    edge = bounds[0] if bounds is not None else 0.0
    if bounds is not None:
        high = min(high, bounds[1] - 0.01 * (bounds[1] - bounds[0]))
    if family.name != "normal" or low <= edge:
        low = max(low, edge) + _LOW_SHARE * (high - max(low, edge))
    if not low < high:
        return None
    if bounds is not None:
        shape = tuple(sorted(family.filled(parameters, bounds[1] - bounds[0]).items()))
        low, high = reachable(family.name, shape, bounds, (low, high))
    return (digits(low), digits(high)) if digits(low) < digits(high) else None


def digits(value: float) -> float:
    """Return a number with four digits."""
    return float(f"{value:.4g}")


def short(value: float) -> int | float:
    """Return a number as people write it: whole ones without a fraction."""
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else value
