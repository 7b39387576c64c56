"""The laws over datasets without units, with a window and without."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import Plan, slices, write_tables
from plotsim_core.tables.slices import TableSlice, make
from plotsim_core.validation.report import check_directory
from tests.laws.made import afresh, chunks_of, differing, made_table, names
from tests.laws.strategies import Raw, examples, plain, plan_of
from tests.laws.test_slice import hold_as_of, hold_periods


def hold_rows(before: Plan, after: Plan, tables: list[str]) -> None:
    """Check that all rows of one plan are there in another, as they were."""
    for name in tables:
        old, new = made_table(before, name), made_table(after, name)
        assert not differing(new.slice(0, len(old)).combine_chunks(), old), (name, differing(new.slice(0, len(old)), old))


@examples(20)
@given(plain(), st.data())
def test_rows_made_alone_are_those_of_the_whole(raw: Raw, data: st.DataObject) -> None:
    """In any order: what belongs to some rows of a table is cut with them."""
    plan = plan_of(raw)
    for name in names(plan):
        parts = slices(plan, [name], parts=data.draw(st.integers(1, 5)))
        tables = {part: make(afresh(plan), part).read_all() for part in reversed(parts)}
        rows = pa.concat_tables(tables[part] for part in parts).combine_chunks()
        assert not differing(rows, made_table(plan, name)), (name, differing(rows, made_table(plan, name)))


@examples(20)
@given(plain(), st.data())
def test_periods_made_alone_are_those_of_the_whole(raw: Raw, data: st.DataObject) -> None:
    plan = plan_of(raw)
    assert plan.stop is not None
    first = data.draw(st.integers(plan.first, plan.stop - 1))
    hold_periods(plan, [(first, data.draw(st.integers(first + 1, plan.stop)))] if plan.has_window else [(0, 1)])


@examples(15)
@given(plain(), st.integers(1, 40))
def test_blocks_of_any_size_in_any_order_give_the_same_rows(raw: Raw, cells: int) -> None:
    plan = plan_of(raw)
    expected = {name: made_table(plan, name) for name in names(plan)}
    copied = afresh(plan)
    with chunks_of(cells):
        for name in reversed(list(expected)):
            assert not differing(made_table(copied, name), expected[name]), name


@examples(15)
@given(plain(), st.data())
def test_a_state_knows_nothing_of_what_comes_after_it(raw: Raw, data: st.DataObject) -> None:
    plan = plan_of(raw)
    assert plan.stop is not None
    if plan.has_window:
        hold_as_of(plan, [data.draw(st.integers(plan.first + 1, plan.stop))])


@examples(15)
@given(plain(), st.integers(1, 50))
def test_more_rows_another_table_and_a_column_move_nothing(raw: Raw, more: int) -> None:
    """Rows that refer to a table that grows may refer to its new rows; all others stay."""
    plan, longer = plan_of(raw), copy.deepcopy(raw)
    table = longer["dimensions"][0]
    table["count"] += more
    table["columns"].append({"name": "luck", "type": "range", "range": [0.0, 1.0]})
    longer["dimensions"].append(
        {"name": "new", "reference": True, "count": 3, "columns": [{"name": "new_id", "type": "id"}]}
    )
    after = plan_of(longer)
    old, new = made_table(plan, table["name"]), made_table(after, table["name"]).drop_columns("luck")
    assert not differing(new.slice(0, len(old)).combine_chunks(), old)
    referring = [t.name for t in plan.tables if any(parent == table["name"] for _, parent, _ in t.references)]
    hold_rows(plan, after, [t.name for t in plan.tables if t.name not in (*referring, table["name"])])


@examples(10)
@given(plain())
def test_a_later_end_moves_nothing(raw: Raw) -> None:
    plan = plan_of(raw)
    if not plan.has_window or raw["window"]["every"] not in ("month", "quarter"):
        return
    undated = [table.name for table in plan.tables if table.form in ("reference", "time", "date")]
    hold_rows(plan, plan_of({**raw, "window": {**raw["window"], "end": "2025-12"}}), undated)


@examples(6)
@given(plain(), st.sampled_from(["csv", "parquet", "duckdb"]))
def test_what_is_written_is_sound_and_written_again_the_same(raw: Raw, format: str) -> None:
    plan = plan_of(raw)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "data"
        write_tables(plan, directory, format=format)
        before = {file.name: file.read_bytes() for file in directory.iterdir() if file.suffix != ".duckdb"}
        write_tables(plan, directory, format=format)
        assert {file.name: file.read_bytes() for file in directory.iterdir() if file.suffix != ".duckdb"} == before
        report = check_directory(plan, directory, format, plan.first, plan.stop or 1)
    assert (report.score, report.failed, report.warned) == (100, False, False), report.text()
    assert "there are no metrics" in report.verdict


def test_a_slice_says_no_more_than_which_rows() -> None:
    """Without a window a slice is of the one period, number 0."""
    raw = {
        "about": "x",
        "dimensions": [{"name": "t", "reference": True, "count": 9, "columns": [{"name": "k", "type": "id"}]}],
    }
    plan = plan_of(raw)
    assert slices(plan, parts=2) == [TableSlice("t", 0, 1, rows=(0, 4)), TableSlice("t", 0, 1, rows=(4, 9))]
