"""What is computed once for the life of an object: the stages of a block, the columns of rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from threading import Lock
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

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


class Recent(Generic[Value]):
    """The values that were asked for last: `least` of them, and up to `most` as long as their sizes, when they were made,
    add up to `limit` at most. Threads may share it, and may compute a value twice."""

    def __init__(self, least: int, most: int, limit: int, size: Callable[[Value], int]) -> None:
        self._least, self._most, self._limit, self._size_of = least, most, limit, size
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def value(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return `compute()`, or what it gave for the key before."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        value = compute()
        with self._lock:
            self._keep(key, value)
        return value

    def _keep(self, key: Hashable, value: Value) -> None:
        size = self._size_of(value)
        self._size += size - self._values.pop(key, (value, 0))[1]
        self._values[key] = value, size
        while len(self._values) > self._most or (len(self._values) > self._least and self._size > self._limit):
            self._size -= self._values.popitem(last=False)[1][1]


Owner = TypeVar("Owner", bound=Memory)


def stage(function: Callable[Concatenate[Owner, Parts], Value]) -> Callable[Concatenate[Owner, Parts], Value]:
    """Return a function of a block (or another memory) that computes its value once for each of its other arguments."""

    @wraps(function)
    def value(owner: Owner, /, *parts: Parts.args, **named: Parts.kwargs) -> Value:
        return owner.cached((function, parts, *named.items()), lambda: function(owner, *parts, **named))

    return value
