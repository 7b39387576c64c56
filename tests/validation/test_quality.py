"""What is broken on purpose is no fault, whatever it is and however it is stored; what is broken besides it is one."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from plotsim_core import Plan, from_mapping, write_tables
from plotsim_core.config.quality import LEDGER
from plotsim_core.output.format import FORMATS
from plotsim_core.validation.report import Report, check_store
from plotsim_core.validation.store import find_store
from tests.laws.test_quality import CONFIG, ISSUES
from tests.marks import slow_but

MOST = [
    ISSUES[name]
    for name in (
        "a null",
        "a whole number of another type",
        "a column that drifts",
        "a late row",
        "a row twice",
        "more rows",
        "fewer rows",
        "an orphan",
    )
]
READ = [name for name in FORMATS if name in ("csv", "parquet", "duckdb")]
"""The formats that checks read."""

CASES = {
    "a null that is not in the ledger": (
        "nulls_only_where_configured",
        "fct_all.word",
        "fct_all",
        "UPDATE t SET word = NULL WHERE rowid = 7",
    ),
    "many nulls that are not in the ledger": (
        "nulls_only_where_configured",
        "fct_all.refunds",
        "fct_all",
        "UPDATE t SET refunds = NULL WHERE rowid % 5 = 0",
    ),
    "a copy that is not in the ledger": (
        "keys_unique",
        "evt_visit(visit_id)",
        "evt_visit",
        "INSERT INTO t SELECT * FROM t LIMIT 1",
    ),
    "an orphan that is not in the ledger": (
        "references_resolve",
        "fct_all.shop_id > dim_shop.shop_id",
        "fct_all",
        "UPDATE t SET shop_id = 'SHO-LOST' WHERE rowid = 7",
    ),
    "a number that is no number, and is not in the ledger": (
        "nulls_only_where_configured",
        "fct_all.visits",
        "fct_all",
        "UPDATE t SET visits = 'many' WHERE rowid % 5 = 0",
    ),
    "a copy that is gone": (
        "quality_as_declared",
        "evt_visit copies",
        "evt_visit",
        "DELETE FROM t WHERE rowid = (SELECT min(rowid) FROM t WHERE visit_id IN "
        "(SELECT visit_id FROM t GROUP BY 1 HAVING count(*) > 1))",
    ),
    "a dropped row that is there": (
        "quality_as_declared",
        "fct_all drops",
        "fct_all",
        "INSERT INTO t SELECT * REPLACE (20240601 AS date_key) FROM t WHERE date_key = 20240501",
    ),
    "a misspelt number that was mended": (
        "quality_as_declared",
        "fct_all.visits",
        "fct_all",
        "UPDATE t SET visits = '5' WHERE visits = 'n/a'",
    ),
    "an orphan that was mended": (
        "quality_as_declared",
        "fct_all.shop_id",
        "fct_all",
        "UPDATE t SET shop_id = replace(shop_id, '-X', '')",
    ),
    "an arrival that is not in the ledger": (
        "quality_as_declared",
        "fct_all._arrival_period",
        "fct_all",
        "UPDATE t SET _arrival_period = 20240301 WHERE rowid = (SELECT min(rowid) FROM t WHERE _arrival_period IS NULL)",
    ),
    "a value that drifted and is not in the ledger": (
        "quality_as_declared",
        "fct_all.mood_v2",
        "fct_all",
        "UPDATE t SET mood_v2 = 0.5 WHERE date_key = 20240101",
    ),
    "a column of the clean type": ("columns_as_declared", "fct_all", "fct_all", "ALTER TABLE t DROP mood_v2"),
    "half of an issue that is not in the ledger": (
        "quality_as_declared",
        "fct_all: null_injection 1",
        LEDGER,
        "DELETE FROM t WHERE issue_number = 1 AND hash(row_key) % 2 = 0",
    ),
    "a ledger without a column": ("quality_as_declared", LEDGER, LEDGER, "ALTER TABLE t DROP clean_value"),
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return from_mapping({**CONFIG, "quality": [{"rate": 0.2, **issue} for issue in MOST]}, name="broken")


@pytest.fixture(scope="module")
def written(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("written")
    write_tables(plan, directory, format="parquet")
    return directory


def report(plan: Plan, directory: Path) -> Report:
    with find_store(plan, directory) as store:
        return check_store(store)


@pytest.mark.slow
@pytest.mark.parametrize("format", slow_but(READ, "parquet"))
def test_what_is_broken_on_purpose_is_no_fault(plan: Plan, format: str, tmp_path: Path) -> None:
    write_tables(plan, tmp_path, format=format)
    actual = report(plan, tmp_path)
    assert (actual.score, actual.failed, actual.warned) == (100, False, False), actual.text()
    assert len(actual.findings_of("quality_as_declared")) > len(MOST)


@pytest.mark.parametrize("issue", slow_but(ISSUES, "null_injection", "late_arrival"))
def test_no_issue_is_a_fault(issue: str, tmp_path: Path) -> None:
    plan = from_mapping({**CONFIG, "quality": [{"rate": 0.3, **ISSUES[issue]}]}, name="broken")
    write_tables(plan, tmp_path, format="parquet")
    actual = report(plan, tmp_path)
    assert not actual.failed, actual.text()


def test_some_periods_are_judged_by_their_part_of_the_ledger(plan: Plan, written: Path) -> None:
    with find_store(plan, written, plan.first + 4, plan.first + 7) as store:
        actual = check_store(store)
    assert not actual.failed, actual.text()


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_but(CASES, *list(CASES)[:1]))
def test_what_is_broken_besides_is_found(name: str, plan: Plan, written: Path, tmp_path: Path) -> None:
    check, subject, table, sql = CASES[name]
    directory = tmp_path / "more"
    shutil.copytree(written, directory)
    file = directory / f"{table}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS FROM read_parquet('{file}')")
        connection.execute(sql)
        connection.execute(f"COPY t TO '{file}' (FORMAT parquet)")
    actual = report(plan, directory)
    assert subject in [finding.subject for finding in actual.findings_of(check) if not finding.passed], actual.text()
    assert actual.failed


@pytest.mark.slow
def test_a_missing_ledger_is_told(plan: Plan, written: Path, tmp_path: Path) -> None:
    directory = tmp_path / "more"
    shutil.copytree(written, directory)
    (directory / f"{LEDGER}.parquet").unlink()
    actual = report(plan, directory)
    findings = actual.findings_of("quality_as_declared")
    assert findings and all(finding.message.startswith("is not there") for finding in findings)
    assert actual.failed


@pytest.mark.slow
def test_the_parts_of_a_fact_are_judged_in_their_periods(tmp_path: Path) -> None:
    """A holdout, features and issues together: all sound."""
    learnt = {"holdout": {"target": "mood", "periods": 3}, "entity_features": True}
    plan = from_mapping({**CONFIG, **learnt, "quality": [{"rate": 0.2, **issue} for issue in MOST]}, name="broken")
    write_tables(plan, tmp_path, format="parquet")
    actual = report(plan, tmp_path)
    assert (actual.score, actual.failed, actual.warned) == (100, False, False), actual.text()
