"""Problems of the output of a config: columns, log lines, files, size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.layout import folder_keys, template, wrong_partition
from plotsim_core.config.log_line import expected_layout, log_parts
from plotsim_core.config.output import Event
from plotsim_core.config.parts import Parts
from plotsim_core.config.segments import OngoingArrival
from plotsim_core.config.tables import Column, Table, changing_sources, column_type
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean

WIDE = "_wide"
"""What the name of a fact's wide table adds to the fact's."""
LONGEST_NAME = 63
"""The longest name of a column that every database keeps."""


def logs(parts: Parts) -> Iterator[Problem]:
    """Yield a problem for each log line that cannot be filled, and for each file that two events write."""
    files: dict[str, str] = {}
    for declaration in parts.tables:
        table = declaration.table
        if not isinstance(table, Event) or table.log_format is None:
            continue
        hidden_names = {column.name for column in table.columns if column.hidden}
        stored_names = tuple(name for name in declaration.columns if name not in hidden_names)
        yield from _unknown_log_columns(f"{declaration.path}.log_format", table.log_format, stored_names)
        other_event = files.setdefault(table.log_file.lower(), table.name)
        if other_event != table.name:
            yield Problem(
                f"{declaration.path}.log_filename", f"{other_event} writes to {table.log_file} too", "give another name"
            )


def _unknown_log_columns(path: str, format: str, columns: tuple[str, ...]) -> Iterator[Problem]:
    try:
        fields = [part.column for part in log_parts(format) if part.column is not None]
    except ValueError:
        yield Problem(
            path, f"braces do not match in {value_text(format)}", "double a brace that stands for itself: {{ or }}"
        )
        return
    for field in fields:
        if field not in columns:
            yield Problem(path, f"'{{{field}}}' is no column of the event", did_you_mean(field, list(columns)))


def log_layouts(parts: Parts) -> Iterator[Problem]:
    """Yield a problem for each layout of a log line that does not fit the values of its column."""
    mismatched = {(issue.table, issue.column) for _, issue in parts.quality if issue.issue == "type_mismatch"}
    for kind in (parts, *parts.units):
        prefix = f"{kind.path}." if kind.path else ""
        for declaration in kind.tables:
            table = declaration.table
            if table is None or table.log_line is None:
                continue
            columns = {column.name: column for column in table.columns}
            for part in log_parts(table.log_line):
                if part.column is None or not part.layout:
                    continue
                is_mismatched = (table.name, part.column) in mismatched
                type_ = pa.string() if is_mismatched else column_type(columns[part.column], kind.dataset)
                expected = expected_layout(type_, part.layout)
                if expected is not None:
                    cause = ", which type_mismatch makes a text," if is_mismatched else ""
                    message = f"cannot lay out {part.column}{cause} as '{part.layout}'"
                    yield Problem(f"{prefix}{declaration.path}.log_format", message, f"expected {expected}")


def budget(parts: Parts) -> Iterator[Problem]:
    """Yield a problem where a config has more cells (units times periods) than its budget allows."""
    output, window = parts.output, parts.window
    if output is None or output.cell_budget == 0 or window is None:
        return
    length, scale = window.length, parts.scale or 1.0
    entries = [segment for kind in parts.kinds for _, segment in kind.segments]
    units = sum(max(1, round(segment.count * scale)) for segment in entries)
    later_periods = np.arange(window.first + 1, window.first + length, dtype=np.int64)
    for arrival in (segment.arrival for segment in entries):
        if isinstance(arrival, OngoingArrival):
            growth = arrival.growth
            growths = [1.0] * (length - 1) if growth is None else growth.factors(window.grain, window.first, later_periods)
            units += round(arrival.per_period * scale * float(sum(growths)))
    cells = units * length
    if cells > output.cell_budget:
        message = f"{units:,} units in {length:,} periods are {cells:,} cells, more than {output.cell_budget:,}"
        yield Problem("output.cell_budget", message, "make it larger, 0 for no limit, or run with --over-budget")


def layouts(parts: Parts) -> Iterator[Problem]:
    """Yield a problem where two partitions of the window would be one file."""
    output, window = parts.output, parts.window
    if output is not None and output.layout is not None and window is not None:
        for problem in wrong_partition(output.layout, window.partitioned):
            yield replace(problem, path=f"output.{problem.path}")


@dataclass(frozen=True)
class WideColumn:
    """A column of a wide table: its `name`, and the `table` and `column` that a reference, the column `by`, leads to."""

    name: str
    table: str
    column: str
    by: str


def wide_columns(table: Table, dataset: Dataset) -> list[WideColumn]:
    """Return the columns that a fact's wide table has from the dimensions it refers to. Those of a second reference to a
    dimension are named after the reference."""
    joined_columns: list[WideColumn] = []
    own_dimensions = {dimension.name: dimension for dimension in dataset.all_dimensions}
    dimensions = own_dimensions | {dimension.name: dimension for kind in dataset.units for dimension in kind.all_dimensions}
    for reference in table.columns:
        name = reference.source.target_name
        if name is None or name not in dimensions or reference.hidden:
            continue
        is_repeated = any(wide.table == name for wide in joined_columns)
        prefix = reference.name.removesuffix("_id").removesuffix("_key") if is_repeated else name
        target = dimensions[name]
        # changing columns of other kinds of unit are left out: only their latest values are stored
        columns = (
            c
            for c in target.columns
            if c.source.in_wide_tables and not c.hidden and (name in own_dimensions or not changing_sources(c, target))
        )
        joined_columns += [WideColumn(f"{prefix}__{c.name}", name, c.name, reference.name) for c in columns]
    return joined_columns


def wide_tables(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of the wide tables of a dataset: names that are taken, or too long."""
    dataset = parts.dataset
    if not dataset.output.denormalized:
        return
    kinds = (dataset, *dataset.units)
    table_names = {table.name.lower() for kind in kinds for table in kind.all_tables}
    facts = [(table, kind) for kind in kinds for table in kind.all_tables if table.is_fact]
    if not facts and parts.is_whole:
        yield Problem("output.denormalized", "there is no fact that could be made wide")
    for table, kind in facts:
        if f"{table.name}{WIDE}".lower() in table_names:
            yield Problem("output.denormalized", f"a table is named {table.name}{WIDE} already", "rename it")
        columns = wide_columns(table, kind)
        for name in (f"{table.name}{WIDE}", *(wide.name for wide in columns)):
            if len(name) > LONGEST_NAME:
                message = f"{table.name}{WIDE} would have the name '{name}', of more than {LONGEST_NAME} letters"
                yield Problem("output.denormalized", message, "shorten the names that it is made of")
        column_names = [column.name.lower() for column in table.columns]
        for wide in columns:
            if wide.name.lower() in column_names:
                yield Problem("output.denormalized", f"{table.name}{WIDE} would have two columns named '{wide.name}'")
            column_names.append(wide.name.lower())


def partition_column(by: str, columns: Mapping[str, tuple[str, str] | None]) -> str | None:
    """Return which of a table's columns (name to the table and column it refers to) `partition_by` means: the one of that
    name, or the first that refers to a table, or to a column, of that name."""
    if by in columns:
        return by
    return next((name for name, target in columns.items() if target is not None and by in target), None)


def partition_folders(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of `partition_by`: a column that no table has, or whose values name no folders."""
    dataset = parts.dataset
    partition_name = dataset.output.partition_by
    if partition_name is None:
        return
    matches = [
        (table, column) for kind in (dataset, *dataset.units) for table, column in _partitioned_columns(partition_name, kind)
    ]
    if not matches and parts.is_whole:
        kinds = (dataset, *dataset.units)
        names = {column.name for kind in kinds for table in kind.all_tables for column in table.columns if not column.hidden}
        names |= {table.name for kind in kinds for table in kind.all_dimensions}
        yield Problem(
            "output.partition_by",
            f"no table has a column '{partition_name}', or one that refers to it",
            did_you_mean(partition_name, sorted(names)),
        )
    for kind in (dataset, *dataset.units):
        for table, column in _partitioned_columns(partition_name, kind):
            type_ = column_type(column, kind)
            if not (pa.types.is_integer(type_) or pa.types.is_string(type_) or type_ in (pa.date32(), pa.bool_())):
                message = (
                    f"{table.name}.{column.name} is {type_}: folders are named after whole numbers, texts, dates or flags"
                )
                yield Problem("output.partition_by", message)


def folder_columns(parts: Parts) -> Iterator[Problem]:
    """Yield a problem for each column whose values a reader would take from the folders of a layout."""
    dataset, window = parts.dataset, parts.window
    layout = dataset.output.layout
    for key in folder_keys(template(layout, window.partitioned)) if layout is not None and window is not None else ():
        for kind in (dataset, *dataset.units):
            columns = ((table.name, column) for table in kind.all_tables for column in table.stored_columns(kind))
            tables = [name for name, column in columns if column.name.lower() == key.lower()]
            tables += ["the stage metrics" for metric in kind.metrics if metric.name.lower() == key.lower()]
            if tables:
                message = f"{tables[0]} has a column '{key}', whose values readers would take from folders {key}=..."
                yield Problem("output.layout", message, f"name the folders otherwise: partition_{key}=...")
                break


def sort_columns(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of `sort_by`: a column that no table has, or that has no order."""
    dataset = parts.dataset
    kinds = (dataset, *dataset.units)
    columns = [(table, column, kind) for kind in kinds for table in kind.all_tables for column in table.stored_columns(kind)]
    for index, name in enumerate(dataset.output.sort_by):
        matches = [(table, column, kind) for table, column, kind in columns if column.name == name]
        if not matches and parts.is_whole:
            hint = did_you_mean(name, sorted({column.name for _, column, _ in columns}))
            yield Problem(f"output.sort_by[{index}]", f"no table has a column '{name}'", hint)
        for table, column, kind in matches:
            if pa.types.is_nested(column_type(column, kind)):
                yield Problem(f"output.sort_by[{index}]", f"{table.name}.{name} is nested, which has no order")


def _partitioned_columns(partition_name: str, dataset: Dataset) -> Iterator[tuple[Table, Column]]:
    for table in dataset.all_tables:
        columns = {column.name: column for column in table.stored_columns(dataset)}
        targets = {name: c.source.target(dataset) for name, c in columns.items()}
        name = partition_column(
            partition_name,
            {name: None if target and target[0] == table.name else target for name, target in targets.items()},
        )
        if name is not None:
            yield table, columns[name]
