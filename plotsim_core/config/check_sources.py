"""Problems of the systems that hold the units otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from plotsim_core.config.parts import Parts
from plotsim_core.config.sources import MAP, attribute_columns, name_column
from plotsim_core.config.tables import RESERVED, column_type
from plotsim_core.errors import Problem


def source_systems(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of the source systems of units: names that are taken, and nothing that could drift."""
    dataset = parts.dataset
    sources = dataset.sources
    unit = parts.scope.unit_dimension
    if not sources or unit not in dataset.all_dimensions:
        return
    if len(sources) == 1:
        yield Problem("sources", "one source has nothing to be linked with", "give two to five, or none")
    key = next(column.name for column in unit.columns if column.source.is_key)
    types = {c.name: column_type(c, dataset) for c in unit.columns}
    table_names = {table.name.lower() for kind in (dataset, *dataset.units) for table in kind.all_tables} | RESERVED
    if MAP in table_names:
        yield Problem("sources", f"the table {MAP} comes by itself; choose another name for the one that is declared")
    first_indices: dict[str, int] = {}
    for index, source in enumerate(sources):
        path = f"sources[{index}]"
        first_index = first_indices.setdefault(source.name.lower(), index)
        if first_index != index:
            yield Problem(f"{path}.name", f"a second source is named '{source.name}'; the first is sources[{first_index}]")
        if f"{unit.name}_{source.name}".lower() in table_names:
            yield Problem(f"{path}.name", f"there is a table named {unit.name}_{source.name} already; choose another name")
        if f"{key}_{source.name}".lower() in {name.lower() for name in types}:
            yield Problem(f"{path}.name", f"{unit.name} has a column {key}_{source.name} already; choose another name")
        if source.name_drift_rate and name_column(unit) is None:
            message = f"{unit.name} has no column of a name that could drift"
            yield Problem(f"{path}.name_drift_rate", message, "give it one of type faker.name or faker.company")
        if source.attribute_drift_rate and not attribute_columns(unit, types):
            yield Problem(f"{path}.attribute_drift_rate", f"{unit.name} has no other text column that could drift")
