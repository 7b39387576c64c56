"""Plain tables through Dagster: without moments a state that any partition makes whole, with moments partitioned like a
fact; so is what belongs to their rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from plotsim_core import Plan, from_mapping
from tests.pipeline.support import DUCKDB_FIRST, content, keys_of, materialise, store_at
from tests.tables.test_plain import column, table

TABLES = ("agents", "cards", "calls", "notes")


def calls() -> Plan:
    """Return calls of three months, with notes, and agents with cards."""
    at = column("at", "timestamp")
    return from_mapping(
        {
            "about": "Calls",
            "unit": "team",
            "window": ["2024-01", "2024-03", "month"],
            "metrics": [{"name": "load", "type": "count", "polarity": "positive", "mean": [1, 3]}],
            "segments": [{"name": "all", "count": 3, "archetype": "growth"}],
            "tables": [
                table("teams", column("team_id", "id"), per="team"),
                table("agents", column("agent_id", "id"), rows=50),
                table("cards", column("card_id", "id"), per="agents", rows=[1, 3]),
                table("calls", column("call_id", "id"), at, column("card", "ref.cards"), rows=900),
                table("notes", column("number", "sequence"), at, per="calls", rows={"geometric": 2.0}),
            ],
            "quality": [{"table": "notes", "issue": "duplicate_rows", "rate": 0.1}],
        },
        name="calls",
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", DUCKDB_FIRST)
def test_months_made_one_by_one_in_any_order_are_the_whole(kind: str, tmp_path: Path) -> None:
    plan = calls()
    stores = [store_at(kind, tmp_path / name) for name in ("whole", "parts")]
    keys = keys_of(plan)
    assert materialise(plan, stores[0], keys, only=TABLES).success
    for key in (keys[2], keys[0], keys[1]):
        assert materialise(plan, stores[1], [key], only=TABLES).success
    whole, parts = (content(plan, store) for store in stores)
    assert parts == whole
