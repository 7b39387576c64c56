"""`holdout` and `entity_features`: tables for those who learn from the data."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from plotsim_core.config.model import Flag, Name, Part

FEATURES = "_entity_features"
"""The table of one row per unit."""
TRAIN, HOLDOUT = "_train", "_holdout"
"""What the names of the two parts of a fact end with."""

Length = Annotated[int, Field(ge=1, le=10_000, strict=True)]


class Holdout(Part):
    """The last `periods` of the window are held out: each fact per unit and period is there a second time, cut in two.
    `target` is the metric that is to be predicted."""

    target: Name
    """The metric that is to be predicted."""
    periods: Length
    """How many at the end are held out."""
    min_training_periods: Length = 3
    """So many periods must be left for training."""


class EntityFeatures(Part):
    """A row per unit that sums up its metrics: all that facts hold, or those listed; `include_labels` adds what is to be
    found out of them."""

    metrics: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    """Those it sums up; all that facts hold unless it is written."""
    include_labels: Flag = True
    """Whether what is to be found out stands beside them."""


def read_flag(value: Any) -> Any:
    """`true` is short for all of them, `false` for none."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value
