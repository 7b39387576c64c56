"""Which tests `make test` leaves to `make check`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def slow_but(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Return the values of a parameter, all but some of them marked slow; those that have a mark keep it."""
    return [value if _is_marked(value) or _plain(value) in quick else _slow(value) for value in values]


def _is_marked(value: Any) -> bool:
    """Return whether a value has a mark."""
    return isinstance(value, ParameterSet) and bool(value.marks)


def _plain(value: Any) -> Any:
    """Return a value without what pytest is told of it."""
    return value.values[0] if isinstance(value, ParameterSet) else value


def _slow(value: Any) -> ParameterSet:
    """Return a value marked slow."""
    if isinstance(value, ParameterSet):
        return pytest.param(*value.values, marks=pytest.mark.slow, id=value.id)
    return pytest.param(value, marks=pytest.mark.slow)
