"""Checks of behaviour: declared correlations and lags, measured on stored values.

What is measured is the correlation *given the trajectory*: of residuals (stored minus expected, in standard deviations
of the metric's family at its mean), where the expectation comes from the plan and the values from the store. Noise
that the config asks for weakens correlations by a factor that the plan tells; what is expected is the declared number
times these factors. Standard errors count units, not cells: what a unit does today it also did yesterday.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.columns.identity import key_text, prefix
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.life import alive
from plotsim_core.engine.slice import Slice
from plotsim_core.numerics.correlation import delivered
from plotsim_core.plan.mixing import margins
from plotsim_core.plan.plan import Plan
from plotsim_core.validation.check import CHECKS, Check, Finding
from plotsim_core.validation.store import Store

Floats = NDArray[np.float64]

_CELLS = 400_000
"""At most so many cells are looked at: the latest periods, of as many units as fit."""
_BIAS = 0.02
"""How far correlations may be off for other reasons than chance (docs: within 0.02)."""
_ERRORS = 4.0
_LIMIT = 5.0
"""Residuals are cut off here, so that a few outliers do not decide."""


@dataclass(frozen=True, eq=False)
class Residuals:
    """Residuals of stored values by metric, shape (periods, units), NaN where there is no value; and `fidelity`, the
    correlation between residuals of true values and of the values that the noise makes of them."""

    stored: dict[int, Floats]
    fidelity: dict[int, float]


def residuals(store: Store) -> Residuals:
    """Return the residuals of every metric that some stored table holds."""
    plan = store.plan
    periods = min(store.stop - store.first, max(1, _CELLS // max(1, min(plan.units, _CELLS // 4))))
    units = max(1, min(plan.units, _CELLS // periods))
    judged = block(plan, Slice(store.stop - periods, store.stop, 0, units))
    there = alive(judged)
    stored: dict[int, Floats] = {}
    fidelity: dict[int, float] = {}
    for metric in range(len(plan.metrics)):
        values = _values(store, judged, metric)
        if values is not None:
            stored[metric] = np.where(there, _standard(plan, judged, metric, values), np.nan)
            made = np.where(there, _standard(plan, judged, metric, judged.noised(metric)), np.nan)
            true = np.where(there, _standard(plan, judged, metric, judged.correlated(metric)), np.nan)
            fidelity[metric] = _correlation(true, made)[0]
    return Residuals(stored, fidelity)


def _standard(plan: Plan, block: Block, metric: int, values: Floats) -> Floats:
    center = block.centres(metric)
    scaled = (values - center) / plan.metrics[metric].quantiles.deviation(center)
    return np.clip(scaled, -_LIMIT, _LIMIT)


def _values(store: Store, block: Block, metric: int) -> Floats | None:
    """Return a metric's stored values in the block's cells, from the first fact that holds it; None if none does."""
    wanted = f"metric.{store.plan.metrics[metric].name}"
    for table in store.tables:
        column = next((c.name for c in table.columns if c.spec.type == wanted), None)
        if column is None or table.kind != "fact":
            continue
        unit, date = table.key
        parent = next(parent for name, parent, _ in table.references if name == unit)
        _register_cells(store, block, parent)
        found = store.connection.sql(
            f'SELECT periods.place AS period, units.place AS unit, "{column}"::DOUBLE AS value '
            f'FROM {store.relation(table)} AS facts JOIN "cell periods" AS periods ON facts."{date}" = periods.key '
            f'JOIN "cell units" AS units ON facts."{unit}" = units.key WHERE "{column}" IS NOT NULL'
        ).fetchnumpy()
        grid = np.full(block.slice.shape, np.nan)
        grid[found["period"], found["unit"]] = found["value"]
        return grid
    return None


def _register_cells(store: Store, block: Block, parent: str) -> None:
    keys = key_text(prefix(store.plan.table(parent).spec), pa.array(block.codes))
    dates = pa.array(store.plan.grain.keys(block.periods))
    for name, values in (("cell units", keys), ("cell periods", dates)):
        places = pa.array(np.arange(len(values), dtype=np.int64))
        store.connection.register(name, pa.table({"key": values, "place": places}))


def _correlation(first: Floats, second: Floats) -> tuple[float, float]:
    """Return (correlation, its standard error) over cells where both are there, counting units as independent."""
    both = np.isfinite(first) & np.isfinite(second)
    x = np.where(both, first - _mean(first, both), 0.0)
    y = np.where(both, second - _mean(second, both), 0.0)
    xx, yy, xy = (np.sum(product, axis=0) for product in (x * x, y * y, x * y))
    scale = float(np.sqrt(np.sum(xx) * np.sum(yy)))
    if scale == 0.0:
        return 0.0, float("inf")
    found = float(np.sum(xy) / scale)
    ratio = float(np.sqrt(np.sum(yy) / np.sum(xx)))
    influence = (xy - 0.5 * found * (xx * ratio + yy / ratio)) / scale
    return found, float(np.sqrt(np.sum(influence**2)))


def _mean(values: Floats, where: NDArray[np.bool_]) -> float:
    return float(np.mean(values[where])) if where.any() else 0.0


def _judged(subject: str, found: float, error: float, expected: float, declared: float) -> Finding:
    allowed = _BIAS + _ERRORS * error
    numbers = {"declared": declared, "expected": expected, "found": found, "allowed": allowed}
    if allowed >= 1.0:
        return Finding(subject, True, f"too few rows to judge: found {found:.2f} \u00b1 {allowed:.2f}", numbers)
    message = f"declared {declared:.2f}, expected {expected:.2f}, found {found:.2f} \u00b1 {allowed:.2f}"
    return Finding(subject, abs(found - expected) <= allowed, message, numbers)


def _correlations(store: Store) -> Iterator[Finding]:
    if not store.plan.dataset.connections:
        return
    seen = residuals(store)
    for connection in store.plan.dataset.connections:
        pair = [store.plan.metric_index(name) for name in (connection.metric_a, connection.metric_b)]
        if all(metric in seen.stored for metric in pair):
            found, error = _correlation(*(seen.stored[metric] for metric in pair))
            expected = connection.coefficient * seen.fidelity[pair[0]] * seen.fidelity[pair[1]]
            subject = f"{connection.metric_a} ~ {connection.metric_b}"
            yield _judged(subject, found, error, expected, connection.coefficient)


def _lags(store: Store) -> Iterator[Finding]:
    plan = store.plan
    followers = [place for place, metric in enumerate(plan.metrics) if metric.driver is not None]
    if not followers:
        return
    seen = residuals(store)
    for place in followers:
        metric = plan.metrics[place]
        driver = metric.driver
        if driver is None or driver not in seen.stored or place not in seen.stored:
            continue
        subject = f"{metric.name} follows {plan.metrics[driver].name} after {metric.delay}"
        periods = len(seen.stored[place])
        if periods <= metric.delay:
            yield Finding(subject, True, f"not to be seen in {periods} periods", {"periods": periods})
            continue
        then, now = seen.stored[driver][: -metric.delay], seen.stored[place][metric.delay :]
        found, error = _correlation(then, now)
        coefficients = [margins(plan.metrics[m].spec, plan.metrics[m].quantiles) for m in (driver, place)]
        carried = delivered(coefficients[0], coefficients[1], _carried(plan, place))
        expected = carried * seen.fidelity[driver] * seen.fidelity[place]
        yield _judged(subject, found, error, expected, metric.spec.strength)


def _carried(plan: Plan, place: int) -> float:
    """Return the correlation of a follower's score with its driver's, `delay` periods before, over all units."""
    metric = plan.metrics[place]
    counts = np.array([segment.count for segment in plan.segments], dtype=np.float64)
    levels = np.array([segment.spec.variation.level for segment in plan.segments])
    level = float(np.sum(counts * levels) / np.sum(counts))
    return (1.0 - level) * metric.pull + level * metric.level_pull


CHECKS.add(
    "correlations_as_declared",
    Check("behaviour", "Metrics correlate, given the trajectory, as the config declares.", False, _correlations),
)
CHECKS.add(
    "lags_found",
    Check("behaviour", "A follower carries what its driver did, after the declared delay.", False, _lags),
)
