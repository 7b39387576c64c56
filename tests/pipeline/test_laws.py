"""The laws through Dagster, on both stores: whatever the order of materialisations, the store holds the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import yaml

from plotsim_core import Plan, from_mapping
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import Store
from tests.marks import slow_but
from tests.pipeline.support import (
    CONFIGS,
    DUCKDB_FIRST,
    KINDS,
    assert_equals_the_batch,
    content,
    keys_of,
    materialise,
    plan_of,
    store_at,
)

TABLES = [table.name for table in plan_of("saas").tables]


SOME = ["dim_company", "fct_revenue", "evt_login", "evt_churn"]
"""A table with a history, one of every unit and period, and one each of events by the number and by a threshold."""


@dataclass(frozen=True)
class Batch:
    """A window made in one range, which every other way of making it has to give."""

    kind: str
    keys: list[str]
    tables: list[str]
    rows: Mapping[str, object]
    """The content of each table."""

    def agrees_with(self, plan: Plan, store: Store) -> bool:
        """Return whether a store holds the rows of the batch, of the tables that are compared."""
        actual = content(plan, store)
        return {name: actual[name] for name in self.tables} == {name: self.rows[name] for name in self.tables}


@pytest.fixture(scope="module", params=["some", *slow_but(DUCKDB_FIRST)])
def batch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """The whole window on each store, compared in all tables; and its first months in DuckDB, compared in some."""
    plan = plan_of("saas")
    whole = request.param, keys_of(plan), TABLES
    kind, keys, tables = whole if request.param != "some" else ("duckdb", keys_of(plan)[:3], SOME)
    store = store_at(kind, tmp_path_factory.mktemp("batch"))
    assert materialise(plan, store, keys).success
    return Batch(kind, keys, tables, content(plan, store))


@pytest.mark.slow
def test_one_by_one_is_the_whole(batch: Batch, tmp_path: Path) -> None:
    """Slice: months made one by one are the months made in one range."""
    plan, store = plan_of("saas"), store_at(batch.kind, tmp_path)
    for key in batch.keys:
        assert materialise(plan, store, [key], only=batch.tables).success
    assert batch.agrees_with(plan, store)


@pytest.mark.slow
def test_backwards_is_the_whole(batch: Batch, tmp_path: Path) -> None:
    """As-of: a backfill of older months leaves the histories as of the latest."""
    plan, store = plan_of("saas"), store_at(batch.kind, tmp_path)
    for key in reversed(batch.keys):
        assert materialise(plan, store, [key], only=batch.tables).success
    assert batch.agrees_with(plan, store)


@pytest.mark.long
@pytest.mark.parametrize("batch", STORES, indirect=True)
def test_random_order_in_processes_is_the_whole(batch: Batch, tmp_path: Path) -> None:
    """Order: months made in random order by three processes are the whole."""
    plan, store = plan_of("saas"), store_at(batch.kind, tmp_path)
    keys = list(batch.keys)
    random.Random(7).shuffle(keys)
    script = (
        "import json, sys; from pathlib import Path; from tests.pipeline.support import *\n"
        "kind, place, keys, tables = json.loads(sys.argv[1])\n"
        "for key in keys: materialise(plan_of('saas'), store_at(kind, Path(place)), [key], only=tables)"
    )
    for part in (keys[:8], keys[8:16], keys[16:]):
        argument = json.dumps([batch.kind, str(tmp_path), part, TABLES])
        subprocess.run([sys.executable, "-c", script, argument], check=True, capture_output=True)
    assert batch.agrees_with(plan, store)


@pytest.mark.slow
@pytest.mark.parametrize("batch", DUCKDB_FIRST, indirect=True)
def test_again_changes_nothing(batch: Batch, tmp_path: Path) -> None:
    """Idempotence: materialising ranges and partitions again, report included, leaves the store as it was."""
    plan, store, keys = plan_of("saas"), store_at(batch.kind, tmp_path), batch.keys
    for part in (keys, keys[3:9], [keys[5]], keys[20:], keys[:1]):
        assert materialise(plan, store, part).success
    assert batch.agrees_with(plan, store)
    assert {
        table: set(partitions) for table, partitions in store.intact_partitions("saas").items() if table == "fct_revenue"
    } == {"fct_revenue": set(keys)}


@pytest.mark.parametrize("kind", slow_but(STORES, "duckdb"))
def test_a_run_on_any_store_is_the_batch_and_so_is_another(kind: str, tmp_path: Path) -> None:
    """Idempotence and Slice: a range, and a part of it again, hold what the generator makes without Dagster."""
    plan, store = plan_of("minimal"), store_at(kind, tmp_path)
    keys, names = keys_of(plan)[:3], [table.name for table in plan.tables]
    for part in (keys, keys[1:2]):
        assert materialise(plan, store, part, only=names).success
    assert_equals_the_batch(plan, store, plan.first + 3)


@pytest.mark.slow
def test_part_of_the_window_is_as_of_its_end(tmp_path: Path) -> None:
    """As-of: with the first ten months stored, no dimension row knows of a later one, and every reference resolves."""
    plan, store = plan_of("saas"), store_at("duckdb", tmp_path)
    result = materialise(plan, store, keys_of(plan)[:10])
    assert all(check.passed for check in result.get_asset_check_evaluations())
    with store.open_tables(plan, plan.first, plan.first + 10) as stored:
        ((latest, current),) = stored.connection.sql(
            "SELECT max(valid_from), count(*) FILTER (WHERE valid_to > DATE '2023-10-01') FROM saas.dim_company"
        ).fetchall()
    assert str(latest) <= "2023-10-01"
    assert current == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_days_as_well_as_months(kind: str, tmp_path: Path) -> None:
    """Slice and As-of on days: weeks of days out of order are the range that spans them."""
    plan = plan_of("delivery")
    keys = keys_of(plan)[300:328]
    names = [table.name for table in plan.tables]
    whole, parts = store_at(kind, tmp_path / "whole"), store_at(kind, tmp_path / "parts")
    materialise(plan, whole, keys, only=names)
    for part in (keys[21:], keys[:7], keys[14:21], [keys[10]], keys[7:14]):
        materialise(plan, parts, part, only=names)
    assert content(plan, parts) == content(plan, whole)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_days_of_a_dataset_without_an_end(kind: str, tmp_path: Path) -> None:
    """Rows that come late or again, a snapshot, a log and closed versions are those of the range, in whatever order days are
    made; and all checks hold of what is there."""
    plan = plan_of("streaming")
    names = [table.name for table in plan.tables]
    keys = partitions_for(plan).get_partition_keys()[20:48]
    whole, parts = store_at(kind, tmp_path / "whole"), store_at(kind, tmp_path / "parts")
    result = materialise(plan, whole, keys)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    for part in (keys[21:], keys[:7], keys[14:21], [keys[10]], keys[7:14]):
        materialise(plan, parts, part, only=names)
    for name in names:
        sql = f"SELECT count(*), hash(list(t ORDER BY t)) FROM streaming.{name} AS t"
        assert parts.query(sql, ["streaming"]) == whole.query(sql, ["streaming"]), name


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A month of all stages and some tables, made in one run."""
    plan, store = plan_of("saas"), store_at("duckdb", tmp_path_factory.mktemp("together"))
    names = ["trajectories", "metrics", "correlated_metrics", "noised_metrics", "fct_revenue", "evt_churn", "dim_company"]
    materialise(plan, store, keys_of(plan)[11:12], only=names)
    return store


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    slow_but(["fct_revenue", "evt_churn", "dim_company", "noised_metrics", "trajectories"], "evt_churn", "noised_metrics"),
)
def test_an_asset_alone_on_a_blank_store(name: str, together: Store, tmp_path: Path) -> None:
    """Any asset can be materialised alone, without what it is made from, and gives the rows of the whole."""
    plan, alone = plan_of("saas"), store_at("duckdb", tmp_path / "alone")
    materialise(plan, alone, keys_of(plan)[11:12], only=[name])
    sql = f"SELECT count(*), hash(list(t ORDER BY t)) FROM saas.{name} AS t"
    assert alone.query(sql, ["saas"]) == together.query(sql, ["saas"])


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "window",
    [
        {"start": "2024-02-29", "end": "2024-02-29", "every": "20 minutes"},
        {"start": "2024-02-28", "end": "2024-03-01", "every": "hour"},
        {"start": "2024-12", "end": "2025-01", "every": "week"},
        {"start": "2023-01", "end": "2025-12", "every": "quarter"},
        {"start": "2024-01", "every": "month", "span": 24},
    ],
    ids=["minutes", "hour", "week", "quarter", "open"],
)
def test_every_grain_and_an_open_window(window: dict[str, object], kind: str, tmp_path: Path) -> None:
    """Slice, As-of and the report hold for minutes, hours, weeks, quarters, and for a window without an end."""
    raw = yaml.safe_load((CONFIGS / "saas.yaml").read_text())
    segments = [{**segment, "count": 4, "arrival": {"kind": "uniform", "end": 3}} for segment in raw["segments"]]
    metrics = [{**metric, "persistence": 0.1} for metric in raw["metrics"]]
    for segment in segments:
        segment["archetype"] = "growth > decline"
    plan = from_mapping({**raw, "window": window, "segments": segments, "metrics": metrics}, name="grain")
    names = [table.name for table in plan.tables]
    keys = partitions_for(plan).get_partition_keys()[:9]
    whole, parts = store_at(kind, tmp_path / "whole"), store_at(kind, tmp_path / "parts")
    result = materialise(plan, whole, keys)
    blocking = [c for c in result.get_asset_check_evaluations() if c.severity == dg.AssetCheckSeverity.ERROR]
    assert all(check.passed for check in blocking), blocking
    for part in (keys[6:], keys[:3], keys[4:5], keys[3:6]):
        materialise(plan, parts, part, only=names)
    for table in plan.tables:
        sql = f"SELECT count(*), hash(list(t ORDER BY t)) FROM grain.{table.name} AS t"
        assert parts.query(sql, ["grain"]) == whole.query(sql, ["grain"])
    assert {name: set(partitions) for name, partitions in whole.intact_partitions("grain").items()}["fct_revenue"] == set(
        keys
    )
