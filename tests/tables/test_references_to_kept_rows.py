"""References to tables that keep some of their rows (`where`): never to a row that is dropped."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats

from plotsim_core import ConfigError, Plan, from_mapping
from plotsim_core.tables import drawn_rows
from plotsim_core.tables.slices import cuts_of, slices
from tests.laws.made import chunks_of, made_table
from tests.laws.test_table_slices import part_rows

CONFIG = """
about: Rows that are kept, and who refers to them
unit: team
window: { start: 2024-01-01, end: 2024-03-31, every: day, span: 40 }
metrics: [{ name: load, type: count, polarity: positive, mean: [2, 6] }]
segments: [{ name: all, count: 40, archetype: growth, arrival: { kind: uniform, end: 40 } }]
tables:
  - { name: teams, per: team, columns: { team_id: id } }
  - name: cards
    per: team
    rows: [1, 4]
    where: size > 40
    columns: { card_id: id, size: { type: range, range: [0, 99] } }
  - { name: chips, per: cards, rows: 2, where: size > 30, columns: { chip_id: id, size: { type: range, range: [0, 99] } } }
  - { name: jobs, rows: 300, columns: { job_id: id, size: { type: range, range: [0, 99] } } }
  - name: stages
    per: jobs
    rows: [1, 5]
    where: size > 80
    columns: { stage_id: { type: id, format: "{parent}-{n}" }, size: { type: range, range: [0, 99] }, place: sequence }
  - { name: tasks, per: stages, rows: [1, 3], columns: { task_id: id, place: sequence } }
  - name: calls
    rows: 800
    where: size > 90
    columns: { call_id: id, at: timestamp, size: { type: range, range: [0, 99] }, before: ref.calls }
  - name: notes
    per: calls
    rows: [1, 3]
    where: size > 9
    columns: { note_id: id, size: { type: range, range: [0, 99] } }
  - name: visits
    per: [team, period]
    rows: { poisson: load }
    columns:
      visit_id: id
      at: timestamp
      card: ref.cards
      popular: { type: ref.cards, distribution: zipf }
      any_card: { type: ref.cards, of: any }
      other_card: { type: ref.cards, of: others }
      chip: ref.chips
      stage: ref.stages
      task: ref.tasks
      call: ref.calls
      note: ref.notes
      size: lookup.stages.size
  - { name: uses, rows: 3000, columns: { use_id: id, stage: ref.stages, size: lookup.stages.size, task: ref.tasks } }
"""
TARGETS = {
    "card": ("cards", "card_id"), "popular": ("cards", "card_id"), "any_card": ("cards", "card_id"),
    "other_card": ("cards", "card_id"), "chip": ("chips", "chip_id"), "stage": ("stages", "stage_id"),
    "task": ("tasks", "task_id"), "call": ("calls", "call_id"), "note": ("notes", "note_id"),
}  # fmt: skip
TABLES = ("visits", "uses", "calls")


def config() -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(CONFIG)
    return raw


@cache
def whole() -> Plan:
    return from_mapping(config(), name="kept")


@cache
def rows(name: str) -> list[dict[str, Any]]:
    return made_table(whole(), name).to_pylist()


@pytest.mark.parametrize("column", TARGETS)
def test_references_lead_to_rows_that_are_kept(column: str) -> None:
    name, key = TARGETS[column]
    keys = {row[key] for row in rows(name)}
    values = [row[column] for row in rows("visits")]
    assert {value for value in values if value is not None} <= keys
    assert values.count(None) < 0.7 * len(values)
    assert whole().table("visits").column(column).nullable


def test_a_row_refers_to_kept_rows_of_its_unit_and_to_none_where_there_are_none() -> None:
    of_card = {row["card_id"]: row["team_id"] for row in rows("cards")}
    of_chip = {row["chip_id"]: of_card[row["card_id"]] for row in rows("chips")}
    for row in rows("visits"):
        assert (row["card"] is not None) == (row["team_id"] in of_card.values())
        assert (row["chip"] is not None) == (row["team_id"] in of_chip.values())
        assert row["card"] is None or of_card[row["card"]] == row["team_id"]
        assert row["chip"] is None or of_chip[row["chip"]] == row["team_id"]
        assert row["other_card"] is None or of_card[row["other_card"]] != row["team_id"]


def test_rows_in_time_come_before() -> None:
    calls = {row["call_id"]: row for row in rows("calls")}
    assert all(row["call"] is None or calls[row["call"]]["at"] < row["at"] for row in rows("visits"))
    assert all(row["before"] is None or calls[row["before"]]["at"] <= row["at"] for row in rows("calls"))
    assert sum(row["before"] is not None for row in rows("calls")) > 0.9 * len(calls)


def test_kept_rows_are_as_likely() -> None:
    keys = [row["stage_id"] for row in rows("stages")]
    uses = [row["stage"] for row in rows("uses")]
    assert None not in uses
    groups = {key: number * 12 // len(keys) for number, key in enumerate(keys)}
    sizes = np.bincount(list(groups.values()))
    drawn = Counter(groups[key] for key in uses)
    expected = sizes / sizes.sum() * len(uses)
    assert stats.chisquare([drawn[number] for number in range(12)], expected).pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("trials", [64, 1])
@pytest.mark.parametrize("name", TABLES)
def test_parts_in_any_order_and_of_any_size_are_those_of_the_whole(
    name: str, trials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are references that no draw finds, which go to the next row of a block."""
    monkeypatch.setattr(drawn_rows, "_TRIALS", trials)
    plan = from_mapping(config(), name="kept")
    expected = made_table(plan, name)
    for by in cuts_of(plan, plan.table(name)):
        assert part_rows(plan, slices(plan, [name], 5, by=by)).equals(expected)
    with chunks_of(7):
        assert made_table(from_mapping(config(), name="kept"), name).equals(expected)


def test_what_no_draw_finds_goes_to_the_next_kept_row_of_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn_rows, "_TRIALS", 1)
    plan = from_mapping(config(), name="kept")
    kept_ids = {row["stage_id"] for row in rows("stages")}
    uses = made_table(plan, "uses")
    stages, first = uses["stage"].to_pylist(), rows("uses")
    assert {stage for stage in stages if stage is not None} <= kept_ids
    assert stages.count(None) < 0.01 * len(stages)
    assert len(set(stages)) > 0.8 * len(kept_ids)
    assert any(stage != row["stage"] for stage, row in zip(stages, first, strict=True))
    calls = {row["call_id"]: row for row in rows("calls")}
    visits = made_table(plan, "visits").to_pylist()
    assert all(row["call"] is None or calls[row["call"]]["at"] < row["at"] for row in visits)
    assert any(row["call"] is not None for row in visits)


@pytest.mark.parametrize("name", TABLES)
def test_a_later_end_and_more_units_move_nothing_else(name: str) -> None:
    """References to anybody's rows may go to those that are new."""
    raw = config()
    raw["window"]["end"] = "2024-06-30"
    raw["segments"].append({"name": "more", "count": 9, "archetype": "flat"})
    plan = from_mapping(raw, name="kept")
    new = {row["card_id"] for row in made_table(plan, "cards", None, plan.first + 50).to_pylist()} - {
        row["card_id"] for row in rows("cards")
    }
    key = {"visits": "visit_id", "uses": "use_id", "calls": "call_id"}[name]
    later = {row[key]: row for row in made_table(plan, name, None, plan.first + 50).to_pylist()}
    for row in made_table(whole(), name, None, whole().first + 50).to_pylist():
        for column, value in row.items():
            assert later[row[key]][column] in ({value, *new} if column in ("any_card", "other_card") else {value})


def test_a_table_that_keeps_too_few_is_not_drawn_from() -> None:
    raw = config()
    raw["tables"][4]["where"] = "size > 95"
    with pytest.raises(ConfigError, match=r"3\.\d % of the rows of stages are kept, too few for visits to draw from"):
        from_mapping(raw, name="kept")
    raw["tables"] = [table for table in raw["tables"] if table["name"] not in ("visits", "uses")]
    from_mapping(raw, name="kept")
