"""Work that is counted, and not timed: normals that are drawn and stages that are computed for a cell."""

from __future__ import annotations

import numpy as np
import pytest

from plotsim_core import Plan, batches, load_template
from plotsim_core.engine import correlated
from plotsim_core.engine.noised import noised
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.random import Words, normals
from tests.laws.made import afresh, chunks_of

MOST = 1.1
"""So many times may a cell be drawn: blocks that follow each other share the periods that they look back to."""


def counted(monkeypatch: pytest.MonkeyPatch, table: str, plan: Plan, cells: int) -> tuple[int, int]:
    """Return how many shocks were drawn and how many stored values were computed for a table, cut into blocks."""
    drawn, computed = [0], [0]

    def drawing(stream: np.uint64, address: Words) -> Floats:
        drawn[0] += address.size if address.ndim == 2 else 0  # those of units and periods
        return normals(stream, address)

    def storing(*arguments: object) -> Floats:
        values = noised(*arguments)  # type: ignore[arg-type]
        computed[0] += values.size
        return values

    monkeypatch.setattr(correlated, "normals", drawing)
    monkeypatch.setattr("plotsim_core.engine.block.noised", storing)
    with chunks_of(cells):
        for _ in batches(plan, table)[1]:
            pass
    return drawn[0], computed[0]


@pytest.mark.slow
@pytest.mark.parametrize("periods", [10, 50])
def test_blocks_draw_a_cell_once(monkeypatch: pytest.MonkeyPatch, periods: int) -> None:
    """However short the blocks are, though a metric persists over some thirty periods."""
    plan = afresh(load_template("delivery"))
    assert plan.stop is not None
    units, metrics = plan.population.units, len(plan.population.metrics)
    look_back = max(correlated.look_back(plan.population, metric) for metric in range(metrics))
    drawn, computed = counted(monkeypatch, "fct_day", plan, units * periods)
    cells = units * (plan.stop - plan.first + look_back) * metrics
    assert drawn <= MOST * cells
    assert computed <= units * (plan.stop - plan.first) * metrics, "each stored value once, the crossing's included"
