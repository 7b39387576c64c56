"""Pieces of the language that random configs are put together from, a theme each.

A piece is `add(draw, raw)`: it adds its theme to a config that loads (or leaves one alone that has no place for it), so
that it still loads. Each law test draws any of them together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.laws.pieces import (
    bridges,
    cadence,
    calendar,
    columns,
    effects,
    keys,
    lives,
    matching,
    output,
    quality,
    record_linkage,
    references,
    relations,
    rules,
    shapes,
    units,
    zones,
)

PIECES: tuple[Callable[[st.DrawFn, dict[str, Any]], None], ...] = (
    calendar.add,
    bridges.add,
    columns.add,
    record_linkage.add,
    units.add,
    relations.add,
    quality.add,
    output.add,
    matching.add,
    cadence.add,
    lives.add,
    shapes.add,
    keys.add,
    references.add,
    effects.add,
    rules.add,
    zones.add,
)
