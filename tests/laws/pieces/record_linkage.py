"""Sources: two or three systems with other keys, that lack units, have them twice, and spell them otherwise."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_RATES = st.sampled_from([0.0, 0.2, 0.7, 1.0])


def add(draw: st.DrawFn, raw: dict[str, Any]) -> None:
    """Add sources to a config whose units have a name and other texts."""
    scheme = st.sampled_from(["prefix_padded", "numeric", "uuid_short"])
    raw["sources"] = [
        {
            "name": name,
            "key_scheme": draw(scheme),
            "name_drift_rate": draw(_RATES),
            "attribute_drift_rate": draw(_RATES),
            "missing_rate": draw(st.sampled_from([0.0, 0.3])),
            "duplicate_rate": draw(_RATES),
        }
        for name in ("crm", "erp", "web")[: draw(st.integers(2, 3))]
    ]
