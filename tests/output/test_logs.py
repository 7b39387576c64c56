"""Log lines of events: one per row, whatever the format, and nothing in a template is ever run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plotsim_core import ConfigError, from_mapping, write_tables
from plotsim_core.output.format import FORMATS
from tests.laws.made import afresh, chunks_of
from tests.marks import slow_but
from tests.output.support import RAW, rows


def config(**words: Any) -> dict[str, Any]:
    visit, never = RAW["events"]
    return {**RAW, "events": [{**visit, **words}, {**never, "log_format": "{never_id}"}]}


FORMAT = "{at} {shop_id} [{yes}] {{{city}}} {date_key}"


@pytest.mark.parametrize("format", slow_but(FORMATS, "csv", "parquet"))
def test_each_row_is_a_line(format: str, tmp_path: Path) -> None:
    """In the order of the rows; moments ISO, doubled braces single, line breaks inside a value spaces."""
    plan = from_mapping(config(log_format=FORMAT), name="shops")
    write_tables(plan, tmp_path, format=format)
    lines = (tmp_path / "evt_visit.log").read_text(encoding="utf-8").split("\n")
    expected = []
    for row in rows(plan, "evt_visit").to_pylist():
        city = row["city"].replace("\n", " ")
        at = row["at"].strftime("%Y-%m-%dT%H:%M:%S.%f")
        expected.append(f"{at} {row['shop_id']} [true] {{{city}}} {row['date_key']}")
    assert lines == [*expected, ""]
    assert (tmp_path / "evt_never.log").read_bytes() == b""


@pytest.mark.slow
def test_the_file_may_have_another_name_and_does_not_show_its_blocks(tmp_path: Path) -> None:
    plan = from_mapping(config(log_format=FORMAT, log_filename="visits-1.txt"), name="shops")
    write_tables(plan, tmp_path / "one")
    with chunks_of(plan.population.units * 3 + 1):
        write_tables(afresh(plan), tmp_path / "two")
    assert (tmp_path / "one" / "visits-1.txt").read_bytes() == (tmp_path / "two" / "visits-1.txt").read_bytes()
    assert not (tmp_path / "one" / "evt_visit.log").exists()


def test_a_line_without_columns_is_written_for_each_row(tmp_path: Path) -> None:
    plan = from_mapping(config(log_format="ping {{}}"), name="shops")
    write_tables(plan, tmp_path)
    assert (tmp_path / "evt_visit.log").read_text() == "ping {}\n" * rows(plan, "evt_visit").num_rows


def test_a_missing_value_is_a_dash_and_money_has_two_decimals(tmp_path: Path) -> None:
    columns = [*RAW["events"][0]["columns"], {"name": "sales", "type": "metric.sales"}]
    plan = from_mapping(config(columns=columns, log_format="{sales}"), name="shops")
    write_tables(plan, tmp_path)
    lines = (tmp_path / "evt_visit.log").read_text().splitlines()
    values = rows(plan, "evt_visit")["sales"].to_pylist()
    assert lines == ["-" if value is None else f"{value:.2f}" for value in values]
    assert "-" in lines


LAYOUTS = [
    "{at:%Y-%m-%d %H:%M:%S.%f}|{at:%d/%b/%Y, %A %j %p%I %%}|{at:%F %T}",
    "{shop_id:>20}|{shop_id:*^20}|{shop_id:20}|{shop_id:.5}|{city:~<9.4s}",
    "{date_key:>12}|{date_key:012d}|{date_key:,}|{date_key:+}|{date_key:<12}",
    "{weight:10.2f}|{weight:08.1f}|{weight:,.3f}|{weight:<9.0f}|{weight:.2e}",
]


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_are_laid_out_as_python_does(layout: str, tmp_path: Path) -> None:
    columns = [*RAW["events"][0]["columns"], {"name": "weight", "type": "range", "range": [0.5, 9999.5]}]
    plan = from_mapping(config(columns=columns, log_format=layout), name="shops")
    write_tables(plan, tmp_path)
    lines = (tmp_path / "evt_visit.log").read_text(encoding="utf-8").splitlines()
    values = [{**row, "city": row["city"].replace("\n", " ")} for row in rows(plan, "evt_visit").to_pylist()]
    assert lines == [layout.format(**row) for row in values]


def test_a_missing_value_that_is_laid_out_is_a_dash(tmp_path: Path) -> None:
    columns = [*RAW["events"][0]["columns"], {"name": "sales", "type": "metric.sales"}]
    plan = from_mapping(config(columns=columns, log_format="{sales:>9.2f}"), name="shops")
    write_tables(plan, tmp_path)
    lines = (tmp_path / "evt_visit.log").read_text().splitlines()
    values = rows(plan, "evt_visit")["sales"].to_pylist()
    assert lines == ["-" if value is None else f"{value:>9.2f}" for value in values]
    assert "-" in lines


@pytest.mark.parametrize(
    "format",
    [
        "{shop_id.__class__}",
        "{shop_id[0]}",
        "{shop_id!r}",
        "{at:>10}",
        "{at:%Q}",
        "{at:%Y{yes}}",
        "{shop_id:%Y}",
        "{shop_id:08d}",
        "{shop_id:{yes}}",
        "{date_key:.2f}",
        "{date_key:x}",
        "{0}",
        "{}",
        "{shop}",
        "{shop_id",
        "shop_id}",
        "{{shop_id}",
    ],
)
def test_placeholders_are_columns_and_nothing_more(format: str) -> None:
    with pytest.raises(ConfigError, match=r"events\[0\]\.log_format"):
        from_mapping(config(log_format=format), name="shops")


@pytest.mark.parametrize(
    "name", ["../x.log", "/tmp/x.log", "a/b.log", "x.csv", ".log", "x\\y.log", "con fig.log", "evt_never.log"]
)
def test_files_have_plain_names_of_their_own(name: str) -> None:
    with pytest.raises(ConfigError, match=r"events\[\d\]\.log_filename"):
        from_mapping(config(log_format="x", log_filename=name), name="shops")


def test_a_file_without_lines_has_no_effect() -> None:
    with pytest.raises(ConfigError, match="has no effect without log_format"):
        from_mapping(config(log_filename="x.log"), name="shops")


def test_exact_decimals_are_laid_out_as_numbers(tmp_path: Path) -> None:
    columns = [*RAW["events"][0]["columns"], {"name": "sales", "type": "metric.sales", "decimals": 2}]
    plan = from_mapping(config(columns=columns, log_format="{sales:>10.1f}"), name="shops")
    write_tables(plan, tmp_path)
    lines = (tmp_path / "evt_visit.log").read_text().splitlines()
    values = rows(plan, "evt_visit")["sales"].to_pylist()
    assert lines == ["-" if value is None else f"{float(value):>10.1f}" for value in values]


def test_a_layout_does_not_fit_what_is_broken_to_a_text() -> None:
    columns = [*RAW["events"][0]["columns"], {"name": "sales", "type": "metric.sales"}]
    raw = config(columns=columns, log_format="{sales:.2f}")
    raw["quality"] = [{"table": "evt_visit", "issue": "type_mismatch", "column": "sales", "rate": 0.1}]
    with pytest.raises(ConfigError, match=r"cannot lay out sales, which type_mismatch makes a text, as '\.2f'"):
        from_mapping(raw, name="shops")
