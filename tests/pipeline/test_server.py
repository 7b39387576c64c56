"""The real thing: webserver and daemon up, a backfill launched over GraphQL, and its success waited for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.live import asked, served, until
from tests.pipeline.support import keys_of, plan_of, store_at

LAUNCH = """
mutation ($assets: [AssetKeyInput!]!, $keys: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $keys}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """`dagster dev` with an instance and a store of its own; gives its address."""
    stored = {"PLOTSIM_STORE": "duckdb", "PLOTSIM_STORE_PATH": str(tmp_path / "store.duckdb"), "PLOTSIM_DATASETS": "saas"}
    with served(tmp_path / "home", stored) as address:
        yield address


def test_a_backfill_over_graphql(server: str, tmp_path: Path) -> None:
    """A backfill of six months of every table is one run, succeeds, and stores these months."""
    plan = plan_of("saas")
    keys = keys_of(plan)[6:12]
    names = [table.name for table in plan.tables]
    assets = [{"path": ["saas", name]} for name in names]
    launched = asked(server, LAUNCH, assets=assets, keys=keys)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def done() -> bool:
        status = asked(server, STATUS, id=launched["backfillId"])["partitionBackfillOrError"]["status"]
        assert status not in ("FAILED", "COMPLETED_FAILED"), (tmp_path / "home" / "log").read_text()[-3000:]
        return bool(status == "COMPLETED_SUCCESS")

    until("the backfill", 180, done)
    runs = asked(server, RUNS)["runsOrError"]["results"]
    assert [run["status"] for run in runs] == ["SUCCESS"]
    held = store_at("duckdb", tmp_path).held("saas")
    assert set(held["fct_revenue"]) == set(keys)
    assert set(held) == set(names)
