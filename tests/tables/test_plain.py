"""Plain tables, and what belongs to their rows at any depth: any part of them, by rows, is that part of the whole."""

from __future__ import annotations

import gc
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import Plan, UsageError, from_mapping
from plotsim_core.columns.row_relations import rows_of
from plotsim_core.columns.rows import Rows
from plotsim_core.engine import slice as slices_of_units
from plotsim_core.engine.slice import Slice
from plotsim_core.tables.slices import TableSlice, make, slices
from tests.laws.strategies import examples

TABLES = ("products", "jobs", "stages", "tasks", "notes", "calls")
ROWS = 3000


def table(name: str, *columns: dict[str, Any], **words: Any) -> dict[str, Any]:
    return {"name": name, **words, "columns": list(columns)}


def column(name: str, type_: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **options}


def config(rows: int = ROWS) -> dict[str, Any]:
    """Return jobs with stages, tasks and notes, products that jobs refer to, and calls that refer to notes."""
    cost = column("cost", "range", range=[1, 9])
    return {
        "about": "Logs of a cluster",
        "unit": "team",
        "window": ["2024-01", "2024-03", "month"],
        "metrics": [{"name": "load", "type": "count", "polarity": "positive", "mean": [1, 3]}],
        "segments": [{"name": "all", "count": 3, "archetype": "growth"}],
        "tables": [
            table("teams", column("team_id", "id"), per="team"),
            table("products", column("product_id", "id"), cost, rows=120_000),
            table("jobs", column("job_id", "id"), column("product_id", "ref.products"), rows=rows),
            table("stages", column("stage", "sequence"), cost, per="jobs", rows=[1, 5]),
            table(
                "tasks", column("task", "sequence"), column("product", "lookup.jobs.product_id"), per="stages", rows=[0, 3]
            ),
            table("notes", column("note_id", "id"), column("cost", "lookup.stages.cost"), per="stages", rows=[1, 4]),
            table(
                "calls", column("call_id", "id"), column("note", "ref.notes"), column("cost", "lookup.notes.cost"), rows=rows
            ),
        ],
    }


@pytest.fixture(scope="module")
def plan() -> Plan:
    return from_mapping(config(), name="cluster")


@pytest.fixture(scope="module")
def tables(plan: Plan) -> dict[str, pa.Table]:
    return {name: make(plan, slices(plan, [name])[0]).read_all() for name in TABLES}


def test_each_row_has_its_key_and_its_parents(tables: dict[str, pa.Table]) -> None:
    assert tables["jobs"].num_rows == ROWS
    for name, key in (
        ("jobs", ["job_id"]),
        ("stages", ["job_id", "stage"]),
        ("tasks", ["job_id", "stage", "task"]),
        ("notes", ["note_id"]),
    ):
        assert tables[name].column_names[: len(key)] == key or name == "notes"
        assert tables[name].group_by(key).aggregate([]).num_rows == tables[name].num_rows
    stages = tables["stages"].group_by("job_id").aggregate([("stage", "max"), ("stage", "count")])
    assert stages["stage_max"].equals(stages["stage_count"].cast(pa.int64()))
    assert stages.num_rows == ROWS
    assert set(stages["stage_max"].to_pylist()) == {1, 2, 3, 4, 5}
    tasks = tables["tasks"].join(tables["stages"], ["job_id", "stage"], join_type="left anti")
    assert tasks.num_rows == 0


@examples(40)
@given(name=st.sampled_from(TABLES[1:]), data=st.data())
def test_any_rows_are_those_of_the_whole(plan: Plan, tables: dict[str, pa.Table], name: str, data: st.DataObject) -> None:
    """Of tables below a plain one, rows are those of the jobs they belong to; blocks of any size make the same."""
    edges = sorted({0, ROWS, *data.draw(st.lists(st.integers(1, ROWS - 1), max_size=3))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices_of_units, "CHUNK", data.draw(st.sampled_from([1 << 19, 700])))
        parts = [
            make(plan, TableSlice(name, plan.first, plan.first + 3, rows=(first, stop))).read_all()
            for first, stop in pairwise(edges)
        ]
    assert pa.concat_tables(parts).equals(tables[name])


@pytest.mark.parametrize("name", TABLES)
def test_slices_by_rows_are_the_whole(plan: Plan, tables: dict[str, pa.Table], name: str) -> None:
    parts = slices(plan, [name], 7, by="rows")
    assert len(parts) == 7
    assert pa.concat_tables(make(plan, part).read_all() for part in parts).equals(tables[name])
    with pytest.raises(UsageError, match="expected rows from 0 to"):
        make(plan, TableSlice(name, plan.first, plan.first + 1, rows=(0, 10**7)))


def test_more_rows_change_none_of_those_there(tables: dict[str, pa.Table]) -> None:
    more = from_mapping(config(rows=4 * ROWS), name="cluster")
    for name in ("jobs", "stages", "tasks", "notes"):
        part = make(more, TableSlice(name, more.first, more.first + 3, rows=(0, ROWS))).read_all()
        assert part.equals(tables[name])


def test_no_two_rows_draw_from_one_address(plan: Plan) -> None:
    """The third stage of the fifth job is not the fifth of the third, nor any row of another depth."""
    names = ("jobs", "stages", "tasks", "notes")
    whole = Slice(plan.first, plan.first + 1, 0, 0)
    stages, tasks = (rows_of(plan.population, name, whole).address for name in names[1:3])
    addresses = np.concatenate([rows_of(plan.population, "jobs", whole).address, stages, tasks])
    assert len(np.unique(addresses)) == len(addresses)


def test_a_reference_finds_any_row_that_belongs_to_others(tables: dict[str, pa.Table]) -> None:
    """Each note is as likely: their cost is that of all notes, within five standard errors; keys are those of notes."""
    calls, notes = tables["calls"], tables["notes"]
    joined = calls.join(notes, "note", "note_id", join_type="inner", right_suffix="_there")
    assert joined.num_rows == calls.num_rows
    assert joined["cost"].equals(joined["cost_there"])
    costs, all_costs = (np.array(table["cost"]) for table in (calls, notes))
    assert abs(costs.mean() - all_costs.mean()) < 5 * all_costs.std() / np.sqrt(len(costs))
    assert len(calls["note"].unique()) > 0.7 * len(costs)


def test_a_billion_rows_are_never_made_at_once() -> None:
    """The last rows of a billion, and what belongs to them, take as long as the first."""
    plan = from_mapping(config(rows=10**9), name="cluster")
    for name in ("jobs", "stages", "notes", "calls"):
        part = make(plan, TableSlice(name, plan.first, plan.first + 1, rows=(10**9 - 5, 10**9))).read_all()
        assert part.num_rows >= 5
        assert str(10**9) in str(part[0][-1])


@pytest.mark.parametrize(
    ("rows", "least", "most", "mean"),
    [
        ({"poisson": 2.1}, 0, 20, 2.1),
        ({"poisson": 2.1, "between": [1, 12]}, 1, 12, 2.1),
        ({"geometric": 2.1, "between": [1, 12]}, 1, 12, 2.1),
        ({"negative_binomial": [3, 0.5]}, 0, 200, 3.0),
        ({"negative_binomial": 3}, 0, 60, 3.0),
        ({"lognormal": [8, 0.8], "between": [1, 200]}, 1, 200, 8.0),
        ({"zipf": 1.5, "between": [1, 4]}, 1, 4, 2.78446 / 1.67100),
        ({1: 9, 2: 1, 7: 0}, 1, 2, 1.1),
    ],
    ids=str,
)
def test_jobs_have_as_many_stages_as_is_declared(rows: dict[Any, Any], least: int, most: int, mean: float) -> None:
    """The mean is the declared one, within five standard errors; and what is told before anything is made agrees."""
    raw = config()
    raw["tables"] = [item if item["name"] != "stages" else {**item, "rows": rows} for item in raw["tables"][:4]]
    plan = from_mapping(raw, name="cluster")
    whole = Slice(plan.first, plan.first + 1, 0, 0)
    counts = np.bincount(rows_of(plan.population, "stages", whole).owner, minlength=ROWS)
    assert least <= counts.min() <= counts.max() <= most
    assert abs(counts.mean() - mean) < 5 * counts.std() / np.sqrt(ROWS)
    assert plan.table("stages").spec.row_count.mean == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize(
    "rows",
    [{"exact": 5000}, {"exact": 5000, "shape": 0.5}, {"exact": 5000, "zipf": 1.1, "between": [1, 50]}],
    ids=str,
)
def test_exactly_so_many_are_dealt_out_and_any_part_alone(rows: dict[str, Any]) -> None:
    raw = config()
    raw["tables"] = [item if item["name"] != "stages" else {**item, "rows": rows} for item in raw["tables"][:5]]
    plan = from_mapping(raw, name="cluster")
    for name in ("stages", "tasks"):
        whole = make(plan, slices(plan, [name])[0]).read_all()
        assert name == "tasks" or whole.num_rows == 5000
        parts = [make(plan, part).read_all() for part in slices(plan, [name], 9, by="rows")]
        assert pa.concat_tables(parts).equals(whole)


def test_what_a_batch_was_made_of_is_let_go(plan: Plan) -> None:
    """While a batch is read, none of its block is there but the columns."""
    gc.collect()
    before = sum(isinstance(item, Rows) for item in gc.get_objects())
    for _ in make(plan, slices(plan, ["products"])[0]):
        assert sum(isinstance(item, Rows) for item in gc.get_objects()) == before
