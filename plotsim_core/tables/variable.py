"""A fact with `row_count_driver`: for each unit and period as many rows as `row_count_scale` times a metric's true value. It
is a short way to say `rows: { metric: row_count_driver, scale: row_count_scale }`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from plotsim_core.config.model import Name
from plotsim_core.config.row_count import Scale
from plotsim_core.config.row_counts import Following
from plotsim_core.config.scope import Scope
from plotsim_core.errors import Problem
from plotsim_core.tables.cell_rows import CellRows
from plotsim_core.tables.fact import AnyFact
from plotsim_core.tables.kind import add_kind


@add_kind
class VariableFact(CellRows, AnyFact):
    """`row_count_scale` rows per unit of the metric `row_count_driver`."""

    form: ClassVar[str] = "variable"
    written: ClassVar[Mapping[str, str]] = {"rows.metric": "row_count_driver", "rows.scale": "row_count_scale"}

    row_count_driver: Name
    """The metric that the number of rows follows."""
    row_count_scale: Scale = 1.0
    """How many rows there are per unit of the metric."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return "row_count_driver" in raw and "parent_table" not in raw

    @property
    def row_count(self) -> Following:
        return Following(metric=self.row_count_driver, scale=self.row_count_scale)

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from CellRows.check(self, scope)
        yield from AnyFact.check(self, scope)
