"""Wide tables in Dagster: assets like any other, made partition by partition."""

from __future__ import annotations

from pathlib import Path

import pytest

from plotsim_core import Plan, batches, from_mapping
from plotsim_core.config.read import read
from tests.pipeline.support import CONFIGS, KINDS, keys_of, materialise, store_at

pytestmark = pytest.mark.slow


def wide() -> Plan:
    return from_mapping({**read(CONFIGS / "minimal.yaml"), "output": {"denormalized": True}}, name="minimal")


@pytest.mark.parametrize("kind", KINDS)
def test_wide_tables_made_partition_by_partition_are_those_of_the_whole(kind: str, tmp_path: Path) -> None:
    """With the fact they belong to, in any order; the report judges them too."""
    plan, store = wide(), store_at(kind, tmp_path)
    keys = keys_of(plan)
    for part in (keys[6:], keys[:6]):
        assert materialise(plan, store, part).success
    names = [table.name for table in plan.tables if table.name.endswith("_wide")]
    assert len(names) == sum(table.kind == "fact" for table in plan.tables) - len(names)
    assert plan.stop is not None
    with store.open_tables(plan, plan.first, plan.stop) as stored:
        for name in names:
            _, pieces = batches(plan, name)
            expected = [row for batch in pieces for row in batch.to_pylist()]
            values = stored.arrow(f"FROM {stored.relations[name]}").to_pylist()
            assert sorted(map(repr, values)) == sorted(map(repr, expected))
