"""Locale of a row, one of the dataset's: that of its country, where it has a place (`geo`), or a random one.

All faker columns of a row share one locale. For a country with several locales, one of these is drawn; for a country
without a locale, one of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plotsim_core.columns.geo import cities, cities_of, countries_of, places_of
from plotsim_core.columns.rows import Rows
from plotsim_core.config.tables import Table
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.random import choose, key
from plotsim_core.plan.plan import TablePlan

_TERRITORIES = {
    "ar_AA": "SA",
    "de": "DE",
    "dk_DK": "DK",
    "en": "US",
    "es": "ES",
    "es_CA": "ES",
    "fr_QC": "CA",
    "ng_NG": "NG",
    "sw": "KE",
    "th": "TH",
}
"""Countries of locales that do not end in them."""


def territory(locale: str) -> str:
    """Return the country of a locale, as its ISO 3166 code; empty for one that has none (Latin)."""
    return _TERRITORIES.get(locale, locale.partition("_")[2])


def place_of(table: Table, bundle: str | None) -> tuple[bool, str | None]:
    """Return (has_place, bundle): whether the rows of a table have a place that sets their locale, and the place's bundle,
    the one of the same name or the unnamed one."""
    place_bundles = {place.bundle for place in places_of(table)}
    return (True, bundle) if bundle in place_bundles else (None in place_bundles, None)


def countries_without_locale(table: Table, bundle: str | None, locales: tuple[str, ...]) -> list[str]:
    """Return the countries of a table's places for which several locales have none."""
    has_place, place_bundle = place_of(table, bundle)
    territories = {territory(locale) for locale in locales}
    return (
        [code for code in countries_of(table, place_bundle) if code not in territories]
        if has_place and len(locales) > 1
        else []
    )


@dataclass(frozen=True, eq=False)
class RowLocales:
    """The locales of rows: their `names`, and the index of each row's among them."""

    names: tuple[str, ...]
    indexes: Integers


def row_locales(rows: Rows, table: TablePlan, bundle: str) -> Integers:
    """Return the index of each row's locale among those of the dataset."""
    population = rows.block.population
    locales = population.dataset.locale
    if len(locales) == 1:
        return np.zeros(len(rows), dtype=np.int64)
    has_place, group = place_of(table.spec, bundle or None)
    stream = key(population.seed, "locale", table.stream, "")
    if not has_place:
        return choose(stream, rows.address, len(locales))
    codes = cities()["country_code"]
    indexes_by_country = {
        code: [index for index, locale in enumerate(locales) if territory(locale) == code] for code in set(codes)
    }
    candidates = [indexes_by_country[code] or [*range(len(locales))] for code in codes]
    counts = np.array([len(group) for group in candidates], dtype=np.int64)
    choices = np.array([[*group, *[0] * (len(locales) - len(group))] for group in candidates], dtype=np.int64)
    city_indexes = cities_of(rows, table, group)
    return np.asarray(choices[city_indexes, choose(stream, rows.address, counts[city_indexes])])
