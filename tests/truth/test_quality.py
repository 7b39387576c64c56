"""Explain tells what was broken on purpose, with the value that is stored."""

from __future__ import annotations

import pandas as pd
import pytest

from plotsim_core import UsageError, explain, from_mapping, generate_tables, sizes
from plotsim_core.config.quality import LEDGER
from tests.laws.test_quality import CONFIG, ISSUES


@pytest.mark.parametrize("name", ["a null", "a number of another type", "a column that drifts", "a late row"])
def test_a_broken_value_is_explained_as_it_is_stored(name: str) -> None:
    plan = from_mapping({**CONFIG, "quality": [{"rate": 0.3, **ISSUES[name]}]}, name="broken")
    tables = generate_tables(plan)
    matches = tables[LEDGER][tables[LEDGER]["column_name"].isin(["refunds", "mood", "_arrival_period"])]
    rows = tables["fct_all"].set_index(["shop_id", "date_key"])
    for entry in matches.head(5).itertuples():
        unit, date = entry.row_key.split("|")
        actual = explain(plan, "fct_all", unit, date, entry.column_name)
        stored = rows.loc[(unit, int(date)), entry.column_name]
        assert actual.value is None if pd.isna(stored) else actual.value == stored
        assert "broken on purpose" in actual.text()


def test_a_value_that_was_left_alone_is_explained_without_a_word_of_it() -> None:
    plan = from_mapping({**CONFIG, "quality": [{"rate": 0.3, **ISSUES["a null"]}]}, name="broken")
    row = generate_tables(plan)["fct_all"].dropna().iloc[0]
    assert "purpose" not in explain(plan, "fct_all", row["shop_id"], str(row["date_key"]), "refunds").text()


def test_the_ledger_is_not_explained() -> None:
    plan = from_mapping({**CONFIG, "quality": [{"rate": 0.3, **ISSUES["a null"]}]}, name="broken")
    with pytest.raises(UsageError):
        explain(plan, LEDGER, "fct_all", "2024-03", "issue")


def test_the_rows_of_broken_tables_are_expected() -> None:
    """Within five percent: copies, drops, the parts of a fact, the ledger."""
    issues = [{"rate": 0.3, **ISSUES[name]} for name in ("a row twice", "fewer rows", "more rows", "a null", "a late row")]
    learnt = {"holdout": {"target": "mood", "periods": 3}, "entity_features": True}
    plan = from_mapping({**CONFIG, **learnt, "quality": issues}, name="broken")
    values = {name: len(rows) for name, rows in generate_tables(plan).items()}
    expected = {size.table: size.rows for size in sizes(plan)}
    assert all(abs(expected[name] / rows - 1) < 0.05 for name, rows in values.items()), (values, expected)
