"""Our own values of a config: in memory, with what was expected of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.fidelity.configs import Raw
from plotsim_core import ConfigError, from_mapping
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import full_slice
from plotsim_core.numerics.arrays import Floats


def block(raw: Raw) -> Block:
    """Return the stages of a whole config."""
    plan = from_mapping(raw, name="fidelity")
    return Block(plan.population, full_slice(plan.population))


def refusal(raw: Raw) -> str | None:
    """Return what loading says against a config, be it an error or a warning; None if it says nothing."""
    try:
        plan = from_mapping(raw, name="fidelity")
    except ConfigError as error:
        return "; ".join(str(problem) for problem in error.problems)
    return "; ".join(str(warning) for warning in plan.warnings) or None


def names(stages: Block) -> list[str]:
    """Return the names of the metrics."""
    return [metric.name for metric in stages.population.metrics]


def place(stages: Block, name: str) -> int:
    """Return the place of a metric."""
    return names(stages).index(name)


def values(stages: Block, name: str) -> Floats:
    """Return a metric's true values, shape (periods, units)."""
    return stages.correlated(place(stages, name))


def residuals(stages: Block, name: str) -> Floats:
    """Return a metric's values less what was expected at each position, in standard deviations of its family there."""
    centres = stages.centres(place(stages, name))
    deviations = stages.population.metrics[place(stages, name)].quantiles.deviation(centres)
    return (values(stages, name) - centres) / deviations


def segments(stages: Block) -> NDArray[np.int64]:
    """Return the segment of each unit."""
    return np.asarray(stages.units.segment, dtype=np.int64)
