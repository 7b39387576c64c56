"""Data that is broken on purpose through Dagster: whatever the order of materialisations, the store holds the same, and the
report finds no fault in it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from plotsim_core import Plan, from_mapping
from plotsim_core.config.holdout import FEATURES
from plotsim_core.config.quality import LEDGER
from plotsim_core.validation.report import check_store
from tests.laws.test_quality import CONFIG
from tests.pipeline.support import DUCKDB_FIRST, content, keys_of, materialise, store_at
from tests.validation.test_quality import MOST

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plan() -> Plan:
    learnt = {"holdout": {"target": "mood", "periods": 3}, "entity_features": True}
    segments = [{"name": "small", "count": 60, "archetype": "growth"}]
    issues = [{"rate": 0.2, **issue} for issue in MOST]
    return from_mapping({**CONFIG, **learnt, "segments": segments, "quality": issues}, name="broken")


@pytest.mark.parametrize("kind", DUCKDB_FIRST)
def test_broken_data_is_the_same_however_it_is_made(kind: str, plan: Plan, tmp_path: Path) -> None:
    """In one range; month by month in a random order, one of them twice."""
    whole, parts = store_at(kind, tmp_path / "whole"), store_at(kind, tmp_path / "parts")
    tables = [table.name for table in plan.tables]
    assert materialise(plan, whole, keys_of(plan), only=tables).success
    keys = keys_of(plan)
    random.Random(3).shuffle(keys)
    for key in [*keys, keys[4]]:
        assert materialise(plan, parts, [key], only=tables).success
    expected = content(plan, whole)
    assert content(plan, parts) == expected
    assert {LEDGER, FEATURES, "fct_all_train", "fct_all_holdout"} <= expected.keys()


@pytest.mark.parametrize("kind", DUCKDB_FIRST)
def test_the_report_finds_no_fault_in_what_is_broken_on_purpose(kind: str, plan: Plan, tmp_path: Path) -> None:
    """Of the whole, with the checks of the run, and of a month alone."""
    store = store_at(kind, tmp_path)
    assert materialise(plan, store, keys_of(plan)).success
    with store.open_tables(plan, plan.first, plan.first + 12) as stored:
        report = check_store(stored)
    assert (report.score, report.failed, report.warned) == (100, False, False), report.text()
    with store.open_tables(plan, plan.first + 5, plan.first + 6) as stored:
        report = check_store(stored)
    assert not report.failed, report.text()
