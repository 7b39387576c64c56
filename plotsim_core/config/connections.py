"""Connections: the correlation of two metrics given the trajectory, by word or number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from plotsim_core.config.model import Flag, Name, Offset, Part
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean

RELATIONSHIPS: dict[str, float] = {
    "mirrors": 0.75,
    "driven_by": 0.55,
    "related": 0.40,
    "hints_at": 0.20,
    "independent": 0.0,
    "hints_against": -0.20,
    "resists": -0.40,
    "opposes": -0.55,
    "inverts": -0.75,
}
SCOPE_WORDS = {"given_trajectory": False, "pooled": True}
"""Last word of the short form to whether the correlation is the one over the whole table."""
_KEYS = ["metric_a", "metric_b", "relationship", "coefficient", "pooled"]


class Connection(Part):
    """A sentence: a metric, a word or a number, and a metric: `a driven_by b`, `a 0.4 b`. The order of the two does not
    matter.

    It is the correlation of the two given the trajectory. With `pooled` (`a 0.4 b pooled`), it is the one over the whole
    table, for which the trajectory that both share counts as well.
    """

    metric_a: Name
    """One metric."""
    metric_b: Name
    """The other one; the order does not matter."""
    coefficient: Annotated[float, Field(ge=-1, le=1, strict=True)]
    """The correlation; `relationship` is a word for one."""
    pooled: Flag = False
    """With `pooled` (`a 0.4 b pooled`), it is the one over the whole table, for which the trajectory that both share
    counts as well."""

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            return cls._words(value.split(), value)
        if isinstance(value, list | tuple):
            return cls._words(value, value)
        if not isinstance(value, dict):
            return value
        unknown = [Problem(str(key), "unknown key", did_you_mean(str(key), _KEYS)) for key in value if key not in _KEYS]
        if unknown:
            raise ProblemError(*unknown)
        if ("relationship" in value) == ("coefficient" in value):
            raise ValueError("give either a `relationship` (a word) or a `coefficient` (a number)")
        if "relationship" in value:
            rest = {key: item for key, item in value.items() if key != "relationship"}
            return {**rest, "coefficient": _coefficient(value["relationship"], "relationship")}
        return value

    @staticmethod
    def _words(words: Sequence[Any], value: Any) -> dict[str, Any]:
        if len(words) not in (3, 4):
            raise ValueError(f"expected a metric, a word or number, and a metric, found {value_text(value)}")
        pair = {"metric_a": words[0], "metric_b": words[2], "coefficient": _coefficient(words[1], "")}
        if len(words) == 3:
            return pair
        if not isinstance(words[3], str) or words[3] not in SCOPE_WORDS:
            expected = f"expected {' or '.join(SCOPE_WORDS)} after the second metric, found {value_text(words[3])}"
            raise ProblemError(Problem("", expected, did_you_mean(str(words[3]), list(SCOPE_WORDS))))
        return {**pair, "pooled": SCOPE_WORDS[words[3]]}

    @model_validator(mode="after")
    def _check_pair(self) -> Connection:
        if self.metric_a == self.metric_b:
            raise ValueError(f"{self.metric_a} is connected to itself")
        return self


class ConnectionPhase(Part):
    """From `start_period` to `end_period` (both included, counted from 0 at the window's start) these connections hold
    instead of those that the same pairs have otherwise."""

    start_period: Offset
    """Its first period."""
    end_period: Offset
    """Its last one."""
    connections: Annotated[tuple[Connection, ...], Field(min_length=1)]
    """Written as those of the whole window."""

    @model_validator(mode="after")
    def _check_phase(self) -> ConnectionPhase:
        if self.end_period < self.start_period:
            raise ProblemError(Problem("end_period", f"expected at least {self.start_period}, found {self.end_period}"))
        for index, connection in enumerate(self.connections):
            if connection.pooled:
                raise ProblemError(Problem(f"connections[{index}].pooled", "speaks of the whole window, not of a phase"))
        return self


def _coefficient(value: Any, path: str) -> Any:
    if not isinstance(value, str):
        return value
    if value in RELATIONSHIPS:
        return RELATIONSHIPS[value]
    try:
        return float(value)
    except ValueError:
        hint = did_you_mean(value, list(RELATIONSHIPS))
        raise ProblemError(Problem(path, f"'{value}' is neither a number nor a relationship word", hint)) from None
