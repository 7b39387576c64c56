"""Shapes that people ask for in public, of generators and pipelines like this one: each comes out right."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables, template, write_tables
from plotsim_core.config.read import read
from plotsim_core.validation.report import check_directory, check_tables
from tests.cases import EMPTY, LARGE, NUMBERS, TEXTS, WORDS, plan_of, stored, wide
from tests.marks import slow_but

FORMATS = ("csv", "jsonl", "parquet", "duckdb")


def rows_in(plan: Plan, folder: Path, format_: str, table: str, *columns: str) -> Counter[tuple[Any, ...]]:
    """Write a dataset and return the rows that DuckDB reads of some columns of a table."""
    write_tables(plan, folder, format=format_)
    listed = ", ".join(f'"{column}"' for column in columns)
    relation = {
        "csv": f"read_csv('{folder}/{table}.csv', allow_quoted_nulls = false)",
        "jsonl": f"read_json('{folder}/{table}.jsonl')",
        "parquet": f"'{folder}/{table}.parquet'",
    }
    if format_ == "duckdb":
        (file,) = folder.glob("*.duckdb")
        with duckdb.connect(str(file), read_only=True) as connection:
            return Counter(connection.sql(f'SELECT {listed} FROM "{table}"').fetchall())
    return Counter(duckdb.sql(f"SELECT {listed} FROM {relation[format_]}").fetchall())


@pytest.mark.slow
@pytest.mark.parametrize("format_", slow_but(FORMATS, "csv", "parquet"))
def test_reserved_words_are_names_in_every_format(format_: str, tmp_path: Path) -> None:
    """Of tables and columns; every check of what was written passes."""
    plan = plan_of(WORDS)
    assert plan.stop is not None
    actual = rows_in(plan, tmp_path / "out", format_, "order", "order", "index", "primary", "lines")
    expected = generate_tables(plan, tables=["order"])["order"][["order", "index", "primary", "lines"]]
    assert actual == Counter(expected.itertuples(index=False, name=None)) and len(actual) > 50
    report = check_directory(plan, tmp_path / "out", format_, plan.first, plan.stop)
    assert not report.failed, report.text()


def dump(raw: dict[str, Any], folder: Path, dialect: str) -> str:
    plan = from_mapping({**raw, "output": {"format": "sql", "sql_dialect": dialect}}, name="case")
    write_tables(plan, folder)
    (file,) = folder.glob("*.sql")
    return file.read_text(encoding="utf-8")


def test_reserved_words_load_into_sqlite(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(dump(WORDS, tmp_path / "out", "sqlite"))
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    (orders,) = connection.execute('SELECT count(*) FROM "order" JOIN "user" USING ("primary")').fetchone()
    assert orders == len(generate_tables(plan_of(WORDS), tables=["order"])["order"])


def test_reserved_words_load_into_duckdb(tmp_path: Path) -> None:
    """As PostgreSQL's SQL, of which DuckDB knows all but the settings and keys that are added later."""
    text = re.sub(r"^SET .*;$", "", dump(WORDS, tmp_path / "out", "postgresql"), flags=re.MULTILINE)
    connection = duckdb.connect()
    for statement in duckdb.extract_statements(text):
        if not statement.query.lstrip().startswith("ALTER TABLE"):
            connection.execute(statement)
    (orders,) = connection.sql('SELECT count(*) FROM "order" JOIN "user" USING ("primary")').fetchall()[0]
    assert orders == len(generate_tables(plan_of(WORDS), tables=["order"])["order"])


def test_a_name_that_cannot_be_one_is_refused_in_a_sentence() -> None:
    dimensions = [{"name": "Käufer Liste", "per": "unit", "columns": [{"name": "id", "type": "id"}]}]
    with pytest.raises(ConfigError) as raised:
        from_mapping({**WORDS, "dimensions": dimensions, "facts": []}, name="case")
    assert "dimensions[0].name" in str(raised.value)


@pytest.mark.slow
def test_a_table_of_500_columns(tmp_path: Path) -> None:
    """Loads and is made in seconds; a formula reads its neighbours."""
    begin = time.perf_counter()
    plan = plan_of(wide(500, 20))
    write_tables(plan, tmp_path / "out", format="parquet")
    assert time.perf_counter() - begin < 60
    answer = duckdb.sql(f"FROM '{tmp_path}/out/fct_wide.parquet'")
    assert len(answer.columns) == 503 and answer.shape[0] == 20 * 12
    wrong = " OR ".join(f"abs(c{n} - (c{n - 4} * 2 + c{n - 3})) > 0.011" for n in range(4, 500, 5))
    assert duckdb.sql(f"SELECT count(*) FROM answer WHERE {wrong}").fetchall() == [(0,)]


def test_a_window_that_ends_in_the_future_is_whole() -> None:
    """A plan for next year has all its months, whatever day it is."""
    year = date.today().year
    window = {"start": f"{year}-01", "end": f"{year + 2}-12", "every": "month"}
    tables = generate_tables(plan_of({**NUMBERS, "window": window}), tables=["dim_date", "fct_visits"])
    assert len(tables["dim_date"]) == 36
    assert tables["fct_visits"]["date_key"].max() == (year + 2) * 10000 + 1201


MOVEMENTS = """
WITH months AS (SELECT date AS month FROM dim_date),
prices AS (SELECT plan_name AS plan_tier, list_price AS price FROM dim_plan),
periods AS (
  SELECT company_id, valid_from AS start_date, coalesce(valid_to, DATE '2025-01-01') AS end_date, price AS monthly_amount
  FROM dim_company JOIN prices USING (plan_tier)
),
active AS (SELECT company_id, min(date) AS first_month, max(date) AS last_month
           FROM fct_revenue JOIN dim_date USING (date_key) GROUP BY ALL),
mrr AS (
  SELECT month, a.company_id, coalesce(sum(monthly_amount) FILTER (month BETWEEN first_month AND last_month), 0) AS mrr
  FROM months CROSS JOIN active AS a
  LEFT JOIN periods AS p ON p.company_id = a.company_id AND month >= start_date AND month < end_date
  GROUP BY ALL
),
steps AS (SELECT *, lag(mrr, 1, 0) OVER (PARTITION BY company_id ORDER BY month) AS before FROM mrr)
SELECT month, sum(mrr) AS mrr, sum(before) AS before,
  sum(mrr) FILTER (before = 0) AS new, sum(mrr - before) FILTER (before > 0 AND mrr > before) AS expanded,
  sum(before - mrr) FILTER (mrr > 0 AND mrr < before) AS contracted, sum(before) FILTER (mrr = 0) AS churned
FROM steps GROUP BY month ORDER BY month
"""
COVERED = """
SELECT count(*) FILTER (periods <> 1) FROM (
  SELECT fct_revenue.company_id, date, count(valid_from) AS periods FROM fct_revenue JOIN dim_date USING (date_key)
  LEFT JOIN dim_company AS c ON c.company_id = fct_revenue.company_id AND date >= valid_from
    AND (valid_to IS NULL OR date < valid_to) GROUP BY ALL
)
"""
LAST = """
SELECT sum(list_price) FROM dim_company JOIN dim_plan ON plan_name = plan_tier
WHERE is_current AND company_id IN (SELECT company_id FROM fct_revenue WHERE date_key = 20241201)
"""
OVERLAPS = """
SELECT count(*) FROM dim_company a JOIN dim_company b USING (company_id)
WHERE a.valid_from < b.valid_from AND coalesce(a.valid_to, DATE '9999-01-01') > b.valid_from
"""


def test_subscription_periods_and_their_movements() -> None:
    """The history of plan tiers gives periods that begin on months, exclude each other and cover every month that a company
    pays; what is new, expanded, contracted and churned adds up to the change of each month, and all four occur."""
    connection = stored(from_mapping(read(template("saas")), name="saas"))
    assert connection.sql(OVERLAPS).fetchall() == [(0,)]
    assert connection.sql(COVERED).fetchall() == [(0,)]
    off = "SELECT count(*) FROM dim_company WHERE day(valid_from) <> 1 OR day(valid_to) <> 1"
    assert connection.sql(off).fetchall() == [(0,)]
    moved = connection.sql(MOVEMENTS).df().fillna(0.0).set_index("month").astype(float)
    assert connection.sql(LAST).fetchall() == [(moved["mrr"].iloc[-1],)]
    change = moved["new"] + moved["expanded"] - moved["contracted"] - moved["churned"]
    assert (change - (moved["mrr"] - moved["before"])).abs().max() < 1e-6
    assert (moved["before"].iloc[1:].to_numpy() == moved["mrr"].iloc[:-1].to_numpy()).all()
    assert (moved[["new", "expanded", "contracted", "churned"]].sum() > 0).all()


def days(start: str, end: str, every: str = "day") -> Plan:
    return plan_of(
        {
            "about": "Days",
            "unit": "shop",
            "window": {"start": start, "end": end, "every": every},
            "metrics": [{"name": "visits", "type": "score", "polarity": "positive"}],
            "segments": [{"name": "all", "count": 1, "archetype": "growth"}],
        }
    )


def test_two_hundred_years_of_days() -> None:
    """Every day once, 29 February of leap years alone: not of 1900, but of 2000; each with its row and its own week day."""
    tables = generate_tables(days("1900-01-01", "2099-12-31"), tables=["dim_date", "fct_visits"])
    dates = tables["dim_date"]["date"].tolist()
    assert dates == [date(1900, 1, 1) + timedelta(n) for n in range(73_049)]
    leap = [day for day in dates if (day.month, day.day) == (2, 29)]
    assert len(leap) == 49 and date(2000, 2, 29) in leap and leap[0] == date(1904, 2, 29)
    assert tables["fct_visits"]["date_key"].tolist() == tables["dim_date"]["date_key"].tolist()
    assert tables["dim_date"]["date_key"].tolist() == [day.year * 10000 + day.month * 100 + day.day for day in dates]


def test_a_window_from_leap_day_to_the_day_before() -> None:
    rows = generate_tables(days("2024-02-29", "2025-02-28"), tables=["fct_visits"])["fct_visits"]
    assert len(rows) == 366 and rows["date_key"].iloc[0] == 20240229 and rows["date_key"].iloc[-1] == 20250228


def test_a_year_of_53_weeks() -> None:
    """2020 has a week 53, which begins on 28 December; a week is one period, with its own label and date."""
    plan = days("2020-12-21", "2022-01-09", "week")
    assert plan.stop is not None
    labels = [plan.grain.label(period) for period in range(plan.first, plan.stop)]
    assert len(labels) == len(set(labels)) == 55
    mondays = generate_tables(plan, tables=["dim_date"])["dim_date"]["date"].tolist()
    assert mondays[1] == date(2020, 12, 28) and mondays[1].isocalendar()[:2] == (2020, 53)
    assert [day.isocalendar()[:2] for day in mondays] == [
        (date(2020, 12, 21) + timedelta(weeks=n)).isocalendar()[:2] for n in range(55)
    ]
    for label, day in zip(labels, mondays, strict=True):
        assert plan.grain.read(label) == plan.grain.read(day.isoformat())


def test_years_beyond_what_is_possible_are_refused_with_the_bounds() -> None:
    with pytest.raises(ConfigError, match="1600"):
        days("9998-01", "9999-12", "month")
    assert len(generate_tables(days("2261-01", "2263-12", "month"), tables=["dim_date"])["dim_date"]) == 36


@pytest.mark.parametrize("format_", slow_but(FORMATS, "csv", "parquet"))
@pytest.mark.parametrize(("table", "column"), [("dim_user", "phone"), ("dim_user", "post"), ("fct_visits", "seen")])
def test_whole_numbers_beyond_doubles_are_exact_in_every_format(
    format_: str, table: str, column: str, tmp_path: Path
) -> None:
    plan = plan_of(NUMBERS)
    actual = rows_in(plan, tmp_path / "out", format_, table, column)
    expected = Counter((int(value),) for value in generate_tables(plan, tables=[table])[table][column])
    assert actual == expected and {value for (value,) in actual} == set(LARGE)


def test_whole_numbers_beyond_doubles_are_exact_in_sql_and_python(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(dump(NUMBERS, tmp_path / "out", "sqlite"))
    assert {n for (n,) in connection.execute("SELECT number FROM dim_post")} == set(LARGE)
    frame = generate_tables(plan_of(NUMBERS), tables=["dim_post", "fct_visits"])
    assert set(frame["dim_post"]["number"].tolist()) == set(LARGE) and str(frame["fct_visits"]["visits"].dtype) == "Int64"


@pytest.mark.slow
def test_a_count_with_gaps_stays_whole_in_texts(tmp_path: Path) -> None:
    """3 and not 3.0, and nothing where it is missing."""
    for format_ in ("csv", "jsonl"):
        write_tables(plan_of(NUMBERS), tmp_path / format_, format=format_)
    lines = (tmp_path / "csv" / "fct_visits.csv").read_text().splitlines()
    place = lines[0].replace('"', "").split(",").index("visits")
    values = [line.split(",")[place] for line in lines[1:]]
    assert "" in values and all(value.isdigit() for value in values if value)
    records = [json.loads(line) for line in (tmp_path / "jsonl" / "fct_visits.jsonl").read_text().splitlines()]
    assert [record["visits"] for record in records] == [int(value) if value else None for value in values]


@pytest.mark.parametrize("format_", FORMATS)
def test_nulls_and_empty_texts_stay_apart_in_every_format(format_: str, tmp_path: Path) -> None:
    plan = plan_of(EMPTY)
    actual = rows_in(plan, tmp_path / "out", format_, "evt_visit", "note")
    frame = generate_tables(plan, tables=["evt_visit"])["evt_visit"]["note"].astype(object)
    assert actual == Counter((value,) for value in frame.where(frame.notna(), None))
    assert {value for (value,) in actual} == {*TEXTS, None}


@pytest.mark.parametrize("format_", slow_but(FORMATS, "csv", "parquet"))
def test_a_reason_stands_where_an_order_was_cancelled_and_nowhere_else(format_: str, tmp_path: Path) -> None:
    """Each of three reasons in about a third (five standard errors); elsewhere there is a null and no empty text."""
    orders = {
        "name": "orders",
        "rows": 4000,
        "columns": {
            "order_id": "id",
            "placed_at": "timestamp",
            "status": {"type": "choice", "values": {"paid": 0.6, "open": 0.2, "cancelled": 0.2}},
            "reason": "= pick('price', 'late', 'other') if status == 'cancelled' else null",
            "cancelled_at": "= where(status == 'cancelled', placed_at + hours(exponential(9)), null)",
        },
    }
    window = {"start": "2024-01-01", "end": "2024-06-30", "every": "day"}
    plan = from_mapping({"about": "Orders", "window": window, "tables": [orders]}, name="orders")
    rows = rows_in(plan, tmp_path / "out", format_, "orders", "status", "reason", "cancelled_at")
    assert all((reason is None) == (at is None) == (status != "cancelled") for status, reason, at in rows.elements())
    reasons = Counter(reason for _, reason, _ in rows.elements() if reason is not None)
    assert set(reasons) == {"price", "late", "other"}
    assert all(abs(count - reasons.total() / 3) < 5 * (reasons.total() * 2 / 9) ** 0.5 for count in reasons.values())


def test_a_stay_ends_so_many_days_after_it_began() -> None:
    """The last day is the first and the days that the row says, over month ends and leap days; the length fits to the
    minute."""
    stays = {
        "name": "stays",
        "rows": 3000,
        "columns": {
            "stay_id": "id",
            "admitted_at": "timestamp",
            "days": {"type": "range", "range": [1, 14]},
            "discharged_on": "= date(admitted_at) + days",
            "discharged_at": "= moment(discharged_on) + minutes(floor(uniform(480, 1080)))",
            "length_minutes": "= floor((discharged_at - admitted_at) / minutes(1))",
        },
    }
    window = {"start": "2023-12-01", "end": "2024-03-31", "every": "day"}
    plan = from_mapping({"about": "Stays", "window": window, "tables": [stays]}, name="stays")
    rows = generate_tables(plan)["stays"].to_dict("records")
    assert all(row["discharged_on"] == row["admitted_at"].date() + timedelta(days=row["days"]) for row in rows)
    assert all(
        row["discharged_at"] > row["admitted_at"] and row["discharged_at"].date() == row["discharged_on"] for row in rows
    )
    assert all(row["length_minutes"] == (row["discharged_at"] - row["admitted_at"]) // timedelta(minutes=1) for row in rows)
    assert {date(2024, 2, 29), date(2024, 3, 1)} <= {row["discharged_on"] for row in rows}


def test_weeks_at_the_turn_of_the_year_have_seven_days() -> None:
    """Grouped by the year that belongs to the week; the other parts of a date are Python's."""
    columns = {
        "date_key": "id",
        "date": "date",
        "iso_year": "= iso_year(date)",
        "iso_week": "= iso_week(date)",
        "day_of_year": "= day_of_year(date)",
        "is_last_day_of_month": "= date == month_end(date)",
        "is_leap_year": "= day_of_year(date + (366 - day_of_year(date))) == 366",
    }
    dates = {"name": "dim_date", "per": "period", "columns": columns}
    window = {"start": "2019-12-30", "end": "2025-01-05", "every": "day"}
    rows = generate_tables(from_mapping({"about": "Days", "window": window, "tables": [dates]}, name="days"))["dim_date"]
    for row in rows.to_dict("records"):
        calendar = row["date"].isocalendar()
        assert (row["iso_year"], row["iso_week"]) == (calendar.year, calendar.week)
        assert row["day_of_year"] == row["date"].timetuple().tm_yday
        assert row["is_last_day_of_month"] == ((row["date"] + timedelta(days=1)).day == 1)
        assert row["is_leap_year"] == (row["date"].year in (2020, 2024))
    assert set(rows.groupby(["iso_year", "iso_week"]).size()) == {7}


def people(locale: Any, *columns: dict[str, Any]) -> Plan:
    """Return the plan of customers with these columns."""
    return from_mapping(
        {
            "about": "Customers",
            "unit": "customer",
            "window": {"start": "2024-01", "end": "2024-03", "every": "month"},
            "locale": locale,
            "metrics": [{"name": "spend", "type": "amount", "polarity": "positive", "range": [5, 500]}],
            "segments": [{"name": "all", "count": 300, "archetype": "growth"}],
            "dimensions": [
                {"name": "dim_customer", "per": "unit", "columns": [{"name": "customer_id", "type": "id"}, *columns]}
            ],
        },
        name="case",
    )


def test_names_and_addresses_of_a_row_are_of_one_country() -> None:
    """With the locales of the dataset, and with one by the column of the country: the same rows."""
    place = [
        {"name": "country", "type": "geo.country", "countries": ["US", "DE", "JP"], "by": "city"},
        {"name": "region", "type": "geo.region"},
        {"name": "city", "type": "geo.city"},
        {"name": "postcode", "type": "geo.postcode"},
    ]
    texts = {"name": "faker.name", "street": "faker.street_address", "fcity": "faker.city"}
    by_place = people(["en_US", "de_DE", "ja_JP"], *({"name": n, "type": t} for n, t in texts.items()), *place)
    by_country = [{"name": n, "type": t, "locale": {"by": "country"}} for n, t in texts.items()]
    rows = generate_tables(people("fr_FR", *by_country, *place))["dim_customer"]
    columns = ["country", "city", "postcode", *texts]
    assert generate_tables(by_place)["dim_customer"][columns].equals(rows[columns])
    japanese = {column: rows[column].str.contains("[\u3040-\u9fff]") for column in texts}
    assert all((is_japanese == (rows["country"] == "Japan")).all() for is_japanese in japanese.values())
    forms = {"United States": r"\d{5}", "Germany": r"\d{5}", "Japan": r"\d{3}-\d{4}"}
    for country, form in forms.items():
        assert rows.loc[rows["country"] == country, "postcode"].str.fullmatch(form).all()
    german = rows[rows["country"] == "Germany"]
    assert (german["street"].str.contains("str|gasse|platz|allee|weg|ring", case=False)).mean() > 0.9


def test_a_provider_that_a_locale_lacks_is_refused_with_the_ways_out() -> None:
    """A locale of the column's own, the type of every country, and a case of the countries that have it; each loads."""
    with pytest.raises(ConfigError) as raised:
        people(["en_US", "fr_FR", "sk_SK"], {"name": "state", "type": "faker.state"})
    text = str(raised.value)
    assert "Faker has no provider 'state' in the locale fr_FR" in text
    assert "`locale: en_US` at the column" in text and "geo.region has it for every country" in text
    land = {"name": "land", "type": "geo.country_code", "countries": ["US", "FR", "SE"], "by": "city"}
    case = {"US": {"type": "faker.state", "locale": "en_US"}, "SE": {"type": "faker.state", "locale": "sv_SE"}}
    ways = [
        {"name": "state", "type": "faker.state", "locale": "en_US"},
        {"name": "region", "type": "geo.region"},
        {"name": "state_there", "type": "case", "by": "land", "cases": case},
    ]
    rows = generate_tables(people(["en_US", "fr_FR", "sk_SK"], land, *ways))["dim_customer"]
    assert rows["state"].notna().all() and rows["region"].notna().all()
    assert (rows["state_there"].isna() == (rows["land"] == "FR")).all()
    assert rows.loc[rows["land"] == "SE", "state_there"].str.contains("län|lands|Blekinge|Skåne|Dalarna").mean() > 0.5


def test_devices_read_every_five_minutes_fall_silent_and_go_on() -> None:
    """A step is 300 seconds; in a gap some steps of one device are missing, not null, while other devices go on."""
    raw = {
        "about": "Sensors",
        "unit": "device",
        "window": {"start": "2024-01-01", "end": "2024-01-07", "every": "5 minutes", "partition": "day"},
        "metrics": [
            {"name": "temperature", "type": "index", "polarity": "positive", "range": [-20, 60], "persistence": 0.9}
        ],
        "segments": [
            {"name": "outdoor", "count": 10, "archetype": "growth", "silence": {"rate": 0.002, "length": [12, 96]}},
            {"name": "wired", "count": 10, "archetype": "growth"},
        ],
        "dimensions": [{"name": "dim_device", "per": "unit", "columns": [{"name": "device_id", "type": "id"}]}],
        "facts": [
            {
                "name": "fct_reading",
                "columns": [
                    {"name": "date_key", "type": "ref.dim_date"},
                    {"name": "device_id", "type": "ref.dim_device"},
                    {"name": "at", "type": "timestamp"},
                    {"name": "temperature", "type": "metric.temperature"},
                ],
            }
        ],
    }
    rows = generate_tables(from_mapping(raw, name="sensors"), tables=["fct_reading"])["fct_reading"]
    assert rows["temperature"].notna().all()
    days = rows.groupby(["device_id", rows["at"].dt.date]).size().unstack()
    whole_devices = (days == 288).all(axis=1)
    assert 10 <= whole_devices.sum() < 20 and (days.fillna(0) <= 288).all(axis=None)
    steps = rows.groupby("device_id")["at"].diff().dropna().dt.total_seconds()
    assert (steps % 300 == 0).all() and (steps == 300).mean() > 0.9
    gaps = steps[steps > 300] / 300 - 1
    assert len(gaps) > 10 and gaps.min() >= 12
    assert (rows.groupby("at").size() >= 10).all()


METERS: dict[str, Any] = {
    "about": "Meters",
    "unit": "device",
    "window": {"start": "2024-01-01", "end": "2024-01-07", "every": "5 minutes", "partition": "day"},
    "metrics": [{"name": "temperature", "type": "index", "polarity": "positive", "range": [-20, 60], "persistence": 0.9}],
    "segments": [{"name": "all", "count": 10, "archetype": "growth", "silence": {"rate": 0.002, "length": [12, 96]}}],
    "tables": [
        {"name": "dim_device", "per": "device", "columns": {"device_id": "id", "rate": "= round(uniform(2, 9), 2)"}},
        {
            "name": "fct_reading",
            "per": ["device", "period"],
            "columns": {
                "at": "timestamp",
                "temperature": "metric.temperature",
                "rate": {"type": "lookup.dim_device.rate", "hidden": True},
                "number": {"type": "derived.period_index", "hidden": True},
                "counter": "= floor(rate * (number + uniform(0, 1)))",
                "drifted": {"type": "= temperature + 0.001 * number", "decimals": 4},
            },
            "checks": [{"grows": "counter", "along": "at", "per": "device_id", "name": "counters_grow"}],
        },
    ],
}


def test_a_counter_only_grows_and_a_sensor_drifts() -> None:
    """Each device counts at a rate of its own, and no reading depends on the one before; a gap shows as a larger step."""
    rows = generate_tables(from_mapping(METERS, name="meters"))
    devices, readings = rows["dim_device"].set_index("device_id"), rows["fct_reading"]
    steps = readings.groupby("device_id")["counter"].diff().dropna()
    assert steps.min() >= 0 and (steps > 0).mean() > 0.9
    last = readings.groupby("device_id").last()
    rates = devices.loc[last.index, "rate"]
    periods = 7 * 288
    assert ((last["counter"] <= periods * rates) & (last["counter"] >= (periods - 1) * rates - 1))[
        last["at"] == readings["at"].max()
    ].all()
    assert (
        (readings["drifted"].astype(float) - readings["temperature"]).groupby(readings["device_id"]).diff().dropna() > 0
    ).all()
    gaps = readings.groupby("device_id")["at"].diff().dt.total_seconds().dropna() / 300
    ratio = (steps / readings["device_id"].map(devices["rate"])).loc[gaps[gaps > 1].index] / gaps[gaps > 1]
    assert len(ratio) > 10 and ratio.between(0.8, 1.2).all()
    plan = from_mapping(METERS, name="meters")
    report = check_tables(plan, {k: pa.Table.from_pandas(v) for k, v in rows.items()}, plan.first, plan.stop_or_span)
    assert [finding.passed for finding in report.findings_of("counters_grow")] == [True]


def shops_of_new_york(start: str, every: str) -> Plan:
    """Shops that are open from 9 to 17 by their own clocks, five days from a start."""
    end = date.fromisoformat(start) + timedelta(days=5)
    columns = [
        {"name": "visit_id", "type": "id"},
        {"name": "date_key", "type": "ref.dim_date"},
        {"name": "shop_id", "type": "ref.dim_shop"},
        {"name": "at", "type": "timestamp"},
        {"name": "at_utc", "type": "timestamp", "zone": "utc"},
    ]
    raw = {
        "about": "Shops",
        "unit": "shop",
        "window": {"start": start, "end": str(end), "every": every, "timezone": "America/New_York"},
        "rhythm": {"hours": [*[0] * 9, *[1] * 8, *[0] * 7]},
        "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [20, 80]}],
        "segments": [{"name": "all", "count": 20, "archetype": "growth"}],
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
        "events": [{"name": "evt_visit", "trigger": "proportional", "driver": "visits", "columns": columns}],
    }
    return from_mapping(raw, name="shops")


@pytest.mark.parametrize(
    ("start", "changed", "hours", "opens"),
    [("2024-03-09", "2024-03-10", 23, ("14:00", "13:00")), ("2024-11-02", "2024-11-03", 25, ("13:00", "14:00"))],
)
def test_hours_of_a_place_with_summer_time(start: str, changed: str, hours: int, opens: tuple[str, str]) -> None:
    """A local day of 23 and one of 25 hours, opening hours by local clocks, which move in UTC, and typed moments; hours as
    periods are refused with the way to show local time."""
    plan = shops_of_new_york(start, "day")
    lengths = {
        plan.grain.label(p): int(plan.grain.seconds(np.array([p]))[0]) // 3600 for p in range(plan.first, plan.stop or 0)
    }
    assert lengths == {**dict.fromkeys(lengths, 24), changed: hours}
    assert plan.table("evt_visit").column("at_utc").type == pa.timestamp("us", "UTC")
    rows = generate_tables(plan)["evt_visit"]
    assert rows["at"].dt.hour.between(9, 16).all()
    first_open = rows.groupby("date_key")["at_utc"].min().dt.floor("h").dt.strftime("%H:%M")
    assert tuple(first_open.iloc[:2]) == opens
    with pytest.raises(ConfigError) as raised:
        shops_of_new_york(start, "hour")
    text = str(raised.value)
    assert f"clocks of America/New_York are changed, on {changed}" in text and "local(at, 'America/New_York')" in text
