"""The Parquet store in every layout: the same rows, found again by whoever looks; and one layout per dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from plotsim_core import Plan, from_mapping
from plotsim_core.config.layout import LAYOUTS
from plotsim_core.validation.store import find_store
from plotsim_pipeline.stores import STORES
from tests.marks import slow_but
from tests.output.support import RAW
from tests.pipeline.support import content, keys_of, materialise, store_at

OWN = "lake/{dataset}/{table}-{yyyy}-{mm}.parquet"
TABLES = ("dim_shop", "fct_month", "evt_visit")


def shops(output: dict[str, Any], **window: Any) -> Plan:
    raw = {**RAW, "window": {**RAW["window"], **window}, "output": {"format": "parquet", **output}}
    return from_mapping(raw, name="shops")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """The content of the first four partitions in the usual layout."""
    plan, store = shops({}), store_at("parquet", tmp_path_factory.mktemp("usual"))
    materialise(plan, store, keys_of(plan)[:4], only=TABLES)
    return content(plan, store)


SOME = ("hive", OWN)


@pytest.mark.parametrize(
    "layout",
    [*slow_but(SOME), *(pytest.param(name, marks=pytest.mark.long) for name in LAYOUTS if name not in SOME)],
)
def test_a_layout_moves_files_and_changes_no_row(layout: str, usual: dict[str, tuple[int, str]], tmp_path: Path) -> None:
    """Made in a range and again alone; the store, its queries and a check of its folder find all of it."""
    plan, store = shops({"layout": layout}), store_at("parquet", tmp_path)
    keys = keys_of(plan)[:4]
    materialise(plan, store, keys, only=TABLES)
    partitions = store.intact_partitions("shops")
    assert {name: list(remaining) for name, remaining in partitions.items()}["fct_month"] == keys
    assert len(partitions["dim_shop"]) == 1
    before = {file: file.read_bytes() for table in TABLES[1:] for file in Path(store.path).rglob(f"*{table}*.parquet")}
    materialise(plan, store, keys[1:2], only=TABLES)
    assert content(plan, store) == usual
    assert {file: file.read_bytes() for file in before} == before
    assert str(usual["fct_month"][0]) in store.query("SELECT count(*) FROM shops.fct_month", ["shops"])
    with find_store(plan, Path(store.path)) as actual:
        assert set(actual.relations) == set(TABLES)
        assert len(actual.stored_keys_of(plan.table("fct_month"))) == 4
        assert (actual.first, actual.stop) == (plan.first, plan.first + 4)


@pytest.mark.parametrize(
    ("every", "layout"),
    [
        pytest.param("hour", "hive", marks=pytest.mark.slow),
        pytest.param("30 minutes", "hive", marks=pytest.mark.slow),
        pytest.param("30 minutes", "nested_monthly", marks=pytest.mark.slow),
        pytest.param("hour", "by_table", marks=pytest.mark.slow),
        ("week", "iso_week"),
    ],
)
def test_minutes_hours_and_weeks_have_files_of_their_own(every: str, layout: str, tmp_path: Path) -> None:
    days = ["2024-12-30", "2024-12-30"] if every in ("hour", "30 minutes") else ["2024-12-30", "2025-02-02"]
    raw = {
        "about": "Doors",
        "unit": "door",
        "window": [*days, every],
        "output": {"format": "parquet", "layout": layout},
        "metrics": [{"name": "heat", "type": "score", "polarity": "positive"}],
        "segments": [{"name": "all", "count": 3, "archetype": "flat"}],
    }
    plan, store = from_mapping(raw, name="doors"), store_at("parquet", tmp_path)
    facts = next(table.name for table in plan.tables if table.kind == "fact")
    keys = keys_of(plan)
    materialise(plan, store, keys, only=[facts])
    assert list(store.intact_partitions("doors")[facts]) == keys
    assert len([file for file in Path(store.path).rglob("*.parquet") if facts in str(file)]) == len(keys)


@pytest.mark.slow
def test_partitions_longer_than_periods_have_a_file_each(tmp_path: Path) -> None:
    plan, store = shops({"layout": "quarter_based"}, partition="quarter"), store_at("parquet", tmp_path)
    materialise(plan, store, keys_of(plan), only=TABLES)
    assert list(store.intact_partitions("shops")["fct_month"]) == ["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"]
    assert (Path(store.path) / "shops" / "2024" / "Q2" / "fct_month_20240401.parquet").exists()


@pytest.mark.slow
def test_a_dataset_lies_in_one_layout(tmp_path: Path) -> None:
    """Another layout is refused while files lie in the old one, and taken when they are gone."""
    store = store_at("parquet", tmp_path)
    old, new = shops({}), shops({"layout": "hive"})
    materialise(old, store, keys_of(old)[:1], only=["fct_month"])
    with pytest.raises(Exception, match=r"output\.layout.* now asks for .*partition_year="):
        materialise(new, store, keys_of(new)[:1], only=["fct_month"])
    assert list(store.intact_partitions("shops")["fct_month"]) == ["2024-01-01"]
    for file in (Path(store.path) / "shops").rglob("*.parquet"):
        file.unlink()
    materialise(new, store, keys_of(new)[:1], only=["fct_month"])
    assert list(store.intact_partitions("shops")["fct_month"]) == ["2024-01-01"]
    with pytest.raises(Exception, match=r"as .*partition_year=.* now asks for \{dataset\}/\{table\}/\{key\}"):
        materialise(old, store, keys_of(old)[:1], only=["fct_month"])


@pytest.mark.slow
def test_files_are_encoded_as_the_config_says(tmp_path: Path) -> None:
    """Compression, row groups and the order of rows reach the files of the store; a partition has the same bytes alone."""
    plan = shops({"compression": "gzip", "row_group_rows": 5, "sort_by": ["sales"]})
    alone, ranged = (STORES["parquet"](path=str(tmp_path / name)) for name in ("alone", "ranged"))
    keys = keys_of(plan)[:3]
    materialise(plan, ranged, keys, only=["fct_month"])
    materialise(plan, alone, keys[2:], only=["fct_month"])
    file = f"shops/fct_month/{keys[2]}.parquet"
    assert (tmp_path / "alone" / file).read_bytes() == (tmp_path / "ranged" / file).read_bytes()
    footer = pq.read_metadata(tmp_path / "alone" / file)
    assert footer.row_group(0).column(0).compression == "GZIP"
    assert footer.row_group(0).num_rows == 5
    sales = [value for value in pq.read_table(tmp_path / "alone" / file)["sales"].to_pylist() if value is not None]
    assert sales == sorted(sales)
