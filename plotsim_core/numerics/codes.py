"""Codes of units: from (segment, place in it) to ten base-32 digits, without knowing any other segment.

A segment takes 22 bits, a hash of its name, so two names may meet (one pair in four million); that is refused at load.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.permutation import code, permute
from plotsim_core.numerics.random import Words, key

_ORDINAL_BITS = 28
_BITS = 50
_LENGTH = 10
LARGEST_SEGMENT = 1 << _ORDINAL_BITS
"""How many units of a segment have codes of their own."""


def segment_number(name: str) -> int:
    """Return the bits that tell a segment's units from those of the others."""
    return int(key(0, "segment code", name)) & ((1 << (_BITS - _ORDINAL_BITS)) - 1)


def unit_codes(segments: Words, ordinals: NDArray[np.int64], seed: int) -> NDArray[np.str_]:
    """Return the code of each unit, from the number of its segment and its place in it."""
    numbers = (segments << np.uint64(_ORDINAL_BITS)) | ordinals.astype(np.uint64)
    return code(permute(numbers, _BITS, key(seed, "code")), _LENGTH)
