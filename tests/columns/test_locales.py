"""Locales: all that Faker tells in a row is of one, that of the row's country where it has one."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest

from plotsim_core import ConfigError, Plan, explain, from_mapping, generate_tables
from plotsim_core.columns.country_locales import usual_locales
from plotsim_core.columns.faker_locales import territory
from plotsim_core.columns.faker_people import names
from plotsim_core.columns.faker_pools import pool
from plotsim_core.show import varieties

LOCALES = ("en_US", "de_DE", "ja_JP")
COUNTRIES = {"US": "en_US", "DE": "de_DE", "JP": "ja_JP"}
PLACE = [
    {"name": "country", "type": "geo.country_code", "countries": [*COUNTRIES, "FR"], "by": "city"},
    {"name": "city", "type": "geo.city"},
]
PERSON = [
    {"name": "who", "type": "faker.name"},
    {"name": "street", "type": "faker.street_address"},
    {"name": "company", "type": "faker.company"},
    {"name": "iban", "type": "faker.iban"},
]


def plan(*columns: dict[str, Any], locale: Any = LOCALES) -> Plan:
    """Return the plan of customers with these columns."""
    return from_mapping(
        {
            "about": "Customers",
            "unit": "customer",
            "locale": locale,
            "window": ["2024-01", "2024-03", "month"],
            "metrics": [{"name": "spend", "type": "score", "polarity": "positive"}],
            "segments": [{"name": "all", "count": 600, "archetype": "growth"}],
            "dimensions": [
                {"name": "dim_customer", "per": "unit", "columns": [{"name": "customer_id", "type": "id"}, *columns]}
            ],
        },
        name="customers",
    )


def customers(*columns: dict[str, Any], locale: Any = LOCALES) -> pd.DataFrame:
    """Return customers with these columns."""
    return generate_tables(plan(*columns, locale=locale), tables=["dim_customer"])["dim_customer"]


def of(locale: str, people: pd.Series) -> float:
    """Return the share of whole names that begin or end with a last name of a locale."""
    family = tuple(set(names((locale,)).last.to_pylist()))
    return float(people.map(lambda name: name.endswith(family) or name.startswith(family)).mean())


@pytest.mark.slow
def test_names_streets_and_accounts_follow_the_country() -> None:
    rows = customers(*PERSON, *PLACE)
    for country, locale in COUNTRIES.items():
        matches = rows[rows["country"] == country]
        assert len(matches) > 50
        assert set(matches["street"]) <= set(pool("street_address", locale).to_pylist())
        assert set(matches["company"]) <= set(pool("company", locale).to_pylist())
        assert (matches["iban"].str[:2] == ("DE" if country == "DE" else "GB")).all()
        assert of(locale, matches["who"]) == 1
    assert rows["iban"].is_unique
    elsewhere = rows[rows["country"] == "FR"]["who"]  # nobody's locale: any of all
    assert all(0.1 < of(locale, elsewhere) < 0.7 for locale in LOCALES)


def test_countries_without_a_locale_are_told() -> None:
    values = [problem for problem in plan(*PERSON, *PLACE).notes if "no locale is of FR" in problem.message]
    assert [problem.path for problem in values] == [f"dimensions[0].columns[{place}].type" for place in range(1, 5)]
    fitting = [{**PLACE[0], "countries": [*COUNTRIES]}, PLACE[1]]
    assert not plan(*PERSON, *fitting).notes


@pytest.mark.slow
def test_without_a_place_a_row_shares_one_drawn_locale() -> None:
    """People of other bundles too."""
    rows = customers(*PERSON, {"name": "clerk", "type": "faker.name", "bundle": "clerk"})
    for locale in LOCALES:
        matches = rows[rows["street"].isin(pool("street_address", locale).to_pylist())]
        assert 150 < len(matches) < 250
        for column in ("who", "clerk"):
            assert of(locale, matches[column]) == 1


def test_two_places_have_a_locale_each() -> None:
    """What is told of a bundle's person follows the bundle's place."""
    other = [{**column, "name": f"to_{column['name']}", "bundle": "to"} for column in (PERSON[0], *PLACE)]
    rows = customers(PERSON[0], *PLACE, *other)
    for country, locale in COUNTRIES.items():
        for prefix in ("", "to_"):
            entry = rows[rows[f"{prefix}country"] == country][f"{prefix}who"]
            assert len(entry) > 50
            assert of(locale, entry) == 1


@pytest.mark.slow
def test_info_says_how_many_different_texts_there_are() -> None:
    text = "\n".join(varieties(plan(*PERSON, locale="en_US"), ["dim_customer"]))
    different = len(set(pool("company", "en_US").to_pylist()))
    assert f"dim_customer.company: {different:,} different values." in text
    assert "dim_customer.iban: no two the same, for up to " in text
    assert "dim_customer.who: up to " in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "type_", "hint"),
    [
        (["en_US", "fr_FR"], "faker.state", "geo.region has it for every country"),
        (["en_US", "fr_FR"], "faker.department", "these locales have it: fr_FR"),
        ("sk_SK", "faker.ssn", "numbers of its own in these locales: en_US"),
        ("en_US", "faker.nmae", "did you mean 'name'"),
    ],
)
def test_a_provider_that_a_locale_lacks_is_refused_with_those_that_have_it(locale: Any, type_: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        plan({"name": "text", "type": type_}, locale=locale)


OWN = {"by": "country"}
LAND = {"name": "country", "type": "geo.country_code", "countries": ["US", "DE", "JP"], "by": "city"}
FROM_COLUMN = {"US": "en_US", "DE": "de_DE", "JP": "ja_JP"}


def test_texts_follow_a_column_that_names_the_country() -> None:
    """Of a dataset with one locale: names, streets and phones are those of the row's country, and the address of a person
    fits the name."""
    rows = customers(
        LAND,
        {"name": "who", "type": "faker.name", "locale": OWN},
        {"name": "mail", "type": "faker.email"},
        {"name": "street", "type": "faker.street_address", "locale": OWN},
        {"name": "phone", "type": "faker.phone_number", "locale": OWN},
        {"name": "last", "type": "faker.last_name", "bundle": "clerk"},
        locale="fr_FR",
    )
    for country, locale in FROM_COLUMN.items():
        part = rows[rows["country"] == country]
        assert len(part) > 100
        assert of(locale, part["who"]) == 1
        assert set(part["street"]) <= set(pool("street_address", locale).to_pylist())
    assert rows.loc[rows["country"] == "JP", "phone"].str.fullmatch(r"0\d{1,2}-\d{4}-\d{4}|\d{2}-\d{4}-\d{4}").all()
    assert rows["phone"].is_unique
    assert set(rows["last"]) <= set(names(("fr_FR",)).last.to_pylist())
    plain = rows[rows["who"].map(str.isascii)]
    pairs = zip(plain["who"].str.lower().str.replace("[^a-z]", "", regex=True), plain["mail"], strict=True)
    assert len(plain) > 200 and all(re.match(r"[a-z]+", mail)[0] in who for who, mail in pairs)


def test_a_column_has_a_locale_of_its_own() -> None:
    rows = customers(
        {"name": "town", "type": "faker.city", "locale": "de_AT"}, {"name": "street", "type": "faker.street_name"}
    )
    assert set(rows["town"]) <= set(pool("city", "de_AT").to_pylist())
    streets = {value for locale in LOCALES for value in pool("street_name", locale).to_pylist()}
    assert set(rows["street"]) <= streets and len(set(rows["street"]) & set(pool("street_name", "ja_JP").to_pylist())) > 10


def test_cases_say_other_locales_than_the_usual_ones() -> None:
    """For a value, and for nulls and values without any by `else`."""
    land = {**LAND, "countries": ["DE", "CH", "SG"], "nulls": 0.1}
    choice = {"by": "country", "cases": {"CH": "it_CH", "else": "en_GB"}}
    rows = customers(land, {"name": "town", "type": "faker.street_name", "locale": choice})
    for country, locale in (("DE", "de_DE"), ("CH", "it_CH"), ("SG", "en_GB"), (None, "en_GB")):
        part = rows[rows["country"].isna() if country is None else rows["country"] == country]
        assert len(part) > 20
        assert set(part["town"]) <= set(pool("street_name", locale).to_pylist())


def test_another_country_changes_no_text_of_those_that_are_there() -> None:
    """Nor does a locale of another column."""
    kinds = {"name": "country", "type": "choice", "values": ["DE", "JP"]}
    names_by = [{"name": "who", "type": "faker.name", "locale": OWN}, {"name": "town", "type": "faker.city", "locale": OWN}]
    before = customers(kinds, *names_by)
    more = {"name": "more", "type": "faker.city", "locale": "en_GB"}
    after = customers({**kinds, "values": ["DE", "JP", "FR"]}, *names_by, more)
    same = before["country"] == after["country"]
    assert 0.2 < same.mean() < 0.8
    pd.testing.assert_frame_equal(before[same], after.loc[same, before.columns])


@pytest.mark.parametrize("code", ["CH", "CHE", "Switzerland"])
def test_a_country_is_named_by_its_codes_or_in_english(code: str) -> None:
    rows = customers(
        {"name": "country", "type": "static", "values": [code]}, {"name": "town", "type": "faker.city", "locale": OWN}
    )
    assert set(rows["town"]) <= set(pool("city", "de_CH").to_pylist())


def test_usual_locales_are_of_their_countries() -> None:
    """Each country that Faker has a locale of has one, under two names at least; those of several have a preferred one."""
    locales = usual_locales()
    codes = {name: locale for name, locale in locales.items() if len(name) == 2}
    assert len(codes) == 79
    assert all(territory(locale) == code for code, locale in codes.items())
    assert [locales[name] for name in ("CH", "CA", "IN", "BE", "ES", "GB", "GBR", "United Kingdom", "Czechia")] == [
        *("de_CH", "en_CA", "en_IN", "nl_BE", "es_ES", "en_GB", "en_GB", "en_GB", "cs_CZ")
    ]


def test_explain_shows_the_locale_of_the_row() -> None:
    land = {"name": "country", "type": "choice", "values": ["DE", "JP"]}
    dataset = plan(land, {"name": "who", "type": "faker.name", "locale": OWN}, {"name": "mail", "type": "faker.email"})
    rows = generate_tables(dataset)["dim_customer"]
    for _, row in rows.iloc[:6].iterrows():
        for column in ("who", "mail"):
            explanation = explain(dataset, "dim_customer", row["customer_id"], "2024-02", column)
            steps = {step.name: step.value for step in explanation.steps}
            assert steps["locale"] == FROM_COLUMN[row["country"]]
            assert steps["value"] == row[column]
