"""What is wrong with a `zone` that names a column, or that names nothing."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from plotsim_core.columns.dependencies import depend_on, names_in, type_in
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.zones import zone_names


def check_place(name: str, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield what is wrong with a `zone` that is the name of no zone: it has to be a column of the row, of zones."""
    columns = [other for other in names_in(scope.tables[table.name]) if other != column.name]
    if name not in columns:
        message = f"no time zone is named {value_text(name)}, and {table.name} has no such column"
        yield Problem("zone", message, did_you_mean(name, [*columns, "utc", *sorted(zone_names())]))
        return
    if depend_on([(table.name, name)], (table.name, column.name), scope):
        yield Problem("zone", f"{table.name}.{column.name} depends on itself")
    deciding = next((other for other in table.columns if other.name == name), None)
    values = None if deciding is None else deciding.source.possible_values(table, scope)
    other = next((str(value) for value in values or () if str(value) not in zone_names()), None)
    if other is not None:
        yield Problem(
            "zone",
            f"{name} may be {value_text(other)}, which no time zone is named",
            did_you_mean(other, sorted(zone_names())),
        )


def place_problems(name: str, table: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield why a sound column names no zones."""
    type_ = type_in(table.name, name, dataset)
    if not (pa.types.is_string(type_) or pa.types.is_dictionary(type_)):
        yield Problem("zone", f"{name} has no texts, so it names no time zones", "a column with names as Europe/Berlin")
