"""Names, lists and numbers as the sentences of a description have them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_LISTED = 6
"""How many values a sentence lists."""


def phrase(name: str) -> str:
    """Return a name as words within a sentence: `plan_tier` as "plan tier"."""
    return name.replace("_", " ").strip()


def capitalised(text: str) -> str:
    """Return a text as a sentence begins: with a capital."""
    return f"{text[:1].upper()}{text[1:]}"


def plural(noun: str) -> str:
    """Return what several of a noun are called: companies, branches, sales reps."""
    if re.search("[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if re.search("(s|x|z|ch|sh)$", noun) else f"{noun}s"


def enumeration(values: Iterable[Any], most: int = _LISTED) -> str:
    """Return values in a row, each once: "a, b, c", and of more than `most` the first ones and how many follow."""
    texts = list(dict.fromkeys(map(str, values)))
    rest_count = len(texts) - most
    return ", ".join(texts) if rest_count <= 0 else f"{', '.join(texts[:most])} and {rest_count} more"


def number_text(value: float) -> str:
    """Return a number as a sentence has it: 20,000 or 0.35."""
    if abs(value) < 1:
        return f"{value:.3g}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def range_text(pair: tuple[int, int]) -> str:
    """Return how many there are at least and at most: "2 to 8", or the number where both are one."""
    low, high = pair
    return f"{low}" if low == high else f"{low} to {high}"
