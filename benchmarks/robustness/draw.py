"""What a random config is drawn from: numbers and choices, all of one seed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Choices of one seed, in order."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def chance(self, share: float) -> bool:
        """Return True so often."""
        return self._random.random() < share

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return self._random.randint(low, max(low, high))

    def number(self, low: float, high: float, decimals: int = 3) -> float:
        """Return a number between two others."""
        return round(self._random.uniform(low, high), decimals)

    def scale(self, low: float, high: float) -> float:
        """Return a number between two positive ones, as often in each order of magnitude, with three digits."""
        return float(f"{math.exp(self._random.uniform(math.log(low), math.log(high))):.3g}")

    def one(self, choices: Sequence[T]) -> T:
        """Return one of some choices."""
        return self._random.choice(choices)

    def weighted(self, choices: dict[T, float]) -> T:
        """Return one of some choices, by their weights."""
        return self._random.choices(list(choices), list(choices.values()))[0]

    def some(self, choices: Sequence[T], least: int, most: int) -> list[T]:
        """Return `least` to `most` different ones of some choices, in any order."""
        most = min(most, len(choices))
        return self._random.sample(list(choices), self.whole(min(least, most), most))
