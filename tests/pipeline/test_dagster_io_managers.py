"""Dagster's own DuckDB IO managers read what is stored, by the metadata of its assets: their query, our tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.storage.db_io_manager import DbTypeHandler, TableSlice
from dagster_duckdb import DuckDBIOManager
from dagster_duckdb.io_manager import DuckDbClient

from plotsim_core import Plan, from_mapping, load_config
from plotsim_core.output.partitions import keys_between
from plotsim_pipeline.assets.report import report_assets
from plotsim_pipeline.assets.tables import resources_of, stage_assets, table_assets
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import CONFIGS, END, START, keys_of, materialise, store_at


class Frames(DbTypeHandler[pd.DataFrame]):
    """What dagster-duckdb-pandas does; it does not allow pandas 3."""

    def handle_output(self, context: dg.OutputContext, table_slice: TableSlice, obj: pd.DataFrame, connection: Any) -> None:
        raise NotImplementedError

    def load_input(self, context: dg.InputContext, table_slice: TableSlice, connection: Any) -> pd.DataFrame:
        return connection.execute(DuckDbClient.get_select_statement(table_slice)).df()

    @property
    def supported_types(self) -> Sequence[type[object]]:
        return [pd.DataFrame]


class FrameManager(DuckDBIOManager):
    @staticmethod
    def type_handlers() -> Sequence[DbTypeHandler[Any]]:
        return [Frames()]


def reads(plan: Plan, store: Store, table: str, keys: Sequence[str] = (), **manager: Any) -> pd.DataFrame:
    """Return what an asset of one's own reads of a range of partitions, or of all, through Dagster's IO manager."""
    partitions = partitions_for(plan)
    upstream = [*stage_assets(plan, partitions), *table_assets(plan, partitions), *report_assets(plan, partitions)]
    inputs: list[pd.DataFrame] = []

    @dg.asset(
        ins={"rows": dg.AssetIn(key=[plan.name, table], input_manager_key="theirs")},
        partitions_def=partitions if keys else None,
        io_manager_key="memory",
    )
    def downstream(rows: pd.DataFrame) -> None:
        inputs.append(rows)

    dg.materialize(
        [*upstream, downstream],
        selection=[downstream],
        resources={
            "store": store,
            **resources_of(plan),
            "memory": dg.mem_io_manager,
            "theirs": FrameManager(database=store.path, **manager),
        },
        tags={START: keys[0], END: keys[-1]} if keys else None,
    )
    (rows,) = inputs
    return rows


HOURS = {"start": "2024-03-01", "end": "2024-03-02", "every": "hour"}
WINDOWS = {
    "minutes": {"start": "2024-03-01", "end": "2024-03-01", "every": "30 minutes"},
    "minutes in hours": {"start": "2024-03-01", "end": "2024-03-01", "every": "30 minutes", "partition": "hour"},
    "hour": HOURS,
    "hours in days": {**HOURS, "partition": "day"},
    "day": {"start": "2024-02-25", "end": "2024-03-05", "every": "day"},
    "days in months": {"start": "2024-01-01", "end": "2024-03-31", "every": "day", "partition": "month"},
    "week": {"start": "2024-01-01", "end": "2024-03-03", "every": "week"},
    "month": {"start": "2024-01", "end": "2024-06", "every": "month"},
    "months in quarters": {"start": "2024-01", "end": "2024-12", "every": "month", "partition": "quarter"},
    "quarter": {"start": "2023-01-01", "end": "2024-12-31", "every": "quarter"},
}


def plan_with(window: dict[str, str]) -> Plan:
    return from_mapping(
        {
            "about": "Shops",
            "unit": "shop",
            "window": window,
            "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [5, 30]}],
            "segments": [{"name": "all", "count": 4, "archetype": "growth"}],
            "seed": 1,
        },
        name="shops",
    )


@pytest.mark.slow
@pytest.mark.parametrize("grain", WINDOWS)
def test_their_query_gives_the_rows_of_the_partitions(grain: str, tmp_path: Path) -> None:
    """Of one partition, a range and all, of every grain: as many as the store has in each, and dated in them."""
    plan, store = plan_with(WINDOWS[grain]), store_at("duckdb", tmp_path)
    keys = keys_of(plan)
    materialise(plan, store, keys, only=[*(table.name for table in plan.tables), "noised_metrics", "validation_report"])
    for table, ranges in (
        ("fct_visits", ([keys[0]], [keys[1]], keys[-2:], [])),
        ("noised_metrics", (keys[1:3],)),
        ("validation_report", (keys[1:3],)),
    ):
        counts = {key: rows for key, (rows, _) in store.intact_partitions("shops")[table].items()}
        assert all(counts.values())
        for selected in ranges:
            rows = reads(plan, store, table, selected)
            assert len(rows) == sum(counts[key] for key in selected or keys), (table, selected)
            form = plan.grain.key_format
            days = pd.to_datetime(rows["date_key"].astype(str), format=form)
            assert days.min() >= pd.Timestamp((selected or keys)[0])


@pytest.mark.slow
def test_a_state_is_whole_whatever_partition_is_asked_for(tmp_path: Path) -> None:
    plan, store = plan_with(WINDOWS["month"]), store_at("duckdb", tmp_path)
    keys = keys_of(plan)
    materialise(plan, store, keys, only=["dim_shop"])
    assert len(reads(plan, store, "dim_shop", [keys[0]])) == len(reads(plan, store, "dim_shop")) == 4


@pytest.mark.slow
def test_tables_that_are_delivered_late_are_read_by_their_delivery(tmp_path: Path) -> None:
    """The column of time has another name there."""
    plan, store = load_config(CONFIGS / "streaming.yaml"), store_at("duckdb", tmp_path)
    keys = keys_between(plan, plan.first + 10, plan.first + 14)
    for table in ("evt_play", "snp_subscriber", "quality_ledger", "log_subscriber"):
        materialise(plan, store, keys, only=[table])
        counts = {key: rows for key, (rows, _) in store.intact_partitions("streaming")[table].items()}
        for selected in (keys[:1], keys[1:3]):
            assert len(reads(plan, store, table, selected)) == sum(counts[key] for key in selected)


@pytest.mark.slow
def test_a_schema_of_their_manager_does_not_hide_the_tables(tmp_path: Path) -> None:
    """A manager for one's own tables is often inputs a schema; those of a dataset are in the dataset's."""
    plan, store = plan_with(WINDOWS["month"]), store_at("duckdb", tmp_path)
    keys = keys_of(plan)
    materialise(plan, store, keys, only=["fct_visits"])
    assert len(reads(plan, store, "fct_visits", keys[:1], schema="analytics")) == 4
