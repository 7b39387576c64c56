"""People with consistent names and addresses: the first name, last name, full name, e-mail address and user name in a row
are those of one person, in one locale.

Names come from Faker's pools; addresses are formed from them, in domains that RFC 2606 reserves for examples. A unique
address ends in a code: a keyed permutation of the row's identity, which needs no memory of earlier codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.choice import weighted_indexes
from plotsim_core.columns.faker_locales import RowLocales
from plotsim_core.columns.faker_pools import faker_of
from plotsim_core.columns.rows import Rows
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.codes import segment_number, unit_codes
from plotsim_core.numerics.permutation import code, permute
from plotsim_core.numerics.random import choose, key, uniforms, words
from plotsim_core.plan.plan import TablePlan

PEOPLE = ("name", "first_name", "last_name", "email", "user_name")
DESCRIPTIONS = {
    "name": "Full name of an invented person",
    "first_name": "First name of an invented person",
    "last_name": "Last name of an invented person",
    "email": "E-mail address of an invented person",
    "user_name": "User name of an invented person",
}
"""What the parts of a person are, in words."""
ADDRESSES = ("email", "user_name")
"""Parts of a person that can be unique."""
POOL = 2048
_DOMAINS = ("example.org", "example.com", "example.net")
_FORM = re.compile(r"^\{\{(first|last)_name\w*\}\}(.*)\{\{(first|last)_name\w*\}\}$")
_LISTED_BITS, _LISTED_DIGITS = 20, 4
_DIGITS = 100


@dataclass(frozen=True, eq=False)
class Names:
    """The names of some locales: `POOL` of women and as many of men for each locale, in this order. `lead` and `trail` are
    the parts of full names; `last_leads` and `between` give their order and their separator for each locale."""

    first: ArrowArray
    last: ArrowArray
    lead: ArrowArray
    trail: ArrowArray
    between: ArrowArray
    last_leads: np.ndarray
    first_plain: ArrowArray
    last_plain: ArrowArray
    initial: ArrowArray


@lru_cache(maxsize=64)
def _provider(locale: str) -> Any:
    """Return Faker's provider of people in a locale."""
    return next(provider for provider in faker_of(locale).get_providers() if hasattr(provider, "first_name_male"))


def _form(locale: str) -> tuple[bool, str]:
    """Return (last_leads, between): whether the last name leads in a locale, and the separator of the names."""
    provider = _provider(locale)
    for form in provider.formats:
        match = _FORM.match(form)
        if match and match[1] != match[3]:
            return match[1] == "last", match[2]
    return False, " "


def _name_draws(locale: str, part: str, gender: str) -> list[str]:
    """Return `POOL` names (`part` is first or last), as frequent as in the locale. They are drawn from Faker's lists, as
    calling Faker for each name takes ten times as long."""
    provider = _provider(locale)
    listed = getattr(provider, f"{part}_names_{gender}", None) or getattr(provider, f"{part}_names", None)
    stream = key(0, "faker", part, gender, locale)
    if not listed:
        generator = faker_of(locale)
        generator.seed_instance(int(stream))
        return [str(getattr(generator, f"{part}_name_{gender}")()) for _ in range(POOL)]
    candidates = list(listed)
    weights = tuple(map(float, listed.values())) if isinstance(listed, Mapping) else (1.0,) * len(candidates)
    return [candidates[index] for index in weighted_indexes(uniforms(stream, words(np.arange(POOL))), weights).tolist()]


def _ascii_names(names: list[str], readings: dict[str, str]) -> list[str]:
    """Return names in small letters a to z and digits."""
    from faker.decode import unidecode

    plain_names = {name: re.sub("[^a-z0-9]", "", unidecode(readings.get(name, name)).lower()) or "x" for name in set(names)}
    return [plain_names[name] for name in names]


def _readings(locale: str) -> dict[str, str]:
    """Return how names of a locale are read, where Faker knows it (Japanese ones)."""
    provider = _provider(locale)
    pairs = [pair for name in dir(provider) if name.endswith("name_pairs") for pair in getattr(provider, name)]
    return {pair[0]: pair[-1] for pair in pairs if len(pair) == 3}


@lru_cache(maxsize=16)
def names(locales: tuple[str, ...]) -> Names:
    """Return the names of some locales; always the same ones."""
    first: list[str] = []
    last: list[str] = []
    lead: list[str] = []
    trail: list[str] = []
    forms = [_form(locale) for locale in locales]
    for locale, (last_leads, _) in zip(locales, forms, strict=True):
        for gender in ("female", "male"):
            given_names, family_names = _name_draws(locale, "first", gender), _name_draws(locale, "last", gender)
            first, last = first + given_names, last + family_names
            lead, trail = (
                (lead + family_names, trail + given_names) if last_leads else (lead + given_names, trail + family_names)
            )
    readings = {name: reading for locale in locales for name, reading in _readings(locale).items()}
    first_plain = _ascii_names(first, readings)
    return Names(
        first=pa.array(first),
        last=pa.array(last),
        lead=pa.array(lead),
        trail=pa.array(trail),
        between=pa.array([between for _, between in forms]),
        last_leads=np.array([last_leads for last_leads, _ in forms]),
        first_plain=pa.array(first_plain),
        last_plain=pa.array(_ascii_names(last, readings)),
        initial=pa.array([name[0] for name in first_plain]),
    )


def name_count(part: str, locales: tuple[str, ...]) -> int:
    """Return the largest number of different texts of a `part`, which is a kind of name."""
    name_pool = names(locales)
    if part != "name":
        return len(pc.unique(name_pool.first if part == "first_name" else name_pool.last))
    blocks = [
        (name_pool.lead[start : start + POOL], name_pool.trail[start : start + POOL])
        for start in range(0, len(name_pool.lead), POOL)
    ]
    return sum(len(pc.unique(lead)) * len(pc.unique(trail)) for lead, trail in blocks)


def person_texts(part: str, rows: Rows, table: TablePlan, bundle: str, distinct: bool, locales: RowLocales) -> ArrowArray:
    """Return a `part` of the person of each row; addresses and user names differ between units, or listed rows, if
    `distinct`."""
    population = rows.block.population

    def choice(purpose: str, count: int) -> Integers:
        return choose(key(population.seed, "person", table.stream, bundle, purpose), rows.address, count)

    def draw() -> tuple[Integers, Integers]:
        base = (2 * locales.indexes + choice("gender", 2)) * POOL
        return base + choice("first", POOL), base + choice("last", POOL)

    name_pool = names(locales.names)
    first, last = rows.cached(("person", table.stream, bundle, locales.names), draw)
    if part == "first_name":
        return name_pool.first.take(first)
    if part == "last_name":
        return name_pool.last.take(last)
    if part == "name":
        is_reversed = name_pool.last_leads[locales.indexes]
        lead, trail = np.where(is_reversed, last, first), np.where(is_reversed, first, last)
        between = name_pool.between.take(locales.indexes)
        return joined(name_pool.lead.take(lead), between, name_pool.trail.take(trail))
    codes = [_codes(rows, table, bundle)] if distinct else []
    if part == "user_name":
        suffix = codes or [pc.cast(pa.array(choice("digits", _DIGITS)), pa.string())]
        return joined(name_pool.initial.take(first), name_pool.last_plain.take(last), *suffix)
    parts = [name_pool.first_plain.take(first), name_pool.last_plain.take(last), *codes]
    domain = pa.array(_DOMAINS).take(choice("domain", len(_DOMAINS)))
    return joined(joined(*parts, between="."), domain, between="@")


def _codes(rows: Rows, table: TablePlan, bundle: str) -> ArrowArray:
    """Return a code for each row that no other row of its table has, but for versions of the same unit."""
    population = rows.block.population
    secret = key(population.seed, "unique", table.stream, bundle)
    if len(rows.unit) < len(rows):
        return pc.utf8_lower(pa.array(code(permute(rows.ordinal.astype(np.uint64), _LISTED_BITS, secret), _LISTED_DIGITS)))
    units = rows.block.units
    segment_numbers = np.array([segment_number(segment.spec.name) for segment in population.segments], dtype=np.uint64)
    has_few_rows = len(rows) < len(units)
    segment, ordinal = (values[rows.unit] if has_few_rows else values for values in (units.segment, units.ordinal))
    codes: ArrowArray = pc.utf8_lower(pa.array(unit_codes(segment_numbers[segment], ordinal, int(secret))))
    codes = codes if has_few_rows else codes.take(rows.unit)
    if len(rows.ordinal) < len(rows):
        return codes
    return joined(codes, pc.cast(pa.array(rows.ordinal + 1), pa.string()))
