"""What is delivered otherwise than the ledger says is found; what is late or provisional on purpose is no fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from plotsim_core import Plan, from_mapping, write_tables
from plotsim_core.config.quality import LEDGER
from plotsim_core.validation.report import Report, check_store
from plotsim_core.validation.store import find_store
from tests.laws.test_delivery import ALL
from tests.laws.test_quality import CONFIG, ISSUES
from tests.marks import slow_but

WITH = [ISSUES[name] for name in ("a null", "a row twice", "fewer rows", "a column that drifts")]
LAST = "_delivered_date_key = date_key"
KEYS = "(shop_id, date_key, _delivered_date_key)"
ENTRY = "SELECT split_part(row_key, '|', 1), split_part(row_key, '|', 2)::BIGINT, delivered_date_key FROM ledger"

CASES = {
    "a row that is late, and the ledger does not know": (
        "fct_all deliveries",
        "fct_all",
        f"UPDATE t SET _delivered_date_key = 20240401 WHERE rowid = (SELECT min(rowid) FROM t WHERE {LAST} AND (shop_id, "
        "date_key) NOT IN (SELECT split_part(row_key, '|', 1), split_part(row_key, '|', 2)::BIGINT FROM ledger))",
    ),
    "a late row that came in time": (
        "fct_all held back",
        "fct_all",
        "UPDATE t SET _delivered_date_key = date_key WHERE (shop_id, date_key) IN "
        "(SELECT split_part(row_key, '|', 1), split_part(row_key, '|', 2)::BIGINT FROM ledger WHERE action = 'delivered')",
    ),
    "a delivery that is gone": (
        "fct_all deliveries",
        "fct_all",
        f"DELETE FROM t WHERE {KEYS} IN ({ENTRY} WHERE action = 'redelivered' ORDER BY ALL LIMIT 1)",
    ),
    "a row that came twice at once": (
        "keys_unique",
        "fct_all",
        f"INSERT INTO t SELECT * FROM t WHERE {LAST} AND {KEYS} NOT IN ({ENTRY}) LIMIT 1",
    ),
    "a provisional value that was mended": (
        "fct_all.refunds",
        "fct_all",
        f"UPDATE t SET refunds = refunds + 1 WHERE {KEYS} IN ({ENTRY} WHERE issue_number = 3 AND action = 'changed')",
    ),
    "a restated row with another value": (
        "fct_all repeated",
        "fct_all",
        f"UPDATE t SET visits = visits + 1 WHERE {KEYS} IN ({ENTRY} WHERE action = 'restated' ORDER BY ALL LIMIT 1)",
    ),
    "late rows that are not in the ledger": (
        "evt_visit: late_delivery 5",
        LEDGER,
        "DELETE FROM t WHERE issue = 'late_delivery' AND hash(row_key) % 2 = 0",
    ),
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    issues = [{"rate": 0.3, **issue} for issue in (*ALL[:5], *WITH)]
    few = [{**CONFIG["segments"][0], "count": 100}]
    return from_mapping({**CONFIG, "segments": few, "quality": issues}, name="broken")


@pytest.fixture(scope="module")
def written(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("written")
    write_tables(plan, directory, format="parquet")
    return directory


def report(plan: Plan, directory: Path, first: int | None = None, stop: int | None = None) -> Report:
    with find_store(plan, directory, first, stop) as store:
        return check_store(store)


@pytest.mark.slow
def test_nothing_that_is_late_or_repeated_on_purpose_is_a_fault(plan: Plan, written: Path) -> None:
    """Not of the whole, not of some periods, and the last ones are judged too: the ledger has what is held back."""
    for some in ((None, None), (plan.first + 3, plan.first + 5), ((plan.stop or 0) - 1, plan.stop)):
        actual = report(plan, written, *some)
        assert (actual.score, actual.failed, actual.warned) == (100, False, False), actual.text()


@pytest.mark.slow
def test_rates_are_judged_by_the_periods_whose_rows_have_all_come(plan: Plan, written: Path) -> None:
    """Rows may come eight periods later: four of the twelve months are over."""
    values = {
        f.subject: f.numbers["rows"] for f in report(plan, written).findings_of("quality_as_declared") if "rows" in f.numbers
    }
    assert values["fct_all: redelivery 2"] == 4 * 100
    assert values["fct_all: null_injection 6"] > 0


@pytest.mark.slow
def test_some_periods_alone_are_no_fault(plan: Plan, tmp_path: Path) -> None:
    write_tables(plan, tmp_path, periods="2024-05..2024-07", format="parquet")
    actual = report(plan, tmp_path)
    assert not actual.failed, actual.text()


BRIEF = ("a late row that came in time", "a restated row with another value", "late rows that are not in the ledger")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [*slow_but(BRIEF, BRIEF[-1]), *(pytest.param(name, marks=pytest.mark.long) for name in CASES if name not in BRIEF)],
)
def test_what_is_delivered_otherwise_is_found(name: str, plan: Plan, written: Path, tmp_path: Path) -> None:
    subject, table, sql = CASES[name]
    directory = tmp_path / "more"
    shutil.copytree(written, directory)
    file = directory / f"{table}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS FROM read_parquet('{file}')")
        connection.execute(
            f"CREATE VIEW ledger AS FROM read_parquet('{written}/{LEDGER}.parquet') WHERE table_name = 'fct_all'"
        )
        connection.execute(sql)
        connection.execute(f"COPY t TO '{file}' (FORMAT parquet)")
    actual = report(plan, directory)
    wrong = [answer for check, finding in actual.findings if not finding.passed for answer in (check, finding.subject)]
    assert subject in wrong, actual.text()
    assert actual.failed
