"""Data that is already written is recognised wherever it lies, and the lack of it is refused readably."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from plotsim_core import UsageError, api
from plotsim_core.validation.report import check_store
from plotsim_core.validation.store import find_store


@pytest.mark.slow
@pytest.mark.parametrize("format", ["csv", "parquet", "duckdb"])
def test_a_run_is_found_in_every_format_with_the_periods_that_it_has(format: str, tmp_path: Path) -> None:
    plan = api.load_config(api.template("minimal"))
    api.write_tables(plan, tmp_path, format=format, periods="2024-03..2024-06")
    with find_store(plan, tmp_path) as store:
        assert (store.first - plan.first, store.stop - plan.first) == (2, 6)
        assert check_store(store).score == 100


def test_a_schema_named_after_the_dataset_is_preferred(tmp_path: Path) -> None:
    """As the store of the Dagster side has it."""
    plan, file = api.load_config(api.template("minimal")), tmp_path / "store.duckdb"
    api.write_tables(plan, tmp_path, format="parquet")
    with duckdb.connect(file) as connection:
        connection.execute("CREATE SCHEMA minimal")
        for table in plan.tables:
            connection.execute(f"CREATE TABLE main.{table.name} (other BIGINT)")
            rows = f"read_parquet('{tmp_path / table.name}.parquet')"
            connection.execute(f"CREATE TABLE minimal.{table.name} AS FROM {rows}")
    with find_store(plan, file) as store:
        assert check_store(store).score == 100


@pytest.mark.slow
def test_what_holds_nothing_of_the_dataset_is_refused(tmp_path: Path) -> None:
    plan = api.load_config(api.template("minimal"))
    (tmp_path / "text.duckdb").write_text("no database")
    for path, message in (
        (tmp_path / "nowhere", "is not there"),
        (tmp_path, "nothing of"),
        (tmp_path / "text.duckdb", "read"),
    ):
        with pytest.raises(UsageError, match=message), find_store(plan, path):
            pass
