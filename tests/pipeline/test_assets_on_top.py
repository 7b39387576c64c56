"""People's own assets on top: dagster-duckdb's resource reads what is stored, in the run that stores it."""

from pathlib import Path

import dagster as dg
import pytest
from dagster_duckdb import DuckDBResource

from plotsim_pipeline.assets.tables import resources_of, table_assets
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.stores import downstream_resources
from tests.pipeline.support import END, START, keys_of, plan_of, store_at


@pytest.mark.slow
def test_an_asset_of_ones_own_reads_the_store(tmp_path: Path) -> None:
    plan, store = plan_of("minimal"), store_at("duckdb", tmp_path)
    partitions = partitions_for(plan)

    @dg.asset(deps=[["minimal", "fct_payments"]], partitions_def=partitions, backfill_policy=dg.BackfillPolicy.single_run())
    def payments_in_all(duckdb: DuckDBResource):  # type: ignore[no-untyped-def]
        with duckdb.get_connection() as connection:
            connection.execute("CREATE OR REPLACE TABLE in_all AS SELECT count(*) AS n FROM minimal.fct_payments")
            return dg.MaterializeResult(metadata={"rows": connection.sql("FROM in_all").fetchall()[0][0]})

    tables = [asset for asset in table_assets(plan, partitions) if asset.key.path[-1] == "fct_payments"]
    keys = keys_of(plan)
    result = dg.materialize(
        [*tables, payments_in_all],
        resources={"store": store, **resources_of(plan), **downstream_resources(store)},
        tags={START: keys[0], END: keys[-1]},
    )
    (outcome, *_) = result.asset_materializations_for_node("payments_in_all")
    assert (
        outcome.metadata["rows"].value
        == sum(rows for rows, _ in store.intact_partitions("minimal")["fct_payments"].values())
        > 0
    )


def test_a_folder_of_files_has_no_such_resource(tmp_path: Path) -> None:
    assert downstream_resources(store_at("parquet", tmp_path)) == {}
