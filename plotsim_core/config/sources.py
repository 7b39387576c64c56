"""Several systems that know the same units, each in its own words: what record linkage has to put together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import pyarrow as pa
from pydantic import Field

from plotsim_core.config.model import Name, Part, Share
from plotsim_core.config.tables import RESERVED, Column, Table, column_type
from plotsim_core.errors import Problem

if TYPE_CHECKING:
    from plotsim_core.config.dataset import Dataset

MAP = "source_entity_map"
"""The table that says which rows of the systems are which units."""


class SourceSystem(Part):
    """A system that holds the units' dimension in its own way.

    `name` ends the names of its table and key. `key_scheme`: what its keys look like. `name_drift_rate`: the share of rows
    whose name is written otherwise, `attribute_drift_rate` that of the values of every other text column.
    `missing_rate`: the share of units it does not have, `duplicate_rate` that of the units it has twice.
    """

    name: Name
    key_scheme: Literal["prefix_padded", "numeric", "uuid_short"] = "prefix_padded"
    name_drift_rate: Share = 0.0
    attribute_drift_rate: Share = 0.0
    missing_rate: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.0
    duplicate_rate: Share = 0.0


Sources = Annotated[tuple[SourceSystem, ...], Field(max_length=5)]


def name_column(table: Table) -> Column | None:
    """Return the column that holds a name, of a person or a company: the first of them."""
    return next((column for column in table.columns if column.source.is_name), None)


def attribute_columns(table: Table, types: dict[str, pa.DataType]) -> list[Column]:
    """Return the columns whose values drift as attributes: texts other than keys, references, tiers and the name."""
    texts = [c for c in table.columns if types.get(c.name) == pa.string() and c.source.is_drifting]
    return [column for column in texts if column is not name_column(table)]


def wrong_sources(dataset: Dataset) -> Iterator[Problem]:
    """Yield the problems of the source systems of an otherwise sound dataset."""
    sources = dataset.sources
    if not sources:
        return
    if len(sources) == 1:
        yield Problem("sources", "one source has nothing to be linked with", "give two to five, or none")
    unit = dataset.unit_dimension
    key = next(column.name for column in unit.columns if column.source.is_key)
    types = {c.name: column_type(c, dataset) for c in unit.columns}
    table_names = {table.name.lower() for kind in (dataset, *dataset.units) for table in kind.tables} | RESERVED
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
