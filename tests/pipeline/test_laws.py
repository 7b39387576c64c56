"""The laws through Dagster, on both stores: whatever the order of materialisations, the store holds the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from plotsim_core import from_mapping
from plotsim_pipeline.partitions import partitions_for
from tests.pipeline.support import CONFIGS, DUCKDB_FIRST, KINDS, content, keys_of, materialise, plan_of, store_at

TABLES = [table.name for table in plan_of("saas").tables]


@pytest.fixture(scope="module", params=DUCKDB_FIRST)
def batch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, object]]:
    """The whole window in one range: what every other way has to give."""
    plan, store = plan_of("saas"), store_at(request.param, tmp_path_factory.mktemp("batch"))
    assert materialise(plan, store, keys_of(plan)).success
    return request.param, content(plan, store)


def test_one_by_one_is_the_whole(batch: tuple[str, dict[str, object]], tmp_path: Path) -> None:
    """Slice: 24 months made one by one are the 24 months made in one range."""
    kind, whole = batch
    plan, store = plan_of("saas"), store_at(kind, tmp_path)
    for key in keys_of(plan):
        assert materialise(plan, store, [key], only=TABLES).success
    assert content(plan, store) == whole


def test_backwards_is_the_whole(batch: tuple[str, dict[str, object]], tmp_path: Path) -> None:
    """As-of: a backfill of older months leaves the histories as of the latest."""
    kind, whole = batch
    plan, store = plan_of("saas"), store_at(kind, tmp_path)
    for key in reversed(keys_of(plan)):
        assert materialise(plan, store, [key], only=TABLES).success
    assert content(plan, store) == whole


@pytest.mark.long
def test_random_order_in_processes_is_the_whole(batch: tuple[str, dict[str, object]], tmp_path: Path) -> None:
    """Order: months made in random order by three processes are the whole."""
    kind, whole = batch
    plan, store = plan_of("saas"), store_at(kind, tmp_path)
    keys = keys_of(plan)
    random.Random(7).shuffle(keys)
    script = (
        "import json, sys; from pathlib import Path; from tests.pipeline.support import *\n"
        "kind, place, keys, tables = json.loads(sys.argv[1])\n"
        "for key in keys: materialise(plan_of('saas'), store_at(kind, Path(place)), [key], only=tables)"
    )
    for part in (keys[:8], keys[8:16], keys[16:]):
        argument = json.dumps([kind, str(tmp_path), part, TABLES])
        subprocess.run([sys.executable, "-c", script, argument], check=True, capture_output=True)
    assert content(plan, store) == whole


def test_again_changes_nothing(batch: tuple[str, dict[str, object]], tmp_path: Path) -> None:
    """Idempotence: materialising ranges and partitions again, report included, leaves the store as it was."""
    kind, whole = batch
    plan, store = plan_of("saas"), store_at(kind, tmp_path)
    keys = keys_of(plan)
    for part in (keys, keys[3:9], [keys[5]], keys[20:], keys[:1]):
        assert materialise(plan, store, part).success
    assert content(plan, store) == whole
    assert {
        table: set(partitions) for table, partitions in store.intact_partitions("saas").items() if table == "fct_revenue"
    } == {"fct_revenue": set(keys)}


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


@pytest.mark.parametrize("name", ["fct_revenue", "evt_churn", "dim_company", "noised_metrics", "trajectories"])
def test_an_asset_alone_on_a_blank_store(name: str, tmp_path: Path) -> None:
    """Any asset can be materialised alone, without what it is made from, and gives the rows of the whole."""
    plan = plan_of("saas")
    key = keys_of(plan)[11]
    alone, together = store_at("duckdb", tmp_path / "alone"), store_at("duckdb", tmp_path / "together")
    materialise(plan, alone, [key], only=[name])
    materialise(plan, together, [key], only=["trajectories", "metrics", "correlated_metrics", "noised_metrics", *TABLES])
    sql = f"SELECT count(*), hash(list(t ORDER BY t)) FROM saas.{name} AS t"
    assert alone.query(sql, ["saas"]) == together.query(sql, ["saas"])


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "window",
    [
        {"start": "2024-02-28", "end": "2024-03-01", "every": "hour"},
        {"start": "2024-12", "end": "2025-01", "every": "week"},
        {"start": "2023-01", "end": "2025-12", "every": "quarter"},
        {"start": "2024-01", "every": "month", "span": 24},
    ],
    ids=["hour", "week", "quarter", "open"],
)
def test_every_grain_and_an_open_window(window: dict[str, object], kind: str, tmp_path: Path) -> None:
    """Slice, As-of and the report hold for hours, weeks, quarters, and for a window without an end."""
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
