"""References to plain rows with moments, and to what belongs to them: to any that came before, each as likely."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats

from plotsim_core import Plan, from_mapping
from plotsim_core.tables.slices import TableSlice, cuts_of, make, slices
from tests.laws.made import chunks_of, made_table
from tests.laws.test_table_slices import part_rows
from tests.tables.test_timed_plain import numbers_of

CONFIG = """
about: Calls and who looks back at them
unit: team
window: { start: 2024-01-01, end: 2024-03-31, every: day, span: 40 }
metrics: [{ name: load, type: count, polarity: positive, mean: [1, 4] }]
segments: [{ name: all, count: 30, archetype: growth, arrival: { kind: uniform, end: 40 } }]
tables:
  - { name: teams, per: team, columns: { team_id: id, first_call: ref.calls, size: lookup.calls.size } }
  - { name: cards, per: team, rows: 2, columns: { card_id: id, note: ref.notes } }
  - name: calls
    rows: 500
    columns: { call_id: id, at: timestamp, size: { type: range, range: [1, 9] }, before: { type: ref.calls, roots: 3 } }
  - name: notes
    per: calls
    rows: { 1: 4, 2: 2, 3: 1 }
    columns: { note_id: { type: id, format: "{parent}-{n}" }, at: timestamp, place: sequence }
  - { name: lines, per: notes, rows: [1, 2], columns: { line_no: sequence, call: ref.calls } }
  - { name: days, per: period, columns: { date_key: ref.dim_date, call: ref.calls, near: { type: ref.notes, within: 2 } } }
  - name: visits
    per: [team, period]
    rows: { poisson: load }
    columns:
      { visit_id: id, at: timestamp, call: ref.calls, size: lookup.calls.size, note: ref.notes, place: lookup.notes.place }
  - { name: steps, per: visits, rows: [1, 3], columns: { step_no: sequence, other_call: ref.calls, call: ref.calls } }
  - { name: stock, per: [kinds, period], columns: { call: ref.calls } }
  - { name: kinds, rows: 3, columns: { kind_id: id } }
  - { name: mails, rows: 900, columns: { mail_id: id, at: timestamp, call: ref.calls } }
"""
TABLES = ("teams", "cards", "calls", "lines", "days", "visits", "steps", "stock", "mails")


def config(**window: Any) -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(CONFIG)
    raw["window"] |= window
    return raw


@cache
def whole() -> Plan:
    return from_mapping(config(), name="calls")


@cache
def rows(name: str) -> list[dict[str, Any]]:
    return made_table(whole(), name).to_pylist()


def by_key(name: str, key: str) -> dict[Any, dict[str, Any]]:
    return {row[key]: row for row in rows(name)}


def test_a_row_refers_to_what_came_before() -> None:
    """Before its moment, or where it has none, by the end of its period."""
    calls, notes = by_key("calls", "call_id"), by_key("notes", "note_id")
    for name in ("visits", "mails"):
        for row in rows(name):
            assert row["call"] is None or calls[row["call"]]["at"] < row["at"]
    for row in rows("visits"):
        assert row["size"] == (None if row["call"] is None else calls[row["call"]]["size"])
        assert row["note"] is None or notes[row["note"]]["at"] < row["at"]
        assert row["place"] == (None if row["note"] is None else notes[row["note"]]["place"])
    for name in ("days", "stock"):
        assert all(calls[row["call"]]["date_key"] <= row["date_key"] for row in rows(name))
    missing = [row["call"] for row in rows("visits")].count(None)
    assert missing < 0.01 * len(rows("visits"))


def test_within_bounds_how_far_back_a_row_lies() -> None:
    days = [row["date_key"] for row in rows("days")]
    notes = by_key("notes", "note_id")
    for number, row in enumerate(rows("days")):
        assert row["near"] is None or days[max(0, number - 2)] <= notes[row["near"]]["date_key"] <= row["date_key"]
    assert any(row["near"] is not None for row in rows("days"))


def test_units_refer_to_what_came_before_them() -> None:
    calls, notes = by_key("calls", "call_id"), by_key("notes", "note_id")
    plan = whole()
    for period in range(plan.first, plan.first + 70, 7):
        day = plan.grain.keys(np.array([period]))[0]
        for row in made_table(plan, "teams", None, period + 1).to_pylist():
            assert row["first_call"] is None or calls[row["first_call"]]["date_key"] <= day
        for row in made_table(plan, "cards", None, period + 1).to_pylist():
            assert row["note"] is None or notes[row["note"]]["date_key"] <= day


def test_rows_of_one_table_refer_to_lower_numbers() -> None:
    calls = made_table(whole(), "calls")
    before = calls["before"].to_pylist()
    assert before[:3] == [None] * 3
    numbers = numbers_of(calls["before"].slice(3))
    assert (numbers < np.arange(4, len(before) + 1)).all()
    shares = (numbers - 0.5) / np.arange(3, len(before))
    assert stats.kstest(shares[100:], "uniform").pvalue > 1e-3


def test_rows_that_came_before_are_as_likely() -> None:
    """Of a month's visits: calls before the month, in ten groups, and the notes of each call, in theirs."""
    late = [row for row in rows("visits") if row["date_key"] >= 20240301]
    calls = [key for key, row in by_key("calls", "call_id").items() if row["date_key"] < 20240301]
    group = {key: number * 10 // len(calls) for number, key in enumerate(calls)}
    counts = Counter(group[row["call"]] for row in late if row["call"] in group)
    assert stats.chisquare([counts[number] for number in range(10)]).pvalue > 1e-3
    notes = Counter(row["place"] for row in rows("notes") if row["date_key"] < 20240301)
    drawn = Counter(row["place"] for row in late if row["note"] is not None)
    total, count = sum(notes.values()), sum(drawn.values())
    assert stats.chisquare([drawn[n] for n in (1, 2, 3)], [notes[n] / total * count for n in (1, 2, 3)]).pvalue > 1e-3


def test_children_have_references_of_their_own_or_those_of_one_name() -> None:
    visits = by_key("visits", "visit_id")
    steps = rows("steps")
    assert all(row["call"] == visits[row["visit_id"]]["call"] for row in steps)
    assert any(row["other_call"] != row["call"] for row in steps)
    assert all(row["call"] == row["note_id"].rpartition("-")[0] for row in rows("lines"))


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_parts_in_any_order_and_of_any_size_are_those_of_the_whole(name: str) -> None:
    plan = from_mapping(config(), name="calls")
    for by in cuts_of(plan, plan.table(name)):
        assert part_rows(plan, slices(plan, [name], 5, by=by)).equals(made_table(whole(), name))
    with chunks_of(7):
        assert made_table(from_mapping(config(), name="calls"), name).equals(made_table(whole(), name))


@pytest.mark.parametrize("name", TABLES)
def test_a_later_end_and_more_units_move_nothing(name: str) -> None:
    early, raw = made_table(whole(), name, None, whole().first + 50), config(end="2024-06-30")
    raw["segments"].append({"name": "more", "count": 9, "archetype": "flat"})
    plan = from_mapping(raw, name="calls")
    assert set(map(str, early.to_pylist())) <= set(map(str, made_table(plan, name, None, plan.first + 50).to_pylist()))


def test_a_reference_into_a_billion_rows_takes_no_longer() -> None:
    raw = config()
    raw["tables"] = [table for table in raw["tables"] if table["name"] in ("calls", "notes", "days", "teams")]
    raw["tables"][1]["rows"] = 10**9
    plan = from_mapping(raw, name="calls")
    days = make(plan, TableSlice("days", plan.first + 10, plan.first + 12)).read_all()
    assert days["call"].null_count == 0
    assert days["near"].null_count == 0
