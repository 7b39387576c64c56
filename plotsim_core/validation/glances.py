"""Sparklines of pipeline stages: a small drawing of the output of each, for a sample of units and periods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Plan, Population
from plotsim_core.tables.stages import stage_of
from plotsim_core.validation.charts import by_segment, sample_of, trajectories
from plotsim_core.validation.svg import glance

_CELLS = 20_000
"""The approximate number of sampled cells (period x unit)."""
_MIN_PERIODS, _MAX_PERIODS = 120, 1_000
"""The least (if the window has them) and the largest number of periods of a drawing of means."""
_UNIT_PERIODS = 30
"""The number of periods of a drawing of a single unit."""
_METRICS, _UNIT_METRICS = 6, 3
_NAMES = ("blue", "yellow", "red", "turquoise", "green", "pink", "violet", "light blue", "brown", "grey")
"""The names of the colours of lines, in their order."""


@dataclass(frozen=True)
class Glance:
    """A drawing (SVG) without text, and its caption `description`."""

    drawing: str
    description: str


def stage_glance(plan: Plan, name: str, first: int, stop: int) -> Glance | None:
    """Return the glance of a stage for the periods `first` to `stop`, and earlier ones if these are few; None for a name
    that is no stage, and for a single period at the start of the window."""
    stage = stage_of(plan, name)
    if stage is None:
        return None
    population, output = stage
    draw = {"trajectories": _positions, "metrics": _means}.get(output, _unit_values)
    first = stop - _UNIT_PERIODS if draw is _unit_values else max(min(first, stop - _MIN_PERIODS), stop - _MAX_PERIODS)
    first = max(population.first, first)
    drawing, caption = draw(population, output, first, stop)
    return (
        Glance(drawing, f"{caption} From {population.grain.label(first)} to {population.grain.label(stop - 1)}.")
        if drawing
        else None
    )


def _positions(population: Population, stage: str, first: int, stop: int) -> tuple[str, str]:
    sample = sample_of(population, first, stop, _CELLS)
    segments = list(by_segment(sample, lambda block: block.tenured.sum(axis=1)))
    names = [population.segments[segment].spec.name for segment in segments]
    return trajectories(sample).glance, f"Mean position of each segment, from 0 to 1: {_legend(names)}."


def _means(population: Population, stage: str, first: int, stop: int) -> tuple[str, str]:
    sample = sample_of(population, first, stop, _CELLS)
    counts = sum(alive(block).sum(axis=1) for block in sample)
    series = {}
    for index, metric in enumerate(population.metrics[:_METRICS]):
        sums = sum(np.where(alive(block), block.centres(index), 0.0).sum(axis=1) for block in sample)
        series[metric.name] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    caption = f"Mean over units that each metric is drawn around, each on its own scale: {_legend(list(series))}."
    return _scaled_drawing(series), caption


def _unit_values(population: Population, stage: str, first: int, stop: int) -> tuple[str, str]:
    """Return a drawing of the values of one unit, as a mean would hide correlation and noise, and its caption."""
    sample = sample_of(population, first, stop, _CELLS)
    block, unit = max(
        ((block, unit) for block in sample for unit in [_longest_unit(block)]), key=lambda pair: _present_count(*pair)
    )
    present = alive(block)[:, unit]
    values_of, noise_label = (
        (block.correlated, "before noise") if stage == "correlated_metrics" else (block.noised, "as stored")
    )
    metrics = enumerate(population.metrics[:_UNIT_METRICS])
    series = {metric.name: np.where(present, values_of(index)[:, unit], np.nan) for index, metric in metrics}
    caption = (
        f"Values of one {phrase(population.unit)} {noise_label}, each metric on its own scale: {_legend(list(series))}."
    )
    return _scaled_drawing(series), caption


def _longest_unit(block: Block) -> int:
    """Return the index of the unit that lives in most periods."""
    return int(alive(block).sum(axis=0).argmax())


def _present_count(block: Block, unit: int) -> int:
    return int(alive(block)[:, unit].sum())


def _scaled_drawing(series: Mapping[str, Floats]) -> str:
    return glance([_scaled(values) for values in series.values()])


def _scaled(values: Floats) -> list[float]:
    """Return values scaled to 0 at the least and 1 at the largest (min-max scaling)."""
    present = values[np.isfinite(values)]
    if not len(present):
        return [float(value) for value in values]
    low, width = float(present.min()), float(np.ptp(present))
    scaled: list[float] = ((values - low) / width if width > 0 else values - low + 0.5).tolist()
    return scaled


def _legend(names: Sequence[str]) -> str:
    return ", ".join(f"{name} {_NAMES[index % len(_NAMES)]}" for index, name in enumerate(names))
