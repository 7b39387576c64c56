"""The answers about units: of each, what the tables follow from, and what happened to it, as rows with lists in them.

Moments are date keys, as the tables have them. What changes over time is a list of changes: since when it is what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.columns.identity import key_text, prefix
from plotsim_core.columns.scd import Options as History
from plotsim_core.columns.segment import arms
from plotsim_core.columns.trajectory import DECIMALS
from plotsim_core.config.effects import missing_on, noise_of, null_rate
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.history import bands
from plotsim_core.engine.life import alive, ends
from plotsim_core.engine.noised import missing, missing_by_value, outlying
from plotsim_core.engine.slice import lives, whole
from plotsim_core.engine.stages import NONE, stages
from plotsim_core.plan.plan import MetricPlan, Plan, TablePlan
from plotsim_core.tables.kind import KINDS

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


def answers(plan: Plan, stop: int) -> Iterator[pa.Table]:
    """Yield the units of one kind that have arrived before the period `stop`, a row each, in the order of the roster.

    `key`, `segment` and `treatment` (the arm, null without one) are the unit's for life; `arrival` and `end` its first and
    its last date (null where it goes on). `positions` are those of each period in between. `events` has the dates of
    threshold events, by table, `outliers` of stored values that are outliers, by metric; `tiers` and `stages` are lists of
    changes. What a dataset does not have, has no column.
    """
    for slice_ in lives(plan, whole(plan, None, stop)):
        yield _answers(block(plan, slice_))


def _answers(block: Block) -> pa.Table:
    plan, units, here = block.plan, block.units, alive(block)
    dates = plan.grain.keys(block.periods)
    last = ends(block)
    ended = last < block.slice.stop
    names = pa.array([segment.spec.name for segment in plan.segments])
    found: dict[str, pa.Array] = {
        "key": key_text(prefix(_dimension(plan).spec), pa.array(block.codes)),
        "segment": names.take(pa.array(units.segment)),
        **({"treatment": arms(block)} if any(s.spec.treatment for s in plan.segments) else {}),
        "arrival": pa.array(dates[np.minimum(units.arrival - block.slice.first, len(dates) - 1)]),
        "end": pa.array(dates[np.where(ended, last - block.slice.first, 0)], mask=~ended),
    }
    lifecycle, history = plan.dataset.lifecycle, _dimension(plan).spec.sourced("scd")
    if lifecycle is not None:
        words = [stage.name for stage in lifecycle.stages]
        found["stages"] = _changes(stages(block, lifecycle), here, words, dates)
    if history:
        options = history[0].source
        assert isinstance(options, History)
        band = bands(plan, plan.metric_index(options.tracks), options.at, units, block.periods)
        found["tiers"] = _changes(band, here, options.tiers, dates)
    found |= _by_name("events", {table.name: _fired(block, table) for table in _thresholds(plan)}, dates)
    found |= _by_name("outliers", _outliers(block, here), dates)
    found["positions"] = _lists(here, pa.array(np.round(block.positions(), DECIMALS).T[here.T]))
    return pa.table(found).filter(pa.array(units.arrival < block.slice.stop))


def _dimension(plan: Plan) -> TablePlan:
    return next(table for table in plan.own if table.kind == "unit")


def _thresholds(plan: Plan) -> list[TablePlan]:
    return [table for table in (plan.clean or plan).own if table.kind == "threshold"]


def _fired(block: Block, table: TablePlan) -> Flags:
    """Return where a threshold event is, shape (periods, units)."""
    found = np.zeros(block.slice.shape, dtype=np.bool_)
    found.ravel()[KINDS["threshold"].rows(table, block).cell] = True
    return found


def _outliers(block: Block, here: Flags) -> dict[str, Flags]:
    """Return where stored values are outliers, by metric; only metrics that have any by their noise."""
    plan = block.plan
    found = {}
    for metric in plan.metrics:
        noise = noise_of(plan.dataset, metric.spec)
        if noise.outlier_rate > 0:
            found[metric.name] = here & outlying(plan.seed, noise, metric, block.address)
            if null_rate(plan.dataset, metric.spec) > 0:
                found[metric.name] &= ~_gone(block, metric)
    return found


def _gone(block: Block, metric: MetricPlan) -> Flags:
    """Return where a stored value is missing."""
    plan, noise = block.plan, noise_of(block.plan.dataset, metric.spec)
    found = missing(plan.seed, noise, metric, block.address)
    on = missing_on(plan.dataset, metric.spec)
    if on is not None:
        found |= missing_by_value(plan.seed, noise, metric, block.address, block.scores(plan.metric_index(on)))
    return found


def _by_name(what: str, where: dict[str, Flags], dates: Integers) -> dict[str, pa.Array]:
    """Return a struct with a list of dates for each name; nothing without names."""
    if not where:
        return {}
    lists = [_lists(flags, pa.array(dates[np.nonzero(flags.T)[1]])) for flags in where.values()]
    return {what: pa.StructArray.from_arrays(lists, names=list(where))}


def _changes(values: Integers, here: Flags, words: Sequence[str], dates: Integers) -> pa.Array:
    """Return, for each unit, since when it is what: a value in the first period of each run of equal ones. A unit that is
    not there has none; NONE is null."""
    begins = here.copy()
    begins[1:] &= ~here[:-1] | (values[1:] != values[:-1])
    found = values.T[begins.T]
    texts = pa.array(list(words)).take(pa.array(found, mask=found == NONE))
    since = pa.array(dates[np.nonzero(begins.T)[1]])
    return _lists(begins, pa.StructArray.from_arrays([since, texts], names=["since", "value"]))


def _lists(where: Flags, values: pa.Array) -> pa.Array:
    """Return the values of each unit as a list; `values` are those of the cells that are set, unit by unit."""
    offsets = np.concatenate([[0], np.cumsum(np.count_nonzero(where, axis=0))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
