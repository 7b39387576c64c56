"""Connections: the correlation of two metrics given the trajectory, by word or number."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from plotsim_core.config.model import Name, Part
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


class Connection(Part):
    """`a word b`, `a 0.4 b`, [a, word, b], or the keys metric_a, metric_b and either relationship or coefficient."""

    metric_a: Name
    metric_b: Name
    coefficient: Annotated[float, Field(ge=-1, le=1)]

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = value.split()
        if isinstance(value, list | tuple):
            if len(value) != 3:
                raise ValueError(
                    f"expected 'metric word metric' or 'metric number metric', found {' '.join(map(str, value))!r}"
                )
            return {"metric_a": value[0], "metric_b": value[2], "coefficient": _coefficient(value[1])}
        if isinstance(value, dict) and "relationship" in value:
            if "coefficient" in value:
                raise ValueError("give either `relationship` or `coefficient`, not both")
            rest = {key: item for key, item in value.items() if key != "relationship"}
            return {**rest, "coefficient": _coefficient(value["relationship"])}
        return value

    @model_validator(mode="after")
    def _two(self) -> Connection:
        if self.metric_a == self.metric_b:
            raise ValueError(f"{self.metric_a} is connected to itself")
        return self


def _coefficient(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value in RELATIONSHIPS:
        return RELATIONSHIPS[value]
    try:
        return float(value)
    except ValueError:
        hint = did_you_mean(value, list(RELATIONSHIPS))
        raise ValueError(f"{value!r} is neither a number nor a relationship word; {hint}") from None
