"""Tables that keep some of their rows: `where`, a formula over columns of the row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from plotsim_core.config.column_source import Origin
from plotsim_core.config.formula import FormulaError, names
from plotsim_core.config.tables import Table


class FilteredTable(Table):
    """A table of which some rows are kept."""

    where: Annotated[str, Field(min_length=1)] | None = None
    """Which rows are kept: a formula over columns of the row. A row that is dropped leaves a gap in the numbers, and takes
    its children with it."""

    @property
    def filter(self) -> str | None:
        return self.where

    def row_origins(self) -> Iterator[Origin]:
        yield from super().row_origins()
        yield from ((self.name, name) for name in filter_inputs(self))


def filter_inputs(table: Table) -> tuple[str, ...]:
    """Return the columns by which a table keeps its rows; none where the formula cannot be read."""
    try:
        return () if table.filter is None else tuple(names(table.filter))
    except FormulaError:  # reported at the formula
        return ()
