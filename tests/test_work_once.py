"""Work that is counted, and not timed: normals that are drawn and stages that are computed for a cell."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from plotsim_core import Plan, batches, load_template
from plotsim_core.columns import row_relations
from plotsim_core.columns.rows import Rows
from plotsim_core.engine import correlated
from plotsim_core.engine.block import Block
from plotsim_core.engine.checkpoints import checkpoints
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.noised import noised
from plotsim_core.engine.slice import Slice
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.random import Words, normals
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.state_changes import is_kept_by_change, state_changes
from tests.laws.made import afresh, chunks_of

MOST = 1.1
"""So many times may a cell be drawn: blocks that follow each other share the periods that they look back to."""


NUMBERS = 4
"""So many numbers of a unit has a saved state at most, beside its head."""


def counters(monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[int]]:
    """Return two lists of one number each: how many shocks are drawn from now on, and how many stored values computed."""
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
    return drawn, computed


def counted(monkeypatch: pytest.MonkeyPatch, table: str, plan: Plan, cells: int) -> tuple[int, int]:
    """Return how many shocks were drawn and how many stored values were computed for a table, cut into blocks."""
    drawn, computed = counters(monkeypatch)
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


@pytest.mark.slow
def test_a_day_takes_as_much_after_ten_years_as_after_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a service that subscribers join and leave every day: by who is there, however many there have been."""
    plan = afresh(load_template("streaming"))
    costs = []
    for day in (plan.first + 365, plan.first + 3650):
        for table in plan.tables:  # what is known of each unit by the day before
            new_rows(plan, table, day - 1)
        with monkeypatch.context() as patch:
            drawn, computed = counters(patch)
            for table in plan.tables:
                new_rows(plan, table, day)
        costs.append(np.array([drawn[0], computed[0]]) / new_rows(plan, plan.table("fct_viewing_day"), day))
    assert np.all(costs[1] <= 1.2 * costs[0])


def new_rows(plan: Plan, table: TablePlan, period: int) -> int:
    """Return how many rows a period adds to a table, or changes of it."""
    rows = (
        state_changes(plan, table, period, period + 1)
        if is_kept_by_change(table)
        else batches(plan, table.name, period, period + 1)[1]
    )
    return sum(batch.num_rows for batch in rows)


def test_saved_states_are_as_large_as_their_units_and_few() -> None:
    """Days made one by one leave some numbers of 64 bits for each unit, and a few more of them for twice the days."""
    plan = afresh(load_template("delivery"))
    event, units = "evt_resignation", plan.population.units
    sizes = {}
    for day in range(1, 201):
        for _ in batches(plan, event, plan.first + day - 1, plan.first + day)[1]:
            pass
        sizes[day] = [len(checkpoint.content) for checkpoint in checkpoints(plan)]
    assert max(sizes[200]) == max(sizes[1]) <= NUMBERS * 8 * units + 2048
    assert len(sizes[200]) <= len(sizes[100]) + 2 <= len(sizes[50]) + 4


def test_what_is_known_of_units_is_known_of_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of a day, as a report takes it, does not go through the days before it again."""
    plan = afresh(load_template("delivery"))
    day = plan.first + 100
    for _ in batches(plan, "evt_resignation", plan.first, day)[1]:
        pass
    units = plan.population.units // 3
    _, computed = counters(monkeypatch)
    alive(Block(plan.population, Slice(day, day + 1, 1, 1 + units)))
    assert computed[0] == units * len({ending.crossing.metric for ending in plan.population.endings})


@pytest.mark.parametrize("moment", [100, 90])
def test_what_is_known_of_parts_of_units_is_known_of_all(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """A dimension is made by runs of units. What their past has shown answers for all of them, on that day and before it."""
    plan = afresh(load_template("delivery"))
    population, stop = plan.population, plan.first + 100
    edges = [0, population.units // 3, population.units // 2, population.units]
    for first, last in pairwise(edges):
        alive(Block(population, Slice(plan.first, stop, first, last)))
    _, computed = counters(monkeypatch)
    day = plan.first + moment
    actual = alive(Block(population, Slice(day, day + 1, 0, population.units)))
    metrics = {ending.crossing.metric for ending in population.endings}
    assert computed[0] == (population.units * len(metrics) if moment == 100 else 0)
    expected = alive(Block(afresh(load_template("delivery")).population, Slice(day, day + 1, 0, population.units)))
    assert np.array_equal(actual, expected)


def test_rows_that_few_units_refer_to_are_made_of_these_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A return refers to a line, that to its order, that to a visit: those of who returns nothing are not made."""
    plan = afresh(load_template("ecommerce"))
    counts = []

    def counting(table: TablePlan, block: Block) -> Rows:
        counts.append((table.name, len(block.units)))
        return rows_in_block(table, block)

    rows_in_block = row_relations.rows_in_block
    monkeypatch.setattr(row_relations, "rows_in_block", counting)
    assert plan.stop is not None
    returns = batches(plan, "fct_returns", plan.stop - 10, plan.stop)[1]
    assert sum(batch.num_rows for batch in returns) > 0
    assert {name for name, _ in counts} >= {"fct_order_lines", "evt_session"}
    assert max(count for _, count in counts) <= plan.population.units / 2
