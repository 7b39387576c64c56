"""References through Dagster: trees make no cycle of assets, and any order of partitions gives the batch."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from plotsim_pipeline.assets.lineage import column_lineage, upstream
from tests.pipeline.support import content, keys_of, materialise, store_at
from tests.tables.test_references import whole

TABLES = [table.name for table in whole().tables]


def test_no_table_is_above_itself_and_columns_tell_what_they_are_of() -> None:
    plan = whole()
    assert all(table.name not in upstream(plan, table) for table in plan.tables)
    lineage = column_lineage(plan, plan.table("fct_step")).deps_by_column
    assert dg.TableColumnDep(dg.AssetKey(["staff", "fct_job"]), "kind") in lineage["same_kind"]
    valid = column_lineage(plan, plan.table("fct_job")).deps_by_column["rate_id"]
    assert {dep.column_name for dep in valid} == {"rate_id", "start_at", "end_at"}


@pytest.mark.slow
def test_partitions_in_any_order_give_the_batch(tmp_path: Path) -> None:
    plan = whole()
    keys = keys_of(plan)
    batch, parts = (store_at("duckdb", tmp_path / name) for name in ("batch", "parts"))
    for name in ("batch", "parts"):
        (tmp_path / name).mkdir()
    result = materialise(plan, batch, keys)
    assert result.success
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())
    for first, stop in ((6, 12), (0, 2), (2, 6)):
        assert materialise(plan, parts, keys[first:stop], only=TABLES).success
    whole_content, content_of_parts = content(plan, batch), content(plan, parts)
    assert {name: content_of_parts[name] for name in TABLES} == {name: whole_content[name] for name in TABLES}
