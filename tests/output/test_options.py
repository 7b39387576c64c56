"""The `output` section: what `plotsim run` does when it is not told, and which options make no sense."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from plotsim_core import ConfigError, from_mapping, write_tables
from plotsim_core.cli import main
from tests.output.fields import WRITTEN
from tests.output.support import RAW, files


@pytest.fixture
def work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, output: Any, *arguments: str) -> Any:
    (folder / "shops.yaml").write_text(yaml.safe_dump({**RAW, "output": output} if output else RAW))
    return CliRunner().invoke(main, ["run", "shops.yaml", "--quiet", *arguments])


@pytest.mark.slow
def test_a_run_writes_as_its_config_says(work_folder: Path) -> None:
    """Where and how; what is given on the command line is stronger, the other options hold."""
    assert run(work_folder, {"format": "jsonl", "directory": "data/shops"}).exit_code == 0
    assert (work_folder / "data" / "shops" / "fct_month.jsonl").exists()
    assert (
        run(work_folder, {"format": "parquet", "directory": "data", "partition_by": "date_key"}, "-o", "else").exit_code == 0
    )
    assert (work_folder / "else" / "fct_month" / "date_key=20240301" / "part-0.parquet").exists()
    assert run(work_folder, {"format": "parquet", "partition_by": "date_key"}, "--format", "csv").exit_code == 0
    assert (work_folder / "output" / "fct_month.csv").exists()


def test_without_the_section_it_is_csv_in_output(work_folder: Path) -> None:
    assert run(work_folder, None).exit_code == 0
    assert (work_folder / "output" / "fct_month.csv").exists()


@pytest.mark.slow
def test_a_config_with_more_cells_than_its_budget_is_refused(work_folder: Path) -> None:
    """With the numbers, scale counted; `--over-budget` makes it all the same, and so does what is written beside it."""
    done = run(work_folder, {"cell_budget": 200})
    assert done.exit_code == 2
    assert "output.cell_budget: 20 units in 12 periods are 240 cells, more than 200" in done.output
    assert run(work_folder, {"cell_budget": 240}).exit_code == 0
    assert run(work_folder, {"cell_budget": 240}, "--scale", "2").exit_code == 2
    assert run(work_folder, {"cell_budget": 0}).exit_code == 0
    done = run(work_folder, {"cell_budget": 200, "directory": "large"}, "--over-budget")
    assert done.exit_code == 0, done.output
    again = CliRunner().invoke(main, ["run", "large/config.yaml", "-o", "again", "--quiet"])
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("parket", r"output: expected .*found 'parket'\n *did you mean 'parquet'"),
        ({"directory": "../data"}, "output.directory: expected a folder below the current one"),
        ({"directory": "/data"}, "output.directory"),
        ({"directory": "a/../../b"}, "output.directory"),
        ({"directory": "~/data"}, "output.directory"),
        ({"directory": "C:/data"}, "output.directory"),
        ({"directory": ""}, "output.directory"),
        ({"sql_dialect": "mysql"}, "output.sql_dialect: has no effect without `format: sql`"),
        ({"format": "csv", "partition_by": "date_key"}, "output.partition_by: has no effect without `format: parquet`"),
        ({"format": "csv", "layout": "hive"}, "output.layout: has no effect without `format: parquet`"),
        ({"format": "duckdb", "compression": "snappy"}, "output.compression: has no effect without `format: parquet`"),
        ({"format": "jsonl", "row_group_rows": 5}, "output.row_group_rows: has no effect without `format: parquet`"),
        ({"format": "sql", "sort_by": ["shop_id"]}, "output.sort_by: has no effect without `format: parquet`"),
        (
            {"format": "parquet", "layout": "hive", "partition_by": "shop_id"},
            "output.partition_by: has no effect together with layout",
        ),
        ({"format": "parquet", "layout": "{dataset}/{table}/{yyyy}.parquet"}, "two partitions, of a month each"),
        ({"format": "sql", "sql_dialect": "oracle"}, "output.sql_dialect: expected postgresql, mysql or sqlite"),
        (
            {"format": "parquet", "partition_by": "date_kee"},
            "no table has a column 'date_kee'(.|\n)*did you mean 'date_key'",
        ),
        ({"format": "parquet", "partition_by": "sales"}, "fct_month.sales is double"),
        *(
            ({"format": "csv", "csv_null": word}, "output.csv_null: expected a word that is no number, truth or day")
            for word in ("0", "-3", "1.5e3", "True", "2024-01-31")
        ),
        ({"cell_budget": -1}, "output.cell_budget: expected at least 0"),
        ({"fromat": "csv"}, "output.fromat: unknown key"),
    ],
)
def test_what_makes_no_sense_is_refused_at_load(output: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_mapping({**RAW, "output": output}, name="shops")


def test_how_data_is_written_does_not_make_it_other_data(tmp_path: Path) -> None:
    """The digest is that of the data, so that a store or a file made with another output still fits."""
    plans = [from_mapping({**RAW, **more}, name="shops") for more in ({}, {"output": "jsonl"}, {"manifest": False})]
    assert len({plan.digest for plan in plans}) == 1
    write_tables(plans[1], tmp_path)
    assert (tmp_path / "fct_month.jsonl").exists()


@pytest.mark.slow
def test_check_finds_what_a_run_wrote_in_any_format(work_folder: Path) -> None:
    for number, output in enumerate(
        (
            "jsonl",
            "parquet",
            {"format": "parquet", "partition_by": "date_key"},
            {"format": "sql", "sql_dialect": "mysql"},
            {"format": "parquet", "layout": "flat_with_date_suffix", "sort_by": ["shop_id"]},
            {"format": "parquet", "layout": "hive"},
        )
    ):
        assert run(work_folder, output, "-o", str(number)).exit_code == 0
        done = CliRunner().invoke(main, ["check", str(number), "--config", "shops.yaml"])
        assert done.exit_code == 0, done.output


@pytest.mark.slow
@pytest.mark.parametrize("field", WRITTEN)
def test_a_field_of_writing_changes_what_is_written(field: str, work_folder: Path) -> None:
    """The files, but for the copy of the config, which shows every letter."""
    values = []
    for sections in WRITTEN[field]:
        visit, never = (
            {**event, **sections.get(word, {})} for event, word in zip(RAW["events"], ("visit", "never"), strict=True)
        )
        rest = {name: value for name, value in sections.items() if name not in ("visit", "never")}
        (work_folder / "shops.yaml").write_text(yaml.safe_dump({**RAW, **rest, "events": [visit, never]}))
        CliRunner().invoke(main, ["run", "shops.yaml", "--quiet"])
        values.append({n: h for n, h in files(work_folder).items() if not n.endswith("config.yaml") and n != "shops.yaml"})
        for path in work_folder.iterdir():
            shutil.rmtree(path, ignore_errors=True)
    assert values[0] != values[1]
