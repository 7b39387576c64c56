"""Codes of units: from (segment, ordinal in it) to ten base-32 digits, without knowing any other segment.

A segment takes 22 bits, a hash of its name, so two names may meet (one pair in four million); that is refused at load. An
ordinal takes 28: units that a segment has from the start count from 0; of those who arrive later for ever, the ordinal is
`LATER`, `COHORT` for each cohort before theirs, and the number in their cohort. So it stays as it is while segments grow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.permutation import code, permute
from plotsim_core.numerics.random import Words, key

ORDINAL_BITS = 28
"""How many bits the ordinal of a unit has."""
_BITS = 50
_LENGTH = 10
LARGEST_SEGMENT = 1 << ORDINAL_BITS
"""How many units of a segment have codes of their own."""
LATER = LARGEST_SEGMENT >> 1
"""The first ordinal of those who arrive later, in segments whose arrivals are ongoing."""
COHORT = 1 << 18
"""How many units of a cohort have codes of their own."""
COHORTS = LATER // COHORT
"""How many cohorts there can be."""


def segment_number(name: str) -> int:
    """Return the number of a segment: the bits of its name's hash in the codes of its units."""
    return int(key(0, "segment code", name)) & ((1 << (_BITS - ORDINAL_BITS)) - 1)


def unit_codes(segments: Words, ordinals: NDArray[np.int64], seed: int) -> NDArray[np.str_]:
    """Return the code of each unit, from the number of its segment and its ordinal."""
    numbers = (segments << np.uint64(ORDINAL_BITS)) | ordinals.astype(np.uint64)
    return code(permute(numbers, _BITS, key(seed, "code")), _LENGTH)
