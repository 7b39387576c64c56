"""Overrides of a request: seed, scale, noise, compression and rows of tables, in the place of those of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plotsim_core.config.row_count import read_row_count
from plotsim_core.config.star_schema import is_listed
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.config.table_shape import read_shapes
from plotsim_core.config.written_tables import list_or_empty
from plotsim_core.errors import ProblemError, UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.noise import PRESETS

NONE = "none"
"""The word for no noise at all."""


def with_overrides(
    raw: Any,
    *,
    seed: int | None = None,
    scale: float | None = None,
    noise: str | None = None,
    compression: str | None = None,
    table_rows: Mapping[str, int] | None = None,
) -> Any:
    """Return a config as written with the overrides in it; None leaves a value as it is.

    `noise` is a preset, or none, and that of all metrics: it takes the place of the dataset's, of the metrics' own and of
    that of further kinds of unit. `compression` is that of Parquet, so that is the format then. `table_rows` is how many
    rows each of some plain tables has in all, or what belongs to the rows of one. What is no config is returned as it is.
    Raises UsageError for an unknown noise, and for a table that is unknown or has rows of anything else.
    """
    if not isinstance(raw, Mapping):
        return raw
    changes = {name: value for name, value in (("seed", seed), ("scale", scale)) if value is not None}
    if noise is not None:
        raw = {**_without_noise(raw), "noise": _noise(noise)}
        if "units" in raw and isinstance(raw["units"], Sequence):
            raw = {**raw, "units": [_without_noise(kind) for kind in raw["units"]]}
    if compression is not None:
        output = raw.get("output")
        options = output if isinstance(output, Mapping) else {}
        raw = {**raw, "output": {**options, "format": "parquet", "compression": compression}}
    return {**_with_table_rows(raw, table_rows or {}), **changes}


def _with_table_rows(raw: Mapping[str, Any], table_rows: Mapping[str, int]) -> Mapping[str, Any]:
    """Return a config as written with another number of rows in some of its plain tables."""
    sections: dict[str, list[Any]] = {
        section: list(raw.get(section) or ()) for section in SECTIONS if isinstance(raw.get(section), list | tuple)
    }
    for name, rows in table_rows.items():
        entries = {
            str(table["name"]): (section, index)
            for section, tables in sections.items()
            for index, table in enumerate(tables)
            if isinstance(table, Mapping) and "name" in table
        }
        if name not in entries:
            raise UsageError(f"no table is named {name!r}; {did_you_mean(name, list(entries))}")
        section, index = entries[name]
        table = sections[section][index]
        if section == "tables" and "per" not in table:
            sections[section][index] = {**table, "rows": rows}
        elif section == "dimensions" and is_listed(table):
            sections[section][index] = {**table, "count": rows}
        elif section == "tables" and (_has_total(table) or _is_child_of_plain_table(raw, index)):
            sections[section][index] = {**table, "rows": _with_total(name, table.get("rows", 1), rows)}
        elif section == "tables" and isinstance(table["per"], str) and table["per"] in entries:
            message = (
                f"{name} has rows for each of {table['per']}, and a number in all is dealt out to rows of plain tables alone"
            )
            raise UsageError(f"{message}; change `rows`")
        else:
            raise UsageError(f"{name} has no rows of its own number: they come of units or periods; see --scale")
    return {**raw, **sections}


def _has_total(table: Mapping[str, Any]) -> bool:
    """Return whether a table as written says how many rows there are in all, of rows that belong to others."""
    rows = table.get("rows")
    return isinstance(rows, Mapping) and "exact" in rows


def _with_total(name: str, written: Any, total: int) -> Any:
    """Return a number of rows as written with so many in all; one that cannot be read stays, and is told when it is
    loaded. Raises UsageError for steps, which follow from their shares."""
    try:
        count = read_row_count(written)
    except ProblemError:
        return written
    if count.step_names:
        raise UsageError(f"rows of {name} are steps, as many as are taken; change their shares")
    return {"exact": total, **count.options_in_all}


def _is_child_of_plain_table(raw: Mapping[str, Any], index: int) -> bool:
    """Return whether rows of a table of the section `tables` belong to those of a plain table."""
    shape = read_shapes(raw, str(raw.get("unit")), [])[index]
    if shape is None or shape.parent is None or shape.per != (shape.parent,) or "when" in shape.raw:
        return False
    plain_tables = [table for table in list_or_empty(raw.get("tables")) if isinstance(table, Mapping) and "per" not in table]
    plain_tables += [table for table in list_or_empty(raw.get("dimensions")) if is_listed(table)]
    return any(table.get("name") == shape.parent for table in plain_tables)


def _noise(word: str) -> Any:
    preset = word.strip().lower().replace(" ", "_")
    if preset == NONE:
        return {}
    if preset not in PRESETS:
        raise UsageError(f"no noise is named {word!r}; {did_you_mean(preset, [NONE, *PRESETS])}")
    return preset


def _without_noise(kind: Any) -> Any:
    """Return a kind of unit as written without noise of its own and of its metrics."""
    if not isinstance(kind, Mapping):
        return kind
    metrics = kind.get("metrics")
    metric_list = metrics if isinstance(metrics, Sequence) and not isinstance(metrics, str) else ()
    quiet_metrics = [
        {name: value for name, value in metric.items() if name != "noise"} if isinstance(metric, Mapping) else metric
        for metric in metric_list
    ]
    return {
        name: quiet_metrics if name == "metrics" and metric_list else value
        for name, value in kind.items()
        if name != "noise"
    }
