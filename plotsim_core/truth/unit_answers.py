"""The answers about units: of each, what the tables follow from, and what happened to it, as rows with lists in them.

Moments are date keys, as the tables have them. What changes over time is a list of changes: since when it is what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from plotsim_core.arrow import ArrowArray, lists, taken
from plotsim_core.columns.primary_key import unit_keys
from plotsim_core.columns.segment import arms
from plotsim_core.columns.trajectory import DECIMALS
from plotsim_core.config.effects import missing_on, noise_of, null_rate
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.lifecycle import NONE, stages
from plotsim_core.engine.lifetimes import alive, ends, recording
from plotsim_core.engine.noised import is_missing, is_outlier, missing_by_value
from plotsim_core.engine.silence import may_be_silent, silent
from plotsim_core.engine.slice import full_slice, lives
from plotsim_core.engine.tiers import bands
from plotsim_core.numerics.arrays import Flags, Integers
from plotsim_core.plan.plan import MetricPlan, Population, TablePlan
from plotsim_core.tables.kind import table_kind
from plotsim_core.tables.threshold import ThresholdEvent

_SILENCE = ("recording", "silent")
"""What a unit is in a period."""


def answers(population: Population, stop: int) -> Iterator[pa.Table]:
    """Yield the units of one kind that have arrived before the period `stop`, a row each, in the order of the roster.

    `key`, `segment` and `treatment` (the arm, null without one) are the unit's for life; `arrival` and `end` its first and
    its last date (null where it goes on). `positions` are those of each period in between. `events` has the dates of
    threshold events, by table, `outliers` of stored values that are outliers, by metric; `tiers`, `stages` and
    `silence` are lists of changes. What a dataset does not have, has no column.
    """
    for slice_ in lives(population, full_slice(population, None, stop)):
        yield _block_answers(block(population, slice_))


def _block_answers(block: Block) -> pa.Table:
    population, units, is_alive = block.population, block.units, alive(block)
    dates = population.grain.keys(block.periods)
    last_periods = ends(block)
    has_ended = last_periods < block.slice.stop
    names = pa.array([segment.spec.name for segment in population.segments])
    columns: dict[str, ArrowArray] = {
        "key": unit_keys(block),
        "segment": names.take(units.segment),
        **({"treatment": arms(block)} if any(s.spec.treatment for s in population.segments) else {}),
        "arrival": pa.array(dates[np.minimum(units.arrival - block.slice.first, len(dates) - 1)]),
        "end": pa.array(dates[np.where(has_ended, last_periods - block.slice.first, 0)], mask=~has_ended),
    }
    lifecycle, history = population.dataset.lifecycle, population.dimension.spec.history
    if lifecycle is not None:
        words = [stage.name for stage in lifecycle.stages]
        columns["stages"] = _change_lists(stages(block, lifecycle), is_alive, words, dates)
    if history is not None:
        tiers = bands(population, population.metric_index(history.tracks), history.at, units, block.periods)
        columns["tiers"] = _change_lists(tiers, is_alive, history.tiers, dates)
    if may_be_silent(population):
        columns["silence"] = _change_lists(silent(block).astype(np.int64), is_alive, _SILENCE, dates)
    columns |= _date_lists("events", {table.name: _event_mask(block, table) for table in _thresholds(population)}, dates)
    columns |= _date_lists("outliers", _outlier_masks(block, recording(block)), dates)
    columns["positions"] = _lists(is_alive, pa.array(np.round(block.positions(), DECIMALS).T[is_alive.T]))
    return pa.table(columns).filter(pa.array(units.arrival < block.slice.stop))


def _thresholds(population: Population) -> list[TablePlan]:
    return [table for table in population.unit_tables if isinstance(table.spec, ThresholdEvent)]


def _event_mask(block: Block, table: TablePlan) -> Flags:
    """Return the mask of a threshold event, shape (periods, units)."""
    mask = np.zeros(block.shape, dtype=np.bool_)
    mask.ravel()[table_kind(table).rows_in(table, block).cell] = True
    return mask


def _outlier_masks(block: Block, is_recording: Flags) -> dict[str, Flags]:
    """Return the masks of stored outliers, by metric, for metrics whose noise has outliers."""
    population = block.population
    masks = {}
    for metric in population.metrics:
        noise = noise_of(population.dataset, metric.spec)
        if noise.outlier_rate > 0:
            masks[metric.name] = is_recording & is_outlier(population.seed, noise, metric, block.address)
            if null_rate(population.dataset, metric.spec) > 0:
                masks[metric.name] &= ~_missing_mask(block, metric)
    return masks


def _missing_mask(block: Block, metric: MetricPlan) -> Flags:
    """Return the mask of missing values of a metric: at random (MCAR) and by another metric's value (MAR)."""
    population, noise = block.population, noise_of(block.population.dataset, metric.spec)
    mask = is_missing(population.seed, noise, metric, block.address)
    cause = missing_on(population.dataset, metric.spec)
    if cause is not None:
        mask |= missing_by_value(population.seed, noise, metric, block.address, block.scores(population.metric_index(cause)))
    return mask


def _date_lists(column: str, masks: dict[str, Flags], dates: Integers) -> dict[str, ArrowArray]:
    """Return a struct with a list of dates for each name; nothing without names."""
    if not masks:
        return {}
    date_lists = [_lists(flags, pa.array(dates[np.nonzero(flags.T)[1]])) for flags in masks.values()]
    return {column: pa.StructArray.from_arrays(date_lists, names=list(masks))}


def _change_lists(values: Integers, is_alive: Flags, words: Sequence[str], dates: Integers) -> ArrowArray:
    """Return the changes of each unit: date and value of the first period of each run of equal values. Only periods in
    which a unit is alive count; NONE is null."""
    is_start = is_alive.copy()
    is_start[1:] &= ~is_alive[:-1] | (values[1:] != values[:-1])
    codes = values.T[is_start.T]
    texts = taken(pa.array(list(words)), codes, codes == NONE)
    start_dates = pa.array(dates[np.nonzero(is_start.T)[1]])
    return _lists(is_start, pa.StructArray.from_arrays([start_dates, texts], names=["since", "value"]))


def _lists(mask: Flags, values: ArrowArray) -> ArrowArray:
    """Return the values of each unit as a list; `values` are those of the cells in `mask`, unit by unit."""
    offsets = np.concatenate([[0], np.cumsum(np.count_nonzero(mask, axis=0))]).astype(np.int32)
    return lists(offsets, values)
