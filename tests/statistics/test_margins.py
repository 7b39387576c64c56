"""At a fixed position a metric's values are of the declared family, with the declared mean, and not piled up on a bound."""

from __future__ import annotations

import pytest
from scipy import stats

from tests.statistics.margins import LEVEL, POSITIONS, Raw, margins_hold
from tests.statistics.samples import FAMILIES

SEEDS, DRAWS = 12, 100_000
MISSED = int(stats.binom.ppf(0.9999, SEEDS * len(POSITIONS), 3 * LEVEL))
"""How many samples may speak against the family, when three in a hundred do."""

MARGINS = [
    *((raw, True) for raw in FAMILIES.values()),
    *((raw, False) for raw in FAMILIES.values() if "range" in raw),
    ({"type": "count", "mean": [100, 5000]}, True),
    ({"type": "count", "mean": [100, 5000], "distribution": "negative_binomial"}, True),
]
"""Metrics, and whether their ranges truncate them."""


@pytest.mark.slow
@pytest.mark.parametrize(("raw", "truncated"), MARGINS)
def test_the_margin_at_a_position_is_the_declared_family(raw: Raw, truncated: bool) -> None:
    """Its mean follows the position within one per cent, under half a per cent lies on a bound, and nothing is constant."""
    actual = margins_hold(raw, SEEDS, DRAWS, truncated)
    assert SEEDS * len(POSITIONS) - sum(actual.held) <= MISSED, actual
    assert actual.mean_off < 0.01, actual
    assert actual.on_bound < 0.005, actual
    assert actual.deviation > 0, actual
