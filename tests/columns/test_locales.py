"""Locales: all that Faker tells in a row is of one, that of the row's country where it has one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables
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
