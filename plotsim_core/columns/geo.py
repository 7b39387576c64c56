"""`geo.<part>`: parts of one real place: country, country_code, region, city, postcode, latitude, longitude.

All geo columns of a row describe one city, drawn in proportion to its population (or evenly, `by: city`), from all
countries or those listed. In a table whose rows have two places, `bundle` groups the columns of each.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.choice import weighted_indexes
from plotsim_core.columns.identifier_patterns import ascii_texts
from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.random import choose, key, uniforms
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_NUMBERS = ("latitude", "longitude")
_SPREAD = 0.05
"""Largest distance of a place from the city's centre, in degrees."""
_DECIMALS = 4
_DESCRIPTIONS = {
    "country": "Name of a real country.",
    "country_code": "Country, as its ISO 3166 code of two letters.",
    "region": "Region of the country that the city lies in.",
    "city": "City that exists in the country.",
    "postcode": "Postcode, in the form that the country writes it.",
    "latitude": "Degrees north of the equator.",
    "longitude": "Degrees east of Greenwich.",
}
_ALPHABETS = {"#": b"0123456789", "@": b"ABCDEFGHJKLMNPRSTUVWXYZ"}


@add_source
class Place(ColumnSource):
    """`part` of the place. `countries` (codes or names) are the only ones to draw from, `by` says whether cities are drawn
    in proportion to their population or evenly; said at one column, it holds for all of the `bundle`."""

    word = "geo"
    in_cases = True
    example = "geo.city"
    sets_locale = True
    in_texts = True
    argument = "part"
    in_structs = True

    part: Literal["country", "country_code", "region", "city", "postcode", "latitude", "longitude"]
    """What of the place it shows."""
    countries: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The only ones to draw from, codes or names."""
    by: Literal["population", "city"] | None = None
    """Whether cities are drawn in proportion to their population or evenly."""
    bundle: Name | None = None
    """Said at one column, it holds for all of the `bundle`."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.float64() if self.part in _NUMBERS else pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        known_countries = [*dict.fromkeys(cities()["country_code"]), *dict.fromkeys(cities()["country"])]
        for index, country in enumerate(self.countries or ()):
            if country not in known_countries:
                hint = did_you_mean(country, known_countries)
                yield Problem(f"countries[{index}]", f"there are no cities of a country '{country}'", hint)
        countries, by = bundle_options(table, self.bundle)
        for name, value, agreed_value in (("countries", self.countries, countries), ("by", self.by, by)):
            if value is not None and value != agreed_value:
                message = f"another geo column of {table.name} says otherwise, and both speak of one place"
                yield Problem(name, message, "give them a `bundle` each")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return _DESCRIPTIONS[self.part]

    def text_decimals(self, dataset: Dataset) -> int | None:
        return _DECIMALS if self.part in _NUMBERS else None

    def decimal_places(self, dataset: Dataset) -> int | None:
        return _DECIMALS

    def possible_values(self, table: Table, scope: Scope) -> list[str] | None:
        """Return the names of the places; None for postcodes and numbers."""
        if self.part in (*_NUMBERS, "postcode"):
            return None
        indexes, _ = _city_weights(*bundle_options(table, self.bundle))
        return list(dict.fromkeys(cities()[self.part][index] for index in indexes.tolist()))

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        seed, bundle_key = rows.block.population.seed, (table.stream, self.bundle or "")
        city = cities_of(rows, table, self.bundle)
        columns = cities()
        if self.part in _NUMBERS:
            centres = np.array(columns[self.part])[city]
            draws = uniforms(key(seed, "geo", *bundle_key, self.part), rows.address)
            return pa.array((centres + _SPREAD * (2.0 * draws - 1.0)).round(_DECIMALS))
        if self.part == "postcode":
            return _postcodes(seed, bundle_key, city, rows)
        return gathered(columns[self.part], city, column.type)


@lru_cache(maxsize=1)
def cities() -> dict[str, list[Any]]:
    """Return the columns of the list of cities."""
    text = (files("plotsim_core") / "data" / "cities.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    for name in (*_NUMBERS, "population"):
        columns[name] = [float(value) for value in columns[name]]
    return columns


def places_of(table: Table) -> list[Place]:
    """Return the options of the columns of a table that are parts of places."""
    return [column.source for column in table.columns if isinstance(column.source, Place)]


def bundle_options(table: Table, bundle: str | None) -> tuple[tuple[str, ...] | None, str]:
    """Return (countries, by) of a bundle, as one of its columns sets them; by default (None, population)."""
    bundle_sources = [source for source in places_of(table) if source.bundle == bundle]
    countries = next((source.countries for source in bundle_sources if source.countries is not None), None)
    return countries, next((source.by for source in bundle_sources if source.by is not None), "population")


@lru_cache(maxsize=64)
def _city_weights(countries: tuple[str, ...] | None, by: str) -> tuple[Integers, tuple[float, ...]]:
    """Return (indexes, weights) of the candidates in the list of cities."""
    columns = cities()
    indexes = [
        index
        for index, names in enumerate(zip(columns["country_code"], columns["country"], strict=True))
        if countries is None or not set(names).isdisjoint(countries)
    ]
    weights = [columns["population"][index] if by == "population" else 1.0 for index in indexes]
    return np.array(indexes, dtype=np.int64), tuple(weights)


def countries_of(table: Table, bundle: str | None) -> list[str]:
    """Return the codes of the countries that a bundle's places lie in."""
    indexes, _ = _city_weights(*bundle_options(table, bundle))
    return list(dict.fromkeys(cities()["country_code"][index] for index in indexes.tolist()))


def cities_of(rows: Rows, table: TablePlan, bundle: str | None) -> Integers:
    """Return the index of each row's city in the list of cities."""
    seed, bundle_key = rows.block.population.seed, (table.stream, bundle or "")

    def draw() -> Integers:
        indexes, weights = _city_weights(*bundle_options(table.spec, bundle))
        return indexes[weighted_indexes(uniforms(key(seed, "geo", *bundle_key), rows.address), weights)]

    return rows.cached(("geo", *bundle_key), draw)


def _postcodes(seed: int, bundle_key: tuple[str, str], city: Integers, rows: Rows) -> ArrowArray:
    """Return a postcode of each city: its pattern with a digit for each # and a letter for each @."""
    patterns = cities()["postcode"]
    width = max(map(len, patterns))
    codes = np.array([list(pattern.ljust(width).encode()) for pattern in patterns], dtype=np.uint8)
    letters = codes[city]
    for position in range(width):
        for sign, alphabet in _ALPHABETS.items():
            if (codes[:, position] == ord(sign)).any():
                is_sign = letters[:, position] == ord(sign)
                indexes = choose(key(seed, "geo", *bundle_key, "postcode", position), rows.address[is_sign], len(alphabet))
                letters[is_sign, position] = np.frombuffer(alphabet, dtype=np.uint8)[indexes]
    return pc.utf8_rtrim_whitespace(ascii_texts(letters))
