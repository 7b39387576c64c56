"""Residuals: stored values minus what the trajectory lets expect, in standard deviations of the metric's family.

Everything about behaviour is judged on them: the expectation comes from the plan, the values from the store. Noise that
the config asks for weakens correlations by a factor that the plan tells. Standard errors count units, not cells: what a
unit does today it also did yesterday.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.columns.identity import key_text, prefix
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.life import alive
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Plan
from plotsim_core.validation.store import Store

Floats = NDArray[np.float64]

_CELLS = 400_000
"""At most so many cells are looked at: the latest periods, of as many units as fit."""
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
            fidelity[metric] = correlation(true, made)[0]
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


def correlation(first: Floats, second: Floats) -> tuple[float, float]:
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
