"""Column sources, one file each. Importing this package is what makes them known; a test compares it to the folder."""

from plotsim_core.columns import (
    calendar,
    choice,
    faker,
    flag,
    identity,
    metric,
    numbers,
    pool,
    reference,
    scd,
    segment,
    stage,
    timestamp,
    trajectory,
    version,
)

__all__ = [
    "calendar",
    "choice",
    "faker",
    "flag",
    "identity",
    "metric",
    "numbers",
    "pool",
    "reference",
    "scd",
    "segment",
    "stage",
    "timestamp",
    "trajectory",
    "version",
]
