"""Tables of which a config says how many rows they have are judged by that number, others are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from plotsim_core import Plan, from_mapping, write_tables
from plotsim_core.validation.catalogue import questions
from plotsim_core.validation.report import Report, check_directory

KEY = {"type": "id", "start": 1}
CHANCE = {"type": "range", "range": [0, 1]}
RAW: dict[str, Any] = {
    "about": "Calls",
    "window": ["2024-01-01", "2024-01-31", "day"],
    "tables": [
        {"name": "agents", "rows": 20, "columns": {"agent_id": KEY}},
        {"name": "desks", "per": "agents", "rows": 3, "columns": {"desk_id": "id"}},
        {"name": "chairs", "per": "desks", "rows": [1, 4], "columns": {"chair_id": "id"}},
        {"name": "badges", "per": "agents", "rows": {"exact": 50}, "columns": {"badge_id": "id"}},
        {"name": "keys", "per": "agents", "rows": 3, "where": "chance > 0.5", "columns": {"key_id": "id", "chance": CHANCE}},
        {"name": "rooms", "columns": {"room_id": {"type": "id", "values": ["R1", "R2", "R3"]}}},
        {"name": "visits", "per": ["agents", "rooms"], "columns": {"chance": CHANCE}},
        {"name": "calls", "rows": 600, "columns": {"call_id": KEY, "moment": "timestamp"}},
    ],
}
DECLARED = {"agents", "desks", "badges", "rooms", "visits", "calls"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return from_mapping(RAW, name="calls")


def judged(plan: Plan, folder: Path) -> Report:
    assert plan.stop is not None
    return check_directory(plan, folder, "parquet", plan.first, plan.stop)


def test_tables_are_judged_whose_number_is_declared(plan: Plan) -> None:
    """Not those whose rows are drawn, or kept where a formula is true."""
    assert {question.table for question in questions(plan) if question.check == "rows_as_declared"} == DECLARED


def test_rows_that_are_lost_or_too_many_are_told(plan: Plan, tmp_path: Path) -> None:
    """With the number that is declared; the other tables are as they should be."""
    write_tables(plan, tmp_path, format="parquet")
    whole = judged(plan, tmp_path)
    assert not whole.failed, whole.text()
    for name in ("desks", "badges", "calls"):
        file = tmp_path / f"{name}.parquet"
        rows = pq.read_table(file)
        pq.write_table(rows.slice(0, len(rows) - 1), file)
    messages = {
        finding.subject: finding.message
        for check, finding in judged(plan, tmp_path).findings
        if check == "rows_as_declared" and not finding.passed
    }
    assert messages["desks"] == "59 rows, 60 declared"
    assert messages["badges"] == "49 rows, 50 declared"
    assert messages["calls"].startswith("2024-01-31 has ")
    assert len(messages) == 3
