"""What is written into a directory: origin recorded, nothing half-written, nulls told from empty texts."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from plotsim_core import UsageError, load_config, write_tables
from plotsim_core.cli import main
from plotsim_core.output.format import FORMATS
from tests.marks import slow_but

MINIMAL = Path(__file__).parent.parent / "configs" / "minimal.yaml"


@pytest.mark.slow
@pytest.mark.parametrize("format_", slow_but(FORMATS, "csv", "parquet"))
def test_seed_and_scale_are_recorded_in_everything(format_: str, tmp_path: Path) -> None:
    """A seed and a scale given on the command line stand in the config's copy, the report and the files themselves."""
    command = ["run", str(MINIMAL), "-o", str(tmp_path), "--format", format_, "--seed", "7", "--scale", "2", "--validate"]
    done = CliRunner().invoke(main, [*command, "--quiet"])
    assert done.exit_code == 0, done.output
    copy = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert (copy["seed"], copy["scale"]) == (7, 2)
    report = json.loads((tmp_path / "validation_report.json").read_text())
    assert (report["seed"], report["scale"], report["score"]) == (7, 2, 100)
    if format_ == "parquet":
        metadata = pq.read_schema(tmp_path / "dim_customer.parquet").metadata
        assert (metadata[b"plotsim_seed"], metadata[b"plotsim_scale"]) == (b"7", b"2")
    if format_ == "duckdb":
        with duckdb.connect(tmp_path / "minimal.duckdb", read_only=True) as connection:
            assert connection.sql("SELECT plotsim_seed, plotsim_scale FROM _origin").fetchall() == [("7", "2")]


def test_the_copy_of_the_config_makes_the_same_files(tmp_path: Path) -> None:
    """What is written can be made again from the config written beside it."""
    write_tables(load_config(MINIMAL, seed=7, scale=2), tmp_path / "first")
    write_tables(load_config(tmp_path / "first" / "config.yaml"), tmp_path / "second")
    for file in (tmp_path / "first").glob("*.csv"):
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    """An unknown format and a directory that is a file are answered in a sentence; nothing appears."""
    plan = load_config(MINIMAL)
    with pytest.raises(UsageError, match="did you mean 'parquet'"):
        write_tables(plan, tmp_path / "out", format="parket")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot write into"):
        write_tables(plan, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
