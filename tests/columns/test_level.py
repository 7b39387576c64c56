"""Values that last: read at arrival and at anniversaries, and by chance in between; the same in every table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plotsim_core import ConfigError, Plan, explain, from_mapping, generate_tables, slices, write_tables
from plotsim_core.validation.report import check_directory, check_tables
from tests.laws.test_table_slices import part_rows

LEVEL = {"type": "level.mrr", "every": 12, "rate": 0.05}
RAW: dict[str, Any] = {
    "about": "Contracts",
    "unit": "company",
    "window": {"start": "2022-01", "end": "2024-12", "every": "month"},
    "metrics": [
        {"name": "mrr", "type": "amount", "polarity": "positive", "range": [200, 9000]},
        {"name": "seats", "type": "count", "polarity": "positive", "mean": [2, 90]},
    ],
    "segments": [
        {"name": "all", "count": 200, "archetype": "growth", "arrival": {"kind": "uniform", "start": 0, "end": 17}},
        {"name": "short", "count": 50, "archetype": "decline"},
    ],
    "tables": [
        {"name": "companies", "per": "company", "columns": {"company_id": "id", "mrr": LEVEL}},
        {
            "name": "invoices",
            "per": ["company", "period"],
            "columns": {
                "mrr": LEVEL,
                "seats": {"type": "level.seats", "every": 6},
                "expected_mrr": "expected.mrr",
                "expected_seats": "expected.seats",
                "age": "derived.age",
            },
        },
        {"name": "log", "changes_of": "companies"},
    ],
}


def plan(**level: Any) -> Plan:
    """The plan with other options of the level of invoices."""
    companies, invoices, *rest = RAW["tables"]
    invoices = {**invoices, "columns": {**invoices["columns"], "mrr": {**LEVEL, **level}}}
    return from_mapping({**RAW, "tables": [companies, invoices, *rest]}, name="contracts")


@pytest.fixture(scope="module")
def rows() -> dict[str, pd.DataFrame]:
    return generate_tables(plan())


def test_it_is_the_mean_at_the_last_anniversary(rows: dict[str, pd.DataFrame]) -> None:
    invoices = rows["invoices"]
    start = invoices.groupby("company_id")["age"].transform("min")
    assert (start == 0).all()
    at = invoices.set_index(["company_id", "age"])["expected_seats"]
    keys = pd.MultiIndex.from_arrays([invoices["company_id"], invoices["age"] // 6 * 6])
    assert (invoices["seats"].to_numpy() == np.round(at.loc[keys].to_numpy())).all()


def test_by_chance_it_changes_in_between_at_its_rate(rows: dict[str, pd.DataFrame]) -> None:
    """Each value is a mean of the unit's own past, since its last anniversary at the earliest."""
    invoices = rows["invoices"]
    changes = invoices.groupby("company_id")["mrr"].diff().fillna(0) != 0
    between = invoices["age"] % 12 != 0
    share, count = changes[between].mean(), int(between.sum())
    assert share == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / count))
    assert changes[(invoices["age"] % 12 == 0) & (invoices["age"] > 0)].mean() > 0.9
    moved = changes | (invoices["age"] == 0)
    assert (invoices["mrr"] - invoices["expected_mrr"])[moved].abs().max() < 0.0051


def test_tables_agree(rows: dict[str, pd.DataFrame]) -> None:
    """The dimension has the value of the last month, and its log the changes of the facts."""
    invoices, log = rows["invoices"], rows["log"]
    last = invoices.groupby("company_id")["mrr"].last()
    companies = rows["companies"].set_index("company_id")["mrr"]
    assert (companies.loc[last.index] == last).all()
    changes = invoices.groupby("company_id")["mrr"].diff().fillna(0) != 0
    updates = log[log["op"] == "U"] if "op" in log else log[log["change_type"] == "update"]
    assert len(updates) == int(changes.sum())


@pytest.mark.parametrize("table", ["invoices", "companies", "log"])
def test_parts_make_the_whole(table: str, rows: dict[str, pd.DataFrame]) -> None:
    parts = part_rows(plan(), slices(plan(), [table], 5)).to_pandas()
    pd.testing.assert_frame_equal(parts, rows[table], check_dtype=False)


def test_a_later_end_moves_no_value(rows: dict[str, pd.DataFrame]) -> None:
    window = {**RAW["window"], "end": "2025-06", "span": 36}
    later = generate_tables(from_mapping({**RAW, "window": window}, name="contracts"))["invoices"]
    before = generate_tables(from_mapping({**RAW, "window": {**RAW["window"], "span": 36}}, name="contracts"))["invoices"]
    earlier = later[later["date_key"] < 20250101]
    key = ["company_id", "date_key"]
    pd.testing.assert_frame_equal(
        earlier.sort_values(key).reset_index(drop=True), before.sort_values(key).reset_index(drop=True)
    )


def test_the_report_counts_the_changes(tmp_path: Path) -> None:
    made_plan = plan()
    write_tables(made_plan, tmp_path, format="parquet")
    report = check_directory(made_plan, tmp_path, "parquet", made_plan.first, made_plan.stop_or_span)
    judged = {finding.subject: finding for finding in report.findings_of("levels_stay")}
    assert set(judged) == {"invoices.mrr", "invoices.seats"} and all(f.passed and f.judged for f in judged.values())
    tables = {path.stem: pa.table(pd.read_parquet(path)) for path in tmp_path.glob("*.parquet")}
    invoices = tables["invoices"].to_pandas().assign(seats=lambda frame: frame["expected_seats"].round().astype("int64"))
    broken = {**tables, "invoices": pa.Table.from_pandas(invoices, preserve_index=False)}
    report = check_tables(made_plan, broken, made_plan.first, made_plan.stop_or_span)
    assert [f.subject for f in report.findings_of("levels_stay") if not f.passed] == ["invoices.seats"]


def test_explain_names_the_period_that_was_read(rows: dict[str, pd.DataFrame]) -> None:
    invoices = rows["invoices"]
    unit = invoices.loc[invoices["age"] == 14, "company_id"].iloc[0]
    life = invoices[invoices["company_id"] == unit].set_index("age")
    key = str(life.loc[14, "date_key"])
    steps = {s.name: s for s in explain(plan(), "invoices", unit, f"{key[:4]}-{key[4:6]}", "seats").steps}
    read = str(life.loc[12, "date_key"])
    assert steps["read"].value == f"{read[:4]}-{read[4:6]}"
    assert steps["level"].value == life.loc[14, "seats"]


def test_a_rate_beside_every_period_is_refused() -> None:
    with pytest.raises(ConfigError, match="rate: has no effect"):
        plan(every=1)
