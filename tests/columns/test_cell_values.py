"""Values of cells for rows are those of the block, also where they are computed of parts of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from plotsim_core import load_template
from plotsim_core.columns.cell_values import cell_values
from plotsim_core.columns.rows import Rows
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.tiers import band_starts
from plotsim_core.tables.fact import rows_of_cells
from tests.laws.made import afresh

BAND_EDGES = (0.35, 0.75)
LAYERS: dict[str, Callable[[Block], NDArray[Any]]] = {
    "positions": Block.positions,
    "stored values": lambda block: block.noised(0),
    "starts of bands": lambda block: band_starts(block, 0, BAND_EDGES),
}
DAYS, UNITS = 6, 120
CASES = {
    "all units in the last day, few before": (0.01, 1.0),
    "few units throughout": (0.01, 0.01),
    "none before": (0.0, 0.9),
    "all units throughout": (1.0, 1.0),
    "none at all": (0.0, 0.0),
}
"""The share of cells with rows before the last day, and on it."""


def block() -> Block:
    """Return days of a population that knows no state yet."""
    population = afresh(load_template("streaming")).population
    return Block(population, Slice(population.first + 40, population.first + 40 + DAYS, 0, UNITS))


def some_rows(of: Block, before: float, last: float) -> Rows:
    draws = np.random.default_rng(5).random(of.shape)
    return rows_of_cells(of, (draws < np.where(np.arange(DAYS) < DAYS - 1, before, last)[:, None]) & of.tenured)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("shares", CASES.values(), ids=CASES)
@pytest.mark.parametrize("knows_later_state", [False, True])
def test_values_of_parts_are_those_of_the_block(
    layer: Callable[[Block], NDArray[Any]], shares: tuple[float, float], knows_later_state: bool
) -> None:
    whole, other = block(), block()
    if knows_later_state:  # the bands of the block follow from those after it
        band_starts(Block(other.population, Slice(other.slice.stop - 1, other.slice.stop, 0, UNITS)), 0, BAND_EDGES)
    rows, other_rows = some_rows(whole, *shares), some_rows(other, *shares)
    expected = layer(whole).ravel()[rows.cell]
    assert np.array_equal(cell_values(other_rows, layer), expected)


def test_few_rows_compute_few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the day in which all units have a row that day alone, and of others the units that have some."""
    of = block()
    rows = some_rows(of, 0.01, 1.0)
    sizes: list[int] = []

    def counted(part: Block) -> NDArray[Any]:
        values = part.noised(0)
        sizes.append(values.size)
        return values

    cell_values(rows, counted)
    sparse_units = len(np.unique(rows.unit[rows.period < of.slice.stop - 1]))
    assert 0 < sparse_units <= UNITS / 8
    assert sum(sizes) <= UNITS + DAYS * sparse_units
