"""`version.<part>`: the version (SCD2) of a unit's dimension that a row is, or that was valid at the row's time.

Parts: `row_id` (its key), `valid_from` and `valid_to` (a half-open interval of dates, of moments where periods are hours;
null for the current version, which a unit that has left lacks), `is_current`. A dimension with an `scd` column gets all
four, facts and events of the unit the row_id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.columns.foreign_key import history_column
from plotsim_core.columns.primary_key import date_keys, key_text, prefix, unit_codes
from plotsim_core.columns.rows import CURRENT, Integers, Rows
from plotsim_core.columns.scd import Options as History
from plotsim_core.columns.source import Source, add_source
from plotsim_core.columns.timestamp import TYPE as TIMESTAMP
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.config.words import phrase
from plotsim_core.engine.tiers import band_starts
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan

ROW_ID = "dim_row_id"
_TYPES = {"row_id": pa.string(), "valid_from": pa.date32(), "valid_to": pa.date32(), "is_current": pa.bool_()}
_DESCRIPTIONS = {
    "row_id": "Key of the version of the {unit} that was valid at the time.",
    "valid_from": "Date on which the version begins to be valid.",
    "valid_to": "Date on which the next version takes over, or the {unit} has left; null for the current one.",
    "is_current": "Sign that this is how things stand; false for all versions of a {unit} that has left.",
}


class Options(Part):
    """`part` of the version."""

    part: Literal["row_id", "valid_from", "valid_to", "is_current"]


def column(part: str, name: str) -> Column:
    """Return the version column that a kind of table adds."""
    return Column(name=name, type=f"version.{part}", source=Options.model_validate({"part": part}))


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    arrow_type = _TYPES[options.part]
    return TIMESTAMP if arrow_type == pa.date32() and dataset.window.grain.name == "hour" else arrow_type


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    unit = scope.unit_dimension
    if unit is not None and not unit.sourced("scd"):
        yield Problem("type", f"{unit.name} has no scd column, so there are no versions")
    if options.part != "row_id" and table.name != (unit.name if unit else ""):
        yield Problem("type", f"only the {scope.unit} dimension has {options.part}")


def _refers(options: Options, dataset: Dataset) -> tuple[str, str] | None:
    history = history_column(dataset)
    return (history[0].name, ROW_ID) if history and options.part == "row_id" else None


def _starts(rows: Rows) -> Integers:
    """Return the period in which each row's version began."""
    if len(rows.since) == len(rows):
        return rows.since
    history = history_column(rows.block.plan.dataset)
    assert history is not None and isinstance(history[1].source, History)
    metric = rows.block.plan.metric_index(history[1].source.tracks)
    return band_starts(rows.block, metric, history[1].source.at).ravel()[rows.cell]


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    plan = rows.block.plan
    if options.part == "row_id":
        history = history_column(plan.dataset)
        assert history is not None
        start_keys = pc.cast(pa.array(date_keys(plan, _starts(rows))), pa.string())
        return key_text(prefix(history[0]), unit_codes(rows), start_keys)
    if options.part == "is_current":
        return pa.array(rows.until == CURRENT)
    periods = rows.since if options.part == "valid_from" else rows.until
    is_current = periods == CURRENT
    starts = plan.grain.starts(np.where(is_current, plan.first, periods)).astype("datetime64[us]")
    return pa.array(starts, TIMESTAMP, mask=is_current).cast(column.type)


def _describe(options: Options, column: Column, table: Table, dataset: Dataset) -> str:
    if options.part == "row_id" and table.sourced("scd"):
        return "Key of the version, which the rows of facts and events name; one for each row."
    return _DESCRIPTIONS[options.part].format(unit=phrase(dataset.unit))


add_source(
    "version",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="version.row_id",
        argument="part",
        needs=frozenset({"unit", "period"}),
        check=_check,
        nullable=lambda options, dataset: options.part == "valid_to",
        refers=_refers,
        describe=_describe,
    ),
    Source(_fill),
)
