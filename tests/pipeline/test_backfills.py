"""Backfills of any ranges, in any order, while the schedule runs, give what one range gives; again, they change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from plotsim_core.output.partitions import keys_between
from plotsim_pipeline.datasets import definitions_of
from tests.pipeline.live import asked, backfill, served, until
from tests.pipeline.support import END, START, content, materialise, store_at
from tests.pipeline.test_schedules import SMALL, small, ticked

STATUS = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
RUNS = "{ runsOrError { ... on Runs { results { status tags { key value } } } } }"
MADE = """
query ($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) { ... on AssetNode { partitionStats { numMaterialized numPartitions } } }
}
"""


@pytest.mark.long
def test_any_order_while_the_schedule_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """March is made by ranges backwards, by single days and by a schedule that ticks in between, on an instance with the
    settings that come with it: the store is that of one range, and every partition shows as made."""
    plan, closed = small(), small(end="2024-03-20")
    monkeypatch.setenv("PLOTSIM_STORE_PATH", str(tmp_path / "store.duckdb"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    settings = Path(definitions_of.__code__.co_filename).with_name("instance.yaml").read_text(encoding="utf-8")
    (tmp_path / "dagster.yaml").write_text(settings, encoding="utf-8")
    store, names = store_at("duckdb", tmp_path), [table.name for table in plan.tables]
    keys = keys_between(plan, plan.first + 60, plan.first + 80)
    assert (keys[0], keys[-1]) == ("2024-03-01", "2024-03-20")
    job = definitions_of([plan]).resolve_job_def("shops_increment")

    def make(part: Sequence[str], instance: dg.DagsterInstance) -> None:
        tags = {START: part[0], END: part[-1]}
        assert job.execute_in_process(instance=instance, tags=tags).success

    with dg.DagsterInstance.get() as instance:
        for part in (keys[10:15], keys[4:6]):
            make(part, instance)
        for request in ticked(plan, store, "2024-03-17T02:30", instance):
            key = request.partition_key
            assert job.execute_in_process(instance=instance, partition_key=key, tags=dict(request.tags)).success
        for part in (keys[:3], keys[3:4]):
            make(part, instance)
        caught_up = ticked(plan, store, "2024-03-21T02:30", instance)
        assert [(request.tags[START], request.tags[END]) for request in caught_up] == [(keys[16], keys[-1])]
        make(keys[16:], instance)
        for name in names:
            assert instance.get_materialized_partitions(dg.AssetKey(["shops", name])) == set(keys)
        whole = store_at("duckdb", tmp_path / "whole")
        materialise(closed, whole, keys, only=names)
        expected = content(closed, whole)
        before = content(closed, store)
        assert {name: before[name] for name in names} == expected
        for part in (keys[5:9], keys):
            make(part, instance)
        assert content(closed, store) == before


@pytest.mark.long
@pytest.mark.parametrize("per_run", [None, "1"])
def test_by_the_daemon_in_one_run_or_one_per_partition(per_run: str | None, tmp_path: Path) -> None:
    """A backfill that is launched over GraphQL is one run, or with PLOTSIM_BACKFILL=1 a run per day; both give the same."""
    configs = tmp_path / "configs"
    configs.mkdir()
    raw = {**SMALL, "window": {"start": "2024-03-01", "end": "2024-03-04", "every": "day"}}
    (configs / "shops.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    plan = small(start="2024-03-01", end="2024-03-04", span=None)
    names = [table.name for table in plan.tables]
    environment = {
        "PLOTSIM_CONFIGS": str(configs),
        "PLOTSIM_DATASETS": "shops",
        "PLOTSIM_STORE": "duckdb",
        "PLOTSIM_STORE_PATH": str(tmp_path / "store.duckdb"),
        **({"PLOTSIM_BACKFILL": per_run} if per_run else {}),
    }
    keys = keys_between(plan, plan.first + 1, plan.first + 3)
    versions: list[dict[str, Any]] = []
    with served(tmp_path / "home", environment) as address:
        for again in range(2):

            def done(number: str = backfill(address, "shops", names, keys)) -> bool:
                status = asked(address, STATUS, id=number)["partitionBackfillOrError"]["status"]
                assert status not in ("FAILED", "COMPLETED_FAILED"), (tmp_path / "home" / "log").read_text()[-3000:]
                return bool(status == "COMPLETED_SUCCESS")

            until("the backfill", 300, done)
            runs = asked(address, RUNS)["runsOrError"]["results"]
            assert [run["status"] for run in runs] == ["SUCCESS"] * (again + 1) * (len(keys) if per_run else 1)
            values = {name: content(plan, store_at("duckdb", tmp_path))[name] for name in names}
            versions.append(values)
            assert values == versions[0]
        answer = asked(address, MADE, asset={"path": ["shops", "fct_visits"]})["assetNodeOrError"]["partitionStats"]
        assert answer == {"numMaterialized": 2, "numPartitions": 4}
    whole = store_at("duckdb", tmp_path / "whole")
    materialise(plan, whole, keys, only=names)
    assert versions[0] == content(plan, whole)
