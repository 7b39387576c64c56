"""`_entity_features`: one row per unit that sums up what its metrics did, for those who learn from the data.

Of each metric, over the periods of the unit's life that are known: mean, population standard deviation, slope of the
least-squares line per period, first and last value that is there, and the period of the largest (counted from the window's
start). Sums run along time in one order, each unit for itself, so that no bit depends on how the units are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.primary_key import unit_keys
from plotsim_core.columns.rows import gathered
from plotsim_core.config.column_source import POSITION, STORED_VALUES, DerivedColumn, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.holdout import FEATURES
from plotsim_core.config.segments import Segment
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.slice import Slice, lives
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import ColumnPlan, Plan, Population, TablePlan, made_column
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.holdout import cutoff
from plotsim_core.tables.kind import Cut, DerivedKind, add_kind

_DECIMALS = 6
_SUMS = {
    "mean": "Mean of {}.",
    "std": "Standard deviation of {} (over all periods that are there).",
    "slope": "Slope of the least-squares line of {}, per period.",
    "first": "First value of {}.",
    "last": "Last value of {}.",
    "peak_period": "Period of the largest value of {}, counted from the window's start.",
}
_UNIT, _ARCHETYPE, _SEGMENT, _TREATMENT = "unit", "archetype", "segment", "treatment"
_LAST_POSITION = "final_trajectory_position"


@add_kind
class EntityFeatures(DerivedKind):
    """A row per unit that sums up its metrics."""

    kind: ClassVar[str] = FEATURES
    config_key: ClassVar[str] = "entity_features"
    is_state: ClassVar[bool] = True

    @classmethod
    def derive(cls, dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterable[TablePlan]:
        if dataset.entity_features is None:
            return
        units = next(table for table in declared if table.spec.is_unit_dimension)
        key = next(column for column in units.columns if column.spec.source.is_key)
        description = f"Key of the {phrase(dataset.unit)} in {units.name}."
        columns = [_column(key.name, _Feature(feature=_UNIT), key.type, False, description)]
        for name in summed_metrics(dataset, declared):
            for word, description in _SUMS.items():
                type_ = pa.int64() if word == "peak_period" else pa.float64()
                columns.append(
                    _column(f"{name}_{word}", _Feature(feature=word, metric=name), type_, True, description.format(name))
                )
        if dataset.entity_features.include_labels:
            columns.append(
                _column(_ARCHETYPE, _Feature(feature=_ARCHETYPE), pa.string(), False, "Curves of the unit's segment.")
            )
            columns.append(_column(_SEGMENT, _Feature(feature=_SEGMENT), pa.string(), False, "Name of the unit's segment."))
            if any(segment.treatment is not None for segment in dataset.segments):
                description = "Arm of its segment's experiment that the unit is in."
                columns.append(_column(_TREATMENT, _Feature(feature=_TREATMENT), pa.string(), True, description))
            description = "Position on the unit's curve in the last period that is known of it."
            columns.append(_column(_LAST_POSITION, _Feature(feature=_LAST_POSITION), pa.float64(), False, description))
        description = f"A row per {dataset.unit} that sums up its metrics."
        yield TablePlan(
            spec=cls(name=FEATURES, columns=tuple(column.spec for column in columns), description=description),
            columns=tuple(columns),
            key=(key.name,),
            time=None,
            references=((key.name, units.name, key.name),),
            description=description,
        )

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("units",)

    def batches(self, plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        """Yield the features as of the end of the slice, or of the periods to learn from where some are held out."""
        population = plan.population_of(table)
        holdout_start = cutoff(population.dataset)
        features = [column.spec.source for column in table.columns if isinstance(column.spec.source, _Feature)]
        names = list(dict.fromkeys(feature.metric for feature in features if feature.metric is not None))
        stop = slice_.stop if holdout_start is None else min(slice_.stop, holdout_start)
        if stop <= population.first:
            return
        for part in lives(population, replace(slice_, first=population.first, stop=stop)):
            unit_block = block(population, part)
            unit_indices = np.flatnonzero(unit_block.units.arrival < stop)
            is_alive = alive(unit_block)
            columns: dict[tuple[str, str | None], ArrowArray] = {(_UNIT, None): unit_keys(unit_block).take(unit_indices)}
            for name in names:
                sums = _sums(unit_block.noised(population.metric_index(name)), is_alive, part.first - population.first)
                columns |= {(word, name): _rounded(values[unit_indices]) for word, values in sums.items()}
            columns |= {
                (word, None): values for word, values in _labels(population, unit_block, unit_indices, is_alive).items()
            }
            arrays = [
                columns[feature.key].cast(column.type) for feature, column in zip(features, table.columns, strict=True)
            ]
            yield batch_of(table, arrays)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return sample.total(sample.has_arrived)


def summed_metrics(dataset: Dataset, declared: Iterable[TablePlan]) -> list[str]:
    """Return the metrics that are summed up: those listed, or all that facts per unit and period hold, in the order in which
    they hold them; never the target of the holdout."""
    assert dataset.entity_features is not None
    if dataset.entity_features.metrics:
        return list(dataset.entity_features.metrics)
    columns = [column for table in declared if table.spec.is_per_cell for column in table.columns]
    target = dataset.holdout.target if dataset.holdout else None
    names = dict.fromkeys(column.spec.source.stored_metric for column in columns)
    return [name for name in names if name is not None and name != target]


class _Feature(DerivedColumn):
    """`feature` of a unit; `metric` is the one that it sums up."""

    feature: str
    metric: str | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """What tells it apart from the other features of a unit."""
        return self.feature, self.metric

    def stage_origin(self, dataset: Dataset) -> Origin | None:
        if self.metric is not None:
            return STORED_VALUES, self.metric
        return {_SEGMENT: (POSITION[0], "segment"), _LAST_POSITION: POSITION}.get(self.feature)


def _column(name: str, source: _Feature, type_: pa.DataType, nullable: bool, description: str) -> ColumnPlan:
    path = ".".join(part for part in ("feature", *source.key) if part is not None)
    return made_column(name, type_, description, word=path, nullable=nullable, source=source)


def _sums(values: Floats, is_alive: NDArray[np.bool_], begin: int) -> dict[str, Floats]:
    """Return the features of values, shape (periods, units), over the cells in which a unit is present; NaN without any."""
    is_present = is_alive & np.isfinite(values)
    count, total, time_total = (np.zeros(values.shape[1]) for _ in range(3))
    first, last, peak, maximum = (np.full(values.shape[1], np.nan) for _ in range(4))
    for period, (row, present) in enumerate(zip(values, is_present, strict=True), begin):
        first = np.where(present & (count == 0), row, first)
        last = np.where(present, row, last)
        is_higher = present & ((count == 0) | (row > maximum))
        maximum, peak = np.where(is_higher, row, maximum), np.where(is_higher, float(period), peak)
        count += present
        total += np.where(present, row, 0.0)
        time_total += np.where(present, float(period), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, mean_time = total / count, time_total / count
        squares, spread, product = (np.zeros(values.shape[1]) for _ in range(3))
        for period, (row, present) in enumerate(zip(values, is_present, strict=True), begin):
            deviation, time_deviation = np.where(present, row - mean, 0.0), np.where(present, period - mean_time, 0.0)
            squares += deviation * deviation
            spread += time_deviation * time_deviation
            product += deviation * time_deviation
        std, slope = np.sqrt(squares / count), np.where(spread > 0, product / spread, np.nan)
    return {"mean": mean, "std": std, "slope": slope, "first": first, "last": last, "peak_period": peak}


def _rounded(values: Floats) -> ArrowArray:
    return pa.array(np.round(values, _DECIMALS), mask=np.isnan(values))


def _labels(
    population: Population, unit_block: Block, unit_indices: NDArray[np.int64], is_alive: NDArray[np.bool_]
) -> dict[str, ArrowArray]:
    """Return the labels of units, whether or not the table has columns of them."""
    segments, units = [segment.spec for segment in population.segments], unit_block.units
    treatments = [segment.treatment for segment in segments]
    arms = [label for arm in treatments for label in ((arm.control_label, arm.treatment_label) if arm else (None, None))]
    last = np.zeros(len(units), dtype=np.int64)
    for period, alive_units in enumerate(is_alive):
        last = np.where(alive_units, period, last)
    position = unit_block.positions()[last[unit_indices], unit_indices]
    return {
        _ARCHETYPE: gathered([archetype(segment) for segment in segments], units.segment[unit_indices], pa.string()),
        _SEGMENT: gathered([segment.name for segment in segments], units.segment[unit_indices], pa.string()),
        _TREATMENT: gathered(arms, (2 * units.segment + units.treated)[unit_indices], pa.string()),
        _LAST_POSITION: _rounded(position),
    }


def archetype(segment: Segment) -> str:
    """Return the curves of a segment in words: `flat > growth`."""
    shape = segment.archetype
    return " > ".join(shape.words or [piece.curve for piece in shape.curves])
