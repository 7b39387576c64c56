"""Checks of how metrics follow the trajectory: polarity, means and variance by position.

Each measure is a ratio estimator: stored values over the means that the trajectory gives. It is compared to the ratio that
noise and the ending of units produce, measured on the probed cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from plotsim_core.numerics.arrays import Flags
from plotsim_core.numerics.estimates import ratio
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding, unjudged
from plotsim_core.validation.judgement import MIN_UNITS, Measure, Measurement, judgement
from plotsim_core.validation.residuals import Residuals, judged_metrics, metric_facts, metrics_judged_by, residuals
from plotsim_core.validation.store import StoredData

MEAN_BIAS = 0.01
_SPREAD_BIAS = 0.05
BANDS = 5
MAX_ALLOWED = 0.5
"""The largest allowed relative deviation at which a mean or a variance is judged: beyond it hardly any fault shows."""
_MIN_SPREAD = 0.05
"""The least standard deviation of centres, as a share of the distance between the means, of a metric that moves."""


def declared_means(sample: Residuals, metric: int) -> tuple[float, float]:
    """Return the means of a metric at position 0 and 1, before polarity."""
    low, high = sample.population.metrics[metric].spec.means
    return low, high


def _noise_ratio(sample: Residuals, metric: int, cells: Flags) -> tuple[float, float]:
    """Return (ratio of noised values to centres in probed cells, its standard error beside that of stored values). Where
    no unit ends, the ratio is 1 plus the effect of noise alone."""
    probed_cells = cells[:, sample.probed]
    centres = sample.centres[metric][:, sample.probed]
    noised_ratio, error = ratio(sample.noised[metric], centres, probed_cells)
    if sample.population.endings:
        return noised_ratio, error if len(sample.probed) < len(sample.segments) else 0.0
    true_ratio = ratio(sample.true[metric], centres, probed_cells)[0]
    difference_error = ratio(sample.noised[metric] - sample.true[metric], centres, probed_cells)[1]
    return 1.0 + noised_ratio - true_ratio, difference_error if np.isfinite(difference_error) else 0.0


def units_in(cells: Flags) -> int:
    """Return the number of units with a cell in a mask."""
    return int(np.count_nonzero(cells.any(axis=0)))


def with_metrics(population: Population, table: TablePlan) -> frozenset[str] | None:
    """Return the facts that are read to judge the metrics of a table; None for a table that no metric is judged by."""
    return metric_facts(population) if metrics_judged_by(population, table) else None


def _means(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    sample = residuals(store)
    for metric in judged_metrics(sample, table):
        bands = {"overall": None, **{f"band {n}": n for n in range(BANDS)}}
        measures = {label: (partial(_mean, metric=metric, band=band), MEAN_BIAS) for label, band in bands.items()}
        measures["variance"] = (partial(_spread, metric=metric), _SPREAD_BIAS)
        yield band_finding(store, sample.population.metrics[metric].name, measures)


def band_finding(store: StoredData, name: str, measures: Mapping[str, tuple[Measure, float]]) -> Finding:
    """Judge ratios to expected values, `overall` and in quantile bands, and the `variance` of residuals if it is among the
    measures. Each measure comes with its allowed bias."""
    numbers: dict[str, float] = {}
    problems: list[str] = []
    for label, (measure, bias) in measures.items():
        verdict = judgement(store, measure, bias)
        if verdict is None or (verdict.allowed >= MAX_ALLOWED and not verdict.is_rejected):
            continue
        value, expected, allowed = verdict.estimate.value, verdict.estimate.expected, verdict.allowed
        numbers |= {f"{label} found": value, f"{label} expected": expected, f"{label} allowed": allowed}
        if verdict.is_rejected:
            message = f"variance of residuals {value:.2f}" if label == "variance" else f"{label} at {value:.3f} of its mean"
            problems.append(f"{message}, {expected:.3f} \u00b1 {allowed:.3f} expected")
    if "overall found" not in numbers and not problems:
        return unjudged(name, f"too few units or rows, at least {MIN_UNITS} units are needed", numbers)
    message = f"{numbers.get('overall found', float('nan')):.3f} of its mean"
    message += f", variance of residuals {numbers['variance found']:.2f}" if "variance found" in numbers else ""
    return Finding(name, not problems, "; ".join(problems[:3]) or message, numbers)


def _mean(sample: Residuals, metric: int, band: int | None) -> Measurement | None:
    """Measure the mean of a metric, overall or in a quantile band of its centres."""
    present = np.isfinite(sample.values[metric])
    if not present.any():
        return None
    scale = 1.0 if declared_means(sample, metric)[0] > 0 else typical_size(sample, metric)
    if band is not None:
        centres = sample.centres[metric]
        edges = np.quantile(centres[present], np.linspace(0, 1, BANDS + 1))
        present = present & (centres >= edges[band]) & ((centres < edges[band + 1]) | (band == BANDS - 1))
    return mean_ratio(sample, metric, present, scale)


def typical_size(sample: Residuals, metric: int) -> float:
    """Return a typical size of a metric whose mean may be zero: the unit of its shifts."""
    low, high = declared_means(sample, metric)
    return float(max(abs(low), abs(high), high - low))


def mean_ratio(sample: Residuals, metric: int, cells: Flags, scale: float) -> Measurement:
    """Measure the ratio of values to centres in some cells; where means may be zero, the shift as a share of `scale`."""
    centres = sample.centres[metric]
    if declared_means(sample, metric)[0] > 0:
        expected, noise_error = _noise_ratio(sample, metric, cells)
        value, error = ratio(sample.values[metric], centres, cells, expected)
        return Measurement(value, expected, float(np.hypot(error, noise_error)), units_in(cells))
    sizes = np.full(centres.shape, scale)
    probed_cells, base = cells[:, sample.probed], centres[:, sample.probed]
    noised_ratio = ratio(sample.noised[metric] - base, sizes[:, sample.probed], probed_cells)
    noise_ratio = ratio(sample.noised[metric] - sample.true[metric], sizes[:, sample.probed], probed_cells)
    has_all_units = len(sample.probed) == len(sample.segments)
    expected, noise_error = (
        (noised_ratio[0], 0.0 if has_all_units else noised_ratio[1]) if sample.population.endings else noise_ratio
    )
    value, error = ratio(sample.values[metric] - centres, sizes, cells, expected)
    return Measurement(1.0 + value, 1.0 + expected, float(np.hypot(error, noise_error)), units_in(cells))


def _spread(sample: Residuals, metric: int) -> Measurement | None:
    """Measure the mean square of residuals, against that of noised values."""
    present = np.isfinite(sample.values[metric])
    if not present.any():
        return None
    ones = np.ones(present.shape)
    squares = sample.standardised(metric, sample.noised[metric], probed=True) ** 2
    expected, noise_error = ratio(squares, ones[:, sample.probed], present[:, sample.probed])
    value, error = ratio(sample.stored[metric] ** 2, ones, present, expected)
    has_all_units = len(sample.probed) == len(sample.segments)
    return Measurement(
        value, expected, 0.25 * error if has_all_units else float(np.hypot(error, noise_error)), units_in(present)
    )


def _polarity(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    sample = residuals(store)
    for metric in judged_metrics(sample, table):
        population = sample.population.metrics[metric]
        present = np.isfinite(sample.values[metric])
        low, high = declared_means(sample, metric)
        if not present.any() or float(np.std((sample.centres[metric] / (high - low))[present])) < _MIN_SPREAD:
            yield unjudged(population.name, "it does not move enough", {"units": float(units_in(present))})
            continue
        verdict = judgement(store, partial(_slope, metric=metric), 0.0)
        if verdict is None or verdict.allowed >= 1.0:
            yield unjudged(population.name, f"too few units or rows, at least {MIN_UNITS} units are needed")
            continue
        sign, value = 1.0 if population.spec.polarity == "positive" else -1.0, verdict.estimate.value
        is_declared = value > 0 or not verdict.is_rejected
        direction = f"{population.spec.polarity} as declared" if is_declared else f"declared {population.spec.polarity}"
        message = f"{direction}: a full way up moves it by {sign * value:.2f} of the way between its means"
        numbers = {"declared": sign, "found": sign * value, "allowed": verdict.allowed}
        yield Finding(population.name, is_declared, f"{message} \u00b1 {verdict.allowed:.2f}", numbers)


def _slope(sample: Residuals, metric: int) -> Measurement | None:
    """Measure the slope of a metric on the position, by weighted least squares, as a share of the declared slope."""
    values = sample.values[metric]
    present = np.isfinite(values)
    low, high = declared_means(sample, metric)
    position = (sample.centres[metric] - low) / (high - low)
    weight = sample.population.metrics[metric].quantiles.deviation(sample.centres[metric]) ** -2.0
    if not present.any() or not weight[present].sum() > 0:
        return None
    shift = position - float(np.average(position[present], weights=weight[present]))
    value, error = ratio(values * shift * weight, (high - low) * shift**2 * weight, present, 1.0)
    return Measurement(value, 1.0, error, units_in(present))


for _name, _check in {
    "polarity_as_declared": Check(
        "behaviour", "A metric rises with the trajectory, or falls, as declared.", False, _polarity, with_metrics
    ),
    "means_follow_trajectory": Check(
        "behaviour",
        "Means follow the position on the trajectory, and values are spread around them as declared.",
        False,
        _means,
        with_metrics,
    ),
}.items():
    CHECKS.add(_name, _check)
