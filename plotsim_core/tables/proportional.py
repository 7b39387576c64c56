"""A proportional event: as many rows per unit and period as a Poisson draw around `scale` times a metric's true value. It is
a short way to say `rows: { poisson: driver, scale: … }`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from plotsim_core.config.calendar import Rhythm
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.drawn_row_counts import Poisson
from plotsim_core.config.model import Name
from plotsim_core.config.output import Event
from plotsim_core.config.row_count import Scale
from plotsim_core.config.table_kind import Section
from plotsim_core.config.tables import Column
from plotsim_core.tables.cell_rows import CellRows
from plotsim_core.tables.fact import version_column
from plotsim_core.tables.kind import add_kind


@add_kind
class ProportionalEvent(CellRows, Event):
    """`scale` rows per unit of the metric `driver`, on average."""

    form: ClassVar[str] = "proportional"
    section: ClassVar[Section] = "events"
    has_rhythm: ClassVar[bool] = True
    written: ClassVar[Mapping[str, str]] = {"rows.poisson": "driver", "rows.scale": "scale"}

    trigger: Literal["proportional"]
    """What makes it happen."""
    driver: Name
    """The metric that the number of rows follows."""
    scale: Scale = 1.0
    """How many rows there are per unit of the driver, on average."""
    rhythm: Rhythm | None = None
    """Weekdays and hours of its own; what it leaves open is the dataset's."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return raw.get("trigger") == "proportional"

    @property
    def row_count(self) -> Poisson:
        return Poisson(poisson=self.driver, scale=self.scale)

    @property
    def row_rhythm(self) -> Rhythm | None:
        return self.rhythm

    def added_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        return version_column(self, dataset)
