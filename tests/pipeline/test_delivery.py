"""Rows delivered late, again and put right, through Dagster: a store holds what was delivered up to its last day."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plotsim_core import Plan, from_mapping
from plotsim_core.config.quality import DELIVERED, LEDGER
from plotsim_core.truth.restore import restored
from plotsim_core.validation.report import check_store
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.filesystem import filesystem_of
from plotsim_pipeline.stores.store import Store
from tests.laws.made import differing, made_table
from tests.laws.test_delivery import ALL
from tests.laws.test_quality import CONFIG
from tests.pipeline.support import content, keys_of, materialise, store_at

pytestmark = pytest.mark.slow

BROKEN = ("fct_all", "evt_visit", LEDGER)
DAYS = {**CONFIG, "window": {"start": "2024-03-01", "end": "2024-03-08", "every": "day"}}


def plan_of() -> Plan:
    """Eight days of shops, with every issue of delivery, nulls and copies."""
    also = [
        {"table": "fct_all", "issue": "null_injection", "column": "mood"},
        {"table": "evt_visit", "issue": "duplicate_rows", "since": "2024-03-04"},
    ]
    issues = [{"rate": 0.3, **issue} for issue in (*ALL, *also)]
    return from_mapping({**DAYS, "segments": [{**DAYS["segments"][0], "count": 30}], "quality": issues}, name="late")


def stored(store: Store, plan: Plan, name: str) -> pa.Table:
    with store.open_tables(plan, plan.first, plan.stop or 0) as opened:
        order = ", ".join(f'"{column.name}"' for column in plan.table(name).columns)
        return opened.connection.sql(f"SELECT {order} FROM {opened.relations[name]} ORDER BY ALL").to_arrow_table()


@pytest.mark.parametrize("kind", ["duckdb", pytest.param("parquet", marks=pytest.mark.long)])
def test_a_store_holds_what_was_delivered_up_to_its_last_day(kind: str, tmp_path: Path) -> None:
    """Day by day in any order and as one range; some days by themselves are those of the whole; every check passes."""
    plan = plan_of()
    assert plan.stop is not None
    keys, names = keys_of(plan), [table.name for table in plan.tables]
    whole, parts = store_at(kind, tmp_path / "whole"), store_at(kind, tmp_path / "parts")
    assert materialise(plan, whole, keys, only=names).success
    for part in ([keys[2]], keys[:2], keys[3:5]):
        assert materialise(plan, parts, part, only=names).success
    for name in BROKEN:
        assert not differing(stored(parts, plan, name).combine_chunks(), _sorted(plan, name, plan.first + 5))
    with parts.open_tables(plan, plan.first, plan.first + 5) as opened:
        report = check_store(opened)
    assert not report.failed, report.text()
    for part in (keys[6:], [keys[5]]):
        assert materialise(plan, parts, part, only=names).success
    assert content(plan, parts) == content(plan, whole)


def test_a_store_with_days_missing_is_judged_by_what_it_has(tmp_path: Path) -> None:
    """Only the fifth day: rows of earlier days that came then are there and given back, and nothing fails."""
    plan = plan_of()
    store = store_at("parquet", tmp_path)
    result = materialise(plan, store, keys_of(plan)[4:5])
    assert all(check.passed for check in result.get_asset_check_evaluations())
    rows, ledger = (stored(store, plan, name) for name in ("fct_all", LEDGER))
    assert set(rows[DELIVERED].to_pylist()) == {20240305}
    assert min(rows["date_key"].to_pylist()) < 20240305
    table_rows = restored(plan, {"fct_all": rows}, ledger)["fct_all"]
    clean = made_table(plan.clean, "fct_all").to_pandas().set_index(["date_key", "shop_id"])
    given = table_rows.to_pandas().set_index(["date_key", "shop_id"])
    assert given.index.is_unique
    assert given.equals(clean.loc[given.index])


@pytest.mark.long
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_day_by_day_backwards_is_the_whole(kind: str, tmp_path: Path) -> None:
    plan = plan_of()
    whole, parts = store_at(kind, tmp_path / "whole"), store_at(kind, tmp_path / "parts")
    materialise(plan, whole, keys_of(plan), only=[table.name for table in plan.tables])
    for key in reversed(keys_of(plan)):
        assert materialise(plan, parts, [key], only=[table.name for table in plan.tables]).success
    assert content(plan, parts) == content(plan, whole)


LATE_DAYS = {"table": "fct_all", "issue": "late_delivery", "rate": 0.3, "up_to": 2}
RENAMED = {
    **DAYS,
    "segments": [{**DAYS["segments"][0], "count": 30}],
    "quality": [
        {"table": "fct_all", "issue": "schema_drift", "mode": "rename", "rate": 1, "column": "mood", "since": "2024-03-05"},
        {
            "table": "fct_all",
            "issue": "schema_drift",
            "mode": "rename",
            "rate": 1,
            "column": "visits",
            "since": "2024-03-07",
        },
        LATE_DAYS,
    ],
}


@pytest.mark.long
@pytest.mark.parametrize("place", ["files", "memory://renamed"])
def test_files_have_the_columns_of_their_day(place: str, tmp_path: Path) -> None:
    """A renamed column is in the files of partitions before the date, its new name in those from it on; every check passes,
    also while there are only the first days."""
    plan = from_mapping(RENAMED, name="renamed")
    store = STORES["parquet"](path=place if "://" in place else str(tmp_path / place))
    keys = keys_of(plan)
    for part in (keys[:4], keys[4:]):
        result = materialise(plan, store, part)
        assert all(check.passed for check in result.get_asset_check_evaluations()), result.get_asset_check_evaluations()
    filesystem, root = filesystem_of(store.path)
    for day in range(1, 9):
        with filesystem.open(f"{root}/renamed/fct_all/2024-03-0{day}.parquet", "rb") as file:
            names = set(pq.read_schema(file).names)
        assert names & {"mood", "mood_v2"} == {"mood" if day < 5 else "mood_v2"}
        assert names & {"visits", "visits_v2"} == {"visits" if day < 7 else "visits_v2"}
    assert not differing(stored(store, plan, "fct_all").combine_chunks(), _sorted(plan, "fct_all"))


def test_readers_that_take_the_first_files_columns_lose_the_new_one(tmp_path: Path) -> None:
    """As docs/quality.md says: pandas without a word, DuckDB refuses until it is told."""
    plan = from_mapping({**RENAMED, "quality": RENAMED["quality"][:1]}, name="renamed")
    materialise(plan, store_at("parquet", tmp_path), keys_of(plan), only=["fct_all"])
    folder = tmp_path / "files" / "renamed" / "fct_all"
    assert "mood_v2" not in pd.read_parquet(folder)
    with duckdb.connect() as connection:
        with pytest.raises(duckdb.Error, match="union_by_name"):
            connection.sql(f"FROM '{folder}/*.parquet'").fetchall()
        assert "mood_v2" in connection.sql(f"FROM read_parquet('{folder}/*.parquet', union_by_name = true)").columns


@pytest.mark.long
def test_a_partition_longer_than_a_period_has_both_columns_in_the_week_of_the_change(tmp_path: Path) -> None:
    window = {"start": "2024-01-29", "end": "2024-02-18", "every": "day", "partition": "week"}
    drift = {**RENAMED["quality"][0], "since": "2024-02-07"}
    plan = from_mapping({**RENAMED, "window": window, "quality": [drift, LATE_DAYS]}, name="renamed")
    store = store_at("parquet", tmp_path)
    for part in (keys_of(plan)[1:], keys_of(plan)[:1]):
        result = materialise(plan, store, part)
        assert all(check.passed for check in result.get_asset_check_evaluations())
    values = [
        {name for name in pq.read_schema(file).names if name.startswith("mood")}
        for file in sorted((tmp_path / "files" / "renamed" / "fct_all").glob("*.parquet"))
    ]
    assert values == [{"mood"}, {"mood", "mood_v2"}, {"mood_v2"}]
    assert not differing(stored(store, plan, "fct_all").combine_chunks(), _sorted(plan, "fct_all"))


def _sorted(plan: Plan, name: str, stop: int | None = None) -> pa.Table:
    """Return a table as `stored` gives it."""
    with duckdb.connect() as connection:
        connection.register("made", made_table(plan, name, None, stop))
        return connection.sql("FROM made ORDER BY ALL").to_arrow_table().combine_chunks()
