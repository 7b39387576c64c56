"""Whether a metric's margin at a fixed position is its declared family: draws through the engine's own tables, judged by
scipy's distribution of the mean that the config declares there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plotsim_core.config.metrics import Metric
from plotsim_core.numerics.quantiles import quantile_table
from plotsim_core.numerics.random import key, normals, words
from tests.families.cases import CASES, Inflated, goodness

Raw = dict[str, Any]

POSITIONS = (0.1, 0.5, 0.9)
LEVEL = 0.01
"""The probability below which a sample speaks against its family: by chance one true sample in a hundred does."""


@dataclass(frozen=True)
class Margins:
    """What was found of one metric.

    `held` counts, for each position, the seeds whose sample did not speak against the family. `mean_off` is the largest
    error of a mean, over all seeds of a position together, relative to the mean or, where that may be zero, to the range.
    `on_bound` is the largest share of a sample that lies exactly on a bound as stored, a family's own zeros apart, and
    `deviation` the smallest standard deviation of a sample.
    """

    family: str
    truncated: bool
    seeds: int
    held: tuple[int, ...]
    mean_off: float
    on_bound: float
    deviation: float


def margins_hold(raw: Raw, seeds: int, draws: int, truncated: bool = True) -> Margins:
    """Judge the metric that `raw` declares at each of POSITIONS, by `draws` values from each of `seeds` seeds.

    Its range truncates the family, or is left aside. A beta is always inside its range, and a count has none: there
    `truncated` makes no difference.
    """
    spec = Metric.model_validate({"name": "margin", "polarity": "positive", **raw})
    case = next(case for case in CASES if case.family == spec.family)
    case = replace(case, parameters=dict(spec.parameters), bounds=spec.bounds)
    unit = case.support == "unit"
    bounds = spec.bounds if truncated or unit else None
    table = quantile_table(spec.family, spec.parameters, bounds, spec.means)
    values, means_off, on_bound, deviation = [], [], 0.0, np.inf

    def against(mean: float) -> float:
        return spec.bounds[1] - spec.bounds[0] if spec.bounds and case.support == "real" else mean

    for position in POSITIONS:
        mean = spec.means[0] + (spec.means[1] - spec.means[0]) * position
        low, width = (bounds[0], bounds[1] - bounds[0]) if unit and bounds else (0.0, 1.0)
        twin = case.truncated_at(mean) if bounds and not unit else case.at((mean - low) / width)
        passed, total = 0, 0.0
        for seed in range(seeds):
            scores = normals(key(seed, "margins", spec.family, f"{position:g}"), words(np.arange(draws)))
            drawn = table.lookup(np.full(draws, mean), scores)
            passed += goodness((drawn - low) / width, twin, spec.decimals is None) > LEVEL
            total += float(drawn.mean())
            deviation = min(deviation, float(drawn.std()))
            if bounds:
                stored = np.round(drawn, spec.decimals or 0)
                mask = (drawn == 0) & isinstance(twin, Inflated)
                on_bound = max(on_bound, float((((stored == bounds[0]) | (stored == bounds[1])) & ~mask).mean()))
        values.append(passed)
        means_off.append(abs(total / seeds - mean) / against(mean))
    return Margins(spec.family, truncated, seeds, tuple(values), max(means_off), on_bound, deviation)
