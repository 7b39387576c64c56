"""The steps on the way to a value, each read off the function of the engine that takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plotsim_core.columns.scd import Options as History
from plotsim_core.engine.block import Block
from plotsim_core.engine.correlated import level_scores, level_shares, moving_scores, own_scores, shocks
from plotsim_core.engine.history import expected_shares
from plotsim_core.engine.metrics import directed, seasonal_factors, unseasoned
from plotsim_core.engine.noised import jittered, missing, outlying
from plotsim_core.engine.trajectories import progress
from plotsim_core.numerics.random import Floats
from plotsim_core.numerics.shapes import piece_index
from plotsim_core.plan.plan import MetricPlan


@dataclass(frozen=True)
class Step:
    """One step: what it is called, its value, and in words where that comes from. `depth` 1 is a part of the step
    before it."""

    name: str
    value: Any
    says: str = ""
    depth: int = 0


def _only(values: Floats) -> float:
    """The value of an array that holds one."""
    return float(values.ravel()[0])


def unit_steps(block: Block, key: str) -> list[Step]:
    """Return who the unit of a block of one unit is."""
    plan, units = block.plan, block.units
    segment = plan.segments[int(units.segment[0])]
    place = f"{int(units.ordinal[0]) + 1} of {segment.count}"
    return [
        Step(plan.unit, key, f"arrives in {plan.grain.label(int(units.arrival[0]))}"),
        Step("segment", segment.spec.name, f"unit {place}" + (f"; {segment.spec.label}" if segment.spec.label else "")),
    ]


def position_steps(block: Block, delay: int = 0) -> list[Step]:
    """Return where on its curve the unit of a block of one cell is, `delay` periods before the block's period."""
    plan, units, periods = block.plan, block.units, block.periods - delay
    pieces = plan.segments[int(units.segment[0])].pieces
    along = _only(progress(plan, units, periods))
    number = int(piece_index(pieces, np.clip(np.array([along]), 0.0, 1.0))[0])
    piece = pieces[number]
    curve = " ".join([piece.curve, *(f"{name} {value:g}" for name, value in piece.parameters)])
    when = f"in {plan.grain.label(int(periods[0]))}" + (f", {delay} periods before" if delay else "")
    part = f"piece {number + 1} of {len(pieces)}, from {piece.begin:.4g} to {piece.end:.4g} of the way"
    return [
        Step("progress", along, f"{when}; the unit's own timing puts {units.timing[0]:+.4g} on it"),
        Step("curve", curve, part, 1),
        Step("position", _only(block.positions(delay)), "of 0 to 1, along the curve"),
    ]


def centre_steps(block: Block, metric: int) -> list[Step]:
    """Return how the mean that a value is drawn around follows from the position."""
    plan, units, spec = block.plan, block.units, block.plan.metrics[metric]
    segment = plan.segments[int(units.segment[0])]
    low, high = spec.means[units.segment[0]].tolist()
    baseline = segment.spec.baseline.get(spec.name)
    read = block.positions(spec.total_delay)
    steps = position_steps(block, spec.total_delay)
    if spec.spec.polarity == "negative":
        steps.append(Step("read as", _only(directed(spec, read)), "the other way round: the polarity is negative"))
    steps.append(Step("means", f"{low:.6g} to {high:.6g}", _baseline(spec, baseline)))
    if spec.spec.sized:
        steps.append(Step("size", float(units.size[0]), "multiplies the mean"))
    steps.append(Step("mean", _only(unseasoned(spec, units, read)), "before any season"))
    if plan.dataset.seasonality:
        steps.append(Step("season", _only(seasonal_factors(plan, spec, units, block.periods)), "factor on the mean"))
    steps.append(Step("expected", _only(block.centres(metric)), f"the mean of a {spec.spec.family} distribution"))
    return steps


def _baseline(spec: MetricPlan, baseline: str | None) -> str:
    where = f"the {baseline} third, by the segment's baseline" if baseline else "the whole way"
    return f"{where}, of {spec.spec.means[0]:.6g} to {spec.spec.means[1]:.6g} for positions 0 to 1"


def score_steps(block: Block, metric: int) -> list[Step]:
    """Return the normal score, the parts that add up to it, and the value it stands for."""
    plan, units, spec, periods = block.plan, block.units, block.plan.metrics[metric], block.periods
    share = _only(level_shares(plan, units))
    within = float(np.sqrt(1.0 - share))
    own = within * (1.0 if spec.driver is None else spec.own)
    now = own * spec.persistence[0] * _only(shocks(plan, metric, periods, block.draw))
    earlier = own * _only(own_scores(plan, metric, periods, block.draw)) - now
    level = float(np.sqrt(share)) * _only(level_scores(plan, metric, units))
    steps = [
        Step("score", _only(block.scores(metric)), "standard normal: the sum of its parts"),
        Step("level", level, f"the {plan.unit}'s own for life, {share:.3g} of the variance", 1),
        Step("shock", now, "what happened in this period", 1),
    ]
    if len(spec.persistence) > 1:
        steps.append(Step("persistence", earlier, f"what is left of earlier shocks, {spec.spec.persistence:g} a period", 1))
    if spec.driver is not None:
        driver = _only(moving_scores(plan, spec.driver, periods - spec.delay, block.draw))
        when = plan.grain.label(int(periods[0]) - spec.delay)
        says = f"{plan.metrics[spec.driver].name} moved by {driver:+.4g} in {when}, {spec.delay} periods before"
        steps.append(Step("lag", within * spec.pull * driver, f"{says}; times {within * spec.pull:.4g}", 1))
    return [*steps, Step("true", _only(block.correlated(metric)), "the distribution's value at that score")]


def noise_steps(block: Block, metric: int) -> list[Step]:
    """Return what measuring does to a true value."""
    plan, noise, spec = block.plan, block.plan.dataset.noise, block.plan.metrics[metric]
    true = block.correlated(metric)
    steps = []
    if noise.gaussian_sigma > 0:
        off = _only(jittered(plan.seed, noise, spec, block.address, true, block.positions()) - true)
        steps.append(Step("jitter", off, f"{noise.noise_family}, {noise.gaussian_sigma:g} of the value"))
    if noise.outlier_rate > 0:
        hit = bool(outlying(plan.seed, noise, spec, block.address)[0, 0])
        steps.append(Step("outlier", hit, f"one value in {1 / noise.outlier_rate:.4g} is"))
    if noise.mcar_rate > 0:
        hit = bool(missing(plan.seed, noise, spec, block.address)[0, 0])
        steps.append(Step("missing", hit, f"one value in {1 / noise.mcar_rate:.4g} is"))
    return steps


def history_steps(block: Block, history: History) -> list[Step]:
    """Return in which band of a history the unit of a block of one cell is."""
    plan, units = block.plan, block.units
    metric = plan.metric_index(history.tracks)
    share = expected_shares(plan, metric, units, block.periods)
    low, high = plan.metrics[metric].spec.means
    band = int(np.searchsorted(np.array(history.at), share, side="right")[0, 0])
    edges = (0.0, *history.at, 1.0)
    between = f"its expected value, without season and noise, on the way from {low:.6g} to {high:.6g}"
    return [
        *position_steps(block, plan.metrics[metric].total_delay),
        Step("tracks", history.tracks),
        Step("share", _only(share), between),
        Step("edges", list(history.at), f"between {', '.join(history.tiers)}"),
        Step("band", band, f"{history.tiers[band]}: {edges[band]:g} to {edges[band + 1]:g}"),
    ]
