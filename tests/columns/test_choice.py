"""A choice: a list with weights, or a mapping of values to weights, which is the same."""

from __future__ import annotations

import pytest

from plotsim_core import ConfigError, from_mapping, generate_tables


def values(**options: object) -> list[object]:
    """Return the values of a choice in a thousand rows."""
    plan = from_mapping(
        {
            "about": "x",
            "tables": [{"name": "t", "rows": 1000, "columns": {"t_id": "id", "c": {"type": "choice", **options}}}],
        },
        name="x",
    )
    return list(generate_tables(plan)["t"]["c"])


def test_a_mapping_gives_each_value_its_weight() -> None:
    assert values(values={"a": 8, "b": 2}) == values(values=["a", "b"], weights=[8, 2])


def test_weights_are_said_once() -> None:
    with pytest.raises(ConfigError, match="weights: says the same as the numbers of `values`"):
        values(values={"a": 8, "b": 2}, weights=[8, 2])


def test_a_weight_is_a_number() -> None:
    with pytest.raises(ConfigError, match=r"values.a: expected how often it is chosen"):
        values(values={"a": "often", "b": 2})
