"""`_entity_features`: one row per unit that sums up what its metrics did, for those who learn from the data.

Of each metric, over the periods of the unit's life that are known: mean, population standard deviation, slope of the
least-squares line per period, first and last value that is there, and the period of the largest (counted from the window's
start). Sums run along time in one order, each unit for itself, so that no bit depends on how the units are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.columns.identity import key_column, key_text, prefix
from plotsim_core.columns.rows import picked
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.holdout import FEATURES
from plotsim_core.config.segments import Segment
from plotsim_core.config.tables import Column, NoOptions, Table
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.life import alive
from plotsim_core.engine.slice import Slice, lives
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.plan.schemas import DERIVED
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.holdout import cutoff
from plotsim_core.tables.kind import KINDS, made_of_others
from plotsim_core.tables.sample import Sample

_DECIMALS = 6
_SUMS = {
    "mean": "Mean of {}.",
    "std": "Standard deviation of {} (over all periods that are there).",
    "slope": "Slope of the least-squares line of {}, per period.",
    "first": "First value of {}.",
    "last": "Last value of {}.",
    "peak_period": "Period of the largest value of {}, counted from the window's start.",
}
_ARCHETYPE, _SEGMENT, _TREATMENT, _POSITION = "archetype", "segment", "treatment", "final_trajectory_position"


def summed(dataset: Dataset, declared: Iterable[TablePlan]) -> list[str]:
    """Return the metrics that are summed up: those listed, or all that facts per unit and period hold, in the order in which
    they hold them; never the target of the holdout."""
    assert dataset.entity_features is not None
    if dataset.entity_features.metrics:
        return list(dataset.entity_features.metrics)
    columns = [column for table in declared if table.kind == "fact" for column in table.columns]
    held = [column.spec.type.partition(".")[2] for column in columns if column.spec.word == "metric"]
    target = dataset.holdout.target if dataset.holdout else None
    return [name for name in dict.fromkeys(held) if name != target]


def _derive(dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterable[TablePlan]:
    if dataset.entity_features is None:
        return
    units = next(table for table in declared if table.kind == "unit")
    key = key_column(units.spec)
    assert key is not None
    columns = [_column(key.name, "unit", pa.string(), False, f"Key of the {phrase(dataset.unit)} in {units.name}.")]
    for name in summed(dataset, declared):
        for word, says in _SUMS.items():
            type_ = pa.int64() if word == "peak_period" else pa.float64()
            columns.append(_column(f"{name}_{word}", f"{word}.{name}", type_, True, says.format(name)))
    if dataset.entity_features.include_labels:
        columns.append(_column(_ARCHETYPE, _ARCHETYPE, pa.string(), False, "Curves of the unit's segment."))
        columns.append(_column(_SEGMENT, _SEGMENT, pa.string(), False, "Name of the unit's segment."))
        if any(segment.treatment is not None for segment in dataset.segments):
            columns.append(
                _column(_TREATMENT, _TREATMENT, pa.string(), True, "Arm of its segment's experiment that the unit is in.")
            )
        says = "Position on the unit's curve in the last period that is known of it."
        columns.append(_column(_POSITION, _POSITION, pa.float64(), False, says))
    says = f"A row per {dataset.unit} that sums up its metrics."
    yield TablePlan(
        spec=Table(name=FEATURES, columns=tuple(column.spec for column in columns), description=says),
        kind=FEATURES,
        columns=tuple(columns),
        key=(key.name,),
        time=None,
        references=((key.name, units.name, key.name),),
        description=says,
    )


def _column(name: str, what: str, type_: pa.DataType, nullable: bool, says: str) -> ColumnPlan:
    return ColumnPlan(Column(name=name, type=f"feature.{what}", source=NoOptions()), type_, nullable, says)


def _batches(plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
    """Yield the features as of the end of the slice, or of the periods to learn from where some are held out."""
    edge = cutoff(plan.dataset)
    plan = plan.clean or plan
    named = [column.spec.type.split(".") for column in table.columns]
    names = [name for _, word, *metric in named for name in metric if word == "mean"]
    stop = slice_.stop if edge is None else min(slice_.stop, edge)
    if stop <= plan.first:
        return
    for part in lives(plan, replace(slice_, first=plan.first, stop=stop)):
        made = block(plan, part)
        there = np.flatnonzero(made.units.arrival < stop)
        here = alive(made)
        columns: dict[str, pa.Array] = {"unit": _keys(plan, made, there)}
        for name in names:
            sums = _sums(made.noised(plan.metric_index(name)), here, part.first - plan.first)
            columns |= {f"{word}.{name}": _rounded(values[there]) for word, values in sums.items()}
        columns |= _labels(plan, made, there, here)
        arrays = [columns[column.spec.type.partition(".")[2]].cast(column.type) for column in table.columns]
        yield batch_of(table, arrays)


def _keys(plan: Plan, made: Block, there: NDArray[np.int64]) -> pa.Array:
    units = next(table for table in plan.own if table.kind == "unit")
    return key_text(prefix(units.spec), pa.array(made.codes[there]))


def _sums(values: Floats, lives: NDArray[np.bool_], begin: int) -> dict[str, Floats]:
    """Return what sums up values, shape (periods, units), of the cells in which a unit is there: NaN where nothing does."""
    there = lives & np.isfinite(values)
    count, total, times = (np.zeros(values.shape[1]) for _ in range(3))
    first, last, peak, top = (np.full(values.shape[1], np.nan) for _ in range(4))
    for period, (row, here) in enumerate(zip(values, there, strict=True), begin):
        first = np.where(here & (count == 0), row, first)
        last = np.where(here, row, last)
        higher = here & ((count == 0) | (row > top))
        top, peak = np.where(higher, row, top), np.where(higher, float(period), peak)
        count += here
        total += np.where(here, row, 0.0)
        times += np.where(here, float(period), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, middle = total / count, times / count
        squares, spread, product = (np.zeros(values.shape[1]) for _ in range(3))
        for period, (row, here) in enumerate(zip(values, there, strict=True), begin):
            off, away = np.where(here, row - mean, 0.0), np.where(here, period - middle, 0.0)
            squares += off * off
            spread += away * away
            product += off * away
        std, slope = np.sqrt(squares / count), np.where(spread > 0, product / spread, np.nan)
    return {"mean": mean, "std": std, "slope": slope, "first": first, "last": last, "peak_period": peak}


def _rounded(values: Floats) -> pa.Array:
    return pa.array(np.round(values, _DECIMALS), mask=np.isnan(values))


def _labels(plan: Plan, made: Block, there: NDArray[np.int64], lives: NDArray[np.bool_]) -> dict[str, pa.Array]:
    """Return what is to be found out of units, whether or not it is asked for."""
    segments, units = [segment.spec for segment in plan.segments], made.units
    tried = [segment.treatment for segment in segments]
    arms = [label for arm in tried for label in ((arm.control_label, arm.treatment_label) if arm else (None, None))]
    last = np.zeros(len(units), dtype=np.int64)
    for period, here in enumerate(lives):
        last = np.where(here, period, last)
    position = made.positions()[last[there], there]
    return {
        _ARCHETYPE: picked([archetype(segment) for segment in segments], units.segment[there], pa.string()),
        _SEGMENT: picked([segment.name for segment in segments], units.segment[there], pa.string()),
        _TREATMENT: picked(arms, (2 * units.segment + units.treated)[there], pa.string()),
        _POSITION: _rounded(position),
    }


def archetype(segment: Segment) -> str:
    """Return the curves of a segment in words: `flat > growth`."""
    shape = segment.archetype
    return " > ".join(shape.words or [piece.curve for piece in shape.curves])


def _expect(table: TablePlan, sample: Sample) -> Floats:
    return sample.total(sample.arrived)


DERIVED.add(FEATURES, _derive)
KINDS.add(FEATURES, made_of_others(_batches, _expect, state=True))
