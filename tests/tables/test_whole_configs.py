"""Datasets of several tables, drafted before the language had words for them: a bank, shops, attendance, logs, repayments.
Each is written whole, passes its checks, and is what its domain would have (docs/design/drafts.md)."""

from __future__ import annotations

from math import exp
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from plotsim_core import Plan, load_config, make, slices, write_tables
from plotsim_core.validation.report import check_directory
from tests.cases import stored
from tests.marks import slow_but

CONFIGS = Path(__file__).parents[1] / "configs"
QUICK = [CONFIGS / f"{name}.yaml" for name in ("attendance", "jobs_and_loans", "loan_applications")]
each_config = pytest.mark.parametrize("path", slow_but(sorted(CONFIGS.glob("*.yaml")), *QUICK), ids=lambda path: path.stem)


@each_config
def test_parts_make_the_whole(path: Path) -> None:
    plan = load_config(path)
    for table in plan.tables:
        whole = make(plan, slices(plan, [table.name])[0]).read_all()
        parts = [make(plan, part).read_all() for part in slices(plan, [table.name], parts=5)]
        assert len(parts) > 1 or len(whole) < 10, table.name
        assert pa.concat_tables(parts).combine_chunks().equals(whole.combine_chunks()), table.name


@each_config
def test_what_is_written_passes_its_checks(path: Path, tmp_path: Path) -> None:
    plan = load_config(path)
    assert plan.stop is not None and plan.warnings == ()
    write_tables(plan, tmp_path / "out", format="parquet")
    report = check_directory(plan, tmp_path / "out", "parquet", plan.first, plan.stop)
    assert not report.failed, report.text()


def database(name: str) -> duckdb.DuckDBPyConnection:
    plan: Plan = load_config(CONFIGS / f"{name}.yaml")
    return stored(plan)


def test_everybody_attends_on_workdays_and_few_on_weekends() -> None:
    """An absence has no time of day, who is late comes later than all others, and who is there leaves after coming."""
    connection = database("attendance")
    rows = "attendance JOIN dim_date USING (date_key)"
    assert connection.sql(f"SELECT count(*) FROM {rows} WHERE NOT is_weekend").fetchall() == [(200 * 262,)]
    ((share,),) = connection.sql(f"SELECT count(*) / (200 * 104) FROM {rows} WHERE is_weekend").fetchall()
    assert abs(share - 0.05) < 4 * (0.05 * 0.95 / 20_800) ** 0.5
    wrong = """
        SELECT count(*) FROM attendance WHERE (status = 'ABSENT') <> (check_in IS NULL) OR check_out <= check_in
        OR (check_in IS NULL) <> (check_out IS NULL)
        OR (status = 'LATE') <> coalesce(date_part('hour', check_in) * 60 + date_part('minute', check_in) > 555, false)
    """
    assert connection.sql(wrong).fetchall() == [(0,)]
    weekend = f"SELECT DISTINCT status FROM {rows} WHERE is_weekend ORDER BY status"
    assert connection.sql(weekend).fetchall() == [("ABSENT",), ("WFH",)]


def test_tasks_are_numbered_in_their_stage_and_stages_in_their_job() -> None:
    connection = database("jobs_and_loans")
    for table, above, number, most in (("stage", "job_id", "stage_id", 5), ("task", "job_id, stage_id", "task_id", 20)):
        groups = f"SELECT max({number}) AS last, count(DISTINCT {number}) AS n FROM {table} GROUP BY {above}"
        assert connection.sql(f"SELECT bool_and(last = n - 1), max(n) FROM ({groups})").fetchall() == [(True, most)]


def test_repayments_pay_a_loan_off_in_its_tenure() -> None:
    """To the cent, and each month as much as was agreed, but for the rounding of the last."""
    connection = database("jobs_and_loans")
    loans = """
        SELECT count(*) AS n, any_value(tenure_months) AS tenure, sum(principal_part)::DECIMAL(18, 2) AS paid,
          any_value(principal) AS principal, arg_max(remaining, k) AS rest,
          max(abs(principal_part + interest_part - emi)) AS off
        FROM loan JOIN repayment USING (loan_id) GROUP BY loan_id
    """
    ((total, is_whole, off),) = connection.sql(
        f"SELECT count(*), bool_and(n = tenure AND paid = principal AND rest = 0), max(off) FROM ({loans})"
    ).fetchall()
    assert total == 1000 and is_whole and off < 1.0


def test_a_bank_has_a_chart_of_staff_and_promotions_that_run() -> None:
    """One employee without a manager; whoever writes names a promotion of the day; two accounts each on average, no account
    twice; less is written on weekends."""
    connection = database("bank")
    assert connection.sql("SELECT count(*) FROM employee WHERE manager_id IS NULL").fetchall() == [(1,)]
    assert connection.sql("SELECT count(*) FROM employee WHERE manager_id >= employee_id").fetchall() == [(0,)]
    letters = "communication LEFT JOIN promotion USING (promotion_id)"
    late = f"SELECT count(*) FROM {letters} WHERE sent_at < start_at OR sent_at >= end_at"
    assert connection.sql(late).fetchall() == [(0,)]
    ((nobody, weekend),) = connection.sql(
        "SELECT avg((employee_id IS NULL)::INT), avg((isodow(sent_at) >= 6)::INT) FROM communication"
    ).fetchall()
    assert abs(nobody - 0.05) < 4 * (0.05 * 0.95 / 20_000) ** 0.5
    assert abs(weekend - 1.95 / 7.0) < 0.02
    accounts = "SELECT count(*) AS n, count(DISTINCT account_id) AS others FROM customer_account GROUP BY customer_id"
    ((mean, least, most, is_distinct),) = connection.sql(
        f"SELECT avg(n), min(n), max(n), bool_and(n = others) FROM ({accounts})"
    ).fetchall()
    assert abs(mean - 2) < 4 * 1.2 / 1000**0.5 and (least, most) == (1, 5) and is_distinct


def test_schools_have_chains_of_four_and_students_courses() -> None:
    """Each row has the key of the row it belongs to, and credits are those of the course."""
    connection = database("schools")
    chains = [("school", "district"), ("student", "school"), ("enrollment", "student"), ("assessment", "enrollment")]
    for table, above in [*chains, ("class_meeting", "course"), ("enrollment", "course")]:
        orphans = f"SELECT count(*) FROM {table} ANTI JOIN {above} USING ({above}_id)"
        assert connection.sql(orphans).fetchall() == [(0,)]
    wrong = "SELECT count(*) FROM enrollment JOIN course USING (course_id) WHERE enrollment.credits <> course.credits"
    assert connection.sql(wrong).fetchall() == [(0,)]
    points = """
        SELECT count(*) FROM assessment JOIN enrollment USING (enrollment_id)
        WHERE abs(grade_points - least(5, score / 20 * credits)) > 0.0001
    """
    assert connection.sql(points).fetchall() == [(0,)]


def test_exactly_a_thousand_loans_in_a_month() -> None:
    """In the order of their numbers, with as many gaps in each column as asked for."""
    connection = database("loan_applications")
    ((rows, first, last, is_ordered),) = connection.sql(
        "SELECT count(*), min(loan_id), max(loan_id), bool_and(created_at >= before OR before IS NULL) FROM "
        "(SELECT *, lag(created_at) OVER (ORDER BY loan_id) AS before FROM loans)"
    ).fetchall()
    assert (rows, first, last, is_ordered) == (1000, "LN0001", "LN1000", True)
    for column, rate in (("created_at", 0.18), ("amount", 0.18), ("tenure_months", 0.22), ("status", 0.08), ("branch", 0.1)):
        ((share,),) = connection.sql(f"SELECT avg(({column} IS NULL)::INT) FROM loans").fetchall()
        assert abs(share - rate) < 4 * (rate * (1 - rate) / 1000) ** 0.5


def test_a_card_tells_whose_it_is() -> None:
    connection = database("cards_and_transactions")
    wrong = """
        SELECT count(*) FROM credit_card_spend AS s LEFT JOIN card USING (card_id)
        WHERE s.customer_id IS DISTINCT FROM card.customer_id OR NOT starts_with(card_id, s.customer_id)
    """
    assert connection.sql(wrong).fetchall() == [(0,)]


def test_fraud_is_likelier_abroad_and_online() -> None:
    """By the declared odds, within four standard errors, and at the declared rate of all."""
    connection = database("cards_and_transactions")
    groups = connection.sql(
        "SELECT is_international::INT, is_online::INT, count(*), avg(is_fraud::INT) FROM credit_card_spend GROUP BY ALL"
    ).fetchall()
    assert len(groups) == 4
    total = sum(rows for _, _, rows, _ in groups)
    rate = sum(rows * share for _, _, rows, share in groups) / total
    assert abs(rate - 0.015) < 4 * (0.015 * 0.985 / total) ** 0.5
    low, high = -20.0, 20.0  # the intercept by which the odds give the rate, by halving
    for _ in range(60):
        middle = (low + high) / 2
        odds = [(rows, 1 / (1 + exp(-middle - 2 * abroad - 0.8 * online))) for abroad, online, rows, _ in groups]
        low, high = (middle, high) if sum(rows * chance for rows, chance in odds) < 0.015 * total else (low, middle)
    for abroad, online, rows, share in groups:
        chance = 1 / (1 + exp(-low - 2 * abroad - 0.8 * online))
        assert abs(share - chance) < 4 * (chance * (1 - chance) / rows) ** 0.5


def test_some_loans_are_given_up() -> None:
    """Who stops to pay does not begin again, and nobody does so in the first three months."""
    connection = database("jobs_and_loans")
    wrong = """
        SELECT count(*) FROM repayment AS r JOIN repayment AS later USING (loan_id)
        WHERE r.status = 'DEFAULTED' AND (r.k <= 3 OR (later.k > r.k AND later.status <> 'DEFAULTED'))
    """
    assert connection.sql(wrong).fetchall() == [(0,)]
    ((given_up,),) = connection.sql("SELECT count(DISTINCT loan_id) FROM repayment WHERE status = 'DEFAULTED'").fetchall()
    assert 10 < given_up < 70


def test_orders_are_of_open_shops_and_of_customers_by_their_segment() -> None:
    """A VIP orders ten times what a casual customer does, and spends five times as much in each order."""
    connection = database("shops_and_orders")
    closed = """
        SELECT count(*) FROM "order" LEFT JOIN shop USING (shop_id)
        WHERE opened_on IS NULL OR order_time < opened_on OR order_time >= closed_on
    """
    assert connection.sql(closed).fetchall() == [(0,)]
    segments = """
        SELECT customer_segment, count(order_id) / count(DISTINCT customer_id), median(gross_amount)::DOUBLE
        FROM customer LEFT JOIN "order" USING (customer_id) GROUP BY customer_segment
    """
    means = {segment: (orders, amount) for segment, orders, amount in connection.sql(segments).fetchall()}
    assert 8.5 < means["VIP"][0] / means["Casual"][0] < 11.5
    assert 4 < means["VIP"][1] / means["Casual"][1] < 6
    off = "SELECT count(*) FROM order_item WHERE line_amount <> round(unit_price * quantity, 2)"
    assert connection.sql(off).fetchall() == [(0,)]


def test_a_profile_agrees_with_itself() -> None:
    """Products are counted, incomes lie in the bounds of the age, and who owes with a low income is at high risk."""
    connection = database("customer_profiles")
    wrong = """
        SELECT count(*) FROM customer_360
        WHERE num_products <> has_credit_card::INT + has_loan::INT + has_savings_account::INT
        OR (age < 24 AND income_annual NOT BETWEEN 100000 AND 400000)
        OR (age BETWEEN 35 AND 49 AND income_annual NOT BETWEEN 400000 AND 1500000)
        OR ((has_loan OR total_balance < 0) <> (risk_segment = 'HIGH') AND income_annual < 400000)
        OR churn_score NOT BETWEEN 0 AND 1 OR engagement_score NOT BETWEEN 0 AND 1
    """
    assert connection.sql(wrong).fetchall() == [(0,)]


def test_effects_hold_within_their_days() -> None:
    """A value that is multiplied is so by an effect that holds on its day; numbers are clamped where they are said to be."""
    connection = database("draws_and_effects")
    wrong = """
        SELECT count(*) FROM modifiers_test AS m WHERE NOT EXISTS (
          SELECT * FROM effect_events AS e WHERE timestamp >= start_time AND timestamp < end_time
          AND abs(value_with_effect - value_clamped * impact_multiplier) < 0.01
        ) AND value_with_effect <> value_clamped
    """
    assert connection.sql(wrong).fetchall() == [(0,)]
    clamped = "SELECT min(value_clamped) >= 60, max(value_clamped) <= 140 FROM modifiers_test"
    assert connection.sql(clamped).fetchall() == [(True, True)]
    children = "SELECT min(n), max(n) FROM (SELECT count(*) AS n FROM fanout_test GROUP BY parent_id)"
    assert connection.sql(children).fetchall() == [(2, 8)]


def test_each_sensor_reads_once_in_each_minute() -> None:
    connection = database("sensors_and_sales")
    readings = "SELECT count(*), count(DISTINCT (device_id, timestamp)) FROM sensor_readings"
    assert connection.sql(readings).fetchall() == [(10 * 3 * 1440, 10 * 3 * 1440)]
    offsets = "avg(value - experiment.baseline) AS off"
    samples = f"SELECT {offsets} FROM sample JOIN experiment USING (experiment_id) GROUP BY experiment_id"
    assert connection.sql(f"SELECT max(abs(off)) < 0.06 FROM ({samples})").fetchall() == [(True,)]


def test_tasks_end_in_their_stage_and_stages_come_after_each_other() -> None:
    connection = database("jobs_and_loans")
    late = """
        SELECT count(*) FROM task JOIN stage USING (job_id, stage_id)
        WHERE "at" NOT BETWEEN begins_at AND ends_at OR begins_at < (SELECT submitted_at FROM job WHERE job_id = task.job_id)
    """
    assert connection.sql(late).fetchall() == [(0,)]
    for table, moment, group, number in (
        ("stage", "begins_at", "job_id", "stage_id"),
        ("task", '"at"', "job_id, stage_id", "task_id"),
    ):
        order = f"lag({moment}) OVER (PARTITION BY {group} ORDER BY {number})"
        fault = f"SELECT count(*) FROM (SELECT {moment} AS m, {order} AS before FROM {table}) WHERE m < before"
        assert connection.sql(fault).fetchall() == [(0,)]


def test_dates_of_a_bank_follow_one_another() -> None:
    """Nobody has an account or a loan before they are a customer, and staff come to branches that are there."""
    connection = database("bank")
    for table in ("account", "loan"):
        date = "opened_on" if table == "account" else "start_date"
        early = f"SELECT count(*) FROM {table} JOIN customer USING (customer_id) WHERE {date} < created_at"
        assert connection.sql(early).fetchall() == [(0,)]
    early = "SELECT count(*) FROM employee JOIN branch USING (branch_id) WHERE hire_date < opened_on"
    assert connection.sql(early).fetchall() == [(0,)]
