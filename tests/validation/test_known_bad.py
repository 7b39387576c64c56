"""Whole data passes every check; each way of breaking it is caught by the check that names the fault."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from plotsim_core import Plan, api
from plotsim_core.columns.primary_key import key_text, prefix
from plotsim_core.config.read import read
from plotsim_core.engine.roster import codes, select
from plotsim_core.validation.check import CHECKS
from plotsim_core.validation.report import BROKEN_CAP, Report, check_store
from plotsim_core.validation.store import find_store
from tests.marks import slow_but
from tests.validation.judged import report_of_check

SCALE = 4


@dataclass(frozen=True)
class Case:
    """A fault: the check and the subject that have to name it, and the SQL that makes it in each table (`t`)."""

    check: str
    subject: str
    breaks: dict[str, str] = field(default_factory=dict)
    without: str | None = None


_UNIT = "company_id = (SELECT company_id FROM t GROUP BY 1 HAVING {} ORDER BY 1 LIMIT 1)"
_LATE, _GONE = _UNIT.format("min(date_key) > 20230301"), _UNIT.format("max(date_key) < 20240901")
_SWAPPED = (
    "CREATE TABLE n AS SELECT company_id, row_number() OVER (ORDER BY hash(company_id)) AS n FROM (SELECT DISTINCT "
    "company_id FROM t); UPDATE t SET company_id = other.company_id FROM n AS own, n AS other "
    "WHERE own.company_id = t.company_id AND other.n = (own.n * 7 + 3) % (SELECT count(*) FROM n) + 1"
)
"""Every unit gets the history of another one, in all facts of the same one."""

CASES = {
    "a key that is there twice": Case(
        "keys_unique", "fct_revenue", {"fct_revenue": "INSERT INTO t SELECT * FROM t WHERE date_key = 20230301 LIMIT 1"}
    ),
    "a key that is null": Case(
        "keys_unique", "evt_login", {"evt_login": "UPDATE t SET login_id = NULL WHERE login_id LIKE '%-20230301-001'"}
    ),
    "an orphaned reference": Case(
        "references_resolve", "evt_login.user_id", {"evt_login": "UPDATE t SET user_id = 'USE-X' WHERE date_key = 20230301"}
    ),
    "a reference to what is another unit's": Case(
        "relations_hold",
        "evt_login.user_id",
        {"evt_login": "UPDATE t SET user_id = (SELECT max(user_id) FROM t) WHERE date_key = 20230301 AND rowid % 2 = 0"},
    ),
    "a missing table": Case("references_resolve", "dim_user", without="dim_user"),
    "a column of another type": Case(
        "columns_as_declared", "fct_revenue", {"fct_revenue": "ALTER TABLE t ALTER mrr TYPE VARCHAR"}
    ),
    "a missing column": Case("columns_as_declared", "fct_revenue", {"fct_revenue": "ALTER TABLE t DROP discount_pct"}),
    "a column too many": Case("columns_as_declared", "dim_user", {"dim_user": "ALTER TABLE t ADD COLUMN age BIGINT"}),
    "a missing date": Case("date_spine_whole", "dim_date", {"dim_date": "DELETE FROM t WHERE date_key = 20230601"}),
    "a date twice": Case("date_spine_whole", "dim_date", {"dim_date": "INSERT INTO t SELECT * FROM t LIMIT 1"}),
    "a dropped period of a fact": Case(
        "periods_complete", "fct_revenue", {"fct_revenue": "DELETE FROM t WHERE date_key = 20230601"}
    ),
    "a dropped period of events": Case(
        "periods_complete", "evt_login", {"evt_login": "DELETE FROM t WHERE date_key = 20230601"}
    ),
    "a duplicated partition": Case(
        "periods_complete", "fct_revenue", {"fct_revenue": "INSERT INTO t SELECT * FROM t WHERE date_key = 20230601"}
    ),
    "a row outside the window": Case(
        "periods_complete", "fct_revenue", {"fct_revenue": "UPDATE t SET date_key = 20330601 WHERE rowid = 7"}
    ),
    "some rows lost": Case(
        "rows_as_expected",
        "fct_engagement",
        {"fct_engagement": "DELETE FROM t WHERE date_key = 20230601 AND hash(company_id) % 20 = 0"},
    ),
    "a listed row lost": Case("rows_as_declared", "dim_plan", {"dim_plan": "DELETE FROM t WHERE rowid = 0"}),
    "a row before its unit arrives": Case(
        "life_spans_kept",
        "fct_revenue",
        {"fct_revenue": f"INSERT INTO t SELECT * REPLACE (20230101 AS date_key) FROM t WHERE {_LATE} LIMIT 1"},
    ),
    "a row after its unit ended": Case(
        "life_spans_kept",
        "fct_revenue",
        {"fct_revenue": f"INSERT INTO t SELECT * REPLACE (20241201 AS date_key) FROM t WHERE {_GONE} LIMIT 1"},
    ),
    "a moment outside its period": Case(
        "moments_in_period",
        "evt_login.logged_in_at",
        {"evt_login": "UPDATE t SET logged_in_at = logged_in_at + INTERVAL 40 DAY WHERE rowid = 7"},
    ),
    "events out of order": Case(
        "moments_in_period",
        "evt_login.logged_in_at",
        {"evt_login": "UPDATE t SET logged_in_at = date_trunc('month', logged_in_at) WHERE login_id LIKE '%-002'"},
    ),
    "a row in another stage": Case(
        "stages_as_declared",
        "fct_engagement.stage",
        {"fct_engagement": "UPDATE t SET stage = 'trial' WHERE rowid = (SELECT min(rowid) FROM t WHERE stage = 'engaged')"},
    ),
    "a crossing without its event": Case("crossings_found", "evt_churn", {"evt_churn": "DELETE FROM t WHERE rowid = 3"}),
    "an event where nothing crossed": Case(
        "crossings_found",
        "evt_churn",
        {"evt_churn": "UPDATE t SET date_key = 20230201 WHERE rowid = (SELECT max(rowid) FROM t)"},
    ),
    "a fifth of the events lost": Case(
        "events_follow_driver", "evt_login", {"evt_login": "DELETE FROM t WHERE hash(login_id) % 5 = 0"}
    ),
    "some events twice": Case(
        "events_follow_driver",
        "evt_support_ticket",
        {
            "evt_support_ticket": "INSERT INTO t SELECT * REPLACE (ticket_id || 'x' AS ticket_id) FROM t "
            "WHERE hash(ticket_id) % 5 = 0"
        },
    ),
    "events at other hours": Case(
        "rhythm_as_declared",
        "evt_login by hour",
        {"evt_login": "UPDATE t SET logged_in_at = logged_in_at + INTERVAL 1 HOUR WHERE hash(login_id) % 4 = 0"},
    ),
    "events on other days": Case(
        "rhythm_as_declared",
        "evt_login by weekday",
        {"evt_login": "UPDATE t SET logged_in_at = logged_in_at + INTERVAL 1 DAY WHERE hash(login_id) % 10 = 0"},
    ),
    "overlapping versions": Case(
        "histories_contiguous",
        "dim_company",
        {"dim_company": "UPDATE t SET valid_to = valid_to + INTERVAL 1 MONTH WHERE valid_to IS NOT NULL"},
    ),
    "a null where none may be": Case(
        "nulls_only_where_configured",
        "fct_revenue.discount_pct",
        {"fct_revenue": "UPDATE t SET discount_pct = NULL WHERE rowid = 7"},
    ),
    "more nulls than configured": Case(
        "nulls_only_where_configured", "fct_revenue.mrr", {"fct_revenue": "UPDATE t SET mrr = NULL WHERE rowid % 30 = 0"}
    ),
    "a value out of range": Case(
        "values_in_range", "fct_revenue.mrr", {"fct_revenue": "UPDATE t SET mrr = -5 WHERE rowid = 7"}
    ),
    "labels that are true too often": Case(
        "labels_follow_odds",
        "fct_support_tickets.is_upset",
        {"fct_support_tickets": "UPDATE t SET is_upset = true WHERE rowid % 8 = 0"},
    ),
    "a value that does not last": Case(
        "levels_stay", "fct_support_tickets.fee", {"fct_support_tickets": "UPDATE t SET fee = fee + rowid % 3"}
    ),
    "a step that is taken too seldom": Case(
        "steps_as_declared",
        "onboarding.import",
        {"onboarding": "UPDATE t SET step = 'invite' WHERE step = 'import' AND hash(rowid) % 2 = 0"},
    ),
    "a shuffled metric": Case(
        "means_follow_trajectory",
        "nps",
        {
            "fct_support_tickets": "UPDATE t SET nps = s.nps FROM (SELECT own.rowid AS r, o.nps FROM "
            "(SELECT rowid, row_number() OVER (ORDER BY rowid) AS n FROM t) AS own JOIN "
            "(SELECT nps, row_number() OVER (ORDER BY hash(rowid)) AS n FROM t) AS o USING (n)) AS s WHERE t.rowid = s.r"
        },
    ),
    "a metric that is too quiet": Case(
        "means_follow_trajectory",
        "nps",
        {
            "fct_support_tickets": "UPDATE t SET nps = round((t.nps + m.mean) / 2, 2) FROM "
            "(SELECT company_id, avg(nps) AS mean FROM t GROUP BY 1) AS m WHERE m.company_id = t.company_id"
        },
    ),
    "a flipped polarity": Case(
        "polarity_as_declared", "churn_risk", {"fct_support_tickets": "UPDATE t SET churn_risk = 1 - churn_risk"}
    ),
    "a season removed": Case(
        "seasons_as_declared",
        "mrr +15%",
        {"fct_revenue": "UPDATE t SET mrr = greatest(round(mrr / 1.15, 2), 50) WHERE date_key // 100 % 100 IN (11, 12)"},
    ),
    "an effect removed": Case(
        "effects_as_declared",
        "active_users, Fair +30%",
        {
            "fct_engagement": "UPDATE t SET active_users = round(active_users / 1.3) "
            "WHERE date_key BETWEEN 20240301 AND 20240501"
        },
    ),
    "growth removed": Case(
        "growth_as_declared",
        "mrr, 10 % a year, the later half of the periods",
        {"fct_revenue": "UPDATE t SET mrr = greatest(round(mrr / 1.15, 2), 50) WHERE date_key >= 20240101"},
    ),
    "a flipped correlation": Case(
        "correlations_as_declared",
        "feature_adoption ~ engagement",
        {
            "fct_engagement": "UPDATE t SET feature_adoption = greatest(0, least(1, 2 * m.mean - feature_adoption)) FROM "
            "(SELECT segment, date_key, avg(feature_adoption) AS mean FROM t JOIN segments USING (company_id) GROUP BY ALL) "
            "AS m, segments AS s WHERE s.company_id = t.company_id AND s.segment = m.segment AND m.date_key = t.date_key"
        },
    ),
    "a shifted lag": Case(
        "lags_found",
        "mrr follows engagement",
        {
            "fct_revenue": "UPDATE t SET mrr = s.mrr FROM (SELECT rowid AS r, lead(mrr, 1, mrr) OVER "
            "(PARTITION BY company_id ORDER BY date_key) AS mrr FROM t) AS s WHERE s.r = t.rowid"
        },
    ),
    "units with the histories of others": Case(
        "segments_separable",
        "",
        dict.fromkeys(("fct_engagement", "fct_revenue", "fct_support_tickets"), _SWAPPED),
    ),
}


_HALF = "rowid % 2 = 0"
_CLOSED = "(SELECT max(rowid) FROM t WHERE valid_to IS NOT NULL AND rowid IN (SELECT max(rowid) FROM t GROUP BY company_id))"
CASES |= {
    "a unit that left but is still current": Case(
        "histories_contiguous",
        "dim_company",
        {"dim_company": f"UPDATE t SET valid_to = NULL, is_current = true WHERE rowid = {_CLOSED}"},
    ),
    "a change that is lost": Case(
        "logs_in_order",
        "log_company",
        {"log_company": "DELETE FROM t WHERE rowid = (SELECT min(rowid) FROM t WHERE op = 'U')"},
    ),
    "an insert that says that it is an update": Case(
        "logs_in_order",
        "log_company",
        {"log_company": "UPDATE t SET op = 'U' WHERE rowid = (SELECT max(rowid) FROM t WHERE op = 'I')"},
    ),
    "a snapshot that lacks a unit": Case(
        "snapshots_agree",
        "snp_company ~ log_company",
        {"snp_company": "DELETE FROM t WHERE rowid = 70"},
    ),
    "a snapshot that has a unit that left": Case(
        "snapshots_agree",
        "snp_company ~ dim_company",
        {
            "snp_company": "INSERT INTO t SELECT * REPLACE (20241001 AS snapshot_date_key) FROM t WHERE company_id NOT IN "
            "(SELECT company_id FROM t WHERE snapshot_date_key = 20241001) LIMIT 1"
        },
    ),
    "a link that is there twice": Case(
        "bridges_within_bounds", "bridge_plan pairs", {"bridge_plan": "INSERT INTO t SELECT * FROM t LIMIT 1"}
    ),
    "a link of a row to itself": Case(
        "bridges_within_bounds",
        "bridge_peers pairs",
        {"bridge_peers": "UPDATE t SET company_id_b = company_id_a WHERE rowid = 7"},
    ),
    "too many links": Case(
        "bridges_within_bounds",
        "bridge_plan dim_company",
        {"bridge_plan": "UPDATE t SET company_id = (SELECT company_id FROM t WHERE rowid = 0) WHERE rowid < 9"},
    ),
    "too few links": Case(
        "bridges_within_bounds",
        "bridge_plan dim_company",
        {"bridge_plan": "DELETE FROM t WHERE company_id = (SELECT company_id FROM t WHERE rowid = 0)"},
    ),
    "a source's row that is not mapped": Case(
        "sources_mapped", "dim_company_crm", {"source_entity_map": "DELETE FROM t WHERE rowid = 3"}
    ),
    "a mapped row that no source has": Case(
        "sources_mapped", "dim_company_crm", {"dim_company_crm": "DELETE FROM t WHERE rowid = 3"}
    ),
    "names that drift too little": Case(
        "sources_as_declared",
        "dim_company_crm.company_name",
        {
            "dim_company_crm": "UPDATE t SET company_name = d.company_name FROM map AS m, dim AS d WHERE m.source = 'crm' "
            "AND m.source_key = t.company_id_crm AND d.company_id = m.company_id AND hash(m.company_id) % 2 = 0"
        },
    ),
    "too many units missing": Case(
        "sources_as_declared",
        "dim_company_crm missing",
        {"dim_company_crm": f"DELETE FROM t WHERE {_HALF}", "source_entity_map": f"DELETE FROM t WHERE {_HALF}"},
    ),
    "attributes that drift where none should": Case(
        "sources_as_declared",
        "dim_company_erp.industry",
        {"dim_company_erp": "UPDATE t SET industry = upper(industry) WHERE rowid = 7"},
    ),
    "a value where the ledger says that there is none": Case(
        "quality_as_declared",
        "fct_support_tickets.support_tickets",
        {"fct_support_tickets": "UPDATE t SET support_tickets = 3 WHERE support_tickets IS NULL"},
    ),
}  # fmt: skip
_LINKED = {
    "quality": [{"table": "fct_support_tickets", "issue": "null_injection", "rate": 0.02, "column": "support_tickets"}],
    "bridges": [
        {"name": "bridge_plan", "left": "dim_company", "right": "dim_plan", "cardinality": [1, 4], "driver": "mrr"},
        {"name": "bridge_peers", "left": "dim_company", "right": "dim_company", "cardinality": [0, 3], "directed": False},
    ],
    "sources": [
        {"name": "crm", "name_drift_rate": 0.4, "attribute_drift_rate": 0.2, "missing_rate": 0.1, "duplicate_rate": 0.1},
        {"name": "erp", "key_scheme": "numeric", "name_drift_rate": 0.2},
    ],
}


def with_label(fact: dict[str, Any]) -> dict[str, Any]:
    """Return a fact with a label whose odds follow its metric, and a value that lasts."""
    label = {"name": "is_upset", "type": "label", "odds": "-nps / 20", "rate": 0.1}
    fee = {"name": "fee", "type": "level.mrr", "every": 12, "rate": 0.01}
    return {**fact, "columns": [*fact["columns"], label, fee]}


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of the saas dataset, four times its size, with what only some of its checks look at."""
    raw = read(api.template("saas"))
    shown = {
        "facts": [
            *(with_label(fact) if fact["name"] == "fct_support_tickets" else fact for fact in raw["facts"]),
            {"name": "snp_company", "snapshot_of": "dim_company", "every": "quarter"},
            {"name": "snp_user", "snapshot_of": "dim_user", "every": "once"},
        ],
        "events": [
            *raw["events"],
            {"name": "log_company", "changes_of": "dim_company"},
            {"name": "log_user", "changes_of": "dim_user"},
        ],
    }
    shown["tables"] = [
        {
            "name": "onboarding",
            "per": "company",
            "rows": {"steps": {"invite": 1, "import": 0.6}},
            "columns": {"place": "sequence", "step": "step"},
        }
    ]
    shown["metrics"] = [
        {**metric, "growth": "10% a year"} if metric["name"] == "mrr" else metric for metric in raw["metrics"]
    ]
    shown["effects"] = [
        {"name": "Fair", "start": "2024-03-01", "end": "2024-05-31", "factor": 1.3, "metrics": "active_users"}
    ]
    return api.from_mapping(
        {**raw, **_LINKED, **shown, "rhythm": {"weekdays": "workdays", "hours": "office_hours"}}, name="saas", scale=SCALE
    )


@pytest.fixture(scope="module")
def written(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with its Parquet files."""
    directory = tmp_path_factory.mktemp("written")
    api.write_tables(plan, directory, format="parquet")
    return directory


@pytest.fixture(scope="module")
def clean(plan: Plan, written: Path) -> Report:
    """The report of whole data."""
    with find_store(plan, written) as store:
        return check_store(store)


def _break(plan: Plan, case: Case, directory: Path) -> None:
    """Make the fault in files of a directory."""
    if case.without is not None:
        (directory / f"{case.without}.parquet").unlink()
    units = select(plan.population, 0, plan.population.units)
    keys = key_text(prefix(plan.table("dim_company").spec), pa.array(codes(plan.population, units)))
    segments = pa.table({"company_id": keys, "segment": np.asarray(units.segment)})
    for table, sql in case.breaks.items():
        file = directory / f"{table}.parquet"
        with duckdb.connect() as connection:
            connection.register("segments", segments)
            for name, other in (("map", "source_entity_map"), ("dim", "dim_company")):
                connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{directory / other}.parquet')")
            connection.execute(f"CREATE TABLE t AS FROM read_parquet('{file}')")
            connection.execute(sql)
            file.unlink()  # it is a link to the whole data
            connection.execute(f"COPY t TO '{file}' (FORMAT parquet)")


def test_whole_data_passes_every_check(clean: Report) -> None:
    assert (clean.score, clean.failed, clean.warned) == (100, False, False), clean.text()


def test_every_check_is_seen_to_pass_and_to_fail(clean: Report) -> None:
    """Each check looks at something in the clean data, and at least one case below breaks it."""
    assert {name for name, finding in clean.findings if finding.passed} >= set(CHECKS)
    assert {case.check for case in CASES.values()} == set(CHECKS)


_QUICK = (
    "an orphaned reference",
    "a value out of range",
    "overlapping versions",
    "a link that is there twice",
    "a missing date",
)
"""Faults of five kinds that are found in a blink; those that show in statistics over the whole take longest."""


@pytest.mark.parametrize("name", slow_but(CASES, *_QUICK))
def test_a_fault_is_caught_by_the_check_that_names_it(name: str, plan: Plan, written: Path, tmp_path: Path) -> None:
    """The check fails for the subject that is at fault; a blocking one caps the score, the others lower it."""
    case = CASES[name]
    directory = tmp_path / "broken"
    shutil.copytree(written, directory, copy_function=os.link)
    _break(plan, case, directory)
    with find_store(plan, directory) as store:
        report = report_of_check(case.check, store)
    wrong = [finding for finding in report.findings_of(case.check) if not finding.passed]
    assert [finding for finding in wrong if finding.subject.startswith(case.subject)], report.text()
    assert report.score < 100
    if CHECKS[case.check].blocking:
        assert report.failed
        assert report.score <= BROKEN_CAP
    else:
        assert report.warned


def test_every_number_of_a_report_is_finite_or_left_out(clean: Report) -> None:
    """The record for machines holds numbers that were measured, and no NaN that JSON does not know."""
    for check in clean.record()["checks"]:
        assert all(value is None or np.isfinite(value) for value in check["numbers"].values()), check
