"""A number of rows split down a binary tree over numbered places, so that the rows of any place are known alone.

Each node splits its rows between its two halves, by a draw at the node's own address. What lies left of a node never has to
be made: a walk costs the height of the tree, and places next to each other share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plotsim_core.numerics.arrays import Flags, Integers
from plotsim_core.numerics.random import Words, fold, key, words

Split = Callable[[int, Integers, Integers], Integers]
"""From a level, nodes of it and their rows to the rows of the left half of each."""

_ROOT = key(0, "node")


def node_addresses(tree: int, level: Integers | int, nodes: Integers) -> Words:
    """Return the addresses of nodes of the tree of a number, of one level or of a level each. Places are nodes of level 0,
    what lies within them has negative levels."""
    root = fold(np.array([_ROOT]), words(np.array([tree])))
    return fold(fold(root, words(np.atleast_1d(level))), words(nodes))


@dataclass(frozen=True)
class SplitTree:
    """`total` rows over 2**`height` places, by `split`."""

    total: int
    height: int
    split: Split

    def of_places(self, places: Integers | range) -> tuple[Integers, Integers]:
        """Return the rows before each of some places, and its own; both have shape (places,)."""
        wanted, inverse = _sorted(places)
        _, firsts, counts = self._descend(lambda low, high, first, stop: holding(wanted, low, high))
        return firsts[inverse], counts[inverse]

    def of_rows(self, rows: Integers | range) -> tuple[Integers, Integers]:
        """Return the place of each of some rows, by their numbers in the order of places, and its number in the place."""
        wanted, inverse = _sorted(rows)
        places, firsts, counts = self._descend(lambda low, high, first, stop: holding(wanted, first, stop))
        numbers = np.asarray(wanted, dtype=np.int64)
        indexes = np.searchsorted(firsts + counts, numbers, side="right")
        return places[indexes][inverse], (numbers - firsts[indexes])[inverse]

    def _descend(
        self, is_wanted: Callable[[Integers, Integers, Integers, Integers], Flags]
    ) -> tuple[Integers, Integers, Integers]:
        """Return the places that are wanted, in order, the rows before each and its own. A node is left out if nothing is
        wanted of its places `low` to `high` and its rows `first` to `stop`."""
        nodes, firsts, counts = np.zeros(1, np.int64), np.zeros(1, np.int64), np.full(1, self.total, dtype=np.int64)
        for level in range(self.height, -1, -1):
            low = nodes << level
            chosen = is_wanted(low, low + (1 << level), firsts, firsts + counts)
            nodes, firsts, counts = nodes[chosen], firsts[chosen], counts[chosen]
            if level:
                nodes, firsts, counts = halves(nodes, firsts, counts, self.split(level, nodes, counts))
        return nodes, firsts, counts


def halves(nodes: Integers, firsts: Integers, counts: Integers, left: Integers) -> tuple[Integers, Integers, Integers]:
    """Return the halves of nodes in order: their numbers on the level below, the rows before them, and their rows."""
    lower = np.repeat(nodes * 2, 2)
    lower[1::2] += 1
    lower_firsts, lower_counts = np.repeat(firsts, 2), np.empty(2 * len(nodes), dtype=np.int64)
    lower_firsts[1::2] += left
    lower_counts[::2], lower_counts[1::2] = left, counts - left
    return lower, lower_firsts, lower_counts


def holding(wanted: Integers | range, low: Integers, high: Integers) -> Flags:
    """Return which stretches from `low` to `high` (exclusive) hold one of the wanted numbers, which rise."""
    if isinstance(wanted, range):
        is_overlapping: Flags = (high > wanted.start) & (low < wanted.stop) & (high > low)
        return is_overlapping
    return np.searchsorted(wanted, high) > np.searchsorted(wanted, low)


def _sorted(numbers: Integers | range) -> tuple[Integers | range, Integers | slice]:
    """Return numbers in rising order without repetition, and where each lies among them."""
    if isinstance(numbers, range):
        return numbers, slice(None)
    wanted, inverse = np.unique(numbers, return_inverse=True)
    return wanted, inverse
