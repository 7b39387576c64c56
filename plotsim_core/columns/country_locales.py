"""Locale of a Faker column: one for all its rows, or that of the country that a column of the row names.

`locale: de_DE`, or `locale: { by: country }`: a country (its ISO 3166 code of two or three letters, or its English name) has
a usual locale, and `cases` say another one for some values, `else` for all that have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.columns.dependencies import names_in, scope_of
from plotsim_core.columns.faker_locales import RowLocales, row_locales, territory
from plotsim_core.columns.geo import cities
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.cases import ELSE, unlisted_keys
from plotsim_core.config.check_locale import unknown_locale
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.locale_choice import LocaleChoice
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, may_be_null
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem, UsageError, key_text
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import TablePlan

_PREFERRED = (
    *("ar_SA", "ar_DZ", "bn_BD", "bs_BA", "da_DK", "de_DE", "de_CH", "de_LU", "en_US", "en_CA", "en_IE", "en_IN"),
    *("en_KE", "en_NG", "en_PH", "th_TH", "es_ES", "nl_BE"),
)
"""The usual locales of countries that have several."""


@lru_cache(maxsize=1)
def usual_locales() -> dict[str, str]:
    """Return the usual locale of each country that has one, by its codes and English names."""
    from faker.config import AVAILABLE_LOCALES
    from faker.providers.date_time import Provider

    codes = {territory(locale): locale for locale in [*sorted(AVAILABLE_LOCALES, reverse=True), *_PREFERRED]}
    names = [(country.alpha_2_code, text) for country in Provider.countries for text in (country.alpha_3_code, country.name)]
    names += zip(cities()["country_code"], cities()["country"], strict=True)
    return {code: locale for code, locale in codes.items() if code} | {
        text: codes[code] for code, text in names if code in codes
    }


def locale_of(choice: LocaleChoice, value: Any) -> str | None:
    """Return the locale of a value of the deciding column; None where it has none."""
    text = key_text(value)
    return choice.cases.get(text) or usual_locales().get(text) or choice.cases.get(ELSE)


def deciding_values(choice: LocaleChoice, table: Table, scope: Scope) -> list[Any] | None:
    """Return the values that the deciding column of a table may have; None where the config does not list them."""
    column = next((other for other in table.columns if other.name == choice.by), None)
    values = None if column is None else column.source.possible_values(table, scope)
    return None if values is None else [value for value in dict.fromkeys(values) if value is not None]


def locales_by(choice: LocaleChoice, table: Table, scope: Scope) -> tuple[str, ...]:
    """Return the locales that rows of a table may have, each once: those of the values in their order, then that of `else`.
    Raises UsageError where the values are not known."""
    values = [] if choice.by is None else deciding_values(choice, table, scope)
    if values is None:
        raise UsageError(f"the values of {table.name}.{choice.by} are not known")
    locales = [*(locale_of(choice, value) for value in values), choice.cases.get(ELSE)]
    return tuple(dict.fromkeys(locale for locale in locales if locale is not None))


def column_locales(choice: LocaleChoice | None, table: Table, dataset: Dataset) -> tuple[str, ...]:
    """Return the locales that rows of a column may have: those of the dataset, where the column says none."""
    return dataset.locale if choice is None else locales_by(choice, table, scope_of(dataset))


def check_choice(choice: LocaleChoice, column: Column, table: Table, scope: Scope) -> Iterator[Problem]:
    """Yield locales that there are none of, and values of the deciding column that have no locale."""
    for key, locale in choice.cases.items():
        yield from unknown_locale(locale, f"locale.cases.{key}")
    if choice.by is None:
        return
    names = [name for name in names_in(scope.tables[table.name]) if name != column.name]
    if choice.by not in names:
        yield Problem("locale.by", f"{table.name} has no column '{choice.by}'", did_you_mean(choice.by, names))
        return
    values = deciding_values(choice, table, scope)
    if values is None:
        message = f"which countries {choice.by} may name is not known from the config"
        yield Problem(
            "locale.by", message, "name a column of geo.country, choice, static, a pool, or a lookup of listed rows"
        )
        return
    texts = [key_text(value) for value in values]
    yield from unlisted_keys("locale.cases", choice.by, choice.cases, values)
    without = [text for text in texts if locale_of(choice, text) is None]
    if without:
        message = f"no locale is usual for {enumeration(without)}"
        yield Problem("locale", message, f"give one: cases: {{ {without[0]}: en_US }}, or `else` for all that have none")


def choice_problems(choice: LocaleChoice, table: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield what is wrong of `else` in a sound dataset: that it is missing where a value may be null, or has no effect."""
    if choice.by is None:
        return
    deciding = next(other for other in table.columns if other.name == choice.by)
    values = deciding_values(choice, table, scope_of(dataset)) or []
    is_nullable = may_be_null(deciding, dataset)
    if is_nullable and ELSE not in choice.cases:
        yield Problem("locale", f"{choice.by} may be null, and such rows have no locale", "give `else` among the cases")
    known = {*choice.cases, *usual_locales()}
    if ELSE in choice.cases and not is_nullable and known >= {*map(key_text, values)}:
        yield Problem(f"locale.cases.{ELSE}", f"has no effect: every value of {choice.by} has a locale", "leave it out")


def locales_of_rows(choice: LocaleChoice | None, rows: Rows, table: TablePlan, bundle: str) -> RowLocales:
    """Return the locales of a column's rows: those of its choice, or the dataset's where it has none."""
    population = rows.block.population
    if choice is None:
        return RowLocales(population.dataset.locale, row_locales(rows, table, bundle))
    locales = column_locales(choice, population.table(table.stream).spec, population.dataset)
    if choice.by is None:
        return RowLocales(locales, np.zeros(len(rows), dtype=np.int64))
    texts = pc.cast(fill(table.column(choice.by), table, rows), pa.string())
    values = pc.unique(texts.drop_null())
    others = locales.index(choice.cases[ELSE]) if ELSE in choice.cases else 0
    numbers = [locales.index(locale_of(choice, text) or locales[others]) for text in values.to_pylist()]
    codes = pc.index_in(texts, values).fill_null(len(numbers)).to_numpy(zero_copy_only=False)
    return RowLocales(locales, np.array([*numbers, others], dtype=np.int64)[codes])
