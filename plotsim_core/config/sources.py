"""Several systems that know the same units, each in its own words: what record linkage has to put together."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from plotsim_core.config.model import Name, Part, Share
from plotsim_core.config.tables import Column, Table

MAP = "source_entity_map"
"""The table that says which rows of the systems are which units."""


class SourceSystem(Part):
    """A system that holds the units' dimension in its own way."""

    name: Name
    """What it is called; it ends the names of its table and key."""
    key_scheme: Literal["prefix_padded", "numeric", "uuid_short"] = "prefix_padded"
    """What its keys look like."""
    name_drift_rate: Share = 0.0
    """The share of rows whose name is written otherwise."""
    attribute_drift_rate: Share = 0.0
    """The share of values of every other text column that are written otherwise."""
    missing_rate: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.0
    """The share of units it does not have."""
    duplicate_rate: Share = 0.0
    """The share of units it has twice."""


Sources = Annotated[tuple[SourceSystem, ...], Field(max_length=5)]


def name_column(table: Table) -> Column | None:
    """Return the column that holds a name, of a person or a company: the first of them."""
    return next((column for column in table.columns if column.source.is_name and not column.hidden), None)


def attribute_columns(table: Table, types: dict[str, pa.DataType]) -> list[Column]:
    """Return the columns whose values drift as attributes: texts other than keys, references, tiers and the name."""
    texts = [c for c in table.columns if types.get(c.name) == pa.string() and c.source.is_drifting and not c.hidden]
    return [column for column in texts if column is not name_column(table)]
