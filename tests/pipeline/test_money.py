"""Exact decimals through Dagster: every store keeps their type and their cents, and says so in the catalogue."""

from decimal import Decimal
from pathlib import Path

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from plotsim_pipeline.assets.tables import resources_of, table_assets
from plotsim_pipeline.partitions import partitions_for
from tests.output.test_money import plan_of, rows
from tests.pipeline.support import KINDS, assert_equals_the_batch, keys_of, materialise, store_at

pytestmark = pytest.mark.slow

PLAN = plan_of()


@pytest.mark.parametrize("kind", KINDS)
def test_every_store_keeps_decimals(kind: str, tmp_path: Path) -> None:
    store, keys = store_at(kind, tmp_path), keys_of(PLAN)
    for some in (keys[3:], keys[:2], keys[1:4]):
        result = materialise(PLAN, store, some)
        assert result.success
        assert all(check.passed for check in result.get_asset_check_evaluations())
    assert PLAN.stop is not None
    assert_equals_the_batch(PLAN, store, PLAN.stop)
    with store.open_tables(PLAN, PLAN.first, PLAN.stop) as stored:
        line = stored.arrow(f"SELECT net, sum(net) OVER () AS all_net FROM {stored.relations['fct_line']}")
    assert line.schema.field("net").type == pa.decimal128(18, 2)
    assert line["all_net"][0].as_py() == sum(line["net"] for line in rows(PLAN, "fct_line"))


@pytest.mark.parametrize("kind", KINDS)
def test_assets_on_top_get_decimals(kind: str, tmp_path: Path) -> None:
    seen: dict[str, object] = {}
    upstream = dg.AssetKey(["orders", "fct_line"])

    @dg.asset(ins={"lines": dg.AssetIn(upstream)})
    def in_pandas(lines: pd.DataFrame) -> pd.DataFrame:
        seen["pandas"] = lines["net"].sum()
        return lines[["line_id", "net"]]

    @dg.asset(ins={"lines": dg.AssetIn(upstream)})
    def in_polars(lines: pl.DataFrame) -> pl.DataFrame:
        seen["polars"] = lines["net"].sum()
        return lines.select("line_id", "net")

    store = store_at(kind, tmp_path)
    assets = [*table_assets(PLAN, partitions_for(PLAN)), in_pandas, in_polars]
    materialise(PLAN, store, keys_of(PLAN), only=["fct_line"])
    result = dg.materialize(
        assets, selection=[in_pandas, in_polars], resources={"store": store, **resources_of(PLAN)}, raise_on_error=True
    )
    total: Decimal = sum((line["net"] for line in rows(PLAN, "fct_line")), Decimal())
    assert result.success
    assert seen == {"pandas": total, "polars": total}
