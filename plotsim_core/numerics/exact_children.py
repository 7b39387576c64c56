"""Exactly N children of numbered parents: how many each has, and whose a child is, any of them alone.

A tree over the parents splits the children. How unequal parents are is only how the share of a node's left half is made:

- equal: the share of parents there is. Counts are multinomial.
- `shape` r: a beta draw of r times the parents on either side. Counts are negative binomial with that shape, given their sum
  (a Dirichlet-multinomial, exact by the aggregation of the Dirichlet distribution).
- `zipf` s: the weight of the ranks there are, rank k having k**-s. The tree stands over
  ranks, which a keyed permutation gives to parents.

`least` is dealt to every parent first, and each split is clipped to what both halves can hold, so that `least`, `most` and
the sum are exact. Children are numbered in the order of parents, with `zipf` of ranks. Another number of parents is another
tree, and moves counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.binomial import binomial
from plotsim_core.numerics.permutation import shuffled, unshuffled
from plotsim_core.numerics.random import Words, key, uniforms
from plotsim_core.numerics.split_tree import SplitTree, node_addresses

_FIRST_RANKS = 32
"""Ranks whose weights are added one by one."""
_SHARE = 2.0**30
"""Shares from SciPy are rounded to so many parts, so that the last bit of one hardly ever reaches a count."""


@dataclass(frozen=True)
class ExactChildren:
    """`total` children of `parents` parents, each having `least` to `most` (None: any number); equal, or unequal by a
    `shape` (0.01 to 1000, the smaller the more unequal) or by an exponent `zipf` (0.01 to 10). Streams are those of `seed`
    and `name`.

    Raises ValueError for a total that the bounds do not allow, and for both `shape` and `zipf`.
    """

    seed: int
    name: str
    total: int
    parents: int
    shape: float | None = None
    zipf: float | None = None
    least: int = 0
    most: int | None = None

    def __post_init__(self) -> None:
        low, high = self.parents * self.least, self.parents * self._largest
        if self.shape is not None and self.zipf is not None:
            raise ValueError("expected `shape` or `zipf`, found both")
        if self.parents < 1 or not low <= self.total <= high:
            raise ValueError(
                f"{self.total} rows do not fit {self.parents} parents with {self.least} to {self._largest} each"
            )

    def counts(self, parents: Integers | range) -> Integers:
        """Return how many children each of some parents has, shape (parents,). Parents next to each other take 0.5 µs each,
        single ones the height of the tree."""
        ranks = parents if self.zipf is None else self._ranks(np.asarray(parents, dtype=np.int64))
        return self._tree.of_places(ranks)[1]

    def parents_of(self, children: Integers | range) -> tuple[Integers, Integers]:
        """Return the parent of each of some children, by their numbers (0 to `total`), and its number among the parent's;
        both have shape (children,)."""
        ranks, numbers = self._tree.of_rows(children)
        if self.zipf is None:
            return ranks, numbers
        return unshuffled(ranks, self.parents, self._rank_keys), numbers

    @property
    def _largest(self) -> int:
        return self.total if self.most is None else min(self.most, self.total)

    @property
    def _tree(self) -> SplitTree:
        return SplitTree(self.total, (self.parents - 1).bit_length(), self._split)

    @property
    def _rank_keys(self) -> Words:
        return np.array([key(self.seed, self.name, "rank")])

    def _ranks(self, parents: Integers) -> Integers:
        return shuffled(parents, self.parents, self._rank_keys)

    def _split(self, level: int, nodes: Integers, counts: Integers) -> Integers:
        """Return the children of the left half of each node."""
        low, middle, high = (np.minimum((nodes << level) + (half << (level - 1)), self.parents) for half in range(3))
        left, right = middle - low, high - middle
        address = node_addresses(0, level, nodes)
        spare = counts - (high - low) * self.least
        chance = self._share(low, left, right, address, spare)
        extra = binomial(spare, chance, uniforms(key(self.seed, self.name, "split"), address))
        room = self._largest - self.least
        clipped: Integers = np.clip(extra, spare - np.minimum(spare, right * room), np.minimum(spare, left * room))
        left_counts: Integers = clipped + left * self.least
        return left_counts

    def _share(self, low: Integers, left: Integers, right: Integers, address: Words, spare: Integers) -> Floats:
        """Return the share of its left half that each node has; `left` and `right` are the parents of the halves."""
        if self.zipf is not None:
            share = _ranks_weight(low, left, self.zipf) / _ranks_weight(low, left + right, self.zipf)
        elif self.shape is not None:
            share = np.ones(len(left))
            is_split = np.flatnonzero((right > 0) & (spare > 0))
            draws = uniforms(key(self.seed, self.name, "share"), address[is_split])
            share[is_split] = betaincinv(self.shape * left[is_split], self.shape * right[is_split], draws)
        else:
            equal: Floats = left / (left + right)
            return equal
        return np.clip(np.rint(share * _SHARE) / _SHARE, 0.0, 1.0)


def _ranks_weight(first: Integers, count: Integers, exponent: float) -> Floats:
    """Return the sum of k**-`exponent` over `count` ranks k after the first `first`: the first ranks one by one, the others
    by the sum formula of Euler and Maclaurin. Its rest is below 1e-4 of a rank there."""
    last = first + count
    sums = np.concatenate([[0.0], np.cumsum(np.arange(1, _FIRST_RANKS + 1, dtype=np.float64) ** -exponent)])
    head = sums[np.minimum(last, _FIRST_RANKS)] - sums[np.minimum(first, _FIRST_RANKS)]
    low, high = (np.maximum(rank, _FIRST_RANKS).astype(np.float64) for rank in (first, last))
    growth = np.log(high / low)
    area = growth if exponent == 1.0 else np.expm1((1.0 - exponent) * growth) / (1.0 - exponent)
    edges = (high**-exponent - low**-exponent) / 2.0
    slopes = exponent / 12.0 * (high ** (-exponent - 1.0) - low ** (-exponent - 1.0))
    weight: Floats = head + low ** (1.0 - exponent) * area + edges - slopes
    return weight
