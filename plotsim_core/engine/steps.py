"""The steps on the way to a value, each read off the function of the engine that takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from plotsim_core.config.column_source import History
from plotsim_core.config.effects import missing_on, noise_of
from plotsim_core.config.segments import Baseline, Treatment
from plotsim_core.engine.block import Block
from plotsim_core.engine.correlated import driver_contribution, level_shares, levels, moving_scores, own_scores, shocks
from plotsim_core.engine.effects import acting_segments, metric_occasions
from plotsim_core.engine.metrics import growth_factors, oriented, seasonal_factors, unseasoned
from plotsim_core.engine.noised import is_missing, is_outlier, jittered, missing_by_value, missing_odds
from plotsim_core.engine.rhythm import metric_factors
from plotsim_core.engine.silence import silent
from plotsim_core.engine.tiers import expected_shares
from plotsim_core.engine.trajectories import positions, progress, rounds, untreated
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.curves import piece_index
from plotsim_core.plan.plan import MetricPlan


@dataclass(frozen=True)
class Step:
    """One step: what it is called, its value, and in words where that comes from. `depth` 1 is a part of the step
    before it."""

    name: str
    value: Any
    description: str = ""
    depth: int = 0


def _only(values: Floats) -> float:
    """Return the value of an array with one element."""
    return float(values.ravel()[0])


def unit_steps(block: Block, key: str) -> list[Step]:
    """Return who the unit of a block of one unit is."""
    population, units = block.population, block.units
    segment = population.segments[int(units.segment[0])]
    ordinal = int(units.ordinal[0])
    membership = f"unit {ordinal + 1} of {segment.count}" if ordinal < segment.count else "a unit of those who arrive later"
    return [
        Step(population.unit, key, f"arrives in {population.grain.label(int(units.arrival[0]))}"),
        Step("segment", segment.spec.name, membership + (f"; {segment.spec.label}" if segment.spec.label else "")),
        *_treatment_steps(block, segment.spec.treatment),
    ]


def _treatment_steps(block: Block, treatment: Treatment | None) -> list[Step]:
    if treatment is None:
        return []
    start = block.population.grain.label(block.population.first + treatment.start_period)
    target = f"what {treatment.target_metric} reads" if treatment.target_metric else "positions"
    description = f"the treated have the log odds of {target} raised by {treatment.lift_log_odds:g}, from {start} on"
    return [Step("arm", treatment.treatment_label if block.units.treated[0] else treatment.control_label, description)]


def position_steps(block: Block, delay: int = 0) -> list[Step]:
    """Return where on its curve the unit of a block of one cell is, `delay` periods before the block's period."""
    population, units, periods = block.population, block.units, block.periods - delay
    pieces = population.segments[int(units.segment[0])].pieces
    fraction = _only(progress(population, units, periods))
    number = int(piece_index(pieces, np.clip(np.array([fraction]), 0.0, 1.0))[0])
    piece = pieces[number]
    curve = " ".join([piece.curve, *(f"{name} {value:g}" for name, value in piece.parameters)])
    time_text = f"in {population.grain.label(int(periods[0]))}" + (f", {delay} periods before" if delay else "")
    round_index = int(rounds(population, units, periods)[0, 0])
    time_text += f", on the way for the {round_index + 1}. time" if round_index else ""
    piece_text = f"piece {number + 1} of {len(pieces)}, from {piece.begin:.4g} to {piece.end:.4g} of the way"
    position = _only(positions(population, units, periods))
    steps = [
        Step("progress", fraction, f"{time_text}; the unit's own timing puts {units.timing[0]:+.4g} on it"),
        Step("curve", curve, piece_text, 1),
    ]
    untreated_position = _only(untreated(population, units, periods))
    if untreated_position != position:
        steps.append(Step("untreated", untreated_position, "the position without the treatment", 1))
    return [*steps, Step("position", position, "of 0 to 1, along the curve")]


def read_steps(block: Block, metric: int) -> list[Step]:
    """Return what position a metric reads: the unit's own, or what its driver read some periods before."""
    spec = block.population.metrics[metric]
    delay, source = 0, spec
    while source.driver is not None:
        delay, source = delay + source.delay, block.population.metrics[source.driver]
    steps = position_steps(block, delay)
    read_position = _only(block.metric_positions(metric))
    if steps[-1].value == read_position:
        return steps
    reason = "with the earlier periods that the decay reads" if len(spec.kernel) > 1 else "with what its driver reads"
    treatment = block.population.segments[int(block.units.segment[0])].spec.treatment
    is_lifted = treatment is not None and treatment.target_metric == spec.name
    return [*steps, Step("read", read_position, "raised by the treatment of this metric" if is_lifted else reason)]


def centre_steps(block: Block, metric: int) -> list[Step]:
    """Return how the mean that a value is drawn around follows from the position."""
    population, units, spec = block.population, block.units, block.population.metrics[metric]
    segment = population.segments[int(units.segment[0])]
    low, high = spec.means[units.segment[0]].tolist()
    baseline = segment.spec.baseline.get(spec.name)
    read = block.metric_positions(metric)
    steps = read_steps(block, metric)
    if spec.spec.polarity == "negative":
        steps.append(Step("read as", _only(oriented(spec, read)), "the other way round: the polarity is negative"))
    steps.append(Step("means", f"{low:.6g} to {high:.6g}", _means_text(spec, baseline)))
    if spec.spec.sized:
        steps.append(Step("size", float(units.size[0]), "multiplies the mean"))
    steps.append(Step("mean", _only(unseasoned(spec, units, read)), "before any season"))
    growth = growth_factors(population, spec, block.periods)
    if spec.spec.growth is not None and growth is not None:
        text = f"factor on the mean: {spec.spec.growth.text()} since {population.grain.label(population.first)}"
        steps.append(Step("growth", float(growth[0]), text))
    if population.dataset.seasonality:
        steps.append(Step("season", _only(seasonal_factors(population, spec, units, block.periods)), "factor on the mean"))
    rhythm = metric_factors(population, spec, block.periods)
    if rhythm is not None:
        steps.append(Step("rhythm", float(rhythm[0]), "factor on the mean"))
    steps += _effect_steps(block, spec)
    steps.append(Step("expected", _only(block.centres(metric)), f"the mean of a {spec.spec.family} distribution"))
    return steps


def _effect_steps(block: Block, metric: MetricPlan) -> Iterator[Step]:
    """Yield the effects that a metric has in the cell of a block of one cell."""
    population = block.population
    for occasion in metric_occasions(population, metric):
        factor = _only(occasion.factors(population.grain, block.periods))
        if factor != 1.0 and acting_segments(population, occasion)[block.units.segment[0]]:
            share = (factor - 1.0) / (occasion.factor - 1.0)
            text = "factor on the mean" + ("" if share == 1.0 else f": {share:.0%} of an effect of {occasion.factor:g}")
            yield Step("effect", factor, f"{text}; {occasion.name}")


def _means_text(spec: MetricPlan, baseline: Baseline | None) -> str:
    if isinstance(baseline, tuple):
        return "for positions 0 to 1, by the segment's baseline"
    range_text = f"the {baseline} third, by the segment's baseline" if baseline else "the whole way"
    return f"{range_text}, of {spec.spec.means[0]:.6g} to {spec.spec.means[1]:.6g} for positions 0 to 1"


def score_steps(block: Block, metric: int) -> list[Step]:
    """Return the normal score, its parts (a random effect for life, AR(1) shocks, the lagged effect of a driver), and the
    value that the inverse CDF gives for it (NORTA)."""
    population, units, spec, periods = block.population, block.units, block.population.metrics[metric], block.periods
    share = _only(level_shares(population, metric, units))
    period_scale = float(np.sqrt(1.0 - share))
    mixing = population.mixings[population.phase(int(periods[0]))]
    own_weight = period_scale * mixing.own_weights[metric]
    shock = own_weight * spec.persistence[0] * _only(shocks(mixing, metric, periods, block.draw))
    earlier_shocks = own_weight * _only(own_scores(population, mixing, metric, periods, block.draw)) - shock
    level = _only(levels(population, metric, units, periods))
    steps = [
        Step("score", _only(block.scores(metric)), "standard normal: the sum of its parts"),
        Step("level", level, f"the {population.unit}'s own for life, {share:.3g} of the variance", 1),
        Step("shock", shock, "what happened in this period", 1),
    ]
    if len(spec.persistence) > 1:
        steps.append(
            Step("persistence", earlier_shocks, f"what is left of earlier shocks, {spec.spec.persistence:g} a period", 1)
        )
    if spec.driver is not None:
        driver_part = period_scale * _only(driver_contribution(population, mixing, metric, periods, block.draw))
        driver = _only(moving_scores(population, spec.driver, periods - spec.delay, block.draw))
        time_text = population.grain.label(int(periods[0]) - spec.delay)
        description = (
            f"{population.metrics[spec.driver].name} moved by {driver:+.4g} in {time_text}, {spec.delay} periods before"
        )
        pull = period_scale * mixing.driver_weights[metric][0]
        kernel_text = f"; and the {len(spec.kernel) - 1} periods before that" if len(spec.kernel) > 1 else ""
        steps.append(Step("lag", driver_part, f"{description}; times {pull:.4g}{kernel_text}", 1))
    return [*steps, Step("true", _only(block.correlated(metric)), "the distribution's value at that score")]


def noise_steps(block: Block, metric: int) -> list[Step]:
    """Return what measuring does to a true value."""
    population, spec = block.population, block.population.metrics[metric]
    noise = noise_of(population.dataset, spec.spec)
    true = block.correlated(metric)
    steps = []
    if noise.gaussian_sigma > 0:
        jitter = _only(jittered(population.seed, noise, spec, block.address, true, block.positions()) - true)
        steps.append(Step("jitter", jitter, f"{noise.noise_family}, {noise.gaussian_sigma:g} of the value"))
    if noise.outlier_rate > 0:
        is_hit = bool(is_outlier(population.seed, noise, spec, block.address)[0, 0])
        steps.append(Step("outlier", is_hit, f"one value in {1 / noise.outlier_rate:.4g} is"))
    return steps + _missing_steps(block, metric)


def _missing_steps(block: Block, metric: int) -> list[Step]:
    population, spec = block.population, block.population.metrics[metric]
    noise, cause = noise_of(population.dataset, spec.spec), missing_on(population.dataset, spec.spec)
    steps = []
    if noise.mcar_rate > 0:
        is_hit = bool(is_missing(population.seed, noise, spec, block.address)[0, 0])
        steps.append(Step("at random", is_hit, f"one value in {1 / noise.mcar_rate:.4g} is", 1))
    if cause is not None:
        scores = block.scores(population.metric_index(cause))
        is_hit = bool(missing_by_value(population.seed, noise, spec, block.address, scores)[0, 0])
        odds = f"{_only(missing_odds(noise, scores)):.4g}, as {cause} scored {_only(scores):+.4g}"
        steps.append(Step("by value", is_hit, f"with a probability of {odds}; {noise.mar_rate:g} on average", 1))
    silence = population.segments[int(block.units.segment[0])].spec.silence
    if silence is not None:
        description = f"its {population.unit} is so in {silence.share:.1%} of its {population.grain.plural}"
        steps.append(Step("silent", bool(silent(block)[0, 0]), description, 1))
    if len(steps) < 2:
        return [Step("missing", step.value, step.description) for step in steps]
    causes = [step.name for step in steps if step.value]
    return [Step("missing", bool(causes), " and ".join(causes)), *steps]


def history_steps(block: Block, history: History) -> list[Step]:
    """Return the band (tier) of a history (SCD2) that the unit of a block of one cell is in."""
    population, units = block.population, block.units
    metric = population.metric_index(history.tracks)
    share = expected_shares(population, metric, units, block.periods)
    low, high = population.metrics[metric].spec.means
    band = int(np.searchsorted(np.array(history.at), share, side="right")[0, 0])
    edges = (0.0, *history.at, 1.0)
    description = f"its expected value, without season and noise, on the way from {low:.6g} to {high:.6g}"
    return [
        *read_steps(block, metric),
        Step("tracks", history.tracks),
        Step("share", _only(share), description),
        Step("edges", list(history.at), f"between {', '.join(history.tiers)}"),
        Step("band", band, f"{history.tiers[band]}: {edges[band]:g} to {edges[band + 1]:g}"),
    ]
