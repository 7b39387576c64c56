"""The rows that are judged of some periods are those of all rows restored, however many lie beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from plotsim_core import Plan, api
from plotsim_core.validation.store import StoredData, find_store
from tests.laws.made import bundled

BROKEN = ("healthcare", "streaming")
"""Bundled datasets that are broken on purpose: late, again, corrected, twice, not at all, with other values and names."""


def judged(store: StoredData, plan: Plan, first: int, stop: int) -> None:
    """The rows of each table that is broken are the same, restored alone and with all others."""
    part = replace(store, first=first, stop=stop, memory=type(store.memory)())
    low, high = part.key_range
    for table in (table for table in part.tables if table.time is not None and plan.table(table.name).issues):
        whole = f"(FROM {part.full_relation(table)} WHERE {table.time} BETWEEN {low} AND {high})"
        for one, other in ((whole, part.relation(table)), (part.relation(table), whole)):
            ((count,),) = part.connection.sql(f"SELECT count(*) FROM (FROM {one} EXCEPT ALL FROM {other})").fetchall()
            assert count == 0, table.name
        ((count,),) = part.connection.sql(f"SELECT count(*) FROM {whole}").fetchall()
        assert count > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_rows_of_some_periods_are_restored_as_all_are(name: str, tmp_path: Path) -> None:
    plan = bundled(name)
    assert plan.stop is not None
    stop = min(plan.stop, plan.first + 60)
    api.write_tables(
        plan, tmp_path, format="parquet", periods=f"{plan.grain.label(plan.first)}..{plan.grain.label(stop - 1)}"
    )
    with find_store(plan, tmp_path) as store:
        middle = (plan.first + stop) // 2
        for first, end in ((middle, middle + 1), (plan.first, middle), (stop - 1, stop)):
            judged(store, plan, first, end)
