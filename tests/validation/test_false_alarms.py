"""Sound data does not alarm: kinds of configs in which checks once did, and what a report says that cannot be judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from plotsim_core import from_mapping, write_tables
from plotsim_core.plan.plan import Plan
from plotsim_core.validation.report import Report, check_directory
from tests.marks import slow_but

Raw = dict[str, Any]
DATES = {"name": "dim_date", "per": "period", "columns": [{"name": "date_key", "type": "id"}]}
KEYS = [{"name": "date_key", "type": "ref.dim_date"}]


def _report(plan: Plan, directory: Path) -> Report:
    write_tables(plan, directory, format="parquet")
    assert plan.stop is not None
    return check_directory(plan, directory, "parquet", plan.first, plan.stop)


def _clinics(**more: Any) -> Raw:
    """A config whose units are few or many, with a fact that holds three metrics."""
    columns = [*KEYS, {"name": "clinic_id", "type": "ref.dim_clinic"}]
    names = ("beds", "wait", "praise")
    return {
        "about": "Clinics",
        "unit": "clinic",
        "window": {"start": "2023-01", "end": "2023-12", "every": "month"},
        "metrics": [
            {"name": "beds", "type": "count", "polarity": "positive", "mean": [4, 30]},
            {"name": "wait", "type": "amount", "polarity": "negative", "range": [5, 240]},
            {"name": "praise", "type": "score", "polarity": "positive"},
        ],
        "connections": ["beds 0.25 wait", "wait -0.4 praise"],
        "segments": [{"name": "rural", "count": 3, "archetype": "growth"}],
        "dimensions": [DATES, {"name": "dim_clinic", "per": "unit", "columns": [{"name": "clinic_id", "type": "id"}]}],
        "facts": [{"name": "fct_month", "columns": [*columns, *({"name": n, "type": f"metric.{n}"} for n in names)]}],
        **more,
    }


def test_a_snapshot_may_show_what_a_unit_refers_to_for_life(tmp_path: Path) -> None:
    """A unit keeps its depot, in the dimension and in each snapshot of it, also when that depot has closed."""
    raw = _clinics(
        units=[
            {
                "unit": "depot",
                "metrics": [{"name": "stock", "type": "count", "polarity": "positive"}],
                "segments": [{"name": "store", "count": 12, "archetype": "flat", "tenure": {"mean": 4}}],
                "dimensions": [{"name": "dim_depot", "per": "unit", "columns": [{"name": "depot_id", "type": "id"}]}],
            }
        ]
    )
    raw["segments"][0]["count"] = 40
    raw["dimensions"][1]["columns"].append({"name": "home_depot", "type": "ref.dim_depot"})
    raw["facts"].append({"name": "snp_clinic", "snapshot_of": "dim_clinic"})
    report = _report(from_mapping(raw, name="clinics"), tmp_path)
    assert not report.failed, report.text()
    assert not report.warned, report.text()


def test_a_link_may_lead_to_anyones_child(tmp_path: Path) -> None:
    """A bridge from units to the children of units links them at random; other columns still speak of the left unit."""
    ward = {"name": "dim_ward", "per": "unit", "count": 2, "columns": [{"name": "ward_id", "type": "id"}]}
    ward["columns"] += [{"name": "clinic_id", "type": "ref.dim_clinic"}]
    raw = _clinics(bridges=[{"name": "bridge_ward", "left": "dim_clinic", "right": "dim_ward", "cardinality": [1, 3]}])
    raw["segments"][0]["count"] = 20
    raw["dimensions"].append(ward)
    raw["bridges"].append({"name": "bridge_back", "left": "dim_ward", "right": "dim_clinic", "cardinality": [1, 2]})
    raw["bridges"][1]["columns"] = [*KEYS, {"name": "via", "type": "ref.dim_ward"}]
    report = _report(from_mapping(raw, name="clinics"), tmp_path)
    assert not report.failed, report.text()


@pytest.mark.parametrize("seed", slow_but(range(6), 0, 1))
def test_periods_in_which_nothing_happens_may_be_empty(seed: int, tmp_path: Path) -> None:
    """Two units whose metric is mostly zero have no rows in many periods, however many there are on average."""
    calls = {"name": "calls", "type": "count", "polarity": "positive", "mean": [40, 90]}
    raw = _clinics(
        metrics=[{**calls, "distribution": "zero_inflated_poisson", "distribution_params": {"zeros": 0.9}}],
        connections=[],
        segments=[{"name": "rural", "count": 2, "archetype": "flat"}],
        seed=seed,
    )
    raw["facts"] = [{"name": "fct_call", "row_count_driver": "calls", "row_count_scale": 1.0, "columns": [*KEYS]}]
    raw["facts"][0]["columns"] += [{"name": "call_id", "type": "id"}, {"name": "clinic_id", "type": "ref.dim_clinic"}]
    report = _report(from_mapping(raw, name="clinics"), tmp_path)
    assert not report.failed, report.text()


@pytest.mark.parametrize("seed", slow_but(range(12), 0, 1))
def test_few_cells_are_not_judged(seed: int, tmp_path: Path) -> None:
    """Three units in two months correlate by chance, perfectly if need be: the report says that it cannot tell."""
    raw = _clinics(window={"start": "2023-01", "end": "2023-02", "every": "month"}, seed=seed)
    raw["metrics"].append({"name": "staff", "type": "count", "polarity": "positive", "follows": "beds", "delay": 1})
    raw["facts"][0]["columns"].append({"name": "staff", "type": "metric.staff"})
    report = _report(from_mapping(raw, name="clinics"), tmp_path)
    assert not report.warned, report.text()
    for check in ("correlations_as_declared", "lags_found", "means_follow_trajectory"):
        findings = report.findings_of(check)
        assert findings
        assert not any(finding.judged for finding in findings), findings
        assert all(finding.message.startswith("not judged: ") for finding in findings)


@pytest.mark.parametrize("seed", slow_but(range(6), 0, 1))
def test_rare_counts_may_all_be_zero(seed: int, tmp_path: Path) -> None:
    """Forty units that have hardly ever one of something agree in having none: their mean of 0 is no proof of another."""
    raw = _clinics(seed=seed)
    raw["metrics"][0] |= {"mean": [0.004, 0.02]}
    raw["segments"][0] |= {"count": 40, "archetype": "flat"}
    report = _report(from_mapping(raw, name="clinics"), tmp_path)
    assert not report.warned, report.text()


@pytest.mark.slow
def test_a_value_on_the_end_of_its_range_is_inside(tmp_path: Path) -> None:
    """12.38 is 5 + 7.38, whatever its last bit says."""
    raw = _clinics(noise={"outlier_rate": 0.2})
    raw["metrics"][1] |= {"range": [5, 5 + 7.38]}
    raw["segments"][0]["count"] = 200
    report = _report(from_mapping(raw, name="clinics"), tmp_path)
    assert all(finding.passed for finding in report.findings_of("values_in_range")), report.text()


@pytest.mark.slow
def test_a_score_says_of_how_much_it_is(tmp_path: Path) -> None:
    """Of few units hardly any behaviour is judged, and the report says so wherever it gives the score."""
    few = _report(from_mapping(_clinics(), name="clinics"), tmp_path / "few")
    many = _clinics()
    many["segments"][0]["count"] = 400
    whole = _report(from_mapping(many, name="clinics"), tmp_path / "many")
    assert few.score == whole.score == 100
    assert (few.judged, whole.judged) == (75, 100)
    assert few.record()["judged"] == 75
    assert not all(check["judged"] for check in few.record()["checks"])
    assert "score 100 (75 % judged)" in few.text()
    assert "not judged" not in whole.text()


def test_what_no_fact_holds_is_not_judged(tmp_path: Path) -> None:
    """A metric that only drives events has no values to be judged by; what is declared of it is told as open."""
    phase = {"start_period": 3, "end_period": 5, "connections": ["beds -0.4 wait", "praise 0.3 beds"]}
    raw = _clinics(connections=["beds 0.25 wait"], connection_phases=[phase])
    del raw["facts"][0]["columns"][2]
    raw["segments"][0]["count"] = 100
    report = _report(from_mapping(raw, name="clinics"), tmp_path)
    values = {(check, finding.subject) for check, finding in report.findings if not finding.judged}
    assert {subject for check, subject in values if check == "correlations_as_declared"} == {
        "beds ~ wait",
        "beds ~ wait from 2023-04",
        "praise ~ beds from 2023-04",
    }
    assert ("means_follow_trajectory", "beds") in values
    assert report.judged < 100


FAULTS = {
    "means_follow_trajectory": ("wait", "UPDATE t SET wait = least(wait * 1.12, 240)"),
    "correlations_as_declared": (
        "wait ~ praise",
        "UPDATE t SET praise = s.praise FROM (SELECT own.r, other.praise FROM "
        "(SELECT rowid AS r, date_key, row_number() OVER (PARTITION BY date_key ORDER BY rowid) AS n FROM t "
        "WHERE hash(rowid) % 2 = 0) AS own JOIN "
        "(SELECT praise, date_key, row_number() OVER (PARTITION BY date_key ORDER BY hash(clinic_id)) AS n FROM t "
        "WHERE hash(rowid) % 2 = 0) AS other USING (date_key, n)) AS s WHERE t.rowid = s.r",
    ),
    "seasons_as_declared": ("beds +20%", "UPDATE t SET beds = round(beds / 1.12) WHERE date_key // 100 % 100 = 12"),
    "events_follow_driver": ("fct_call", "DELETE FROM t WHERE hash(call_id) % 10 = 0"),
}
"""Check to the subject and a fault somewhat larger than docs/checks.md says is found of 300 units."""


@pytest.mark.slow
@pytest.mark.parametrize("check", slow_but(FAULTS, "seasons_as_declared"))
def test_faults_of_the_stated_size_are_found(check: str, tmp_path: Path) -> None:
    """At 300 units a mean that is 12 % too high, a correlation that is halved, a season of 7 % instead of 20 %, a tenth of
    the rows lost."""
    raw = _clinics(seasonality=[{"months": [12], "strength": 0.2}])
    raw["window"]["end"] = "2024-12"
    raw["segments"] = [{"name": "rural", "count": 300, "archetype": "flat"}]
    call = [*KEYS, {"name": "call_id", "type": "id"}, {"name": "clinic_id", "type": "ref.dim_clinic"}]
    raw["facts"].append({"name": "fct_call", "row_count_driver": "beds", "row_count_scale": 0.3, "columns": call})
    plan = from_mapping(raw, name="clinics")
    assert not _report(plan, tmp_path).warned
    subject, sql = FAULTS[check]
    table = "fct_call" if subject == "fct_call" else "fct_month"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS FROM read_parquet('{tmp_path / table}.parquet')")
        connection.execute(sql)
        connection.execute(f"COPY t TO '{tmp_path / table}.parquet' (FORMAT parquet)")
    report = check_directory(plan, tmp_path, "parquet", plan.first, plan.first + 24)
    wrong = [finding.subject for finding in report.findings_of(check) if not finding.passed]
    assert subject in wrong, report.text()


@pytest.mark.slow
@pytest.mark.parametrize("column", [{"type": "struct", "nested_schema": {"a": "int", "b": "string"}}, {"type": "array"}])
def test_records_and_lists_can_be_restated(column: Raw, tmp_path: Path) -> None:
    """A value of values is put right later like any other."""
    more = {"array_element_type": "int"} if column["type"] == "array" else {}
    raw = _clinics(quality=[{"table": "fct_month", "issue": "restatement", "column": "kit", "rate": 0.3}])
    raw["facts"][0]["columns"].append({"name": "kit", **column, **more})
    raw["segments"][0]["count"] = 40
    report = _report(from_mapping(raw, name="clinics"), tmp_path)
    assert report.findings_of("quality_as_declared")
    assert not report.failed, report.text()
