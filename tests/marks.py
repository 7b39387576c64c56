"""Which tests `make test` leaves to `make check`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Return the values of a parameter, all but some of them marked slow."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]
