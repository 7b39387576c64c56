"""Correlations as they come out: of true values, before noise, over a bounded sample of units in the latest periods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import strata, taken
from plotsim_core.numerics.estimates import correlation
from plotsim_core.plan.declared import declared
from plotsim_core.plan.plan import Plan

_CELLS = 200_000
_FEWEST = 100
"""Units of a segment that are looked at, if it has them."""
_LIMIT = 5.0
"""Residuals are cut off here, so that a few far values do not decide."""


def delivered(plan: Plan, stop: int) -> Iterator[dict[str, Any]]:
    """Yield each connection of one kind of unit with the correlation `delivered` before the period `stop`.

    It is that of residuals (values minus the mean that the trajectory sets, in standard deviations), and that of values
    for `pooled` connections: what `declared` speaks of. `error` is its standard error. Both are null where nobody is there.
    """
    if not plan.dataset.connections and not plan.dataset.connection_phases:
        return
    blocks = list(_blocks(plan, stop))
    for connection, phase, holds in declared(plan, blocks[0].periods):
        places = [plan.metric_index(name) for name in (connection.metric_a, connection.metric_b)]
        first, second = (_read(blocks, place, connection.pooled)[holds] for place in places)
        found, error = correlation(first, second)
        begin, end = plan.phases[phase - 1] if phase else (None, None)
        yield {
            "metric_a": connection.metric_a,
            "metric_b": connection.metric_b,
            "declared": connection.coefficient,
            "pooled": connection.pooled,
            "first": None if begin is None else int(plan.grain.keys(np.array([begin]))[0]),
            "last": None if end is None else int(plan.grain.keys(np.array([end - 1]))[0]),
            "delivered": round(found, 4) if np.isfinite(error) else None,
            "error": round(error, 4) if np.isfinite(error) else None,
        }


def _blocks(plan: Plan, stop: int) -> Iterator[Block]:
    """Yield a block per stratum: as many of the latest periods as leave room for enough units."""
    periods = max(1, min(stop - plan.first, _CELLS // min(units_by(plan, stop), _FEWEST * len(plan.segments))))
    parts = strata(plan, stop - periods, stop)
    for part, units in zip(parts, taken(parts, _CELLS // periods, _FEWEST), strict=True):
        yield Block(plan, Slice(stop - periods, stop, part.first, part.first + units))


def _read(blocks: list[Block], metric: int, pooled: bool) -> NDArray[np.float64]:
    """Return true values, or their residuals, shape (periods, units); NaN before a unit arrives."""
    found = []
    for block in blocks:
        values, table = block.correlated(metric), block.plan.metrics[metric].quantiles
        if not pooled:
            centre = block.centres(metric)
            values = np.clip((values - centre) / table.deviation(centre), -_LIMIT, _LIMIT)
        found.append(np.where(block.tenured, values, np.nan))
    return np.concatenate(found, axis=1)
