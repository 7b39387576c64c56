"""Plain tables whose rows have moments: exactly so many in each span, any periods alone, dense keys in the order of time."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import plotsim_core
from plotsim_core import Plan, from_mapping
from plotsim_core.engine import slice as slices_of_units
from plotsim_core.tables import plain_child, timed_plain
from plotsim_core.tables.slices import TableSlice, make, slices
from tests.laws.strategies import examples
from tests.tables.test_plain import column, table

TABLES = ("calls", "notes", "words")
ROWS = 4000


def config(window: dict[str, Any] | None = None, quality: bool = False, **calls: Any) -> dict[str, Any]:
    """Return calls in 60 days of a window of 91, with notes and words of these."""
    issues = [
        {"table": "calls", "issue": "null_injection", "rate": 0.2, "column": "cost"},
        {"table": "notes", "issue": "duplicate_rows", "rate": 0.1},
    ]
    cost = column("cost", "range", range=[1, 9])
    at = column("at", "timestamp")
    return {
        "about": "Calls",
        "unit": "team",
        "window": window or {"start": "2024-01-01", "end": "2024-03-31", "every": "day", "span": 60},
        "metrics": [{"name": "load", "type": "count", "polarity": "positive", "mean": [1, 3]}],
        "segments": [{"name": "all", "count": 3, "archetype": "growth"}],
        "tables": [
            table("teams", column("team_id", "id"), per="team"),
            table("agents", column("agent_id", "id"), rows=50),
            table("calls", column("call_id", "id"), at, column("agent", "ref.agents"), cost, **{"rows": ROWS, **calls}),
            table("notes", column("number", "sequence"), at, cost, per="calls", rows=[0, 3]),
            table("words", column("word_id", "id"), column("cost", "lookup.calls.cost"), per="notes", rows=[1, 2]),
        ],
        "quality": issues if quality else [],
    }


@pytest.fixture(scope="module", params=[False, True], ids=["sound", "broken"])
def plan(request: pytest.FixtureRequest) -> Plan:
    return from_mapping(config(quality=request.param), name="calls")


@pytest.fixture(scope="module")
def tables(plan: Plan) -> dict[str, pa.Table]:
    return {name: make(plan, slices(plan, [name])[0]).read_all() for name in TABLES}


def rows_of(plan: Plan, name: str = "calls") -> pa.Table:
    return make(plan, slices(plan, [name])[0]).read_all()


def numbers_of(keys: pa.ChunkedArray) -> np.ndarray:
    """Return the numbers in keys."""
    return np.array([int(key.split("-")[1]) for key in keys.to_pylist()])


def test_each_span_has_its_rows_with_dense_keys_in_the_order_of_time() -> None:
    rows = rows_of(from_mapping(config(), name="calls"))
    assert pc.sum(pc.less(rows["date_key"], 20240301)).as_py() == ROWS  # January and February 2024 have 60 days
    assert np.array_equal(numbers_of(rows["call_id"]), np.arange(1, rows.num_rows + 1))
    moments = np.array(rows["at"])
    assert (np.diff(moments) >= np.timedelta64(0)).all()
    days = [int(day.strftime("%Y%m%d")) for day in moments.astype("datetime64[D]").astype(object)]
    assert rows["date_key"].to_pylist() == days


@pytest.mark.slow
@examples(40)
@given(name=st.sampled_from(TABLES), data=st.data())
def test_any_periods_are_those_of_the_whole(plan: Plan, tables: dict[str, pa.Table], name: str, data: st.DataObject) -> None:
    """Blocks of any size make the same rows, with issues too."""
    first = data.draw(st.integers(0, 90))
    stop = data.draw(st.integers(first + 1, 91))
    chunk = data.draw(st.sampled_from([1 << 19, 37]))
    with pytest.MonkeyPatch.context() as patch:
        for module in (slices_of_units, plain_child, timed_plain):
            patch.setattr(module, "CHUNK", chunk)
        part = make(plan, TableSlice(name, plan.first + first, plan.first + stop)).read_all()
    keys = [int(date.fromordinal(date(2024, 1, 1).toordinal() + day).strftime("%Y%m%d")) for day in (first, stop)]
    whole = tables[name]
    assert part.equals(
        whole.filter(pc.and_(pc.greater_equal(whole["date_key"], keys[0]), pc.less(whole["date_key"], keys[1])))
    )


@pytest.mark.parametrize("name", TABLES)
def test_a_later_end_moves_nothing(name: str) -> None:
    early, late = (
        rows_of(from_mapping(config({"start": "2024-01-01", "end": end, "every": "day", "span": 60}), name="calls"), name)
        for end in ("2024-02-20", "2024-06-30")
    )
    assert late.slice(0, early.num_rows).equals(early)


@pytest.mark.parametrize("every", ["hour", "day", "week", "month", "quarter"])
def test_every_grain_has_exactly_its_rows(every: str) -> None:
    window = {"start": "2024-01-01", "end": "2024-06-30", "every": every}
    assert rows_of(from_mapping(config(window), name="calls")).num_rows == ROWS


def test_a_part_of_a_billion_is_made_alone() -> None:
    """A minute's worth of rows a day: the last day of 10**9 has about a ninetieth of them; its first rows take no longer."""
    plan = from_mapping(config({"start": "2024-01-01", "end": "2024-03-31", "every": "day"}, rows=10**9), name="calls")
    last = next(iter(make(plan, TableSlice("calls", plan.first + 90, plan.first + 91))))
    assert last.num_rows == slices_of_units.CHUNK
    numbers = numbers_of(pa.chunked_array([last["call_id"].slice(0, 10)]))
    assert abs(10**9 - numbers[0] - 10**9 / 91) < 6 * np.sqrt(10**9 / 91)


@pytest.mark.parametrize("of_dataset", [False, True], ids=["of the table", "of a dataset without units"])
def test_weekdays_hours_and_seasons_have_their_shares(of_dataset: bool) -> None:
    """Chi-square of a fixed seed: a p value below 1 in 1,000 would be wrong."""
    raw = config({"start": "2024-01-01", "end": "2024-12-29", "every": "day"}, rows=50_000)
    (raw if of_dataset else raw["tables"][2])["rhythm"] = {"weekdays": "workdays", "hours": "office_hours"}
    raw["seasonality"] = [{"months": [2, 3], "strength": 1.0}]
    if of_dataset:
        for section in ("unit", "metrics", "segments"):
            del raw[section]
        del raw["tables"][0]
    plan = from_mapping(raw, name="calls")
    assert not any(note.path.startswith("seasonality") for note in plan.notes)
    moments = np.array(rows_of(plan)["at"])
    days = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-12-30"))
    weekdays = (days.astype(np.int64) + 3) % 7
    months = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    weights = np.where(weekdays < 5, 1.0, 0.15) * np.where(np.isin(months, [2, 3]), 2.0, 1.0)
    counts = np.bincount((moments.astype("datetime64[D]") - days[0]).astype(np.int64), minlength=len(days))
    assert stats.chisquare(counts, weights / weights.sum() * 50_000).pvalue > 1e-3
    hours = np.bincount(moments.astype("datetime64[h]").astype(np.int64) % 24, minlength=24)
    assert hours[:6].sum() == hours[23] == 0
    assert hours[10] > 20 * hours[20]


def test_rows_grow_within_a_span_and_begin_anew_in_the_next() -> None:
    """From 1 to 4: of the halves of a span the second has 3.25 / 1.75 times the rows, within five standard errors."""
    window = {"start": "2024-01-01", "end": "2024-04-29", "every": "day", "span": 60}
    days = np.array(rows_of(from_mapping(config(window, rows=20_000, growth=3), name="calls"))["at"]).astype("datetime64[D]")
    halves = np.bincount((days - np.datetime64("2024-01-01")).astype(np.int64) // 30, minlength=4)
    error = np.sqrt(20_000 * 0.35 * 0.65)
    assert np.all(np.abs(halves - 20_000 * np.array([0.35, 0.65, 0.35, 0.65])) < 5 * error)


@pytest.mark.parametrize("options", [{}, {"zipf": 1.1}, {"between": [1, 3]}], ids=str)
def test_what_belongs_to_rows_has_exactly_its_number_in_each_span(options: dict[str, Any]) -> None:
    """Two spans of 60 days; their rows are dealt out anew, in parts as in the whole."""
    raw = config({"start": "2024-01-01", "end": "2024-04-29", "every": "day", "span": 60})
    raw["tables"][3]["rows"] = {"exact": 5000, **options}
    plan = from_mapping(raw, name="calls")
    notes, parts = rows_of(plan, "notes"), slices(plan, ["notes"], 7)
    assert pa.concat_tables(make(plan, part).read_all() for part in parts).equals(notes)
    is_second = np.array(notes["at"]).astype("datetime64[D]") >= np.datetime64("2024-03-01")
    assert (~is_second).sum() == is_second.sum() == 5000
    counts = [
        np.bincount(pc.value_counts(notes.filter(half)["call_id"]).field("counts")) for half in (~is_second, is_second)
    ]
    assert not np.array_equal(*counts)
    (size,) = (size for size in plotsim_core.sizes(plan) if size.table == "notes")
    assert size.rows == 10_000


def test_what_belongs_to_rows_has_their_moment() -> None:
    plan = from_mapping(config(), name="calls")
    calls, notes = rows_of(plan), rows_of(plan, "notes")
    joined = notes.join(calls, "call_id", join_type="inner", right_suffix="_of_call")
    assert joined.num_rows == notes.num_rows
    assert joined["at"].equals(joined["at_of_call"])
    assert notes.group_by(["call_id", "number"]).aggregate([]).num_rows == notes.num_rows
