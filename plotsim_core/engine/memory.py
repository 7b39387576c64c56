"""What is computed once for the life of an object: the stages of a block, the columns of rows."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

Value = TypeVar("Value")
Parts = ParamSpec("Parts")


class Memory:
    """Values by key, each computed when it is first asked for and kept as long as the memory lives."""

    def __init__(self) -> None:
        self._values: dict[Hashable, Any] = {}

    def cached(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return `compute()`, computed once for a key."""
        if key not in self._values:
            self._values[key] = compute()
        value: Value = self._values[key]
        return value


Owner = TypeVar("Owner", bound=Memory)


def stage(function: Callable[Concatenate[Owner, Parts], Value]) -> Callable[Concatenate[Owner, Parts], Value]:
    """Return a function of a block (or another memory) that computes its value once for each of its other arguments."""

    @wraps(function)
    def value(owner: Owner, /, *parts: Parts.args, **named: Parts.kwargs) -> Value:
        return owner.cached((function, parts, *named.items()), lambda: function(owner, *parts, **named))

    return value
