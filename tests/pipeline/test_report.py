"""The report: whole data passes, and each way of breaking it is caught by the check that names it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from plotsim_core.cli import main
from plotsim_core.engine.memory import Memory
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.stages import STAGES
from plotsim_core.validation.catalogue import checks_of, questions
from plotsim_core.validation.check import CHECKS, Check, Finding
from plotsim_core.validation.report import BROKEN_CAP, check_store
from plotsim_core.validation.store import StoredData
from plotsim_pipeline.assets.report import NOTHING_BROKEN
from plotsim_pipeline.assets.report_files import write_report_file
from plotsim_pipeline.checks.evaluations import IN_STORE
from plotsim_pipeline.checks.findings import Findings
from plotsim_pipeline.partitions import key_of
from plotsim_pipeline.sensors.reconcile import time_columns
from plotsim_pipeline.stores import STORES
from tests.marks import slow_but
from tests.pipeline.support import keys_of, materialise, plan_of, store_at
from tests.validation.judged import report_of_check

BREAKS = {
    "keys_unique": "INSERT INTO saas.fct_revenue SELECT * FROM saas.fct_revenue LIMIT 1",
    "references_resolve": "UPDATE saas.evt_login SET user_id = 'USE-NOBODY' WHERE login_id LIKE '%-20230301-001'",
    "date_spine_whole": "DELETE FROM saas.dim_date WHERE date_key = 20230601",
    "histories_contiguous": "UPDATE saas.dim_company SET valid_to = DATE '2030-01-01' WHERE valid_to IS NOT NULL",
    "nulls_only_where_configured": "UPDATE saas.fct_revenue SET mrr = NULL WHERE date_key = 20230301",
    "values_in_range": "UPDATE saas.fct_revenue SET mrr = -5 WHERE date_key = 20230301",
    "correlations_as_declared": "UPDATE saas.fct_engagement SET feature_adoption = 1 - feature_adoption",
    "lags_found": (
        "CREATE TABLE shuffled AS SELECT dim_row_id, date_key, "
        "lag(mrr, 7, mrr) OVER (ORDER BY hash(dim_row_id, date_key)) AS other FROM saas.fct_revenue; "
        "UPDATE saas.fct_revenue SET mrr = other FROM shuffled "
        "WHERE shuffled.date_key = fct_revenue.date_key AND shuffled.dim_row_id = fct_revenue.dim_row_id"
    ),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the whole of saas, three times its size, which passes every check."""
    plan, directory = plan_of("saas", scale=3), tmp_path_factory.mktemp("stored")
    store = store_at("duckdb", directory)
    materialise(plan, store, keys_of(plan), only=[table.name for table in plan.tables])
    with store.open_tables(plan, plan.first, plan.stop or 0) as opened:
        report = check_store(opened)
    assert (report.score, report.failed, report.warned) == (100, False, False), report.text()
    return directory


def test_checks_of_every_category_are_broken_below() -> None:
    """That every single check is seen failing is said in `tests/validation/test_known_bad.py`."""
    assert {CHECKS[name].category for name in BREAKS} == {check.category for _, check in CHECKS.items()}


def _ask_nothing(check: Check, store: StoredData, table: TablePlan) -> Iterator[Finding]:
    """Stand for `Check.findings` where only tables may be asked about that the check is not of."""
    assert check.reads(store.population, table) is None, (check.description, table.name)
    return iter(())


def test_what_a_run_has_found_is_not_asked_again(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The overview of a run over all that is stored is the report that the checks would make; a check that could not see a
    table is asked anew."""
    plan = plan_of("saas", scale=3)
    with store_at("duckdb", stored).open_tables(plan, plan.first, plan.stop or 0) as opened:
        expected, findings = check_store(opened), Findings()
        without_plans = {name: relation for name, relation in opened.relations.items() if name != "dim_plan"}
        findings.ask(replace(opened, relations=without_plans, memory=Memory()), questions(plan))
        assert ("references_resolve", "fct_revenue") not in findings.whole_answers(opened.first, opened.stop)
        assert check_store(opened, findings.whole_answers(opened.first, opened.stop)).record() == expected.record()
        findings.ask(opened, questions(plan))
        answers = findings.whole_answers(opened.first, opened.stop)
        monkeypatch.setattr(Check, "findings", _ask_nothing)
        assert check_store(opened, answers).record() == expected.record()
        findings.forget("dim_plan")
        assert ("references_resolve", "fct_revenue") not in findings.whole_answers(opened.first, opened.stop)
        assert findings.whole_answers(opened.first, opened.stop + 1) == {}


@pytest.mark.slow
@pytest.mark.parametrize("check", list(BREAKS))
def test_broken_data_is_caught_by_the_check_that_names_it(check: str, stored: Path, tmp_path: Path) -> None:
    """Data broken for a check fails it, and a broken key or reference caps the score."""
    plan = plan_of("saas", scale=3)
    (tmp_path / "store.duckdb").write_bytes((stored / "store.duckdb").read_bytes())
    store = store_at("duckdb", tmp_path)
    with duckdb.connect(store.path) as connection:
        connection.execute(BREAKS[check])
    with store.open_tables(plan, plan.first, plan.stop or 0) as opened:
        after = report_of_check(check, opened)
    assert [finding for finding in after.findings_of(check) if not finding.passed], after.text()
    if CHECKS[check].blocking:
        assert after.failed
        assert after.score <= BROKEN_CAP
    else:
        assert after.warned
        assert not after.failed


@pytest.mark.slow
def test_checks_and_pictures_reach_dagster(tmp_path: Path) -> None:
    """Each table has a result of each check that its config gives reason to ask, once; the report its score; the overview a
    picture per stage."""
    plan, store = plan_of("saas"), store_at("duckdb", tmp_path)
    result = materialise(plan, store, keys_of(plan))
    evaluations = [(e.asset_key.path[-1], e.check_name) for e in result.get_asset_check_evaluations()]
    expected = {(table, q.check) for q in questions(plan) for table in (q.table, *q.about)}
    values = {
        ("validation_report", NOTHING_BROKEN),
        *((name, IN_STORE) for name in time_columns(plan) if name not in STAGES),
    }
    assert sorted(evaluations) == sorted(expected | values)
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())
    blocking = {name for name, check in checks_of(plan).items() if check.blocking} | {NOTHING_BROKEN, IN_STORE}
    errors = {e.check_name for e in result.get_asset_check_evaluations() if e.severity == dg.AssetCheckSeverity.ERROR}
    assert errors == blocking & {name for _, name in evaluations}
    overview = result.asset_materializations_for_node("saas__overview")[0].metadata
    shown = ("trajectories", "units", "metrics", "correlations", "lags", "expected", "rows")
    assert set(shown) <= set(overview)
    assert all("data:image/svg+xml" in str(overview[name].value) for name in shown)
    assert Path(str(overview["page"].value)) == tmp_path / "reports" / "saas.html"
    assert len(str(overview["trajectories_at_a_glance"].value)) < 1_000, "Dagster draws no longer markdown in its table"
    text = (tmp_path / "reports" / "saas.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in text for name in (*shown, *checks_of(plan)))
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["saas.html"]
    (revenue, *_) = result.asset_materializations_for_node("saas__fct_revenue")
    assert int(str(revenue.metadata["dagster/partition_row_count"].value)) > 50


def test_a_report_without_data_fails_readably(tmp_path: Path) -> None:
    """On a blank store the report says which tables are not there."""
    plan, store = plan_of("minimal"), store_at("duckdb", tmp_path)
    with pytest.raises(Exception, match=f"validation_report: {NOTHING_BROKEN}"):
        materialise(plan, store, keys_of(plan)[:1], only=["validation_report"])
    with store.open_tables(plan, plan.first, plan.first + 1) as opened:
        assert "fct_payments: the table is not there" in check_store(opened).text()


def test_the_page_lies_beside_any_store() -> None:
    """A Parquet store on another file system has it there."""
    store = STORES["parquet"](path="memory://bucket/files")
    assert write_report_file(store, "some.html", ["te", "xt"]) == "memory:///bucket/files/reports/some.html"
    assert fsspec.filesystem("memory").cat("/bucket/files/reports/some.html") == b"text"


@pytest.mark.slow
@pytest.mark.parametrize("kind", slow_but(["duckdb", "parquet"], "duckdb"))
def test_the_command_judges_what_dagster_stored(kind: str, tmp_path: Path) -> None:
    """`plotsim check` passes a store of whole data, fails one that is broken, and refuses one of another config."""
    plan, store = plan_of("minimal"), store_at(kind, tmp_path)
    materialise(plan, store, keys_of(plan))

    def checked(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["check", store.path, "--config", *options])
        return result.exit_code, result.output

    assert checked("minimal")[0] == 0, checked("minimal")[1]
    code, text = checked("minimal", "--seed", "99")
    assert code == 2 and "was not made from this config" in text
    if kind == "duckdb":
        with duckdb.connect(store.path) as connection:
            connection.execute("INSERT INTO minimal.fct_payments FROM minimal.fct_payments LIMIT 1")
    else:
        file = next((tmp_path / "files" / "minimal" / "fct_payments").glob("*.parquet"))
        rows = pq.read_table(file)
        pq.write_table(pa.concat_tables([rows, rows.slice(0, 1)]), file)
    code, text = checked("minimal")
    assert code == 1 and "FAIL keys_unique" in text


def test_the_command_says_who_judges_delta_tables(tmp_path: Path) -> None:
    plan, store = plan_of("minimal"), store_at("delta", tmp_path)
    materialise(plan, store, keys_of(plan)[:1], only=["dim_date"])
    result = CliRunner().invoke(main, ["check", store.path, "--config", "minimal"])
    assert result.exit_code == 2 and "validation_report" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(STORES))
def test_days_that_are_not_stored_yet_are_no_fault(kind: str, tmp_path: Path) -> None:
    """Orders of some days only: returns of days that look back to others are not judged; with all days, all are."""
    plan, store = plan_of("ecommerce"), store_at(kind, tmp_path)
    first = plan.first + 60
    days = [*range(first, first + 3), *range(first + 4, first + 30)]
    for begin, stop in ((0, 3), (3, len(days))):
        keys = [key_of(plan, day) for day in days[begin:stop]]
        materialise(plan, store, keys, only=["fct_order_lines", "fct_returns"])
    with store.open_tables(plan, first, first + 30) as opened:
        stored = opened.stored_keys_of(plan.table("fct_order_lines"))
        values = [
            finding
            for finding in check_store(opened).findings_of("references_resolve")
            if finding.subject.startswith("fct_returns.line_id")
        ]
    assert len(stored) == 29
    assert values and all(finding.passed for finding in values), values
