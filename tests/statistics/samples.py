"""What statistics are taken of: many units on moving trajectories, with everything that is not asked about switched off."""

from __future__ import annotations

from typing import Any

import numpy as np

from plotsim_core import Plan, from_mapping
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import full_slice
from plotsim_core.numerics.arrays import Floats

Raw = dict[str, Any]
FAR = 4.5
"""How many standard errors a statistic may be off: less than one in a hundred thousand is, by chance."""

FAMILIES: dict[str, Raw] = {
    "normal": {"type": "index", "range": [-50, 50]},
    "lognormal": {"type": "amount", "range": [5, 500]},
    "beta": {"type": "score"},
    "gamma": {"type": "amount", "range": [0, 400], "distribution": "gamma", "mean": [40, 150]},
    "weibull": {"type": "amount", "range": [0, 90], "distribution": "weibull"},
    "poisson": {"type": "count", "mean": [2, 9]},
    "negative_binomial": {"type": "count", "distribution": "negative_binomial", "mean": [2, 9]},
    "zero_inflated_poisson": {"type": "count", "distribution": "zero_inflated_poisson", "mean": [2, 9]},
    "zero_inflated_gamma": {"type": "amount", "range": [0, 400], "distribution": "zero_inflated_gamma", "mean": [30, 100]},
}
"""A metric of each distribution family."""


def metric(name: str, family: str, **more: Any) -> Raw:
    """Return a metric of a family, without persistence unless it is given."""
    return {"name": name, "polarity": "positive", "persistence": 0, **FAMILIES[family], **more}


def plan_of(metrics: list[Raw], units: int = 1000, periods: int = 16, **more: Any) -> Plan:
    """Return the plan of units that all go from 0 to 1 in a line, and differ in nothing but chance."""
    years, months = divmod(periods - 1, 12)
    window = {"start": "2020-01", "end": f"{2020 + years}-{months + 1:02d}", "every": "month"}
    line = [{"curve": "linear", "until": 1.0}]
    variation = more.pop("variation", "none")
    segment = {"name": "only", "count": units, "archetype": line, "variation": variation}
    rest = {"about": "a sample", "unit": "unit", "window": window, "seed": 11}
    return from_mapping({**rest, "metrics": metrics, "segments": [segment], **more}, name="sample")


def block_of(plan: Plan) -> Block:
    """Return the stages of a whole plan."""
    return Block(plan.population, full_slice(plan.population))


def residuals(block: Block, place: int) -> Floats:
    """Return what is left of a metric's true values when the trajectory is known: standardised at each position."""
    centres = block.centres(place)
    return (block.correlated(place) - centres) / block.population.metrics[place].quantiles.deviation(centres)


def correlation(first: Floats, second: Floats) -> tuple[float, float]:
    """Return (correlation, its standard error as the sample itself tells it)."""
    a = (first - first.mean()).ravel() / first.std()
    b = (second - second.mean()).ravel() / second.std()
    actual = float((a * b).mean())
    return actual, float(np.std(a * b - 0.5 * actual * (a**2 + b**2)) / np.sqrt(a.size))
