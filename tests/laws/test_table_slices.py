"""Slices of tables: the parts that `slices` gives, made in any order and put one after the other, are the whole table."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from plotsim_core import Plan, TableSlice, UsageError, make, slices
from plotsim_core.tables.slices import cuts_of
from plotsim_core.tables.stages import stage_names
from tests.laws.made import DATASETS, afresh, bundled, differing, made_table
from tests.marks import slow_but

PARTS = (1, 3, 17, 61)


def part_rows(plan: Plan, parts: list[TableSlice]) -> pa.Table:
    """Return the rows of slices, made from the last to the first, as they follow each other."""
    tables = [make(plan, pickle.loads(pickle.dumps(part))).read_all() for part in reversed(parts)]
    return pa.concat_tables(reversed(tables)).combine_chunks()


@pytest.mark.parametrize("name", slow_but(DATASETS, "minimal"))
def test_the_parts_are_the_whole(name: str) -> None:
    plan = bundled(name)
    for number, table in enumerate([*(table.name for table in plan.tables), *stage_names(plan)]):
        whole = made_table(plan, table)
        for parts in (1, PARTS[1 + number % 3]):
            cut = slices(plan, [table], parts)
            assert len(cut) >= 1, (table, parts)
            assert not differing(part_rows(afresh(plan), cut), whole), (table, parts)


@pytest.mark.parametrize("name", DATASETS)
def test_every_cut_that_a_table_has_gives_the_whole_and_no_other_is_taken(name: str) -> None:
    plan = bundled(name)
    assert plan.stop is not None
    first = max(plan.first, plan.stop - 5)
    for table in plan.tables:
        whole, cuts = made_table(plan, table.name, first), cuts_of(plan, table)
        for cut in ("periods", "units", "rows"):
            if cut in cuts:
                assert not differing(part_rows(afresh(plan), slices(plan, [table.name], 4, first=first, by=cut)), whole), (
                    table.name,
                    cut,
                )
                continue
            with pytest.raises(UsageError, match=f"{table.name} cannot be cut by {cut}; it is "):
                slices(plan, [table.name], 4, by=cut)
            if cut != "periods":
                part = slices(plan, [table.name])[0]
                with pytest.raises(UsageError, match=f"cannot be cut by {cut}"):
                    make(plan, TableSlice(table.name, part.first, part.stop, **{cut: (0, 1)}))
