"""One pass through Dagster: tables that are assets of their own, of which a run makes several together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables import one_pass
from plotsim_core.tables.build import build
from plotsim_core.tables.one_pass import OnePass
from plotsim_pipeline.partitions import periods_between
from tests.laws.made import chunks_of
from tests.pipeline.support import KINDS, assert_equals_the_batch, keys_of, materialise, plan_of, store_at

DATASET = "ecommerce"
RELATED = {"fct_orders", "fct_order_lines", "fct_returns", "evt_review"}
"""The tables that are made together: all that are made of each other's rows, but the first, the sessions."""


@pytest.fixture
def read_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Give the tables that are read from a pass, in the order in which they are."""
    names: list[str] = []
    batches = OnePass.batches

    def noted(one_pass: OnePass, name: str) -> Iterator[pa.RecordBatch]:
        names.append(name)
        return batches(one_pass, name)

    monkeypatch.setattr(OnePass, "batches", noted)
    with chunks_of(1 << 8):
        yield names


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_stores_the_batch(kind: str, tmp_path: Path, read_names: list[str]) -> None:
    plan, store = plan_of(DATASET), store_at(kind, tmp_path)
    keys = keys_of(plan)[:2]
    assert materialise(plan, store, keys).success
    assert sorted(read_names) == sorted(RELATED)
    assert_equals_the_batch(plan, store, periods_between(plan, keys)[1])


def test_a_table_alone_is_made_alone(tmp_path: Path, read_names: list[str]) -> None:
    plan = plan_of(DATASET)
    assert materialise(plan, store_at("duckdb", tmp_path), keys_of(plan)[:1], only=["fct_orders"]).success
    assert read_names == []


@pytest.mark.slow
def test_what_fails_is_the_table_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_names: list[str]) -> None:
    """And not the one that was read first; what is retried later is that table alone."""
    plan, store = plan_of(DATASET), store_at("duckdb", tmp_path)
    keys = keys_of(plan)[:2]

    def failing(plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        if table.name == "fct_order_lines":
            raise ValueError("no lines today")
        return build(plan, table, slice_)

    monkeypatch.setattr(one_pass, "build", failing)
    with pytest.raises(Exception, match="no lines today"):
        materialise(plan, store, keys, only=["evt_session", "fct_orders", "fct_order_lines"])
    assert store.records(plan.name).keys() == {"evt_session", "fct_orders"}, "the table that was read first is there"
    monkeypatch.setattr(one_pass, "build", build)
    assert materialise(plan, store, keys, only=["fct_order_lines"]).success
