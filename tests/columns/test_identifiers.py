"""Identifiers: valid by the judgement of python-stdnum, no two the same in a dimension, the same whoever else is there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from faker import Faker
from faker.config import AVAILABLE_LOCALES
from stdnum import ean, iban, luhn
from stdnum.at import vnr
from stdnum.bg import egn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.dk import cpr
from stdnum.es import nif
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.jp import in_
from stdnum.kr import rrn
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.us import ssn as us

from plotsim_core import ConfigError, UsageError, from_mapping, generate_tables
from plotsim_core.columns.faker_identifiers import capacity, capacity_text, pattern_sets
from plotsim_core.columns.identifier_forms import FORMS, forms
from plotsim_core.columns.identifier_patterns import Pattern, disjoint, pattern, pattern_texts, patterns, text_count
from plotsim_core.columns.identifier_serials import number_division, slot_collisions, slots
from plotsim_core.numerics.pairing import pair_numbers
from plotsim_core.numerics.random import words
from tests.marks import slow_but

COUNT = 3000
SEED = np.uint64(7)


def config(*columns: dict[str, Any], count: int = COUNT, **more: Any) -> dict[str, Any]:
    """Return accounts with these columns."""
    return {
        "about": "Accounts",
        "unit": "account",
        "window": ["2024-01", "2024-03", "month"],
        "metrics": [{"name": "balance", "type": "amount", "polarity": "positive", "range": [10, 5000]}],
        "segments": [{"name": "all", "count": count, "archetype": "growth"}],
        "dimensions": [{"name": "dim_account", "per": "unit", "columns": [{"name": "account_id", "type": "id"}, *columns]}],
        **more,
    }


def accounts(raw: Mapping[str, Any]) -> pd.DataFrame:
    """Return the accounts of a config, by their key."""
    return generate_tables(from_mapping(raw, name="bank"), tables=["dim_account"])["dim_account"].set_index("account_id")


def texts(provider: str, locale: str, count: int = 200) -> list[str]:
    """Return some texts of a provider, from numbers over all it has."""
    templates = forms(provider, locale)
    numbers = np.arange(count, dtype=np.int64) * (text_count(templates) // count)
    values: list[str] = pattern_texts(templates, numbers, SEED, words(np.arange(count))).to_pylist()
    return values


@pytest.mark.parametrize("locale", sorted(AVAILABLE_LOCALES))
def test_accounts_are_valid_in_every_locale(locale: str) -> None:
    """Structure, check digits of the IBAN and those of the country that stdnum knows."""
    rows = texts("iban", locale)
    assert all(iban.is_valid(text) for text in rows)
    assert texts("bban", locale) == [text[4:] for text in rows]


def hungarian(text: str) -> bool:
    """Act XX of 1996: weights 1 to 10, modulo 11, never 10."""
    return int(text[10]) == sum(place * int(digit) for place, digit in enumerate(text[:10], 1)) % 11


def german(text: str) -> bool:
    """As Faker computes the check digit of a pension number."""
    provider = next(p for p in Faker("de_DE").get_providers() if hasattr(p, "rvnr"))
    return bool(text[11] == provider._Provider__get_rvnr_checkdigit(text[:11]))


PEOPLE: dict[str, Callable[[str], bool]] = {
    "en_US": us.is_valid,
    "de_DE": german,
    "fr_FR": nir.is_valid,
    "it_IT": codicefiscale.is_valid,
    "es_ES": nif.is_valid,
    "nl_NL": bsn.is_valid,
    "pt_BR": cpf.is_valid,
    "ko_KR": rrn.is_valid,
    "ro_RO": cnp.is_valid,
    "hu_HU": hungarian,
    "bg_BG": egn.is_valid,
    "da_DK": cpr.is_valid,
    "ja_JP": in_.is_valid,
    "en_CA": sin.is_valid,
    "pl_PL": pesel.is_valid,
    "fi_FI": hetu.is_valid,
    "sv_SE": personnummer.is_valid,
    "de_CH": ahv.is_valid,
    "de_AT": vnr.is_valid,
}


@pytest.mark.parametrize("locale", slow_but(PEOPLE, *(PEOPLE.keys() - {"de_DE"})))
def test_numbers_of_people_are_valid(locale: str) -> None:
    rows = texts("ssn", locale, 2000)
    assert len(set(rows)) == 2000
    assert [text for text in rows if not PEOPLE[locale](text)] == []


def test_cards_and_goods_are_valid() -> None:
    assert all(luhn.is_valid(text) for text in texts("credit_card_number", "en_US", 2000))
    for provider, width in (("ean", 13), ("ean13", 13), ("ean8", 8)):
        assert all(ean.is_valid(text) and len(text) == width for text in texts(provider, "de_DE", 2000))


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["phone_number", "license_plate"])
def test_forms_are_those_of_faker(provider: str) -> None:
    """Whatever is made could be Faker's, in the locales whose forms are known; most are."""
    known = [locale for locale in sorted(AVAILABLE_LOCALES) if forms(provider, locale)]
    assert len(known) > 0.8 * len(AVAILABLE_LOCALES)
    for locale in known:
        generator = Faker(locale)
        generator.seed_instance(5)
        shapes = {"".join("9" if c.isdigit() else "A" if c.isalpha() else c for c in str(getattr(generator, provider)()))
                  for _ in range(3000)}  # fmt: skip
        rows = texts(provider, locale, 100)
        assert len(set(rows)) == 100
        alike = ["".join("9" if c.isdigit() else "A" if c.isalpha() else c for c in text) in shapes for text in rows]
        assert np.mean(alike) > 0.9, locale


@pytest.mark.parametrize("provider", slow_but(FORMS, *(set(FORMS) - {"phone_number", "license_plate"})))
def test_no_two_numbers_give_one_text(provider: str) -> None:
    """The first 20,000 numbers of every pattern set, and those around the edges of its patterns."""
    for locale in ("en_US", "de_DE", "it_IT"):
        templates = forms(provider, locale)
        edges = np.cumsum([one.count for one in templates])
        near = np.concatenate([np.arange(20_000), *(edge + np.arange(-50, 50) for edge in edges)])
        numbers = np.unique(near[(near >= 0) & (near < edges[-1])])
        values = pattern_texts(templates, numbers, SEED, words(numbers)).to_pylist()
        assert len(set(values)) == len(numbers)


def test_a_small_pattern_gives_every_text_once() -> None:
    templates = patterns(["#-?", "%!", "{{x}}#"], {"x": ["AB", "C"]})
    values = pattern_texts(
        templates, np.arange(text_count(templates)), SEED, words(np.arange(text_count(templates)))
    ).to_pylist()
    assert len(set(values)) == len(values) == 10 * 26 + 9 + 90 + 10 + 10


def test_patterns_that_could_meet_are_told() -> None:
    one, other = pattern("4##"), pattern("#5?")
    assert len(disjoint([one, pattern("5##"), pattern("4###"), other])) == 4
    assert len(disjoint([one, pattern("#5#")])) == 1
    assert len(disjoint([pattern("##="), pattern("##%")])) == 1  # a check may write any digit


def test_pairs_have_one_number_each() -> None:
    first, second = np.meshgrid(np.arange(300), np.arange(700))
    numbers = pair_numbers(first.ravel(), second.ravel())
    assert len(np.unique(numbers)) == first.size and numbers.min() == 0
    assert numbers.max() < 300 * 700 * 64


IDENTIFIERS = [*FORMS, "email", "user_name"]


@pytest.mark.parametrize("provider", IDENTIFIERS)
def test_no_two_units_share_one(provider: str) -> None:
    rows = accounts(config({"name": "text", "type": f"faker.{provider}"}, locale="de_DE"))["text"]
    assert rows.is_unique
    assert rows.equals(
        accounts(config({"name": "text", "type": f"faker.{provider}", "unique": True}, locale="de_DE"))["text"]
    )


def test_identifiers_version_four_are_what_they_say() -> None:
    values = [uuid.UUID(text) for text in accounts(config({"name": "text", "type": "faker.uuid4"}))["text"]]
    assert {(one.version, one.variant) for one in values} == {(4, uuid.RFC_4122)}


def test_children_and_listed_rows_have_their_own() -> None:
    iban_column = {"name": "iban", "type": "faker.iban"}
    child = {"name": "dim_card", "per": "unit", "count": [1, 4], "columns": [
        {"name": "card_id", "type": "id"}, {"name": "account_id", "type": "ref.dim_account"}, iban_column]}  # fmt: skip
    bank = {"name": "dim_bank", "reference": True, "count": 500, "columns": [{"name": "bank_id", "type": "id"}, iban_column]}
    raw = config(count=800)
    tables = generate_tables(from_mapping({**raw, "dimensions": [*raw["dimensions"], child, bank]}, name="bank"))
    assert tables["dim_card"]["iban"].is_unique and tables["dim_bank"]["iban"].is_unique
    assert len(tables["dim_card"]) > 1500


def test_several_locales_share_none() -> None:
    """Locales of one form share its texts out, each of the others has forms of its own."""
    templates = pattern_sets("phone_number", ("en_US", "en_IE", "de_DE"))
    assert templates[0] is templates[1] and templates[0] is not templates[2]
    raw = config({"name": "phone", "type": "faker.phone_number"}, locale=["en_US", "en_IE", "de_DE"])
    assert accounts(raw)["phone"].is_unique
    assert accounts(config({"name": "iban", "type": "faker.iban"}, locale=["de_CH", "fr_CH", "en_US", "en_GB"]))[
        "iban"
    ].is_unique


@pytest.mark.parametrize(
    ("provider", "locale"),
    [("bban", ["fr_FR", "it_IT"]), ("license_plate", ["en_US", "fi_FI"]), ("ssn", ["es_ES", "nl_NL"])],
)
def test_locales_whose_forms_cannot_be_told_apart_are_refused(provider: str, locale: list[str]) -> None:
    refused = f"faker.{provider} may give the same text in {locale[1]} as in another locale"
    column = {"name": "text", "type": f"faker.{provider}"}
    with pytest.raises(ConfigError, match=refused):
        accounts(config(column, locale=locale))
    repeating = accounts(config({**column, "unique": False}, locale=locale, count=200))["text"]
    assert repeating.nunique() > 190


def test_a_locale_without_forms_is_noted() -> None:
    raw = config({"name": "plate", "type": "faker.license_plate"}, locale=["de_DE", "es_ES"])
    (note,) = from_mapping(raw, name="bank").notes
    assert "no forms are known in es_ES: texts of all locales come from pools, and may repeat" in note.message


def test_nobody_moves_when_others_come() -> None:
    """More units, another segment and a longer window leave every identifier as it was."""
    columns = [{"name": name, "type": f"faker.{name}"} for name in ("iban", "ssn", "phone_number", "ean8")]
    before = accounts(config(*columns, count=300))
    more = config(*columns, count=500, window={"start": "2024-01", "end": "2025-03", "every": "month", "span": 3})
    more["segments"] = [*more["segments"], {"name": "new", "count": 400, "archetype": "decline"}]
    after = accounts(more)
    assert len(after) == 900
    assert all(after[column].is_unique for column in after)
    pd.testing.assert_frame_equal(after.loc[before.index], before)


def test_those_who_keep_arriving_have_their_own() -> None:
    columns = [{"name": name, "type": f"faker.{name}"} for name in ("iban", "ssn")]
    segment = {"name": "all", "count": 300, "archetype": "growth"}

    def arriving(rate: float, stop: str) -> pd.DataFrame:
        arrival = {"kind": "ongoing", "per_period": rate}
        window = {"start": "2024-01", "end": stop, "every": "month", "span": 12}
        return accounts(config(*columns, segments=[{**segment, "arrival": arrival}], window=window))

    few, many = arriving(40, "2030-12"), arriving(55, "2032-12")
    assert len(few) > 3000 and all(many[column].is_unique for column in many)
    pd.testing.assert_frame_equal(many.loc[few.index], few)


def test_more_units_than_texts_are_refused() -> None:
    most = (number_division(capacity("ean8", ("en_US",))).share + 1) // 2
    column = {"name": "ean", "type": "faker.ean8"}
    assert accounts(config(column, count=most))["ean"].is_unique
    with pytest.raises(ConfigError, match=f"texts for {most:,} units of a segment, and all has {most + 1:,}"):
        from_mapping(config(column, count=most + 1), name="bank")
    with pytest.raises(ConfigError, match="ean8"):
        from_mapping(config(column, count=most), name="bank", scale=2.0)
    loose = accounts(config({**column, "unique": False}, count=most + 1))["ean"]
    assert not loose.is_unique and all(ean.is_valid(text) for text in loose[:200])
    bare = config({"name": "d", "type": "struct", "nested_schema": {"ean": "faker.ean8"}}, count=most + 1)
    with pytest.raises(ConfigError, match=r"nested_schema\.ean"):
        from_mapping(bare, name="bank")


def test_more_segments_than_slots_are_refused() -> None:
    """Phones of Britain tell 32 segments apart: so many have texts of their own, one more is refused when it is loaded."""
    column = {"name": "phone", "type": "faker.phone_number"}
    many = [{"name": f"s{number}", "count": 5, "archetype": "growth"} for number in range(33)]
    assert number_division(capacity("phone_number", ("en_GB",))).slots == 32
    assert accounts(config(column, segments=many[:32], locale="en_GB"))["phone"].is_unique
    with pytest.raises(ConfigError, match=r"faker\.phone_number has texts for 32 segments, and there are 33"):
        from_mapping(config(column, segments=many, locale="en_GB"), name="bank")
    loose = accounts(config({**column, "unique": False}, segments=many, locale="en_GB"))
    assert len(loose) == 165
    with pytest.raises(UsageError, match="33 segments"):
        slots(tuple(segment["name"] for segment in many), 32)


def test_open_windows_end_where_texts_do() -> None:
    """The year that load and `info` name is the last in which every unit that arrives has a text of its own."""
    column = {"name": "ean", "type": "faker.ean8"}

    def raw(stop: str | None) -> dict[str, Any]:
        arrival = {"kind": "ongoing", "per_period": 100}
        return config(
            column,
            segments=[{"name": "all", "count": 300, "archetype": "growth", "arrival": arrival}],
            window={"start": "2024-01", "end": stop, "every": "month", "span": 12},
        )

    plan = from_mapping(raw(None), name="bank")
    with pytest.raises(ConfigError, match=r"texts for those who arrive in all up to 20"):
        from_mapping(raw("2099-12"), name="bank")
    with pytest.raises(UsageError, match="`unique: false`"):
        generate_tables(plan, periods="2099-12", tables=["dim_account"])


def test_rows_that_are_no_things_draw_theirs() -> None:
    """Rows of facts have texts that are valid, from all there are; that they are `unique` is refused with the reason."""
    fact = {"name": "fct_pay", "columns": [
        {"name": "date_key", "type": "ref.dim_date"}, {"name": "account_id", "type": "ref.dim_account"},
        {"name": "balance", "type": "metric.balance"}, {"name": "iban", "type": "faker.iban"}]}  # fmt: skip
    rows = generate_tables(from_mapping(config(facts=[fact]), name="bank"), tables=["fct_pay"])["fct_pay"]["iban"]
    assert all(iban.is_valid(text) for text in rows[:500]) and rows.nunique() == len(rows)
    fact["columns"][3]["unique"] = True  # type: ignore[index]
    with pytest.raises(ConfigError, match="rows of fct_pay stand for no thing that a code could be kept for"):
        from_mapping(config(facts=[fact]), name="bank")


def test_segments_whose_slots_meet_are_told() -> None:
    """The one declared later takes another slot; no two have the same, and a note says to keep the order."""
    count = number_division(capacity("ean8", ("en_US",))).slots
    names = [f"s{number}" for number in range(40)]
    met = slot_collisions(names, count)
    assert met and len(set(slots(tuple(names), count))) == 40
    segments = [{"name": name, "count": 20, "archetype": "growth"} for name in names]
    raw = config({"name": "ean", "type": "faker.ean8"}, segments=segments)
    plan = from_mapping(raw, name="bank")
    assert {problem.message.split()[4] for problem in plan.notes} == set(met)
    assert accounts(raw)["ean"].is_unique


@pytest.mark.parametrize(("provider", "room"), [("phone_number", 32), ("ean8", 128)])
def test_as_many_pairs_of_segments_meet_as_there_is_room_for_segments(provider: str, room: int) -> None:
    """What docs/columns.md and `info` say: of 5,000 pairs one in so many, within four standard errors."""
    column = {"name": "text", "type": f"faker.{provider}"}
    text = (Path(__file__).parents[2] / "docs" / "columns.md").read_text(encoding="utf-8")
    assert f"one in {room} for " in text
    dataset = from_mapping(config(column, locale="en_GB"), name="bank").dataset
    table = next(table for table in dataset.dimensions if table.name == "dim_account")
    assert f"for up to {room} segments of " in capacity_text(provider, table, dataset, ("en_GB",))
    met = sum(bool(slot_collisions([f"a{number}", f"b{number}"], room)) for number in range(5000))
    assert abs(met - 5000 / room) < 4 * (5000 / room) ** 0.5


def test_patterns_have_limits() -> None:
    """Fields beyond 2**60 numbers are drawn, so that numbers stay whole numbers."""
    templates = pattern("#" * 25)
    assert isinstance(templates, Pattern) and templates.count == 10**18
