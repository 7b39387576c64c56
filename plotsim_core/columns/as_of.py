"""Layer values of rows: in a row's own period or, where a row is a state, in the period of the state.

The period of a unit's state is the last one of the slice, or the unit's last one if its life has ended by then; the period
of a version's state is the last one in which it was valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from plotsim_core.columns.cell_values import cell_values
from plotsim_core.columns.rows import CURRENT, Rows
from plotsim_core.config.column_source import POSITION, STORED_VALUES, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.effects import may_be_null
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import ends
from plotsim_core.engine.roster import take
from plotsim_core.engine.slice import CHUNK
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers

Band = Annotated[str, Field(min_length=1)]


def state_periods(rows: Rows) -> Integers:
    """Return the period of each row's state."""
    block = rows.block
    periods = np.minimum(block.slice.stop - 1, ends(block)[rows.unit])
    if len(rows.version_stop) == len(rows):
        periods = np.where(rows.version_stop == CURRENT, periods, rows.version_stop - 1)
    return periods


def layer_values(rows: Rows, layer: Callable[[Block], Floats]) -> Floats:
    """Return the value of a `layer`, shape (periods, units), for each row."""
    block = rows.block
    if len(rows.cell) == len(rows):
        return cell_values(rows, layer)
    if len(rows) == 0:
        return np.empty(0)
    periods, result = state_periods(rows), np.empty(len(rows))
    first, stop = int(periods.min()), int(periods.max()) + 1
    present, unit = np.unique(rows.unit, return_inverse=True)
    step = max(1, CHUNK // (stop - first))
    for start in range(0, len(present), step):
        units = take(block.units, present[start : start + step])
        in_part = (unit >= start) & (unit < start + step)
        part = Block(block.population, replace(block.slice, first=first, stop=stop), units)
        result[in_part] = layer(part)[periods[in_part] - first, unit[in_part] - start]
    return result


def scaled_values(rows: Rows, metric: str | None) -> Floats:
    """Return a share for each row: the position on its unit's curve, or with `metric` that metric's stored value scaled by
    its bounds (without bounds, by its means at positions 0 and 1). NaN for a missing value, below 0 or above 1 for a value
    beyond the bounds."""
    if metric is None:
        return layer_values(rows, lambda block: block.positions())
    index = rows.block.population.metric_index(metric)
    spec = rows.block.population.metrics[index].spec
    low, high = spec.bounds or spec.means
    return (layer_values(rows, lambda block: block.noised(index)) - low) / (high - low)


def band_indexes(share: Floats, count: int) -> tuple[Integers, NDArray[np.bool_]]:
    """Return (bands, is_missing): the index of each share's band, of `count` equal bands of [0, 1]."""
    is_missing = np.isnan(share)
    clipped = np.clip(np.where(is_missing, 0.0, share), 0.0, 1.0)
    return np.minimum((clipped * count).astype(np.int64), count - 1), is_missing


def may_be_missing(metric: Name | None, dataset: Dataset) -> bool:
    """Return whether a row may have no band."""
    return any(may_be_null(dataset, spec) for spec in dataset.metrics if spec.name == metric)


def band_origin(metric: Name | None) -> Origin:
    """Return the stage, and its column, that bands of a metric are read from, or of the position without one."""
    return POSITION if metric is None else (STORED_VALUES, metric)


def check_metric(metric: Name | None, scope: Scope) -> Iterable[Problem]:
    """Yield a problem if there is no such metric."""
    return scope.unknown_metric(metric, "metric") if metric is not None else ()


def quantity_name(metric: Name | None) -> str:
    """Return the name of the quantity that bands divide."""
    return metric if metric is not None else "the position on the unit's curve"
