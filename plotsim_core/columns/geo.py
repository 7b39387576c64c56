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

from plotsim_core.columns.choice import weighted_indexes
from plotsim_core.columns.identifier_patterns import ascii_texts
from plotsim_core.columns.rows import Integers, Rows, gathered
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.model import Name, Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
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


class Options(Part):
    """`part` of the place. `countries` (codes or names) are the only ones to draw from, `by` says whether cities are drawn
    in proportion to their population or evenly; said at one column, it holds for all of the `bundle`."""

    part: Literal["country", "country_code", "region", "city", "postcode", "latitude", "longitude"]
    countries: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    by: Literal["population", "city"] | None = None
    bundle: Name | None = None


@lru_cache(maxsize=1)
def cities() -> dict[str, list[Any]]:
    """Return the columns of the list of cities."""
    text = (files("plotsim_core") / "data" / "cities.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    for name in (*_NUMBERS, "population"):
        columns[name] = [float(value) for value in columns[name]]
    return columns


def bundle_options(table: Table, bundle: str | None) -> tuple[tuple[str, ...] | None, str]:
    """Return (countries, by) of a bundle, as one of its columns sets them; by default (None, population)."""
    sources = [column.source for column in table.sourced("geo")]
    bundle_sources = [source for source in sources if isinstance(source, Options) and source.bundle == bundle]
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


def possible_names(options: Options, table: Table) -> list[str] | None:
    """Return the possible names in a geo column; None for postcodes and numbers."""
    if options.part in (*_NUMBERS, "postcode"):
        return None
    indexes, _ = _city_weights(*bundle_options(table, options.bundle))
    return list(dict.fromkeys(cities()[options.part][index] for index in indexes.tolist()))


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    known_countries = [*dict.fromkeys(cities()["country_code"]), *dict.fromkeys(cities()["country"])]
    for index, country in enumerate(options.countries or ()):
        if country not in known_countries:
            hint = did_you_mean(country, known_countries)
            yield Problem(f"countries[{index}]", f"there are no cities of a country '{country}'", hint)
    countries, by = bundle_options(table, options.bundle)
    for name, value, agreed_value in (("countries", options.countries, countries), ("by", options.by, by)):
        if value is not None and value != agreed_value:
            message = f"another geo column of {table.name} says otherwise, and both speak of one place"
            yield Problem(name, message, "give them a `bundle` each")


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    seed, bundle_key = rows.block.population.seed, (table.stream, options.bundle or "")
    city = cities_of(rows, table, options.bundle)
    columns = cities()
    if options.part in _NUMBERS:
        centres = np.array(columns[options.part])[city]
        draws = uniforms(key(seed, "geo", *bundle_key, options.part), rows.address)
        return pa.array((centres + _SPREAD * (2.0 * draws - 1.0)).round(_DECIMALS))
    if options.part == "postcode":
        return _postcodes(seed, bundle_key, city, rows)
    return gathered(columns[options.part], city, column.type)


def _postcodes(seed: int, bundle_key: tuple[str, str], city: Integers, rows: Rows) -> pa.Array:
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


add_source(
    "geo",
    SourceWords(
        options=Options,
        arrow=lambda options, column, dataset: pa.float64() if options.part in _NUMBERS else pa.string(),
        example="geo.city",
        argument="part",
        check=_check,
        describe=lambda options, column, table, dataset: _DESCRIPTIONS[options.part],
        decimals=lambda options, dataset: _DECIMALS if options.part in _NUMBERS else None,
        places=lambda options, dataset: _DECIMALS,
    ),
    Source(_fill),
)
