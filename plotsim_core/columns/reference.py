"""`ref.<dimension>`: the key of a row of a dimension, recomputed rather than looked up.

To the date dimension: the row's period. To the unit's dimension: the row's unit. To a dimension of the unit's children:
one of this unit's children. To a listed dimension: any row, or with `matching: {plan_name: plan_tier}` the row whose
`plan_name` is what the unit's history column `plan_tier` says at that time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from plotsim_core.columns.choice import listed
from plotsim_core.columns.identity import date_keys, key_column, key_text, prefix, unit_codes
from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.scd import Options as History
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import KIND_WORDS, Column, SourceWords, Table
from plotsim_core.engine.history import bands
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.random import choose, key
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan


class Options(Part):
    """`table` is the dimension; `matching` ties a listed dimension to a history column of the unit's."""

    table: Name
    matching: dict[Name, Name] | None = None


def target(name: str, dataset: Dataset) -> Table:
    """Return the dimension of that name."""
    return next(table for table in dataset.dimensions if table.name == name)


def children(plan: Plan, table: Table, unit_address: np.ndarray) -> Integers:
    """Return how many children each unit has in a dimension of children."""
    low, high = table.per_unit  # type: ignore[attr-defined]
    return low + choose(key(plan.seed, "children", table.name), unit_address, high - low + 1)


def history_column(dataset: Dataset) -> tuple[Table, Column] | None:
    """Return the unit dimension and its history column, if it has one."""
    found = ((table, column) for table in dataset.dimensions for column in table.sourced("scd"))
    return next(found, None)


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    return pa.int64() if getattr(target(options.table, dataset), "per", None) == "period" else pa.string()


def _refers(options: Options, dataset: Dataset) -> tuple[str, str]:
    table = target(options.table, dataset)
    own = key_column(table)
    return table.name, own.name if own is not None else ""


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    unknown = scope.unknown_table(options.table, "type")
    yield from unknown
    declared = scope.tables.get(options.table)
    if unknown or declared is None or declared.table is None or declared.kind is None:
        return
    if declared.table is table:
        yield Problem("type", f"{table.name} refers to itself")
    own = KIND_WORDS[scope.tables[table.name].kind or ""].knows
    if declared.kind == "date" and "period" not in own:
        yield Problem("type", f"a row of {table.name} has no period that {options.table} could give the date of")
    if declared.kind in ("unit", "child") and "unit" not in own:
        yield Problem("type", f"a row of {table.name} has no {scope.unit} that it could refer to")
    if options.matching is not None:
        yield from _check_matching(options.matching, declared.kind, declared.table, own, scope)


def _check_matching(
    matching: Mapping[str, str], kind: str, table: Table, own: frozenset[str], scope: Scope
) -> Iterable[Problem]:
    if kind != "reference" or len(matching) != 1:
        found = f"found {len(matching)} columns" if kind == "reference" else f"{table.name} is not a reference dimension"
        says = "ties one column of a reference dimension to the history column of the unit's dimension"
        yield Problem("matching", f"{says}; {found}")
        return
    ((theirs, ours),) = matching.items()
    columns = {column.name: column for column in table.columns}
    if theirs not in columns or columns[theirs].word != "static":
        static = [column.name for column in table.sourced("static")]
        yield Problem("matching", f"{table.name} has no static column '{theirs}'", did_you_mean(theirs, static))
        return
    if "cell" not in own:
        yield Problem("matching", f"has no place here: it needs rows of a {scope.unit} in a period")
    unit = scope.dimension("unit")
    held = {column.name: column for column in unit.columns} if unit else {}
    if ours not in held or not isinstance(held[ours].source, History):
        history_columns = [name for name, column in held.items() if isinstance(column.source, History)]
        hint = did_you_mean(ours, history_columns)
        yield Problem("matching", f"the {scope.unit} dimension has no column '{ours}' of type scd", hint)
        return
    history = held[ours].source
    missing = [tier for tier in history.tiers if tier not in listed(columns[theirs])]  # type: ignore[attr-defined]
    if missing:
        yield Problem("matching", f"{table.name}.{theirs} does not list the tier '{missing[0]}' of {ours}")


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    plan = rows.block.plan
    parent = plan.table(options.table)
    if parent.kind == "date":
        return pa.array(date_keys(plan, rows.period))
    start = prefix(parent.spec)
    if parent.kind == "unit":
        return key_text(start, pa.array(rows.block.codes)).take(pa.array(rows.unit))
    if parent.kind == "child":
        count = children(plan, parent.spec, rows.block.units.address)[rows.unit]
        return key_text(start, unit_codes(rows), rows.choose(table, column, count) + 1)
    count_listed = parent.spec.rows  # type: ignore[attr-defined]
    keys = key_text(start, np.arange(count_listed) + 1)
    if options.matching is None:
        return keys.take(pa.array(rows.choose(table, column, count_listed)))
    return keys.take(pa.array(_matched(options.matching, parent.spec, rows)))


def _matched(matching: Mapping[str, str], parent: Table, rows: Rows) -> Integers:
    plan, block = rows.block.plan, rows.block
    ((theirs, _),) = matching.items()
    found = history_column(plan.dataset)
    assert found is not None and isinstance(found[1].source, History)
    history = found[1].source
    values = listed(next(column for column in parent.columns if column.name == theirs))
    place_of_band = np.array([values.index(tier) for tier in history.tiers], dtype=np.int64)
    metric = plan.metric_index(history.tracks)
    band = block.kept("bands", (metric, history.at), lambda: bands(plan, metric, history.at, block.units, block.periods))
    return place_of_band[band.ravel()[rows.cell]]


add_source(
    "ref",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="ref.dim_company",
        argument="table",
        check=_check,
        refers=_refers,
        describe=lambda options, dataset: f"Refers to {options.table}.",
    ),
    Source(_fill),
)
