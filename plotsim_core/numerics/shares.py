"""Exact shares: of any first n things of a sequence as many are of a kind as its share of n, rounded up or down.

Whether a thing is, follows from its number alone; that more things come moves none of those before.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.random import Words, fold, uniforms, words

_WHOLE = 1_000_000_000
"""Parts of a whole that a share is counted in: whole numbers decide, so that no last bit does."""
_LARGEST_CYCLE = 10_000
"""Largest length of a cycle; shares that fit in none are rounded to this part."""
_CLOSE = 1e-9


@lru_cache(maxsize=64)
def cycle(shares: tuple[float, ...]) -> NDArray[np.intp]:
    """Return a cycle of kinds, one for each number: number i of the sequence is of the kind `cycle[i % len(cycle)]`.

    `shares` are those of the kinds, above 0; they are taken as parts of their sum. The quota method (Balinski and Young,
    "The quota method of apportionment", 1975): each number goes to the kind that is most behind among those below their
    share.
    """
    parts = np.array(shares) / sum(shares)
    lengths = np.arange(1, _LARGEST_CYCLE + 1)[:, None]
    is_exact = np.all(np.abs(lengths * parts - np.rint(lengths * parts)) <= _CLOSE * lengths, axis=1)
    length = int(np.argmax(is_exact)) + 1 if is_exact.any() else _LARGEST_CYCLE
    counts = np.floor(length * parts + _CLOSE * length).astype(np.int64)
    most_behind = np.argsort(counts - length * parts, kind="stable")
    counts[most_behind[: length - int(counts.sum())]] += 1
    assigned = np.zeros(len(parts), dtype=np.int64)
    kinds = np.empty(length, dtype=np.intp)
    for number in range(length):
        priority = counts / (assigned + 1)
        priority[assigned * length >= (number + 1) * counts] = -1.0  # it has its share already
        kinds[number] = np.argmax(priority)
        assigned[kinds[number]] += 1
    return kinds


def in_share(numbers: Integers, share: float, stream: np.uint64, address: Words) -> NDArray[np.bool_]:
    """Return which numbers, counted from 0, of sequences with these addresses are chosen, each with probability `share`.

    A sequence is cut into stretches of 1 / share numbers, whose ends may lie within a number; one of each stretch is drawn.
    A number on an end belongs to either side by its lengths there, and is drawn from that side with probability `share`;
    what is left is drawn evenly from the whole numbers of the stretch. So a number needs the draws of two stretches at most,
    whatever its place. Above one half, those that are not chosen are drawn.

    It is fastest where numbers of a sequence follow each other.
    """
    part = round(share * _WHOLE)
    if 2 * part > _WHOLE:
        return ~_chosen_minority(numbers, _WHOLE - part, stream, address)
    return _chosen_minority(numbers, part, stream, address)


def _chosen_minority(numbers: Integers, part: int, stream: np.uint64, address: Words) -> NDArray[np.bool_]:
    """Return which numbers are chosen, `part` of `_WHOLE` of them, at most half."""
    if part == 0 or not len(numbers):
        return np.zeros(len(numbers), dtype=np.bool_)
    stretch = numbers * part // _WHOLE
    starts = np.flatnonzero(np.append(True, (np.diff(stretch) != 0) | (address[1:] != address[:-1])))
    drawn_numbers = _drawn_numbers(stretch[starts], part, stream, address[starts])
    is_chosen: NDArray[np.bool_] = numbers == np.repeat(drawn_numbers, np.diff(np.append(starts, len(numbers))))
    on_end = np.flatnonzero((numbers + 1) * part > (stretch + 1) * _WHOLE)
    is_chosen[on_end] |= numbers[on_end] == _drawn_numbers(stretch[on_end] + 1, part, stream, address[on_end])
    return is_chosen


def _drawn_numbers(stretch: Integers, part: int, stream: np.uint64, address: Words) -> Integers:
    """Return the number that is drawn from each stretch."""
    share = part / _WHOLE
    first, stop = -(-stretch * _WHOLE // part), (stretch + 1) * _WHOLE // part
    left_share = share * (_starts_within(stretch, part) & ~_goes_left(stretch - 1, part, stream, address))
    right_share = share * (_starts_within(stretch + 1, part) & _goes_left(stretch, part, stream, address))
    u = uniforms(stream, fold(address, words(2 * stretch)))
    inner = (u - left_share - right_share) / (1.0 - left_share - right_share)
    offset = np.minimum((inner * (stop - first)).astype(np.int64), stop - first - 1)
    return np.where(inner >= 0, first + offset, np.where(u < left_share, first - 1, stop))


def _starts_within(stretch: Integers, part: int) -> NDArray[np.bool_]:
    """Return which stretches begin within a number."""
    is_start: NDArray[np.bool_] = stretch * _WHOLE % part != 0
    return is_start


def _goes_left(stretch: Integers, part: int, stream: np.uint64, address: Words) -> NDArray[np.bool_]:
    """Return where the number on which a stretch ends belongs to it, and not to the next one."""
    length = (stretch + 1) * _WHOLE % part
    return uniforms(stream, fold(address, words(2 * stretch + 1))) < length / part
