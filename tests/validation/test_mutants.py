"""Every rule that a bundled dataset declares is broken alone, and found by its own name and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from docs.datasets import shown
from plotsim_core import template, write_tables
from plotsim_core.engine.memory import Memory
from plotsim_core.validation.declared import declared_checks
from plotsim_core.validation.store import StoredData, directory_store
from tests.marks import slow_but

LEAST_MUTANTS = 50


def changed(column: str, value: str, order: str = "1") -> str:
    """Return the SQL of a table of which one row, the first in an order, has another value in a column."""
    return (
        f"SELECT * REPLACE (CASE WHEN row_number() OVER (ORDER BY {order}) = 1 THEN {value} ELSE {column} END AS {column}) "
        "FROM t"
    )


def set_to(column: str, value: str) -> str:
    """Return the SQL of a table whose rows have another value in a column."""
    return f"SELECT * REPLACE ({value} AS {column}) FROM t"


TWICE = "SELECT * FROM t UNION ALL (SELECT * FROM t ORDER BY ALL LIMIT 1)"
"""The SQL of a table that has one of its rows twice."""

MUTANTS: dict[str, dict[str, tuple[str, str]]] = {
    "delivery": {
        "dates_follow_each_other": ("dim_date", changed("date", "DATE '2020-01-01'", "date_key DESC")),
        "courier_key_format": ("dim_courier", changed("courier_id", "lower(courier_id)")),
        "courier_versions_begin_before_they_end": ("dim_courier", changed("valid_to", "valid_from", "valid_to NULLS LAST")),
        "one_current_version_of_a_courier": ("dim_courier", changed("is_current", "TRUE", "is_current")),
        "punctuality_is_a_share": ("fct_day", changed("punctuality", "1.1", "date_key")),
        "one_row_a_courier_and_day": ("fct_day", TWICE),
        "usual_distance": ("fct_day", set_to("distance_km", "distance_km * 2")),
        "complaints_of_days_with_work": ("evt_complaint", changed("courier_id", "'C-UNKNOWN'", "date_key")),
        "a_quarter_complain_of_delay": ("evt_complaint", "SELECT * FROM t WHERE topic <> 'damaged'"),
        "a_courier_resigns_once": ("evt_resignation", changed("courier_id", "max(courier_id) OVER ()", "courier_id")),
    },
    "saas": {
        "plan_names_differ": ("dim_plan", changed("plan_name", "max(plan_name) OVER ()", "plan_name")),
        "price_list_as_agreed": ("dim_plan", changed("list_price", "list_price + 10")),
        "user_key_format": ("dim_user", changed("user_id", "replace(user_id, '-', '_')")),
        "users_of_known_companies": ("dim_user", changed("company_id", "'COM-UNKNOWN'")),
        "company_versions_begin_before_they_end": ("dim_company", changed("valid_to", "DATE '2020-01-01'", "valid_to")),
        "revenue_is_positive": ("fct_revenue", changed("mrr", "-mrr", "mrr")),
        "one_bill_a_company_and_month": ("fct_revenue", TWICE),
        "support_where_there_is_revenue": ("fct_support_tickets", changed("company_id", "'COM-UNKNOWN'", "date_key")),
        "urgent_is_answered_in_two_hours": (
            "evt_support_ticket",
            changed("reply_target_hours", "3", "severity <> 'urgent', ticket_id"),
        ),
        "share_of_how_to_questions": (
            "evt_support_ticket",
            set_to("category", "CASE WHEN category = 'how-to' AND hash(ticket_id) % 4 = 0 THEN 'bug' ELSE category END"),
        ),
        "a_company_churns_once": ("evt_churn", changed("company_id", "max(company_id) OVER ()", "company_id")),
    },
    "banking": {
        "first_account_is_current": ("dim_account", changed("account_type", "'savings'", "number")),
        "accounts_of_a_customer_are_numbered": (
            "dim_account",
            changed("customer_id", "max(customer_id) OVER (PARTITION BY number)", "number, customer_id"),
        ),
        "customer_versions_begin_before_they_end": (
            "dim_customer",
            changed("valid_to", "DATE '2020-01-01'", "valid_to NULLS LAST"),
        ),
        "current_emails_differ": (
            "dim_customer",
            changed("email", "max(email) OVER (PARTITION BY is_current)", "NOT is_current, email"),
        ),
        "british_postcodes": ("dim_customer", changed("postcode", "'12345'", "customer_id")),
        "nine_merchant_categories": (
            "dim_merchant_category",
            "SELECT * FROM t UNION ALL (SELECT * REPLACE ('MER-099' AS category_id) FROM t LIMIT 1)",
        ),
        "low_scores_are_declined": (
            "fct_loan_application",
            changed("decision", "'approved'", "decision <> 'declined', credit_score"),
        ),
        "loans_are_of_usual_size": ("fct_loan_application", changed("amount", "250000", "application_id")),
        "amount_is_ratio_times_typical": ("evt_transaction", changed("amount", "amount + 0.01", "transaction_id")),
        "category_fits_its_key": ("evt_transaction", changed("category", "'Groceries'", "category = 'Groceries', paid_at")),
        "share_of_contactless": ("evt_transaction", set_to("channel", "'online'")),
        "default_after_ninety_days": ("evt_default", changed("days_past_due", "90")),
    },
    "ecommerce": {
        "days_are_numbered_in_order": ("dim_date", changed("day_index", "0", "date_key DESC")),
        "thirty_six_products": (
            "dim_product",
            "SELECT * FROM t UNION ALL (SELECT * REPLACE ('PRO-099' AS product_id, 'Lamp' AS product_name) FROM t LIMIT 1)",
        ),
        "product_names_differ": ("dim_product", changed("product_name", "'Vase'", "product_id")),
        "tiers_begin_before_they_end": ("dim_customer", changed("valid_to", "valid_from", "valid_to NULLS LAST")),
        "goods_total_is_that_of_the_lines": (
            "fct_orders",
            """SELECT * EXCLUDE (step) REPLACE (goods_total + step AS goods_total, order_total + step AS order_total) FROM
            (SELECT *, CASE WHEN customer_id <> (SELECT max(customer_id) FROM t) THEN 0
            ELSE CASE row_number() OVER (PARTITION BY customer_id ORDER BY order_id) WHEN 1 THEN 1 WHEN 2 THEN -1 ELSE 0 END
            END AS step FROM t)""",
        ),
        "line_count_is_that_of_the_lines": ("fct_orders", changed("line_count", "line_count + 1", "order_id")),
        "order_total_has_the_shipping": ("fct_orders", changed("order_total", "order_total - 0.5", "order_id")),
        "orders_reconcile_with_lines": (
            "fct_order_lines",
            changed("customer_id", "max(customer_id) OVER ()", "customer_id, line_id"),
        ),
        "amount_is_quantity_times_price": ("fct_order_lines", changed("quantity", "quantity + 1", "line_id")),
        "list_price_of_the_product": ("fct_order_lines", changed("list_price", "list_price - 0.1", "line_id")),
        "refund_is_what_was_paid": ("fct_returns", changed("refund", "refund + 1", "return_id")),
        "one_to_five_stars": ("evt_review", changed("stars", "0", "review_id")),
        "review_key_format": ("evt_review", changed("review_id", "review_id || 'x'", "review_id")),
        "share_of_phones": ("evt_session", "SELECT * FROM t WHERE device <> 'desktop' OR hash(session_id) % 2 = 0"),
    },
    "retail": {
        "category_names_differ": ("dim_category", changed("category", "'Dairy'", "category_id")),
        "mean_shelf_price": ("dim_product", changed("price", "price + 1", "product_id")),
        "hours_of_time_keys": ("dim_time", changed("hour", "13", "time_key")),
        "receipt_total_is_that_of_the_lines": (
            "fct_receipt_line",
            """SELECT * EXCLUDE (line) REPLACE (amount + CASE WHEN customer_id <> (SELECT max(customer_id) FROM t) THEN 0
            WHEN receipt_id = min(receipt_id) OVER (PARTITION BY customer_id) AND line = 1 THEN 1
            WHEN receipt_id = max(receipt_id) OVER (PARTITION BY customer_id) AND line = 1 THEN -1 ELSE 0 END AS amount)
            FROM (SELECT *, row_number() OVER (PARTITION BY receipt_id ORDER BY line_id) AS line FROM t)""",
        ),
        "receipt_counts_its_lines": ("fct_receipt", changed("lines", "lines + 1", "receipt_id")),
        "gold_earns_three_points": ("fct_receipt", changed("points", "points - 1", "tier <> 'Gold', receipt_id")),
        "receipts_at_hours_of_the_day": ("fct_receipt", changed("time_key", "2400", "receipt_id")),
        "receipts_reconcile_with_lines": (
            "fct_receipt_line",
            changed("customer_id", "max(customer_id) OVER ()", "customer_id, line_id"),
        ),
        "discount_of_the_promotion": ("fct_receipt_line", changed("discount_pct", "99", "line_id")),
        "one_row_a_store_and_week": ("fct_store_week", TWICE),
        "footfall_is_not_negative": ("fct_store_week", changed("footfall", "-1", "store_id, date_key")),
        "a_store_closes_once": ("evt_store_closed", changed("store_id", "max(store_id) OVER ()", "store_id")),
        "card_key_format": ("evt_card_lapsed", changed("lapse_id", "'7'")),
    },
    "healthcare": {
        "diagnosis_codes_differ": ("dim_diagnosis", changed("icd10_code", "'I10'", "diagnosis_id")),
        "patient_key_format": (
            "dim_patient",
            "SELECT * FROM t UNION ALL (SELECT * REPLACE ('PAT-x' AS patient_id) FROM t LIMIT 1)",
        ),
        "diagnosis_fits_its_key": ("dim_patient", changed("diagnosis", "'COPD'", "diagnosis = 'COPD', patient_id")),
        "glucose_is_positive": ("fct_reading", changed("glucose", "-glucose", "glucose DESC NULLS LAST")),
        "one_reading_a_patient_and_week": ("fct_reading", TWICE),
        "an_encounter_once": (
            "fct_encounter",
            "SELECT * FROM t UNION ALL (SELECT * FROM t QUALIFY count(*) OVER (PARTITION BY encounter_id) = 1 "
            "ORDER BY encounter_id LIMIT 1)",
        ),
        "encounters_of_usual_length": ("fct_encounter", changed("minutes", "600", "encounter_id")),
        "prescriptions_of_known_patients": (
            "fct_prescription",
            changed("patient_id", "'PAT-UNKNOWN'", "patient_id LIKE '%-X', patient_id"),
        ),
        "share_of_add_ons": ("fct_prescription", set_to("add_on", "FALSE")),
        "stays_of_usual_length": ("evt_admission", changed("length_of_stay_days", "40", "admission_id")),
        "admissions_in_order": (
            "evt_admission",
            changed(
                "admitted_at",
                "TIMESTAMP '2023-01-01'",
                "patient_id <> (SELECT patient_id FROM t GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1), date_key DESC",
            ),
        ),
    },
}
"""By dataset and rule: the table that is changed, and the SQL of the changed one."""


def failed_rules(store: StoredData) -> set[str]:
    """Return the names of the declared rules that the data of a store breaks."""
    checks = declared_checks(store.plan)
    findings = (
        (name, finding)
        for kind in store.kinds
        for table in kind.tables
        for name, check in checks.items()
        for finding in check.findings(kind, table)
    )
    return {name for name, finding in findings if not finding.passed or not finding.judged}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], StoredData]]:
    """Yield what opens the store of a dataset, which is written once."""
    opened: dict[str, StoredData] = {}
    with ExitStack() as stack:

        def open_store(name: str) -> StoredData:
            if name not in opened:
                directory, plan = tmp_path_factory.mktemp(name), shown(template(name))
                write_tables(plan, directory, format="parquet")
                assert plan.stop is not None
                opened[name] = stack.enter_context(directory_store(plan, directory, "parquet", plan.first, plan.stop))
            return opened[name]

        yield open_store


MARKS = {name: () if name in ("saas", "healthcare") else pytest.mark.slow for name in MUTANTS}
CASES = [pytest.param(name, rule, marks=MARKS[name]) for name, rules in MUTANTS.items() for rule in rules]


@pytest.mark.parametrize("dataset", slow_but(MUTANTS, "saas", "healthcare"))
def test_every_declared_rule_has_a_mutant_and_holds_without_it(dataset: str, stored: Callable[[str], StoredData]) -> None:
    store = stored(dataset)
    assert set(declared_checks(store.plan)) == set(MUTANTS[dataset])
    assert failed_rules(store) == set()


def test_there_are_as_many_mutants_as_promised() -> None:
    assert len(CASES) >= LEAST_MUTANTS


@pytest.mark.parametrize(("dataset", "rule"), CASES)
def test_a_broken_rule_is_found_by_its_name_alone(dataset: str, rule: str, stored: Callable[[str], StoredData]) -> None:
    table, mutant = MUTANTS[dataset][rule]
    store = stored(dataset)
    relation = f"({mutant.replace('FROM t', f'FROM {store.relations[table]} AS t')})"
    mutated = replace(store, relations={**store.relations, table: relation}, memory=Memory())
    assert failed_rules(mutated) == {rule}
