"""References that match, are valid at the time, differ among siblings and make trees pass; what breaks them is caught."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from plotsim_core import Plan, api
from plotsim_core.validation.report import Report, check_store
from plotsim_core.validation.store import find_store
from tests.marks import slow_but
from tests.tables.test_references import config, whole

_ROW = "(SELECT min(rowid) FROM t WHERE {} IS NOT NULL)"
TORN = {
    "a manager who reports to an employee of theirs": (
        "dim_employee.manager_id",
        "dim_employee",
        "UPDATE t SET manager_id = employee_id WHERE manager_id IS NULL",
    ),
    "a part of itself": ("dim_tool.part_of", "dim_tool", "UPDATE t SET part_of = tool_id WHERE rowid = 2"),
    "a tool of another kind than the job": (
        "fct_job.tool_id",
        "fct_job",
        "UPDATE t SET tool_id = CASE kind WHEN 'hand' THEN 'TOO-004' ELSE 'TOO-001' END WHERE rowid = 5",
    ),
    "a tool of another kind than the job of a step": (
        "fct_step.same_kind",
        "fct_step",
        "UPDATE t SET same_kind = CASE WHEN same_kind < 'TOO-004' THEN 'TOO-004' ELSE 'TOO-001' END WHERE rowid = 5",
    ),
    "a place that another city has": (
        "fct_job.place_id",
        "fct_job",
        f"UPDATE t SET place_id = NULL WHERE rowid = {_ROW.format('place_id')}",
    ),
    "a rate that was over": (
        "fct_job.rate_id",
        "fct_job",
        "UPDATE t SET rate_id = 'RAT-004' WHERE rowid = (SELECT max(rowid) FROM t)",
    ),
    "a tool that a sibling has": (
        "fct_step.other_tool",
        "fct_step",
        "UPDATE t SET other_tool = 'TOO-001' WHERE job_id = (SELECT job_id FROM t GROUP BY 1 HAVING count(*) = 3 LIMIT 1)",
    ),
    "a tool that another post of the employee has": (
        "dim_post.tool_id",
        "dim_post",
        "UPDATE t SET tool_id = 'TOO-001' WHERE employee_id = "
        "(SELECT employee_id FROM t GROUP BY 1 HAVING count(*) = 3 LIMIT 1)",
    ),
    "a post of one's own": (
        "fct_job.other_post",
        "fct_job",
        "UPDATE t SET other_post = p.post_id FROM posts p WHERE t.employee_id = p.employee_id",
    ),
}
"""A fault: the subject that has to name it, the table it is in, and the SQL that makes it."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with Parquet files of the config of references."""
    directory = tmp_path_factory.mktemp("written")
    api.write_tables(whole(), directory, format="parquet")
    return directory


def _report(plan: Plan, directory: Path) -> Report:
    with find_store(plan, directory) as store:
        return check_store(store)


def test_references_that_fit_pass(written: Path) -> None:
    report = _report(whole(), written)
    findings = report.findings_of("relations_hold") + report.findings_of("references_resolve")
    assert [f.message for f in findings if not f.passed] == []
    assert {subject for subject, _, _ in TORN.values()} <= {f.subject.split(" >")[0] for f in findings}


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_but(TORN, *list(TORN)[:3]))
def test_references_torn_apart_are_caught(name: str, written: Path, tmp_path: Path) -> None:
    subject, table, sql = TORN[name]
    directory = tmp_path / "torn"
    shutil.copytree(written, directory)
    file = directory / f"{table}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE posts AS FROM read_parquet('{directory}/dim_post.parquet')")
        connection.execute(f"CREATE TABLE t AS FROM read_parquet('{file}')")
        connection.execute(sql)
        connection.execute(f"COPY t TO '{file}' (FORMAT parquet)")
    wrong = [finding.subject for finding in _report(whole(), directory).findings_of("relations_hold") if not finding.passed]
    assert any(actual.startswith(subject) for actual in wrong), wrong


@pytest.mark.slow
def test_references_by_period_are_judged_at_its_start(tmp_path: Path) -> None:
    raw = config()
    during = {"name": "rate_id", "type": "ref.dim_rate", "during": {"from": "start_at", "to": "end_at"}}
    columns = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "employee_id", "type": "ref.dim_employee"}]
    raw["facts"].append({"name": "fct_month", "columns": [*columns, during]})
    plan = api.from_mapping(raw, name="staff")
    api.write_tables(plan, tmp_path, format="parquet")
    findings = [
        finding
        for finding in _report(plan, tmp_path).findings_of("relations_hold")
        if finding.subject.startswith("fct_month.rate_id")
    ]
    assert [finding.passed for finding in findings] == [True]
