"""What is wrong between how a config is written and what it writes: columns, log lines, files, size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.layout import keys_in, template, wrong_partition
from plotsim_core.config.log_line import expected_layout, log_parts
from plotsim_core.config.output import Event, Output
from plotsim_core.config.scope import Scope
from plotsim_core.config.segments import OngoingArrival
from plotsim_core.config.tables import KIND_WORDS, SOURCE_WORDS, Column, Table, column_type, moved_by
from plotsim_core.errors import Problem, shown
from plotsim_core.families import did_you_mean

Parts = Mapping[str, Any]

WIDE = "_wide"
"""What the name of a fact's wide table adds to the fact's."""
LONGEST = 63
"""Letters of a column's name that every database keeps."""


def logs(parts: Parts, scope: Scope) -> Iterator[Problem]:
    """Yield a problem for each log line that cannot be filled, and for each file that two events write."""
    files: dict[str, str] = {}
    for declared in parts["tables"]:
        table = declared.table
        if not isinstance(table, Event) or table.log_format is None:
            continue
        yield from _unfilled(f"{declared.path}.log_format", table.log_format, declared.columns)
        other = files.setdefault(table.log_file.lower(), table.name)
        if other != table.name:
            yield Problem(f"{declared.path}.log_filename", f"{other} writes to {table.log_file} too", "give another name")


def _unfilled(path: str, format: str, columns: tuple[str, ...]) -> Iterator[Problem]:
    try:
        fields = [part.column for part in log_parts(format) if part.column is not None]
    except ValueError:
        yield Problem(path, f"braces do not match in {shown(format)}", "double a brace that stands for itself: {{ or }}")
        return
    for field in fields:
        if field not in columns:
            yield Problem(path, f"'{{{field}}}' is no column of the event", did_you_mean(field, list(columns)))


def _laid_out(dataset: Dataset) -> Iterator[Problem]:
    """Yield a problem for each layout of a log line that does not fit the values of its column."""
    mismatched = {(issue.table, issue.column) for issue in dataset.quality if issue.issue == "type_mismatch"}
    for start, kind in (("", dataset), *((f"units[{number}].", kind) for number, kind in enumerate(dataset.units))):
        for number, table in enumerate(kind.events):
            columns = {column.name: column for column in table.columns}
            for part in log_parts(getattr(table, "log_format", None) or ""):
                if part.column is None or not part.layout:
                    continue
                broken = (table.name, part.column) in mismatched
                expected = expected_layout(pa.string() if broken else column_type(columns[part.column], kind), part.layout)
                if expected is not None:
                    of = ", which type_mismatch makes a text," if broken else ""
                    says = f"cannot lay out {part.column}{of} as '{part.layout}'"
                    yield Problem(f"{start}events[{number}].log_format", says, f"expected {expected}")


def budget(parts: Parts, scope: Scope) -> Iterator[Problem]:
    """Yield a problem where a config has more cells (units times periods) than its budget allows."""
    output: Output | None = parts.get("output")
    if output is None or output.cell_budget == 0 or scope.window is None:
        return
    kinds = [parts["segments"], *(own["segments"] for _, own in parts.get("units", ()))]
    length, scale = scope.window.length, parts["scale"]
    own = [segment for segments in kinds for _, segment in segments]
    units = sum(max(1, round(segment.count * scale)) for segment in own)
    rates = [segment.arrival.per_period for segment in own if isinstance(segment.arrival, OngoingArrival)]
    units += round(sum(rates) * scale * (length - 1))
    cells = units * length
    if cells > output.cell_budget:
        says = f"{units:,} units in {scope.window.length:,} periods are {cells:,} cells, more than {output.cell_budget:,}"
        yield Problem("output.cell_budget", says, "make it larger, 0 for no limit, or run with --over-budget")


def layouts(parts: Parts, scope: Scope) -> Iterator[Problem]:
    """Yield a problem where two partitions of the window would be one file."""
    output: Output | None = parts.get("output")
    if output is not None and output.layout is not None and scope.window is not None:
        for problem in wrong_partition(output.layout, scope.window.partitioned):
            yield replace(problem, path=f"output.{problem.path}")


def written(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is wrong with the output of a sound dataset: a column that no table has, or names that are too long."""
    yield from _laid_out(dataset)
    by = dataset.output.partition_by
    if by is not None:
        yield from _partitions(by, dataset)
    yield from _sorting(dataset)
    yield from _hidden(dataset)
    if dataset.output.denormalized:
        yield from _wide(dataset)


@dataclass(frozen=True)
class WideColumn:
    """A column of a wide table: its `name`, and the `table` and `column` that a reference, the column `by`, leads to."""

    name: str
    table: str
    column: str
    by: str


_LEFT_OUT = frozenset({"id", "version"})
"""What a wide table has from the fact already, and what nobody knows at the time: when a version will end."""


def wide_columns(table: Table, dataset: Dataset) -> list[WideColumn]:
    """Return the columns that a fact's wide table has from the dimensions it refers to. Those of a second reference to a
    dimension are named after the reference."""
    found: list[WideColumn] = []
    own = {dimension.name: dimension for dimension in dataset.dimensions}
    every = own | {dimension.name: dimension for kind in dataset.units for dimension in kind.dimensions}
    for reference in table.sourced("ref"):
        name = reference.type.partition(".")[2]
        if name not in every:
            continue
        again = any(wide.table == name for wide in found)
        prefix = reference.name.removesuffix("_id").removesuffix("_key") if again else name
        theirs = every[name]
        # what moves is left out of other kinds of unit: nobody knows it at another time than the latest
        columns = (c for c in theirs.columns if c.word not in _LEFT_OUT and (name in own or not moved_by(c, theirs)))
        found += [WideColumn(f"{prefix}__{c.name}", name, c.name, reference.name) for c in columns]
    return found


def _wide(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is wrong with the wide tables of a dataset: names that are taken, or too long."""
    kinds = (dataset, *dataset.units)
    names = {table.name.lower() for kind in kinds for table in kind.tables}
    facts = [(table, kind) for kind in kinds for table in kind.facts if "snapshot_of" not in type(table).model_fields]
    if not facts:
        yield Problem("output.denormalized", "there is no fact that could be made wide")
    for table, kind in facts:
        if f"{table.name}{WIDE}".lower() in names:
            yield Problem("output.denormalized", f"a table is named {table.name}{WIDE} already", "rename it")
        columns = wide_columns(table, kind)
        for name in (f"{table.name}{WIDE}", *(wide.name for wide in columns)):
            if len(name) > LONGEST:
                says = f"{table.name}{WIDE} would have the name '{name}', of more than {LONGEST} letters"
                yield Problem("output.denormalized", says, "shorten the names that it is made of")
        taken = [column.name.lower() for column in table.columns]
        for wide in columns:
            if wide.name.lower() in taken:
                yield Problem("output.denormalized", f"{table.name}{WIDE} would have two columns named '{wide.name}'")
            taken.append(wide.name.lower())


def partition_column(by: str, columns: Mapping[str, tuple[str, str] | None]) -> str | None:
    """Return which of a table's columns (name to the table and column it refers to) `partition_by` means: the one of that
    name, or the first that refers to a table, or to a column, of that name."""
    if by in columns:
        return by
    return next((name for name, target in columns.items() if target is not None and by in target), None)


def _partitions(by: str, dataset: Dataset) -> Iterator[Problem]:
    found = [(table, column) for kind in (dataset, *dataset.units) for table, column in _matching(by, kind)]
    if not found:
        kinds = (dataset, *dataset.units)
        known = {column.name for kind in kinds for table in kind.tables for column in table.columns}
        known |= {table.name for kind in kinds for table in kind.dimensions}
        yield Problem(
            "output.partition_by", f"no table has a column '{by}', or one that refers to it", did_you_mean(by, sorted(known))
        )
    for kind in (dataset, *dataset.units):
        for table, column in _matching(by, kind):
            type_ = column_type(column, kind)
            if not (pa.types.is_integer(type_) or pa.types.is_string(type_) or type_ in (pa.date32(), pa.bool_())):
                says = f"{table.name}.{column.name} is {type_}: folders are named after whole numbers, texts, dates or flags"
                yield Problem("output.partition_by", says)


def _hidden(dataset: Dataset) -> Iterator[Problem]:
    """Yield a problem for each column whose values a reader would take from the folders of a layout."""
    layout = dataset.output.layout
    for key in keys_in(template(layout, dataset.window.partitioned)) if layout is not None else ():
        for kind in (dataset, *dataset.units):
            tables = [table.name for table in kind.tables for c in _columns(table, kind) if c.name.lower() == key.lower()]
            tables += ["the stage metrics" for metric in kind.metrics if metric.name.lower() == key.lower()]
            if tables:
                says = f"{tables[0]} has a column '{key}', whose values readers would take from folders {key}=..."
                yield Problem("output.layout", says, f"name the folders otherwise: partition_{key}=...")
                break


def _sorting(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is wrong with the order of rows: a column that no table has, or that has no order."""
    kinds = (dataset, *dataset.units)
    columns = [(table, column, kind) for kind in kinds for table in kind.tables for column in _columns(table, kind)]
    for place, name in enumerate(dataset.output.sort_by):
        found = [(table, column, kind) for table, column, kind in columns if column.name == name]
        if not found:
            hint = did_you_mean(name, sorted({column.name for _, column, _ in columns}))
            yield Problem(f"output.sort_by[{place}]", f"no table has a column '{name}'", hint)
        for table, column, kind in found:
            if pa.types.is_nested(column_type(column, kind)):
                yield Problem(f"output.sort_by[{place}]", f"{table.name}.{name} is nested, which has no order")


def _matching(by: str, dataset: Dataset) -> Iterator[tuple[Table, Column]]:
    for table in dataset.tables:
        columns = {column.name: column for column in _columns(table, dataset)}
        refers = {name: SOURCE_WORDS[c.word].refers(c.source, dataset) for name, c in columns.items()}
        name = partition_column(by, {name: None if to and to[0] == table.name else to for name, to in refers.items()})
        if name is not None:
            yield table, columns[name]


def _columns(table: Table, dataset: Dataset) -> tuple[Column, ...]:
    """Return the columns of a table, with those that its kind adds."""
    kind = next(words for words in dict(KIND_WORDS.items()).values() if type(table) is words.model)
    return (*kind.leading(table, dataset), *table.columns, *kind.added(table, dataset))
