"""One pass: tables that are made together have the rows that each has alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from plotsim_core import Plan, from_mapping, write_tables
from plotsim_core.engine import trajectories
from plotsim_core.engine.slice import Slice, full_slice
from plotsim_core.engine.trajectories import untreated
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables import one_pass
from plotsim_core.tables.build import build
from plotsim_core.tables.one_pass import OnePass, in_one_pass, made_together, passes
from tests.laws.made import DATASETS, afresh, bundled, chunks_of, differing, made_table

SHORT = {"ecommerce": 40, "streaming": 40, "delivery": 90}
"""Days of the datasets that have many."""


def read_in_one_pass(plan: Plan, slice_: Slice, folder: Path) -> dict[str, pa.Table]:
    """Return all tables of a plan, read one after the other."""
    return {
        table.name: pa.Table.from_batches(batches, plan.schema(table)).combine_chunks()
        for table, batches in zip(plan.tables, in_one_pass(plan, plan.tables, slice_, folder), strict=True)
    }


@pytest.mark.parametrize("cells", [1 << 10, 7])
@pytest.mark.parametrize("name", DATASETS)
def test_tables_have_the_rows_that_each_has_alone(name: str, cells: int, tmp_path: Path) -> None:
    """Whether a part has several periods, or one period several parts."""
    plan = bundled(name)
    assert plan.stop is not None
    first = max(plan.first, plan.stop - SHORT.get(name, 12))
    with chunks_of(cells):
        tables = read_in_one_pass(afresh(plan), full_slice(plan.population, first, plan.stop), tmp_path / "rows")
    for table in plan.tables:
        assert not differing(tables[table.name], made_table(plan, table.name, first)), table.name
    assert not list(tmp_path.glob("rows/*")), "what has been read waits no longer"


def test_tables_that_are_related_are_made_together() -> None:
    plan = bundled("ecommerce")
    groups = [[table.name for table in group] for group in made_together(plan, plan.tables)]
    assert [sorted(group) for group in groups] == [
        ["evt_review", "evt_session", "fct_order_lines", "fct_orders", "fct_returns"]
    ]


def test_tables_that_share_no_rows_are_not() -> None:
    assert made_together(bundled("saas"), bundled("saas").tables) == []


@pytest.fixture
def shop() -> Iterator[Plan]:
    with chunks_of(1 << 10):
        yield afresh(bundled("ecommerce"))


def test_a_table_that_fails_fails_where_it_is_read(shop: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        if table.name == "fct_returns" and slice_.stop > plan.first + 5:
            raise OSError("the lights are out")
        return build(plan, table, slice_)

    monkeypatch.setattr(one_pass, "build", failing)
    slice_ = full_slice(shop.population, shop.first, shop.first + 20)
    by_name = passes(shop, shop.tables, slice_, tmp_path)
    for name in ("fct_orders", "fct_order_lines"):
        rows = pa.Table.from_batches(by_name[name].batches(name), shop.table(name).schema)
        assert not differing(rows.combine_chunks(), made_table(shop, name, stop=slice_.stop))
    with pytest.raises(OSError, match="the lights are out"):
        list(by_name["fct_returns"].batches("fct_returns"))


def test_who_reads_a_table_again_or_breaks_off_gets_its_rows(shop: Plan, tmp_path: Path) -> None:
    slice_ = full_slice(shop.population, shop.first, shop.first + 20)
    tables = [shop.table("fct_orders"), shop.table("fct_order_lines")]
    shared = OnePass(shop, tables, slice_, tmp_path)
    next(shared.batches("fct_orders"))  # and no further
    for name in ("fct_orders", "fct_order_lines", "fct_order_lines"):
        rows = pa.Table.from_batches(shared.batches(name), shop.table(name).schema).combine_chunks()
        assert not differing(rows, made_table(shop, name, stop=slice_.stop)), name


@pytest.mark.slow
def test_a_run_computes_little_more_than_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the positions along trajectories, for the tables of a shop with too many cells for a block to be kept."""
    plan = from_mapping({**bundled("ecommerce").raw, "scale": 60}, name="ecommerce")
    counts = [0, 0]
    for number, groups in enumerate(([], made_together(plan, plan.tables))):

        def counting(*arguments: Any, number: int = number) -> Floats:
            values = untreated(*arguments)
            counts[number] += values.size
            return values

        with monkeypatch.context() as patch:
            patch.setattr(one_pass, "made_together", lambda plan, tables, groups=groups: groups)
            patch.setattr(trajectories, "untreated", counting)
            write_tables(afresh(plan), tmp_path / str(number), format="parquet", periods="2024-06-01..2024-08-31")
    assert counts[1] < 0.6 * counts[0], counts
