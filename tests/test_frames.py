"""Frames that were made are judged, written and read back as the rows that a run writes."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner

from plotsim_core import (
    UsageError,
    from_mapping,
    generate_tables,
    list_templates,
    load_config,
    load_template,
    restored,
    template,
    validate,
    write_tables,
)
from plotsim_core.cli import main
from tests.marks import slow_but

BUNDLE = {"config.yaml", "manifest.json", "validation_report.txt"}


@pytest.mark.slow
@pytest.mark.parametrize("format", ["csv", "parquet"])
@pytest.mark.parametrize("name", slow_but((name for name in list_templates() if name != "streaming"), "minimal"))
def test_frames_are_written_as_the_run_writes_its_rows(name: str, format: str, tmp_path: Path) -> None:
    plan = load_template(name)
    run = write_tables(plan, directory=tmp_path / "run", format=format)
    assert write_tables(generate_tables(plan), plan, tmp_path / "frames", format=format) == run
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {path.name for path in (tmp_path / "frames").iterdir()} == names | BUNDLE
    assert filecmp.cmpfiles(tmp_path / "run", tmp_path / "frames", names, shallow=False)[1:] == ([], [])


@pytest.mark.slow
def test_frames_go_to_the_directory_of_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = load_template("minimal")
    write_tables(generate_tables(plan), plan)
    assert {path.name for path in (tmp_path / "output").iterdir()} >= BUNDLE
    report = (tmp_path / "output" / "validation_report.txt").read_text(encoding="utf-8")
    assert report == validate(plan, generate_tables(plan)).text() + "\n"
    assert report.startswith("minimal, 2024-01 to 2024-12: score ")


@pytest.mark.slow
def test_the_report_is_of_the_frames_not_of_the_config(tmp_path: Path) -> None:
    """A row that was taken away is a reference that resolves to nothing."""
    plan = load_template("minimal")
    tables = generate_tables(plan)
    tables["dim_customer"] = tables["dim_customer"].iloc[1:]
    assert validate(plan, tables).failed
    write_tables(tables, plan, tmp_path)
    assert "FAIL references_resolve" in (tmp_path / "validation_report.txt").read_text(encoding="utf-8")
    assert len(pd.read_csv(tmp_path / "dim_customer.csv")) == 79


@pytest.mark.slow
def test_an_open_window_is_written_for_the_periods_that_were_made(tmp_path: Path) -> None:
    plan = load_template("streaming")
    periods = f"{plan.grain.label(plan.first)}..{plan.grain.label(plan.first + 20)}"
    tables = generate_tables(plan, periods=periods)
    write_tables(tables, plan, tmp_path / "frames", periods=periods, format="parquet")
    write_tables(plan, tmp_path / "run", periods=periods, format="parquet")
    names = [path.name for path in (tmp_path / "run").iterdir()]
    assert filecmp.cmpfiles(tmp_path / "run", tmp_path / "frames", names, shallow=False)[1:] == ([], [])


def test_frames_that_are_not_those_of_the_config_are_refused(tmp_path: Path) -> None:
    plan = load_template("minimal")
    dates = generate_tables(plan, tables=["dim_date"])["dim_date"]
    for frames, message in (
        ({"dim_date": pa.Table.from_pandas(dates)}, "dim_date: expected a pandas DataFrame, found a pyarrow Table"),
        ({"dim_dat": dates}, "did you mean 'dim_date'"),
        ({"dim_date": dates.drop(columns="date_key")}, "the frame of dim_date lacks the column 'date_key'"),
        ({"dim_date": dates.assign(more=1)}, "dim_date has no column 'more'"),
        ({"dim_date": dates.assign(date_key="soon")}, "does not hold what its columns are"),
    ):
        with pytest.raises(UsageError, match=message):
            write_tables(frames, plan, tmp_path / "out")
        with pytest.raises(UsageError, match=message):
            validate(plan, frames)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match=r"write_tables\(plan, directory\)"):
        write_tables(plan, plan)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match=r"write_tables\(tables, plan\)"):
        write_tables({"dim_date": dates}, tmp_path)  # type: ignore[call-overload]


def test_some_tables_are_judged_alone(tmp_path: Path) -> None:
    """What was not asked for is not missed, and references to it are not judged."""
    plan = load_template("minimal")
    tables = generate_tables(plan, tables=["fct_payments", "dim_date"])
    report = validate(plan, tables)
    assert not report.failed
    assert report.judged < 100
    assert "dim_customer was not asked for" in report.text()
    done = CliRunner().invoke(
        main, ["run", "minimal", "-o", str(tmp_path), "--tables", "fct_payments,dim_date", "--validate"]
    )
    assert done.exit_code == 0, done.output


def test_frames_are_restored_from_what_is_broken_on_purpose() -> None:
    plan = load_template("healthcare")
    tables = generate_tables(plan)
    clean = restored(plan, tables, tables["quality_ledger"])
    assert clean.keys() == tables.keys() - {"quality_ledger"}
    assert clean["fct_reading"]["glucose"].notna().sum() > tables["fct_reading"]["glucose"].notna().sum()


def test_a_random_generator_draws_nothing_and_a_warning_says_so() -> None:
    plan = load_template("minimal")
    with pytest.warns(UserWarning, match="the config's seed, 42"):
        tables = generate_tables(plan, np.random.default_rng(1))
    pd.testing.assert_frame_equal(tables["fct_payments"], generate_tables(plan)["fct_payments"])


def test_nulls_lists_and_structures_come_back(tmp_path: Path) -> None:
    """Whole numbers, texts and structures where some are missing, as lists of Python's would lose them."""
    raw = {
        "about": "Shops",
        "unit": "shop",
        "window": ["2024-01", "2024-06", "monthly"],
        "seed": 3,
        "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "noise": {"mcar_rate": 0.3}}],
        "segments": [{"name": "small", "count": 9, "archetype": "flat"}],
    }
    plan = from_mapping(raw, name="shops")
    assert write_tables(generate_tables(plan), plan, tmp_path / "a") == write_tables(plan, tmp_path / "b")
    assert (tmp_path / "a" / "fct_visits.csv").read_bytes() == (tmp_path / "b" / "fct_visits.csv").read_bytes()


def test_a_template_is_named_by_the_beginning_that_no_other_has() -> None:
    assert template("health") == template("healthcare")
    assert load_template("health").name == load_config(template("healthcare")).name
    with pytest.raises(UsageError, match="no template is named 's'"):
        template("s")
    with pytest.raises(UsageError, match="no template is named ''"):
        template("")
