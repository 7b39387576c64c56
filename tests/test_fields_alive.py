"""No field of the language is dead: changing it changes what is generated, or what is published about it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest

from plotsim_core import ConfigError, Plan, batches, from_mapping
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.data_rule import DataRule
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Part
from plotsim_core.config.read import read
from plotsim_core.config.table_kind import declared_forms
from plotsim_core.config.tables import Table
from plotsim_core.plan.plan import TablePlan
from tests.fields_of_sources import cases
from tests.marks import slow_but
from tests.output.fields import WRITTEN

BASE = read(Path(__file__).with_name("fields.yaml"))
GONE = object()
"""The change that takes a key away."""


class Renamed(str):
    """The change that gives a thing another name wherever it is named."""

    def throughout(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {self.throughout(key, name): self.throughout(item, name) for key, item in value.items()}
        if isinstance(value, list):
            return [self.throughout(item, name) for item in value]
        return re.sub(rf"\b{name}\b", str(self), value) if isinstance(value, str) else value


CASES: dict[str, tuple[str, Any]] = {
    "Dataset.unit": ("shop", Renamed("store")),
    "Dataset.window": ("window", ["2024-01", "2024-11", "month"]),
    "Dataset.metrics": ("metrics[0]", {"name": "visits", "type": "count", "polarity": "positive"}),
    "Dataset.segments": ("segments[2].archetype", "growth"),
    "Dataset.connections": ("connections", []),
    "Dataset.connection_phases": ("connection_phases", []),
    "Dataset.lifecycle": ("lifecycle", GONE),
    "Dataset.dimensions": (
        "dimensions[5]",
        {"name": "dim_spot", "reference": True, "columns": [{"name": "spot_id", "type": "id"}]},
    ),
    "Dataset.facts": ("facts[0].columns[9]", GONE),
    "Dataset.events": ("events[2]", GONE),
    "Dataset.seasonality": ("seasonality", []),
    "Dataset.effects": ("effects", []),
    "Effect.date": ("effects[0].date", "07-15"),
    "Effect.start": ("effects[1].start", "2024-02-01"),
    "Effect.end": ("effects[1].end", "2024-06-30"),
    "Effect.rows_of": ("effects[2]", {"name": "Fair", "date": "2024-09-01", "factor": 2, "metrics": ["sales"]}),
    "Effect.factor": ("effects[0].factor", 2),
    "Effect.metrics": ("effects[0].metrics", ["visits"]),
    "Effect.segments": ("effects[0].segments", ["small", "chain"]),
    "Effect.tables": ("effects[1].tables", ["evt_visit"]),
    "Effect.ramp_in": ("effects[0].ramp_in", 2),
    "Effect.ramp_out": ("effects[0].ramp_out", 1),
    "HalfLife.half_life": ("effects[0].ramp_out.half_life", 2),
    "Metric.growth": ("metrics[0].growth", GONE),
    "Growth.rate": ("metrics[0].growth.rate", -0.5),
    "Growth.per": ("metrics[0].growth.per", "quarter"),
    "Dataset.noise": ("noise", "clean"),
    "Dataset.calendar": ("calendar.weekend", ["friday"]),
    "Dataset.rhythm": ("rhythm", {"hours": "night"}),
    "Dataset.locale": ("locale", ["de_DE"]),
    "Dataset.seed": ("seed", 8),
    "Dataset.scale": ("scale", 2),
    "Dataset.quality": ("quality", []),
    "Dataset.holdout": ("holdout", GONE),
    "Dataset.entity_features": ("entity_features", GONE),
    "Issue.table": ("quality[1].table", "evt_visit"),
    "Issue.issue": ("quality[0].issue", "schema_drift"),
    "Issue.rate": ("quality[0].rate", 0.5),
    "Issue.column": ("quality[0].column", "real"),
    "Issue.seed_offset": ("quality[0].seed_offset", 2),
    "Issue.mode": ("quality[1].mode", "drop"),
    "Issue.period": ("quality[1].period", 1),
    "Issue.periods": ("quality[2].periods", [1]),
    "Issue.since": ("quality[3].since", "2024-05"),
    "Issue.up_to": ("quality[3].up_to", 3),
    "Holdout.target": ("holdout.target", "mood"),
    "Holdout.periods": ("holdout.periods", 2),
    "EntityFeatures.metrics": ("entity_features.metrics", ["visits"]),
    "EntityFeatures.include_labels": ("entity_features.include_labels", False),
    "Dataset.bridges": ("bridges[0]", GONE),
    "Dataset.tables": ("tables[3]", GONE),
    "children of units.rows": ("tables[0].rows", 4),
    "rows of cells.rows": ("tables[1].rows", {"poisson": "visits", "scale": 0.2}),
    "children of rows.per": ("tables[2].per", "signs"),
    "children of rows.rows": ("tables[2].rows", 2),
    "children of rows.metrics": ("tables[2].metrics", ["mood"]),
    "children of rows.cdc": ("tables[2].cdc", True),
    "grid.per": ("tables[9].per", ["dim_plan", "slots"]),
    "grid in time.per": ("tables[10].per", ["dim_plan", "slots", "period"]),
    "grid of units.per": ("tables[11].per", ["shop", "dim_plan", "period"]),
    "children of plain rows.per": ("tables[5].per", "dim_plan"),
    "children of plain rows.rows": ("tables[5].rows", 3),
    "rows in time.rows": ("tables[6].rows", 31),
    "rows in time.growth": ("tables[6].growth", 3),
    "descendants of units.per": ("tables[13].per", "chips"),
    "descendants of units.rows": (
        "tables[12].rows",
        {"lognormal": [3, 0.5]},
    ),
    "children of rows in time.per": ("tables[8].per", "trips"),
    "children of rows in time.rows": ("tables[8].rows", {"geometric": 2}),
    "bridge.left": ("bridges[0].left", "dim_till"),
    "bridge.right": ("bridges[0].right", "dim_shop"),
    "bridge.cardinality": ("bridges[0].cardinality", [0, 4]),
    "bridge.driver": ("bridges[0].driver", "visits"),
    "bridge.directed": ("bridges[1].directed", True),
    "Dataset.sources": ("sources", GONE),
    "SourceSystem.name": ("sources[1].name", "till"),
    "SourceSystem.key_scheme": ("sources[1].key_scheme", "uuid_short"),
    "SourceSystem.name_drift_rate": ("sources[0].name_drift_rate", 1.0),
    "SourceSystem.attribute_drift_rate": ("sources[0].attribute_drift_rate", 1.0),
    "SourceSystem.missing_rate": ("sources[0].missing_rate", 0.6),
    "SourceSystem.duplicate_rate": ("sources[0].duplicate_rate", 0.8),
    "Dataset.units": ("units[0].segments[0].count", 9),
    "Window.start": ("window.start", "2024-02"),
    "Window.end": ("window.end", "2024-11"),
    "Window.every": ("window.every", "quarter"),
    "Window.span": ("window.span", 24),
    "Window.timezone": ("window.timezone", "America/New_York"),
    "Metric.name": ("zest", Renamed("zeal")),
    "Metric.type": ("metrics[3].type", "amount"),
    "Metric.polarity": ("metrics[0].polarity", "negative"),
    "Metric.label": ("metrics[0].label", "Visits paid"),
    "Metric.range": ("metrics[1].range", [0, 2000]),
    "Metric.mean": ("metrics[0].mean", [5, 60]),
    "Metric.follows": ("metrics[2].follows", "visits"),
    "Metric.delay": ("metrics[2].delay", 2),
    "Metric.strength": ("metrics[2].strength", 0.2),
    "Metric.decay_window": ("metrics[2].decay_window", 2),
    "Metric.decay_kernel": ("metrics[2].decay_kernel", "geometric"),
    "Metric.seasonal_sensitivity": ("metrics[0].seasonal_sensitivity", 0.1),
    "Metric.persistence": ("metrics[0].persistence", 0.6),
    "Metric.distribution": ("metrics[3].distribution", "beta"),
    "Metric.distribution_params": ("metrics[1].distribution_params", {"shape": 9}),
    "Metric.noise": ("metrics[0].noise", "clean"),
    "Segment.name": ("small", Renamed("little")),
    "Segment.count": ("segments[0].count", 7),
    "Segment.archetype": ("segments[0].archetype", "growth"),
    "Segment.attributes": ("segments[0].attributes.city", ["A", "Z"]),
    "Segment.baseline": ("segments[0].baseline", {"sales": "high"}),
    "Segment.seasonal_sensitivity": ("segments[0].seasonal_sensitivity", 2),
    "Segment.arrival": ("segments[0].arrival", GONE),
    "Segment.variation": ("segments[0].variation", "none"),
    "Archetype.words": ("segments[0].archetype", "flat > decline @ 4"),
    "Archetype.breaks": ("segments[0].archetype", "flat > growth @ 8"),
    "Archetype.curves": ("segments[1].archetype", [{"curve": "sigmoid", "until": 1}]),
    "CurvePiece.curve": ("segments[1].archetype[1].curve", "sigmoid"),
    "CurvePiece.until": ("segments[1].archetype[0].until", 0.7),
    "CurvePiece.parameters": ("segments[1].archetype[0].level", 0.2),
    "UniformArrival.kind": ("segments[0].arrival.kind", "linear"),
    "UniformArrival.start": ("segments[0].arrival.start", 4),
    "UniformArrival.end": ("segments[0].arrival.end", 11),
    "LinearArrival.kind": ("segments[1].arrival", {"kind": "uniform", "start": 0, "end": 6}),
    "LinearArrival.start": ("segments[1].arrival.start", 4),
    "LinearArrival.end": ("segments[1].arrival.end", 11),
    "LinearArrival.direction": ("segments[1].arrival.direction", "decreasing"),
    "StepArrival.kind": ("segments[2].arrival", {"kind": "uniform"}),
    "StepArrival.blocks": ("segments[2].arrival.blocks", [{"period": 2, "fraction": 1}]),
    "StepBlock.period": ("segments[2].arrival.blocks[1].period", 9),
    "StepBlock.fraction": (
        "segments[2].arrival.blocks",
        [{"period": 0, "fraction": 0.05}, {"period": 4, "fraction": 0.95}],
    ),
    "OngoingArrival.kind": ("segments[4].arrival", {"kind": "uniform"}),
    "OngoingArrival.per_period": ("segments[4].arrival.per_period", 3),
    "OngoingArrival.ages": ("segments[4].arrival.ages", "new"),
    "Tenure.mean": ("segments[4].tenure.mean", 4),
    "Tenure.least": ("segments[4].tenure.least", 3),
    "Tenure.shape": ("segments[4].tenure.shape", 0.5),
    "Tenure.hazards": ("segments[4].tenure", {"hazards": [0.5, 0.1]}),
    "OngoingArrival.growth": ("segments[4].arrival.growth", "300% a year"),
    "OngoingArrival.seasonal_sensitivity": ("segments[4].arrival.seasonal_sensitivity", 10),
    "UniformArrival.seasonal_sensitivity": ("segments[0].arrival.seasonal_sensitivity", 20),
    "LinearArrival.seasonal_sensitivity": ("segments[1].arrival.seasonal_sensitivity", 20),
    "Effect.arrivals": ("effects[1].arrivals", True),
    "Segment.tenure": ("segments[4].tenure", GONE),
    "Segment.span": ("segments[4].span", 7),
    "Segment.after": ("segments[4].after", "repeat"),
    "ExplicitArrival.kind": ("segments[3].arrival", {"kind": "uniform"}),
    "ExplicitArrival.start_periods": ("segments[3].arrival.start_periods", [0, 5]),
    "Segment.treatment": ("segments[1].treatment", {"fraction": 0.5, "lift_log_odds": 1}),
    "Treatment.fraction": ("segments[0].treatment.fraction", 0.9),
    "Treatment.lift_log_odds": ("segments[0].treatment.lift_log_odds", -1),
    "Treatment.start_period": ("segments[0].treatment.start_period", 9),
    "Treatment.treatment_label": ("segments[0].treatment.treatment_label", "new"),
    "Treatment.control_label": ("segments[0].treatment.control_label", "old"),
    "Treatment.target_metric": ("segments[0].treatment.target_metric", "visits"),
    "Segment.silence": ("segments[0].silence", GONE),
    "Silence.rate": ("segments[0].silence.rate", 0.2),
    "Silence.length": ("segments[0].silence.length", [1, 3]),
    "Variation.level": ("segments[0].variation", {"level": 0.6}),
    "Variation.timing": ("segments[0].variation", {"timing": 0.2}),
    "Variation.size": ("segments[0].variation", {"size": 1}),
    "Connection.metric_a": ("connections[0].metric_a", "zest"),
    "Connection.metric_b": ("connections[0].metric_b", "zest"),
    "Connection.coefficient": ("connections[0].coefficient", -0.2),
    "Connection.pooled": ("connections[0].pooled", True),
    "ConnectionPhase.start_period": ("connection_phases[0].start_period", 0),
    "ConnectionPhase.end_period": ("connection_phases[0].end_period", 3),
    "ConnectionPhase.connections": ("connection_phases[0].connections", ["visits 0.5 zest"]),
    "Season.months": ("seasonality[0].months", [7]),
    "Season.strength": ("seasonality[0].strength", 0.9),
    "Noise.gaussian_sigma": ("noise.gaussian_sigma", 0.2),
    "Noise.outlier_rate": ("noise.outlier_rate", 0.3),
    "Noise.mcar_rate": ("noise.mcar_rate", 0.3),
    "Noise.mar_rate": ("noise.mar_rate", 0.5),
    "Noise.mar_on": ("noise.mar_on", "sales"),
    "Noise.mar_when": ("noise.mar_when", "low"),
    "Noise.scale_with_trajectory": ("noise.scale_with_trajectory", True),
    "Noise.noise_family": ("noise", {"gaussian_sigma": 0.1, "noise_family": "laplace"}),
    "Noise.temporal_jitter": ("noise.temporal_jitter", 2),
    "Noise.degrees_of_freedom": ("noise.degrees_of_freedom", 30),
    "Lifecycle.track": ("lifecycle.track", "sales"),
    "Lifecycle.stages": ("lifecycle.stages[3]", {"name": "peak", "threshold": 0.8}),
    "Lifecycle.enforce_order": (
        "lifecycle",
        {"track": "mood", "stages": [{"low": 0}, {"mid": 0.4}, {"high": 0.6}]},
    ),
    "Lifecycle.downgrade_delay": ("lifecycle.downgrade_delay", 1),
    "Stage.threshold_exit": ("lifecycle.stages[1].threshold_exit", 0.1),
    "Calendar.fiscal_year_starts": ("calendar.fiscal_year_starts", 10),
    "Calendar.fiscal_year_named": ("calendar.fiscal_year_named", "start"),
    "Calendar.fiscal_weeks": ("calendar.fiscal_weeks", {"pattern": "5-4-4"}),
    "FiscalWeeks.pattern": ("calendar.fiscal_weeks.pattern", "5-4-4"),
    "FiscalWeeks.begin": ("calendar.fiscal_weeks.begin", "wednesday"),
    "FiscalWeeks.starts": ("calendar.fiscal_weeks.starts", "nearest"),
    "Calendar.weekend": ("calendar.weekend", ["friday"]),
    "Calendar.holidays": ("calendar.holidays[1]", GONE),
    "Holidays.country": ("calendar.holidays[0]", {"country": "DE", "language": "en_US"}),
    "Holidays.subdivision": ("calendar.holidays[0].subdivision", "TX"),
    "Holidays.observed": ("calendar.holidays[0].observed", False),
    "Holidays.date": ("calendar.holidays[1].date", "2024-02-02"),
    "Rhythm.weekdays": ("rhythm.weekdays", "weekends"),
    "Rhythm.hours": ("rhythm.hours", [*[0] * 12, *[1] * 12]),
    "Rhythm.holidays": ("rhythm.holidays", 3),
    "Stage.name": ("lifecycle.stages[0].name", "poor"),
    "Stage.threshold": ("lifecycle.stages[1].threshold", 0.35),
    "Column.name": ("dimensions[1].columns[1].name", "keeper"),
    "Column.type": ("dimensions[1].columns[3].type", "derived.archetype"),
    "Column.description": ("dimensions[1].columns[1].description", "Who owns it."),
    "Column.decimals": ("facts[3].columns[5].decimals", 1),
    "Column.as_type": ("facts[8].columns[3].as", "number"),
    "Column.nulls": ("facts[8].columns[4].nulls", 0.7),
    "Column.hidden": ("facts[8].columns[2].hidden", False),
    "Nulls.rate": ("facts[8].columns[5].nulls.rate", 0.9),
    "Nulls.where": ("facts[8].columns[5].nulls.where", "size > 2"),
    "Column.source": ("facts[0].columns[8].range", [0, 50]),
    "id.prefix": ("dimensions[1].columns[0].prefix", "SHOP"),
    "static.value_type": ("dimensions[3].columns[8].value_type", "text"),
    "id.values": ("dimensions[3].columns[0].values", ["a", "b", "c", "d"]),
    "id.start": ("facts[4].columns[0].start", 5),
    "id.units": ("facts[4].columns[0].units", 20_000_000),
    "id.most": ("facts[4].columns[0].most", 2000),
    "id.format": ("dimensions[3].columns[0].format", "P{n}"),
    "id.pattern": ("dimensions[3].columns[0].pattern", "[a-z]{3}"),
    "static.values": ("dimensions[3].columns[1].type", "static.top,mid,low"),
    "faker.provider": ("dimensions[1].columns[1].type", "faker.company"),
    "range.unique": ("dimensions[3].columns[5].unique", False),
    "choice.unique": ("dimensions[3].columns[6].unique", False),
    "range.range": ("facts[0].columns[8].range", [0, 1.5]),
    "pool.attribute": ("dimensions[1].columns[2].type", "pool.colour"),
    "segment.fact": ("dimensions[1].columns[3].type", "segment.count"),
    "ref.table": ("facts[0].columns[2]", {"name": "plan_id", "type": "ref.dim_till"}),
    "ref.column": ("facts[1].columns[22].column", GONE),
    "ref.matching": ("facts[0].columns[2].matching", GONE),
    "metric.metric": ("facts[0].columns[3].type", "metric.zest"),
    "true.metric": ("facts[0].columns[6].type", "true.visits"),
    "expected.metric": ("facts[0].columns[7].type", "expected.visits"),
    "sequence.start": ("dimensions[3].columns[2].start", 7),
    "sequence.step": ("dimensions[3].columns[2].step", 5),
    "faker.unique": ("dimensions[3].columns[3].unique", False),
    "scd.tracks": ("dimensions[1].columns[4].tracks", "visits"),
    "scd.tiers": ("dimensions[1].columns[4].tiers", ["low", "top", "mid"]),
    "scd.at": ("dimensions[1].columns[4].at", [0.1, 0.5]),
    "version.part": ("dimensions[1].columns[6]", {"name": "now", "type": "version.is_current"}),
    "child.count": ("dimensions[2].count", 5),
    "reference.count": ("dimensions[3].count", 5),
    "fact.metrics": ("facts[1].metrics", ["zest"]),
    "fact.cdc": ("facts[0].cdc", True),
    "variable.metrics": ("facts[2].metrics", ["mood"]),
    "variable.cdc": ("facts[2].cdc", True),
    "detail.metrics": ("facts[3].metrics", ["mood"]),
    "detail.cdc": ("facts[3].cdc", True),
    "period.metrics": ("facts[5].metrics", ["mood"]),
    "period.cdc": ("facts[5].cdc", True),
    "variable.row_count_driver": ("facts[2].row_count_driver", "sales"),
    "variable.row_count_scale": ("facts[2].row_count_scale", 0.3),
    "detail.parent_table": ("facts[6].parent_table", "fct_order"),
    "detail.children_per_row": ("facts[3].children_per_row", 2),
    "cdc.part": ("facts[4].columns[5]", {"name": "what", "type": "cdc.op"}),
    "lookup.of": ("facts[4].columns[4].type", "lookup.fct_order.lines"),
    "lookup.by": ("facts[2].columns[7].by", "other"),
    "total.of": ("facts[2].columns[3].type", "total.fct_line.quantity"),
    "last.of": ("facts[2].columns[8].type", "last.fct_line.quantity"),
    "timestamp.after": ("tables[15].columns[2]", {"name": "at", "type": "timestamp"}),
    "timestamp.wait": ("tables[15].columns[2].wait", "minutes(4)"),
    "timestamp.between": ("tables[15].columns[4].between", ["until", "at"]),
    "timestamp.zone": ("tables[15].columns[2].zone", "Europe/Berlin"),
    "count.table": ("facts[2].columns[4]", {"name": "lines", "type": "static.x"}),
    "expression.formula": ("facts[3].columns[5].formula", "quantity * price / 4"),
    "part.of": ("facts[3].columns[7].type", "part.fct_order.lines"),
    "part.spread": ("facts[3].columns[7].spread", 0.2),
    "part.weights": ("facts[3].columns[8].weights", "price"),
    "ref.distinct": ("facts[3].columns[6].distinct", False),
    "ref.roots": ("dimensions[3].columns[9].roots", 3),
    "ref.within": ("facts[4].columns[3].within", 6),
    "proportional.trigger": ("events[0]", {"trigger": "threshold", "metric": "mood", "above": 0.5}),
    "proportional.driver": ("events[0].driver", "zest"),
    "proportional.scale": ("events[0].scale", 1),
    "threshold.trigger": ("events[1]", {"trigger": "proportional", "driver": "zest"}),
    "threshold.metric": ("events[1].metric", "zest"),
    "threshold.above": ("events[1]", {"trigger": "threshold", "metric": "mood", "above": 0.5}),
    "threshold.below": ("events[1].below", 0.3),
    "threshold.periods": ("events[1].for", 3),
    "threshold.ends_unit": ("events[1].ends_unit", False),
    "threshold.refire": ("events[2]", {"trigger": "threshold", "metric": "mood", "below": 0.5}),
    "threshold.again_after": ("events[2].again_after", 6),
    "threshold.rhythm": ("events[2].rhythm", {"hours": "night"}),
    "rows of cells.rhythm": ("tables[1].rhythm", {"hours": "night"}),
    "rows in time.rhythm": ("tables[6].rhythm", {"hours": "night"}),
    "proportional.rhythm": ("events[0].rhythm", {"hours": "night"}),
    "time.every": ("dimensions[4].every", "hour"),
    "snapshot.snapshot_of": ("facts[7].snapshot_of", "dim_till"),
    "snapshot.every": ("facts[7].every", "once"),
    "changes.changes_of": ("events[3].changes_of", "dim_till"),
}
"""For each field, a change of the base config that must be seen."""
CASES |= cases(BASE)
CASES["calendar.part"] = ("dimensions[0].columns[5].type", "calendar.month")

ON_DAYS: dict[str, tuple[str, Any]] = {
    "OngoingArrival.rhythm": ("segments[4].arrival.rhythm", {"weekdays": [1, 0, 0, 0, 0, 0, 0]}),
    "UniformArrival.rhythm": ("segments[0].arrival.rhythm", {"weekdays": [1, 0, 0, 0, 0, 0, 0]}),
    "LinearArrival.rhythm": ("segments[1].arrival.rhythm", {"weekdays": [1, 0, 0, 0, 0, 0, 0]}),
    "Metric.rhythm_sensitivity": ("metrics[0].rhythm_sensitivity", 0.2),
    "Holidays.language": ("calendar.holidays[0].language", "th"),
    "Holidays.name": ("calendar.holidays[1].name", "Bargains"),
}
"""Fields that say something only of days."""

_TABLE_OF = {
    "date": "dimensions[0]",
    "unit": "dimensions[1]",
    "child": "dimensions[2]",
    "reference": "dimensions[3]",
    "time": "dimensions[4]",
    "fact": "facts[0]",
    "variable": "facts[2]",
    "detail": "facts[3]",
    "period": "facts[5]",
    "proportional": "events[0]",
    "threshold": "events[1]",
    "bridge": "bridges[0]",
    "snapshot": "facts[7]",
    "changes": "events[3]",
    "children of units": "tables[0]",
    "rows of cells": "tables[1]",
    "children of rows": "tables[2]",
    "children of plain rows": "tables[5]",
    "rows in time": "tables[6]",
    "children of rows in time": "tables[8]",
    "descendants of units": "tables[12]",
    "grid": "tables[9]",
    "grid in time": "tables[10]",
    "grid of units": "tables[11]",
}
for _kind, _path in _TABLE_OF.items():
    CASES[f"{_kind}.description"] = (f"{_path}.description", "Described.")
    if _kind not in ("snapshot", "changes"):
        CASES[f"{_kind}.columns"] = (f"{_path}.columns[11]", {"name": "extra", "type": "static.x"})
    if _kind not in ("date", "time"):
        _section, _, _index = _path.removesuffix("]").partition("[")
        _name = BASE[_section][int(_index)]["name"]
        CASES[f"{_kind}.name"] = (_name, Renamed(f"{_name}_too"))

_FILTERED = {
    "children of units": "size",
    "rows of cells": "size",
    "children of rows": "size",
    "children of plain rows": "size",
    "rows in time": "size",
    "children of rows in time": "size",
    "descendants of units": "size",
    "grid": "depth",
    "grid in time": "left",
    "grid of units": "seen",
}
for _kind, _column in _FILTERED.items():
    CASES[f"{_kind}.where"] = (f"{_TABLE_OF[_kind]}.where", f"{_column} > 4")

REFUSED = {
    "Holdout.min_training_periods": ("holdout.min_training_periods", 99),
    "date.per": ("dimensions[0].per", "unit"),
    "unit.per": ("dimensions[1].per", "period"),
    "child.per": ("dimensions[2].per", "period"),
    "period.per": ("facts[5].per", "unit"),
    "reference.reference": ("dimensions[3].reference", False),
    "reference.rows": ("dimensions[3].rows", {"file": "plans.csv"}),
    "time.per": ("dimensions[4].per", "unit"),
    "id.dense": ("facts[4].columns[0].dense", True),
    "ref.key": ("facts[0].columns[1].key", True),
    "snapshot.columns": ("facts[7].columns", [{"name": "extra", "type": "static.x"}]),
    "changes.columns": ("events[3].columns", [{"name": "extra", "type": "static.x"}]),
}
"""The words that tell table kinds apart: what stands in a table of one kind makes no table of another. And what is claimed
of a table, and holds of others only."""

ELSEWHERE = {
    "Dataset.about": "the title of `plotsim info` and of the report",
    "Dataset.owners": "the catalogue of the Dagster side, the manifest and `plotsim info`",
    "Effect.name": "`plotsim explain`, the manifest and the report",
    "Segment.label": "`plotsim info` and `plotsim explain` print it beside the segment",
    "Window.partition": "partitions of the Dagster side, see tests/pipeline/test_partitions.py; the rows are the same",
    "date.name": "a date dimension is called dim_date; any other name is an error",
    "time.name": "a dimension of times is called dim_time; any other name is an error",
}
"""Fields whose effect is not in the data or its schema, and where it is."""
_JUDGED = "what the report finds, see tests/validation/test_rules.py"
ELSEWHERE |= {"Dataset.checks": _JUDGED, **{f"{_kind}.checks": _JUDGED for _kind in declared_forms()}}
ELSEWHERE |= {f"DataRule.{_field}": _JUDGED for _field in DataRule.model_fields}


def _models(annotation: Any) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
        for name, field in annotation.model_fields.items():
            if name != "units":  # datasets again
                yield from _models(field.annotation)
    for inner in get_args(annotation):
        yield from _models(inner)


def fields() -> list[str]:
    """Return every field of the language, as `Model.field`, `source.field` or `kind.field`."""
    models = dict.fromkeys(model for model in _models(Dataset) if model not in (Part, Table))
    of_sources = (field.annotation for _, source in SOURCES.items() for field in source.model_fields.values())
    models |= dict.fromkeys(model for annotation in of_sources for model in _models(annotation))
    named = [(model.__name__, model) for model in models]
    named += SOURCES.items()
    named += declared_forms().items()
    written = ((name, field) for name, model in named for field in model.model_fields if field not in unwritten(model))
    return list(dict.fromkeys(f"{name}.{field}" for name, field in written))


def unwritten(model: type[Part]) -> tuple[str, ...]:
    """Return the fields of a table that reading fills in, and nobody writes."""
    names: tuple[str, ...] = model.unwritten if issubclass(model, Table) else ()
    return names


def of_days() -> dict[str, Any]:
    """Return the base config with days for periods, and what only days have."""
    config = copy.deepcopy(BASE)
    config["window"] = {"start": "2024-01-01", "end": "2024-01-12", "every": "day"}
    config["quality"][3]["since"] = "2024-01-03"
    config["dimensions"][0]["columns"].append({"name": "holiday_name", "type": "string"})
    return config


def changed(path: str, value: Any, base: dict[str, Any] = BASE) -> dict[str, Any]:
    """Return a config with one change; a mapping given for a table keeps its name and columns."""
    if isinstance(value, Renamed):
        return value.throughout(BASE, path)
    config = copy.deepcopy(base)
    *way, last = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    place: Any = config
    for step in way:
        place = place[step]
    if value is GONE:
        del place[last]
    elif isinstance(place, list) and last >= len(place):
        place.append(value)
    elif isinstance(value, dict) and "trigger" in value:
        place[last] = {**value, "name": place[last]["name"], "columns": place[last]["columns"]}
    else:
        place[last] = value
    return config


def shape(table: TablePlan) -> tuple[Any, ...]:
    """Return what a table and its published schema say, but for the digest, which every letter of a config changes."""
    columns = [(column.name, column.description, column.nullable) for column in table.columns]
    return table.name, table.description, table.references, table.key, columns, str(table.schema.remove_metadata())


def rows(plan: Plan, table: str) -> pa.Table:
    return pa.Table.from_batches(batches(plan, table)[1], plan.table(table).schema).combine_chunks()


@lru_cache
def base(with_days: bool = False) -> Plan:
    return from_mapping(of_days() if with_days else BASE, name="fields")


@cache
def base_rows(table: str, with_days: bool) -> pa.Table:
    return rows(base(with_days), table)


def differs(raw: dict[str, Any], path: str = "", with_days: bool = False) -> bool:
    """Return whether a config shows anything else than the base: in a shape, or in rows, first those of the table that a
    path leads to."""
    plan = from_mapping(raw, name="fields")
    if [shape(table) for table in plan.tables] != [shape(table) for table in base(with_days).tables]:
        return True
    section, _, place = path.partition("[")
    first = BASE[section][int(place.partition("]")[0])]["name"] if section in ("dimensions", "facts", "events") else ""
    names = sorted((table.name for table in plan.tables), key=lambda name: name != first)
    pairs = ((rows(plan, name), base_rows(name, with_days)) for name in names)
    return any(not new.equals(old) and new.to_pydict() != old.to_pydict() for new, old in pairs)


def test_every_field_has_a_case() -> None:
    assert sorted(fields()) == sorted([*CASES, *ON_DAYS, *WRITTEN, *REFUSED, *ELSEWHERE])


@pytest.mark.parametrize("field", slow_but(CASES, *list(CASES)[::12]))
def test_changing_a_field_changes_what_is_seen(field: str) -> None:
    path, value = CASES[field]
    assert differs(changed(path, value), path)


@pytest.mark.parametrize("field", ON_DAYS)
def test_changing_a_field_of_days_changes_what_is_seen(field: str) -> None:
    assert differs(changed(*ON_DAYS[field], of_days()), with_days=True)


@pytest.mark.parametrize("field", REFUSED)
def test_what_tells_kinds_apart_is_checked(field: str) -> None:
    with pytest.raises(ConfigError):
        from_mapping(changed(*REFUSED[field]), name="fields")


@pytest.mark.slow
@pytest.mark.parametrize("field", slow_but(["Dataset.about", "Dataset.owners", "Segment.label"], "Dataset.owners"))
def test_fields_shown_elsewhere_leave_the_data_alone(field: str) -> None:
    path, value = {
        "Dataset.about": ("about", "Said otherwise"),
        "Dataset.owners": ("owners", ["team:shops"]),
        "Segment.label": ("segments[0].label", "Said otherwise"),
    }[field]
    assert not differs(changed(path, value))
