"""Configs with some random mistakes are sound, or refused with problems; nothing else is ever raised."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from plotsim_core import ConfigError, from_mapping, list_templates, template
from plotsim_core.config.read import read

VALUES: tuple[Any, ...] = (
    None, "x", -1, 3.5, [], {}, [1], {"a": 1}, True, "= a +", "ref.nothing", "metric.nope", 10**20, float("nan"),
    {"poisson": "nope"}, [5, 1], "2024-13",
)  # fmt: skip
"""What may stand in the place of any value."""


def places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each mapping and list of a config with each of its keys."""
    entries = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in entries:
        yield part, key
        yield from places(value)


def mistaken(raw: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a config with one to five mistakes: another value, a misspelt key or text, something left out."""
    config = copy.deepcopy(raw)
    for _ in range(chance.randint(1, 5)):
        part, key = chance.choice([*places(config)])
        kind = chance.choice(["value", "spelling", "absence"])
        if kind == "value":
            part[key] = copy.deepcopy(chance.choice(VALUES))
        elif kind == "absence":
            del part[key]
        elif isinstance(part, dict):
            letter = chance.randrange(len(str(key)) or 1)
            part[str(key)[:letter] + str(key)[letter + 1 :] + chance.choice(["", "q"])] = part.pop(key)
        elif isinstance(part[key], str):
            part[key] = part[key][:-1]
    return config


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 40))])
@pytest.mark.parametrize("name", list_templates())
def test_mistakes_are_told_as_problems(name: str, seed: int) -> None:
    config = mistaken(read(template(name)), random.Random(f"{name} {seed}"))
    with suppress(ConfigError):
        from_mapping(config, name=name)
