"""Write the table of the README that shows what connections come out as, given the trajectory and in the table. Run with
`make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plotsim_core import Plan, create
from plotsim_core.plan.correlations import Correlations
from plotsim_core.truth.achieved_correlations import correlations, sample_of

README = Path(__file__).parents[1] / "README.md"
_TABLE = re.compile(r"(?<=\n\n)\| connection \| segments \|.*?(?=\n\n)", re.DOTALL)
_UNITS = 400
"""Of each segment."""
_METRICS = [
    {"name": "visits", "type": "count", "polarity": "positive", "mean": [10, 50]},
    {"name": "sales", "type": "amount", "polarity": "positive", "range": [0, 100_000], "mean": [1000, 5000]},
]
_TREND, _FLAT = ("growth", "decline"), ("flat",)
CASES: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("visits 0.6 sales", _TREND, 0.0),
    ("visits 0.6 sales pooled", _TREND, 0.0),
    ("visits 0.4 sales", _FLAT, 0.0),
    ("visits 0.4 sales", _FLAT, 0.5),
)
"""A connection, the archetypes of the segments, and the `size` of their variation."""


def plan_of(connection: str, archetypes: tuple[str, ...], size: float) -> Plan:
    """Return the plan of a dataset of two years of months with one connection."""
    variation = {"size": size}
    segments: list[dict[str, Any]] = [
        {"name": archetype, "count": _UNITS, "archetype": archetype, "variation": variation} for archetype in archetypes
    ]
    window = {"start": "2023-01", "end": "2024-12", "every": "month"}
    return create(about="Shops", unit="shop", window=window, metrics=_METRICS, segments=segments, connections=[connection])


def expected(plan: Plan) -> Correlations:
    """Return what the one connection of a plan comes out as."""
    assert plan.stop is not None
    (correlation,) = correlations(sample_of(plan.population, plan.stop))
    return correlation


def rows() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| connection | segments | given the trajectory | Pearson, in the table | Spearman, in the table |"
    yield "| --- | --- | --- | --- | --- |"
    for connection, archetypes, size in CASES:
        segments = " and ".join(archetypes) + (f", sizes that differ (`size: {size:g}`)" if size else "")
        yield f"| `{connection}` | {segments} | {' | '.join(expected(plan_of(connection, archetypes, size)).texts())} |"


def written(text: str) -> str:
    """Return the README with its table computed anew."""
    return _TABLE.sub(lambda _: "\n".join(rows()), text, count=1)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
