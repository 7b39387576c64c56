"""Cadence in Dagster: logs, snapshots and histories that were stored partition by partition agree with each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plotsim_core import Plan, batches, from_mapping
from plotsim_core.truth.expected import expected_rows
from plotsim_pipeline.assets.tables import table_assets
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import keys_of, materialise, store_at

COLUMNS = "shop_id, city, tier"
RAW = {
    "about": "Shops that open and close",
    "unit": "shop",
    "window": ["2024-01", "2024-12", "month"],
    "metrics": [{"name": "mood", "type": "score", "polarity": "positive"}],
    "segments": [
        {"name": "old", "count": 20, "archetype": "decline", "attributes": {"city": ["Metz"]}},
        {
            "name": "new",
            "count": 20,
            "archetype": "growth",
            "attributes": {"city": ["Nice"]},
            "arrival": {"kind": "uniform", "end": 8},
        },
    ],
    "dimensions": [
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": [
                {"name": "shop_id", "type": "id"},
                {"name": "city", "type": "pool.city"},
                {"name": "tier", "type": "scd", "tracks": "mood", "tiers": ["low", "mid", "top"], "at": [0.3, 0.6]},
            ],
        }
    ],
    "facts": [
        {
            "name": "fct_mood",
            "columns": [
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "mood", "type": "metric.mood"},
            ],
        },
        {"name": "snp_shop", "snapshot_of": "dim_shop", "every": "quarter"},
    ],
    "events": [
        {
            "name": "evt_close",
            "trigger": "threshold",
            "metric": "mood",
            "below": 0.2,
            "ends_unit": True,
            "columns": [
                {"name": "close_id", "type": "id"},
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
            ],
        },
        {"name": "log_shop", "changes_of": "dim_shop"},
    ],
}


def shops() -> Plan:
    return from_mapping(RAW, name="shops")


def ask(plan: Plan, store: Store, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query over the stored tables, in which `{table}` stands for each."""
    assert plan.stop is not None
    with store.open_tables(plan, plan.first, plan.stop) as stored:
        rows: list[tuple[object, ...]] = stored.connection.sql(sql.format(**stored.relations)).fetchall()
        return rows


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[pytest.mark.long] * (kind != "duckdb")) for kind in STORES])
def test_what_is_stored_in_any_order_agrees(kind: str, tmp_path: Path) -> None:
    """The later half is made first and some of it again, which changes nothing."""
    plan, store = shops(), store_at(kind, tmp_path)
    keys, names = keys_of(plan), [table.name for table in plan.tables]
    for part in (keys[6:], keys[:6], keys[3:5]):
        assert materialise(plan, store, part, only=names).success
    for quarter in (20240301, 20240601, 20240901, 20241201):
        applied = (
            f"SELECT {COLUMNS} FROM (SELECT op, unnest(after) FROM (SELECT * FROM {{log_shop}} WHERE date_key <= {quarter} "
            "QUALIFY row_number() OVER (PARTITION BY shop_id ORDER BY sequence DESC) = 1)) WHERE op <> 'D' ORDER BY ALL"
        )
        snapshots = f"SELECT {COLUMNS} FROM {{snp_shop}} WHERE snapshot_date_key = {quarter} ORDER BY ALL"
        day = f"strptime('{quarter}', '%Y%m%d')"
        valid = (
            f"SELECT {COLUMNS} FROM {{dim_shop}} WHERE valid_from <= {day} AND (valid_to IS NULL OR {day} < valid_to) "
            "ORDER BY ALL"
        )
        period = int(plan.grain.holding(np.array([np.datetime64(f"{str(quarter)[:4]}-{str(quarter)[4:6]}-01", "s")]))[0])
        expected = sorted(tuple(row.values()) for row in expected_rows(plan, "log_shop", period)[1].to_pylist())
        assert 0 < len(expected) < plan.population.units
        assert ask(plan, store, applied) == ask(plan, store, snapshots) == ask(plan, store, valid) == expected


def test_the_catalogue_says_how_a_table_comes() -> None:
    plan = shops()
    assets = {asset.key.path[-1]: asset for asset in table_assets(plan, partitions_for(plan))}
    values = {name: asset.metadata_by_key[asset.key]["cadence"] for name, asset in assets.items()}
    assert values["snp_shop"] == "snapshot (quarter), append"
    assert values["log_shop"] == "change log, append"
    assert values["dim_shop"] == "history, merge"


def test_a_log_of_one_period_is_that_period_of_the_whole() -> None:
    plan = shops()
    whole = [row for batch in batches(plan, "log_shop")[1] for row in batch.to_pylist()]
    assert plan.stop is not None
    parts = [
        row
        for period in range(plan.first, plan.stop)
        for batch in batches(plan, "log_shop", period, period + 1)[1]
        for row in batch.to_pylist()
    ]
    assert parts == whole
    assert {row["op"] for row in whole} == {"I", "U", "D"}
