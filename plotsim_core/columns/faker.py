"""`faker.<provider>`: a realistic text from the Faker library.

Faker is asked once per provider and locale, for a pool; rows index into it. A pool depends on nothing but the provider
and the locale. Providers that read today's date are refused: the same config would give other rows tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pyarrow as pa
from faker import Faker
from faker.config import AVAILABLE_LOCALES
from faker.providers.date_time import Provider as DateTimeProvider

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.random import key
from plotsim_core.plan.plan import ColumnPlan, TablePlan

POOL = 2048
_SAMPLE = 24
_TIMELESS = {"century", "pytimezone", "timezone"}
_READS_CLOCK = {name for name in vars(DateTimeProvider) if not name.startswith("_") and name not in _TIMELESS} | {
    "credit_card_expire",
    "credit_card_full",
    "passport_dates",
    "passport_dob",
    "passport_full",
    "date_of_birth",
    "firefox",
    "pesel",
    "rvnr",
    "traditional_month_name",
    "user_agent",
}
_TIMELESS_SSN = {
    "en_US",
    "en_GB",
    "de_DE",
    "fr_FR",
    "it_IT",
    "bg_BG",
    "nl_NL",
    "es_ES",
    "pt_BR",
    "ko_KR",
    "da_DK",
    "hu_HU",
    "ro_RO",
    "ja_JP",
}
"""Locales whose `ssn` was seen to be the same under another clock; elsewhere it holds a date of birth."""
_KINDS = {
    str: "texts",
    int: "whole numbers",
    float: "numbers",
    Decimal: "decimal numbers",
    bool: "true or false",
    date: "days",
    datetime: "moments",
    type(None): "nothing",
    bytes: "bytes",
    dict: "keys and values",
    list: "lists",
    tuple: "lists",
    set: "lists",
}
_PLAIN = {"texts", "whole numbers", "numbers", "decimal numbers", "true or false", "days", "moments"}


class Options(Part):
    """`provider` is the name of a Faker method without arguments."""

    provider: Name


@lru_cache(maxsize=8)
def _providers(locale: str) -> frozenset[str]:
    generator = Faker(locale)
    return frozenset(
        name
        for provider in generator.get_providers()
        for name in dir(provider)
        if not name.startswith("_") and callable(getattr(provider, name, None))
    )


@lru_cache(maxsize=256)
def pool(provider: str, locale: str, size: int = POOL) -> pa.Array:
    """Return `size` values of a provider in a locale; always the same ones."""
    generator = Faker(locale)
    generator.seed_instance(int(key(0, "faker", provider, locale)))
    make = getattr(generator, provider)
    values = [make() for _ in range(size)]
    if isinstance(values[0], Decimal):
        values = [float(value) for value in values]
    return pa.array(values)


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    return pool(options.provider, dataset.locale[0]).type


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    name, locales = options.provider, [locale for locale in scope.locale if locale in AVAILABLE_LOCALES]
    for locale in locales:
        known = _providers(locale)
        if name not in known:
            where = "" if locale == "en_US" else f" in the locale {locale}"
            yield Problem("type", f"Faker has no provider '{name}'{where}", did_you_mean(name, sorted(known)))
            return
    if name in _READS_CLOCK or (name == "ssn" and not set(locales) <= _TIMELESS_SSN):
        yield Problem("type", f"faker.{name} reads today's date, so the same config would give other rows tomorrow")
        return
    kinds = {kind for locale in locales for kind in _kinds(name, locale)}
    if len(kinds) > 1 or not kinds <= _PLAIN:
        yield Problem("type", f"faker.{name} gives {' or '.join(sorted(kinds))}; expected one text or number in each row")


@lru_cache(maxsize=256)
def _kinds(provider: str, locale: str) -> frozenset[str]:
    """Return in words what a provider gives."""
    generator = Faker(locale)
    make = getattr(generator, provider)
    try:
        generator.seed_instance(0)
        values = [make() for _ in range(_SAMPLE)]
        generator.seed_instance(0)
        if values != [make() for _ in range(_SAMPLE)]:
            return frozenset({"other values each time it is asked"})
    except Exception:  # noqa: BLE001 - Faker raises anything
        return frozenset({"an error without arguments"})
    return frozenset(_KINDS.get(type(value), "something else") for value in values)


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    locales = rows.block.plan.dataset.locale
    pools = [pool(options.provider, locale).cast(column.type) for locale in locales]
    place = rows.choose(table, column, POOL)
    if len(locales) > 1:
        place = place + POOL * rows.choose(table, column, len(locales), "locale")
    return pa.concat_arrays(pools).take(pa.array(place.astype(np.int32)))


add_source(
    "faker",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="faker.company",
        argument="provider",
        check=_check,
        describe=lambda options, dataset: f"Synthetic {options.provider.replace('_', ' ')}.",
    ),
    Source(_fill),
)
