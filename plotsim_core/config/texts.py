"""Texts that are numbers: the values between commas of a `static` column, and the cells of a CSV file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite

_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)?(\.[0-9]+)?(?<=[0-9])([eE][-+]?[0-9]+)?")
_DIGITS = 19
"""Digits of a whole number of 64 bits, at most."""


def typed_values(texts: Sequence[str]) -> list[int] | list[float] | list[str]:
    """Return texts as whole numbers if all are, else as numbers if all are, else as they are.

    Texts stay what would not be the same as a number: 004, +49, a whole number beyond 64 bits, 1e400.
    """
    if not all(_NUMBER.fullmatch(text) and _fits(text) for text in texts):
        return list(texts)
    return [int(text) for text in texts] if all(map(_WHOLE.fullmatch, texts)) else [float(text) for text in texts]


def _fits(text: str) -> bool:
    if _WHOLE.fullmatch(text) is None:
        return isfinite(float(text))
    return len(text.lstrip("-")) <= _DIGITS and -(2**63) <= int(text) < 2**63
