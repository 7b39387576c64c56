"""Cadence: what is told of how tables come, what is asked of them by command, and the pipeline that the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner

from plotsim_core import Plan, UsageError, expected_state, generate_tables, load_config, manifest
from plotsim_core.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "cadence.md").read_text(encoding="utf-8")
CONFIG, CODE = (re.findall(rf"```{word}\n(.*?)```", PAGE, re.DOTALL)[0] for word in ("yaml", "python"))


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of the config on the page, which lies in the current folder as customers.yaml."""
    monkeypatch.chdir(tmp_path)
    Path("customers.yaml").write_text(CONFIG, encoding="utf-8")
    return load_config("customers.yaml")


def test_the_pipeline_on_the_page_holds_what_is_expected(plan: Plan) -> None:
    exec(compile(CODE, "cadence.md", "exec"), {})


def test_each_table_says_how_it_comes(plan: Plan) -> None:
    values = {name: (t["cadence"], t["load"], t.get("every")) for name, t in manifest(plan)["tables"].items()}
    assert values == {
        "dim_customer": ("history", "merge", None),
        "dim_card": ("state", "merge", None),
        "dim_date": ("increment", "append", None),
        "fct_mood": ("increment", "append", None),
        "snp_customer": ("snapshot", "append", "month"),
        "snp_card": ("snapshot", "append", "week"),
        "evt_churn": ("increment", "append", None),
        "log_customer": ("change log", "append", None),
        "log_card": ("change log", "append", None),
    }
    shown = CliRunner().invoke(main, ["info", "customers.yaml"], terminal_width=200).output
    assert all(text in shown for text in ("history, merge", "snapshot (month), append", "change log, append"))


def test_the_expected_state_of_each_table_is_what_was_made_until_then(plan: Plan) -> None:
    until = generate_tables(plan, periods="2024-01-01..2024-03-15")
    for name in ("dim_customer", "dim_card", "fct_mood", "evt_churn", "snp_customer", "snp_card"):
        pd.testing.assert_frame_equal(expected_state(plan, name, "2024-03-15"), until[name])
    applied = expected_state(plan, "log_customer", "2024-03-15")
    present = until["dim_customer"][until["dim_customer"]["is_current"]]
    pd.testing.assert_frame_equal(applied, present[list(applied.columns)].reset_index(drop=True))
    assert 0 < len(applied) < present["customer_id"].nunique() + len(until["evt_churn"])


def test_histories_of_those_who_left_are_closed_when_they_left(plan: Plan) -> None:
    tables = generate_tables(plan)
    left = dict(tables["evt_churn"][["customer_id", "date_key"]].to_numpy().tolist())
    last = tables["dim_customer"].drop_duplicates("customer_id", keep="last")
    assert 0 < len(left) < len(last)
    for customer, end, current in last[["customer_id", "valid_to", "is_current"]].to_numpy().tolist():
        ended = left.get(customer, 20240630)
        assert current == (ended == 20240630)
        if not current:
            assert pd.Timestamp(end) == pd.to_datetime(str(ended), format="%Y%m%d") + pd.Timedelta(days=1)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_the_command_writes_what_the_function_gives(ending: str, plan: Plan) -> None:
    done = CliRunner().invoke(main, ["expected", "customers.yaml", "log_card", "2024-02-29", "-o", f"cards.{ending}"])
    assert done.exit_code == 0, done.output
    expected = expected_state(plan, "log_card", "2024-02-29")
    with duckdb.connect() as connection:
        rows = connection.sql(f"FROM 'cards.{ending}'").fetchall()
    assert rows == list(expected.itertuples(index=False, name=None)) != []
    again = CliRunner().invoke(main, ["expected", "customers.yaml", "log_card", "2024-02-29", "-o", f"cards.{ending}"])
    assert again.exit_code == 2
    assert "exists" in again.output


def test_the_command_prints_csv_and_says_what_it_cannot_do(plan: Plan) -> None:
    printed = CliRunner().invoke(main, ["expected", "customers.yaml", "dim_card", "2024-01-01"])
    assert printed.output.splitlines()[0] == '"card_id","customer_id"'
    for arguments, message in (
        (["dim_crad", "2024-01-01"], "did you mean 'dim_card'?"),
        (["dim_card", "2025-01-01"], "not in the window"),
        (["dim_card", "soon"], "cannot read the period"),
        (["dim_card", "2024-01-01", "-o", "cards.xlsx"], "let its name end in"),
    ):
        done = CliRunner().invoke(main, ["expected", "customers.yaml", *arguments])
        assert done.exit_code == 2
        assert message in done.output
    with pytest.raises(UsageError):
        expected_state(plan, "dim_card", "2025-01-01")
