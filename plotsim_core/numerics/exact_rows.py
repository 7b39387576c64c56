"""Exactly N rows in each span of periods: how many each period has, and when each row happens, any of them alone.

Spans follow each other from the window's first period and have their own N rows; no end of a window is read. Over the
periods of a span stands a tree that splits its rows by the weights of the periods, which are whole numbers, so that their
sums are exact in any order. Below a period, nodes halve what happens in it rather than its time, each with chance one half:
rows get a *share*, of which a rhythm makes a moment, and so no rhythm within periods moves a row. A node with at most 256
rows is a leaf: its rows draw their shares, which are sorted. Rows are numbered in the order of time, without gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.binomial import binomial
from plotsim_core.numerics.random import fold, key, mix, uniforms, words
from plotsim_core.numerics.split_tree import SplitTree, halves, holding, node_addresses

Weights = Callable[[Integers], Integers]
"""From period numbers to whole weights, each by itself."""

WEIGHT = 1_000_000
"""What a period of usual weight weighs."""
LARGEST_SUM = 2**53
"""Largest sum of the weights of a span: up to it, shares of them are exact quotients."""

_LEAF = 256
_BITS = 40
"""A period's share has so many bits."""
_SORTED = 1 << 15
"""Rows that are sorted at a time, about: what bounds memory, and fits into a cache."""
_SPANS = 16
"""Spans whose counts a process keeps, 8 bytes per period each."""


@dataclass(frozen=True, eq=False)
class ExactRows:
    """`total` rows in each `span` periods from the period `first` on, by `weights` of the periods. Streams are those of
    `seed` and `name`. Rows of spans after the first go on in numbers.

    Raises ValueError for fewer than no rows, or no periods.
    """

    seed: int
    name: str
    total: int
    first: int
    span: int
    weights: Weights

    def __post_init__(self) -> None:
        if self.total < 0 or self.span < 1:
            raise ValueError(f"expected rows in at least one period, found {self.total} rows in {self.span} periods")

    def counts(self, periods: Integers) -> Integers:
        """Return how many rows each of some periods has, shape (periods,). There are none before the first period."""
        return self.before(periods + 1) - self.before(periods)

    def before(self, periods: Integers) -> Integers:
        """Return how many rows there are before each of some periods, shape (periods,): the number of its first row."""
        spans, offsets = np.divmod(np.maximum(periods - self.first, 0), self.span)
        firsts = spans * self.total
        for span in np.unique(spans).tolist():
            chosen = spans == span
            firsts[chosen] += _starts(self, span)[offsets[chosen]]
        return firsts

    def range_of(self, first: int, stop: int) -> tuple[int, int]:
        """Return the number of the first row of the periods `first` to `stop` (exclusive), and the one after the last."""
        low, high = self.before(np.array([first, stop], dtype=np.int64)).tolist()
        return low, high

    def periods_and_shares(self, rows: Integers | range) -> tuple[Integers, Floats]:
        """Return the period of each of some rows, by their numbers (0 and up), and which share of what happens in the period
        lies before it, in [0, 1); both have shape (rows,).

        Shares rise with the number within a period. Rows whose numbers follow each other take 100 ns each, single ones
        20 µs.
        """
        if isinstance(rows, range):
            wanted, inverse = np.arange(rows.start, rows.stop, dtype=np.int64), None
        elif len(rows) < 2 or bool(np.all(rows[1:] > rows[:-1])):
            wanted, inverse = rows, None
        else:
            wanted, inverse = np.unique(rows, return_inverse=True)
        periods, shares = np.empty(len(wanted), dtype=np.int64), np.empty(len(wanted))
        spans = wanted // max(self.total, 1)
        edges = [0, *(np.flatnonzero(np.diff(spans)) + 1).tolist(), len(wanted)]
        for start, stop in pairwise(edges):
            if stop > start:
                span = int(spans[start])
                places = _places(self, span, wanted[start:stop] - span * self.total)
                periods[start:stop] = (places >> _BITS) + (self.first + span * self.span)
                shares[start:stop] = (places & ((1 << _BITS) - 1)) * 2.0**-_BITS
        return (periods, shares) if inverse is None else (periods[inverse], shares[inverse])


def whole_weights(weights: Floats) -> Integers:
    """Return whole weights for weights whose usual value is 1, to a millionth."""
    return np.rint(weights * WEIGHT).astype(np.int64)


@lru_cache(maxsize=_SPANS)
def _starts(rows: ExactRows, span: int) -> Integers:
    """Return the rows before each period of a span, and all of them: shape (periods + 1,).

    Raises ValueError if no period has a weight, one has less than none, or their sum is too large.
    """
    first, height = rows.first + span * rows.span, (rows.span - 1).bit_length()
    weights = rows.weights(np.arange(first, first + rows.span, dtype=np.int64))
    sums = np.full((1 << height) + 1, int(weights.sum()), dtype=np.int64)
    sums[0] = 0
    np.cumsum(weights, out=sums[1 : rows.span + 1])
    if weights.min() < 0 or not 0 < sums[-1] <= LARGEST_SUM:
        raise ValueError(f"expected weights of at least 0 that add up to 1 to 2**53, found {weights.min()} to {sums[-1]}")
    stream = key(rows.seed, rows.name, "split")

    def split(level: int, nodes: Integers, counts: Integers) -> Integers:
        low, middle, high = (sums[(nodes << level) + (half << (level - 1))] for half in range(3))
        chance = (middle - low) / np.maximum(high - low, 1)
        return binomial(counts, chance, uniforms(stream, node_addresses(span, level, nodes)))

    starts, _ = SplitTree(rows.total, height, split).of_places(range(rows.span))
    return np.append(starts, rows.total)


def _places(rows: ExactRows, span: int, wanted: Integers) -> Integers:
    """Return where in a span some of its rows are: the period and the share of it, as one whole number. The rows rise."""
    places = np.empty(len(wanted), dtype=np.int64)
    for levels, nodes, firsts, counts in _leaves(rows, span, wanted):
        begin, end = np.searchsorted(wanted, (firsts[0], firsts[-1] + counts[-1]))
        numbers = wanted[begin:end]
        sorted_places = _sorted_places(rows, span, levels, nodes, counts)
        if len(numbers) < len(sorted_places):
            leaf = np.searchsorted(firsts, numbers, side="right") - 1
            sorted_places = sorted_places[(np.cumsum(counts) - counts - firsts)[leaf] + numbers]
        places[begin:end] = sorted_places
    return places


def _leaves(rows: ExactRows, span: int, wanted: Integers) -> Iterator[tuple[Integers, Integers, Integers, Integers]]:
    """Yield the leaves that hold rows which are wanted, some thousand rows at a time: levels, nodes, the rows before and the
    rows of each, in the order of rows."""
    starts = _starts(rows, span)
    counts = np.diff(starts)
    nodes = np.flatnonzero(holding(wanted, starts[:-1], starts[1:])).astype(np.int64)
    stream = key(rows.seed, rows.name, "split")
    firsts, counts, leaves = starts[nodes], counts[nodes], []
    for level in range(0, -_BITS - 1, -1):
        is_leaf = (counts <= _LEAF) | (level == -_BITS)
        leaves.append((np.full(int(is_leaf.sum()), level, dtype=np.int64), nodes[is_leaf], firsts[is_leaf], counts[is_leaf]))
        nodes, firsts, counts = nodes[~is_leaf], firsts[~is_leaf], counts[~is_leaf]
        if not len(nodes):
            break
        left = binomial(counts, np.full(len(nodes), 0.5), uniforms(stream, node_addresses(span, level, nodes)))
        nodes, firsts, counts = halves(nodes, firsts, counts, left)
        is_wanted = holding(wanted, firsts, firsts + counts)
        nodes, firsts, counts = nodes[is_wanted], firsts[is_wanted], counts[is_wanted]
    joined = [np.concatenate(arrays) for arrays in zip(*leaves, strict=True)]
    order = np.argsort(joined[2], kind="stable")
    part = np.cumsum(joined[3][order]) // _SORTED
    for chosen in np.split(order, np.flatnonzero(np.diff(part)) + 1):
        levels, nodes, firsts, counts = (array[chosen] for array in joined)
        yield levels, nodes, firsts, counts


def _sorted_places(rows: ExactRows, span: int, levels: Integers, nodes: Integers, counts: Integers) -> Integers:
    """Return the places of all rows of some leaves, in order. Leaves do not overlap: one sort sorts each within itself."""
    leaf = np.repeat(np.arange(len(counts)), counts)
    numbers = np.arange(len(leaf), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    address = fold(node_addresses(span, levels, nodes)[leaf], words(numbers))
    depth = (-levels)[leaf]
    draws = mix(address + key(rows.seed, rows.name, "row")) >> (np.uint64(64 - _BITS) + depth.astype(np.uint64))
    places: Integers = draws.astype(np.int64) + (nodes[leaf] << (_BITS - depth))
    places.sort()
    return places
