"""Layouts of partitions as files: what their names promise, one file each, and the way back from a file to its partition."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core import ConfigError, Plan, UsageError, batches, from_mapping, write_tables
from plotsim_core.config.layout import (
    LAYOUTS,
    PLACEHOLDERS,
    partition_file,
    partition_of,
    state_file,
    template,
    wrong_partition,
    wrong_text,
)
from plotsim_core.numerics.calendar import grain_named
from plotsim_core.output.parquet import ROW_GROUP, encoding_of
from plotsim_core.tables import reference
from plotsim_core.validation.store import find_store
from tests.marks import slow_but
from tests.output.support import RAW, as_lists, files, read, rows

PROMISED = {
    "by_table": "shops/orders/2024-12-30.parquet",
    "nested_daily": "shops/2024/12/30/orders.parquet",
    "nested_monthly": "shops/2024/12/orders_20241230.parquet",
    "nested_yearly": "shops/2024/orders_20241230.parquet",
    "flat_with_date": "shops/20241230_orders.parquet",
    "flat_with_date_suffix": "shops/orders_20241230.parquet",
    "hive_partitioned": "shops/partition_year=2024/partition_month=12/partition_day=30/orders.parquet",
    "hive_monthly": "shops/partition_year=2024/partition_month=12/orders_20241230.parquet",
    "iso_week": "shops/2025/week_01/orders_20241230.parquet",
    "quarter_based": "shops/2024/Q4/orders_20241230.parquet",
    "hive": "shops/orders/partition_year=2024/partition_month=12/partition_day=30/data.parquet",
}
OWN = {
    "5 minutes": "{dataset}/{table}/{yyyy_mm_dd}/{hh}-{minute}.parquet",
    "hour": "{dataset}/{table}/{yyyy_mm_dd}/{hh}.parquet",
    "day": "lake/{dataset}/{yyyymm}/{table}-{dd}.parquet",
    "week": "{table}/{dataset}/{iso_year}-W{iso_ww}.parquet",
    "month": "{dataset}/{table}_{yyyy}/{mm}.parquet",
    "quarter": "{dataset}/{yyyy}Q{q}-{table}.parquet",
    "year": "{dataset}/{yyyy}/{table}.parquet",
}
HIVE = {
    "5 minutes": "{dataset}/on={yyyymmdd}/at={h}/minute={n}/{table}.parquet",
    "hour": "{dataset}/on={yyyymmdd}/at={h}/{table}.parquet",
    "day": "{dataset}/{table}/y={yyyy}/{m}-{d}.parquet",
    "month": "t={table}/{dataset}/y={yyyy}/m={m}/x.parquet",
}
MONTHS = {"format": "parquet", "layout": "hive"}


def test_each_layout_is_what_its_name_says() -> None:
    """Monday 30 December 2024 is in the first ISO week of 2025."""
    day = grain_named("day")
    assert {name: partition_file(template(name, day), "shops", "orders", "2024-12-30") for name in LAYOUTS} == PROMISED
    page = (Path(__file__).parent.parent.parent / "docs" / "stores.md").read_text(encoding="utf-8")
    for name, file in PROMISED.items():
        assert f"| `{name}` | `{file}` | `{state_file(template(name, day), 'shops', 'orders')}` |" in page
    for name in PLACEHOLDERS:
        assert f"`{{{name}}}`" in page


@given(
    moment=st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31)),
    grain=st.sampled_from(list(OWN)),
    named=st.sampled_from([*LAYOUTS, None]),
    table=st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,20}\Z"),
    draw=st.data(),
)
def test_a_file_tells_whose_partition_it_is(
    moment: datetime, grain: str, named: str | None, table: str, draw: st.DataObject
) -> None:
    """Rendering has an inverse, for every layout, grain, day and table; a state is told from partitions."""
    layout = template(named or draw.draw(st.sampled_from([OWN[grain], HIVE.get(grain, OWN[grain])])), grain_named(grain))
    assert not [*wrong_text(layout), *wrong_partition(layout, grain_named(grain))]
    key = begin(moment, grain)
    assert partition_of(layout, "shops", partition_file(layout, "shops", table, key)) == (table, key)
    assert partition_of(layout, "shops", state_file(layout, "shops", table)) == (table, None)
    assert partition_of(layout, "shop", partition_file(layout, "shops", table, key)) is None


def begin(moment: datetime, grain: str) -> str:
    day = moment.date()
    if grain == "5 minutes":
        return f"{moment:%Y-%m-%d-%H}:{moment.minute // 5 * 5:02d}"
    if grain == "hour":
        return f"{moment:%Y-%m-%d-%H}:00"
    first = {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "quarter": date(day.year, (day.month - 1) // 3 * 3 + 1, 1),
        "year": date(day.year, 1, 1),
    }
    return first[grain].isoformat()


@pytest.mark.parametrize("layout", [*LAYOUTS, OWN["day"]])
def test_all_days_of_all_tables_are_files_of_their_own(layout: str) -> None:
    """Four years of days, and tables whose names look like others with a date."""
    text = template(layout, grain_named("day"))
    tables = ["orders", "orders_20240101", "state_orders", "orders_state", "data", "state"]
    days = [(date(2010, 1, 1) + timedelta(days=number)).isoformat() for number in range(1461)]
    values = {partition_file(text, "shops", table, day) for table in tables for day in days}
    values |= {state_file(text, "shops", table) for table in tables}
    assert len(values) == len(tables) * (len(days) + 1)


@pytest.mark.parametrize(
    ("grain", "layout"),
    [
        ("day", "{dataset}/{table}/{yyyy}-{mm}.parquet"),
        ("day", "{dataset}/{table}/{iso_year}/{iso_ww}.parquet"),
        ("hour", "{dataset}/{table}/{yyyymmdd}.parquet"),
        ("5 minutes", "{dataset}/{table}/{yyyymmdd}_{hh}.parquet"),
        ("week", "{dataset}/{table}/{yyyy}/{iso_ww}.parquet"),
        ("month", "{dataset}/{table}/{yyyy}/Q{q}.parquet"),
        ("month", "{dataset}/{table}/{mm}.parquet"),
        ("quarter", "{dataset}/{table}/{q}.parquet"),
    ],
)
def test_layouts_under_which_partitions_collide_are_refused(grain: str, layout: str) -> None:
    assert "would be written to one file" in str(next(wrong_partition(layout, grain_named(grain))))


@pytest.mark.parametrize(
    "layout",
    [
        "/{dataset}/{table}/{key}.parquet",
        "../{dataset}/{table}/{key}.parquet",
        "{dataset}/../{table}/{key}.parquet",
        "{dataset}//{table}/{key}.parquet",
        "{dataset}/{table}/.{key}.parquet",
        "{dataset}/{table}/{key}",
        "{dataset}/{table}/.parquet",
        "{dataset}/{table}/{key!r}.parquet",
        "{dataset}/{table.name}/{key}.parquet",
        "{dataset}/{table}/{key}*.parquet",
        "{dataset}/{table}/{{key}}.parquet",
        "s3://{dataset}/{table}/{key}.parquet",
        "{table}/{key}.parquet",
        "{dataset}/{key}.parquet",
        "{dataset}_{table}/{key}.parquet",
        "{dataset}/{table}/{yyyy}/{m}{d}.parquet",
        "hive_weekly",
        "x" * 400 + "{dataset}/{table}/{key}.parquet",
    ],
)
def test_what_is_no_layout_is_refused(layout: str) -> None:
    """Nothing that leaves the store, hides in it, or lets two tables or datasets meet."""
    assert list(wrong_text(layout))
    with pytest.raises(ConfigError, match=r"output\.layout"):
        plan_with({"format": "parquet", "layout": layout})


def plan_with(output: dict[str, Any], **more: Any) -> Plan:
    return from_mapping({**RAW, **more, "output": output}, name="shops")


@pytest.mark.slow
@pytest.mark.parametrize("layout", slow_but(["hive", "nested_daily", "flat_with_date_suffix", OWN["month"]], "hive"))
def test_a_run_writes_its_layout_and_reads_it_back(layout: str, tmp_path: Path) -> None:
    """The rows are those of a run without it, and a check of the folder finds them."""
    plan = plan_with({"format": "parquet", "layout": layout})
    write_tables(plan, tmp_path)
    first = files(tmp_path)
    write_tables(plan, tmp_path)
    assert files(tmp_path) == first
    actual = read(plan, tmp_path, "parquet")
    for table in plan.tables:
        assert as_lists(actual[table.name]) == as_lists(rows(plan, table.name)), table.name
    for place in (tmp_path, tmp_path / "shops"):
        with find_store(plan, place) as store:
            assert set(store.relations) == {table.name for table in plan.tables}
            assert (store.first, store.stop) == (plan.first, plan.stop)
            assert len(store.stored_keys_of(plan.table("fct_month"))) == 12


def test_a_run_of_some_periods_leaves_other_partitions_alone(tmp_path: Path) -> None:
    """And periods that cut a partition are refused, for its file would lose rows."""
    plan = plan_with(MONTHS, window={**RAW["window"], "partition": "quarter"})
    write_tables(plan, tmp_path)
    first = files(tmp_path / "shops")
    write_tables(plan, tmp_path, periods="2024-04..2024-06", tables=["fct_month"])
    assert files(tmp_path / "shops") == first
    assert sum("fct_month" in name for name in first) == 4
    with pytest.raises(UsageError, match="cut a partition, a quarter"):
        write_tables(plan, tmp_path, periods="2024-04..2024-05")
    assert files(tmp_path / "shops") == first


def test_files_are_compressed_grouped_and_sorted_as_the_config_says(tmp_path: Path) -> None:
    """Rows that are alike in the columns of `sort_by` stay in their order; the rows are the same rows."""
    plan = plan_with({"format": "parquet", "compression": "snappy", "row_group_rows": 7, "sort_by": ["shop_id", "sales"]})
    write_tables(plan, tmp_path)
    remaining = pq.read_metadata(tmp_path / "fct_month.parquet")
    assert remaining.row_group(0).column(0).compression == "SNAPPY"
    assert {remaining.row_group(number).num_rows for number in range(remaining.num_row_groups - 1)} == {7}
    stored, plain = pq.read_table(tmp_path / "fct_month.parquet"), rows(plan, "fct_month")
    wanted = plain.sort_by([("shop_id", "ascending"), ("sales", "ascending")])
    assert stored.replace_schema_metadata().equals(wanted.cast(stored.schema.remove_metadata()))
    visits = pq.read_table(tmp_path / "evt_visit.parquet")["shop_id"].to_pylist()
    assert visits == sorted(visits)


def test_a_table_of_many_columns_has_fewer_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a block and in a row group, so that both take no more memory; the rows are the same, and a number that is given
    counts."""
    columns: list[dict[str, Any]] = [
        {"name": "id", "type": "id"},
        {"name": "n#", "type": "range", "range": [0, 9], "count": 255},
    ]
    raw = {"about": "Wide", "tables": [{"name": "wide", "rows": 500, "columns": columns}]}
    plan = from_mapping({**raw, "output": "parquet"}, name="wide")
    names = [column.name for column in plan.table("wide").columns]
    assert encoding_of(plan, names).row_group_rows == ROW_GROUP // 4
    assert encoding_of(plan, names[:127]).row_group_rows == ROW_GROUP
    given = from_mapping({**raw, "output": {"format": "parquet", "row_group_rows": ROW_GROUP}}, name="wide")
    assert encoding_of(given, names).row_group_rows == ROW_GROUP
    (whole,) = batches(plan, "wide")[1]
    monkeypatch.setattr(reference, "CHUNK", 400)
    parts = list(batches(plan, "wide")[1])
    assert [part.num_rows for part in parts] == [100] * 5
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([whole]))
