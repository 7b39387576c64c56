"""The root of the language."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from plotsim_core.config.connections import Connection, ConnectionPhase
from plotsim_core.config.effects import Lifecycle, Noise, Season
from plotsim_core.config.metrics import Metric
from plotsim_core.config.model import Name, Number, Part
from plotsim_core.config.segments import Segment
from plotsim_core.config.tables import Table
from plotsim_core.config.window import Window


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Dataset(Part):
    """A whole config. `about`, `unit`, `window`, `metrics` and `segments` are required; without tables a star schema is
    made of them: the date and unit dimensions and one fact per metric."""

    about: Annotated[str, Field(min_length=1)]
    unit: Name
    window: Window
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)]
    segments: Annotated[tuple[Segment, ...], Field(min_length=1)]
    connections: tuple[Connection, ...] = ()
    connection_phases: tuple[ConnectionPhase, ...] = ()
    lifecycle: Annotated[Lifecycle | None, Field(validation_alias=AliasChoices("lifecycle", "stages"))] = None
    dimensions: tuple[Table, ...] = ()
    facts: tuple[Table, ...] = ()
    events: tuple[Table, ...] = ()
    bridges: tuple[Table, ...] = ()
    seasonality: tuple[Season, ...] = ()
    noise: Noise = Noise()
    locale: Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_listed)] = ("en_US",)
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)] = 0
    scale: Annotated[Number, Field(gt=0, le=1_000_000)] = 1.0

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, in the order dimensions, facts, events, bridges."""
        return self.dimensions + self.facts + self.events + self.bridges


def dataset_name(text: str) -> str:
    """Return `text` as a name for a dataset: lower case, digits and underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return name if name and not name[0].isdigit() else f"dataset_{name}".rstrip("_")
