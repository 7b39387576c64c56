"""`faker.<provider>`: a realistic text from the Faker library.

Values come from a pool of each provider and locale, which rows index. A pool depends only on the provider, its arguments
and the locale. All faker columns of a row share one locale (`faker_locales.py`), and those of a person agree
(`faker_people.py`). Identifiers are computed from serial numbers (`faker_identifiers.py`). Providers of dates before today
count from the window's start (`faker_dates.py`); other providers that read today's date are refused, as the same config
would give other rows tomorrow.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from faker import Faker
from faker.config import AVAILABLE_LOCALES
from faker.providers.date_time import Provider as DateTimeProvider
from pydantic import Field, WithJsonSchema, model_validator

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.faker_dates import PAST, check_past, past_values
from plotsim_core.columns.faker_identifiers import (
    DIGESTS,
    capacity,
    capacity_problems,
    capacity_text,
    colliding_segments,
    digests,
    identifiers,
    locales_without,
    pattern_sets,
)
from plotsim_core.columns.faker_locales import countries_without_locale, row_locales
from plotsim_core.columns.faker_people import ADDRESSES, PEOPLE, name_count, person_texts
from plotsim_core.columns.identifier_forms import FORMS, forms
from plotsim_core.columns.identifier_serials import has_own_texts
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name, Scalar
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import enumeration, phrase
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.random import key, uniforms
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
_SCALAR_KINDS = {"texts", "whole numbers", "numbers", "decimal numbers", "true or false", "days", "moments"}


_MAX_ARGUMENTS = 20
_MAX_LENGTH = 4096
"""Largest number of an argument that bounds no value (such as a length), and most letters of a text."""
_BOUNDS = ("min", "max", "step", "min_value", "max_value")
_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(:[^:]+:[^:]+)*$"


def _scalar(text: str) -> Scalar:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


@add_source
class FakerText(ColumnSource):
    """`provider` is the name of a Faker method, `arguments` what it is given (`faker.<provider>:<argument>:<value>` says so
    too). `unique`, for identifiers, e-mail addresses and user names, says whether no two units, children or listed rows
    share one; in their dimensions it is so unless it is false. Columns of one `bundle` speak of one person; without one,
    all that have none do."""

    word = "faker"
    example = "faker.company"
    argument = "provider"
    in_structs = True

    provider: Annotated[Name, WithJsonSchema({"type": "string", "pattern": _PATTERN})]
    """The name of a Faker method."""
    arguments: Annotated[dict[Name, Scalar], Field(max_length=_MAX_ARGUMENTS)] = Field(default_factory=dict)
    """What the provider is given, as `faker.<provider>:<argument>:<value>` says too."""
    unique: Flag | None = None
    """Whether no two units, children or listed rows share one: of identifiers, e-mail addresses and user names."""
    bundle: Name | None = None
    """The name of the columns that speak of one person."""

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take the arguments out of `<provider>:<argument>:<value>`."""
        if not isinstance(value, dict) or not isinstance(value.get("provider"), str) or ":" not in value["provider"]:
            return value
        name, *pairs = value["provider"].split(":")
        if len(pairs) % 2 or not all(pairs):
            text = value_text(f"faker.{value['provider']}")
            raise ProblemError(
                Problem("provider", f"cannot read {text}", "write it like faker.pyint:min_value:1:max_value:6")
            )
        if "arguments" in value:
            raise ProblemError(Problem("arguments", "the type says them already"))
        return {**value, "provider": name, "arguments": dict(zip(pairs[::2], map(_scalar, pairs[1::2]), strict=True))}

    @property
    def argument_pairs(self) -> Given:
        """The arguments as a sorted tuple, which caches use as a key."""
        return tuple(sorted(self.arguments.items()))

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        if self.provider in PAST:
            return PAST[self.provider].type
        if self.provider in PEOPLE or self.provider in DIGESTS or _is_identifier(self, dataset.locale):
            return pa.string()
        if _return_type(self.provider, dataset.locale[0]) is str:  # without a pool, which is slow to make
            return pa.string()
        type_: pa.DataType = pool(self.provider, dataset.locale[0], self.argument_pairs).type
        return type_

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        name = self.provider
        locales = tuple(dict.fromkeys(locale for locale in scope.locale if locale in AVAILABLE_LOCALES))
        if self.unique is not None:
            yield from _check_unique(self, table, locales)
        if self.bundle is not None and name not in PEOPLE:
            yield Problem("bundle", f"has no effect: faker.{name} tells nothing of a person")
        if name in PAST:
            start = scope.window.grain.starts(np.array([scope.window.first])) if scope.window else np.array(["2000-01-01"])
            problems = check_past(name, self.arguments, int(start.astype("datetime64[D]").astype(np.int64)[0]))
            yield from (Problem("type", problem.message, problem.hint) for problem in problems)
        elif name in PEOPLE or name in DIGESTS or name == "industry":
            if self.arguments:
                yield Problem("type", f"faker.{name} takes no arguments here")
        elif not _is_identifier(self, locales):
            yield from _check_provider(self, list(locales))

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if _is_distinct(self, table) and _is_identifier(self, dataset.locale):
            yield from capacity_problems(self.provider, table, dataset)

    def notes(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if _is_distinct(self, table) and _is_identifier(self, dataset.locale):
            for name in colliding_segments(self.provider, table, dataset):
                message = f"texts of units in {name} depend on the segments before it"
                yield Problem("type", message, "keep their order, and add segments after them")
        if self.unique is None and has_own_texts(table) and self.provider in FORMS and not self.arguments:
            locales = locales_without(self.provider, dataset.locale)
            if locales:
                message = f"no forms are known in {locales}: texts of all locales come from pools, and may repeat"
                yield Problem("type", f"faker.{self.provider}: {message}", "`unique: false` says that they may")
        countries = countries_without_locale(table, self.bundle, dataset.locale)
        if countries:
            yield Problem(
                "type", f"no locale is of {enumeration(countries)}: rows there are in any of {enumeration(dataset.locale)}"
            )

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        is_identifying = self.provider in ADDRESSES or _is_identifier(self, dataset.locale)
        suffix = ", of which no two are the same" if is_identifying and _is_distinct(self, table) else ""
        return f"{_DESCRIPTIONS.get(self.provider, f'Invented {phrase(self.provider)}')}{suffix}."

    def variety(self, table: Table, dataset: Dataset) -> str:
        """Return the number of different texts, in words."""
        name = self.provider
        if _is_distinct(self, table) and _is_identifier(self, dataset.locale):
            return capacity_text(name, table, dataset)
        if _is_identifier(self, dataset.locale):
            return f"{capacity(name, dataset.locale):,} different texts, drawn, so some may repeat"
        if name in PAST or name in DIGESTS:
            return ""
        if name in ADDRESSES:
            return "no two the same" if _is_distinct(self, table) else "as often the same as people's names are"
        if name in PEOPLE:
            return f"up to {name_count(name, dataset.locale):,} different texts"
        values = {value for locale in dataset.locale for value in pool(name, locale, self.argument_pairs).to_pylist()}
        return f"{len(values):,} different values"

    def stored_bytes(self, type_: pa.DataType) -> float | None:
        return 3.0 if type_ == pa.string() else None

    @property
    def has_locale(self) -> bool:
        return True

    @property
    def is_name(self) -> bool:
        return "name" in self.provider or self.provider == "company"

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        population, name, bundle = rows.block.population, self.provider, self.bundle or ""
        distinct = _is_distinct(self, population.table(table.stream).spec)
        if name in PEOPLE:
            return person_texts(name, rows, table, bundle, distinct)
        if _is_identifier(self, population.dataset.locale):
            return identifiers(name, column, table, rows, distinct)
        if name in DIGESTS:
            return digests(name, rows.stream(table, column), rows.address)
        if name in PAST:
            start = population.grain.starts(np.array([population.first])).astype("datetime64[D]").astype(np.int64)
            day_uniforms = uniforms(rows.stream(table, column, "within"), rows.address)
            return past_values(name, self.arguments, int(start[0]), rows.uniforms(table, column), day_uniforms)
        pools = [pool(name, locale, self.argument_pairs).cast(column.type) for locale in population.dataset.locale]
        size = len(pools[0])
        indexes = rows.choose(table, column, size)
        if len(pools) > 1:
            indexes = indexes + size * row_locales(rows, table, bundle)
        return pa.concat_arrays(pools).take(indexes.astype(np.int32))


Given = tuple[tuple[str, Scalar], ...]


@lru_cache(maxsize=64)
def _providers(locale: str) -> frozenset[str]:
    generator = Faker(locale)
    return frozenset(
        name
        for provider in generator.get_providers()
        for name in dir(provider)
        if not name.startswith("_") and callable(getattr(provider, name, None))
    )


@lru_cache(maxsize=256)
def _return_type(provider: str, locale: str) -> Any:
    """Return the annotated return type of a provider; None without an annotation, or for an unknown provider."""
    return getattr(getattr(Faker(locale), provider, None), "__annotations__", {}).get("return")


def _generated(provider: str, locale: str, arguments: Given, size: int) -> list[Any]:
    """Return `size` values of a provider in a locale, from a fixed seed."""
    generator = Faker(locale)
    generator.seed_instance(int(key(0, "faker", provider, locale)))
    method = getattr(generator, provider)
    values = [method(**dict(arguments)) for _ in range(size)]
    return [" ".join(value) for value in values] if provider == "words" else values


@lru_cache(maxsize=256)
def pool(provider: str, locale: str, arguments: Given = (), size: int = POOL) -> ArrowArray:
    """Return `size` values of a provider in a locale; always the same ones."""
    if provider == "industry":
        return pa.array((files("plotsim_core") / "data" / "industries.txt").read_text(encoding="utf-8").splitlines())
    values = _generated(provider, locale, arguments, size)
    if isinstance(values[0], Decimal):
        values = [float(value) for value in values]
    array: ArrowArray = pa.array(values)
    return array


def _is_identifier(options: FakerText, locales: tuple[str, ...]) -> bool:
    """Return whether a column has identifiers, rather than texts from a pool."""
    return options.provider in FORMS and not options.arguments and bool(pattern_sets(options.provider, locales))


def _is_distinct(options: FakerText, table: Table) -> bool:
    """Return whether the rows of a table have distinct texts."""
    return options.unique is not False and has_own_texts(table)


def _check_unique(options: FakerText, table: Table, locales: tuple[str, ...]) -> Iterable[Problem]:
    name = options.provider
    if name not in ADDRESSES and not _is_identifier(options, locales):
        if name in FORMS and not options.arguments:
            locales_text = locales_without(name, locales)
            location = f"in the locale {locales_text}" if locales_text else "of their own in each of the locales"
            yield Problem("unique", f"has no place here: faker.{name} gives no identifiers {location}")
            return
        yield Problem(
            "unique",
            f"has no effect: faker.{name} gives no identifiers",
            f"these do, without arguments: {', '.join([*ADDRESSES, *FORMS])}",
        )
    elif not has_own_texts(table):
        reason = f"rows of {table.name} stand for no thing that a code could be kept for, so their texts are drawn"
        yield Problem(
            "unique", f"has no place here: {reason}", "units, their children and listed rows have texts of their own"
        )


def _check_provider(options: FakerText, locales: list[str]) -> Iterable[Problem]:
    name = options.provider
    for locale in locales:
        providers = _providers(locale)
        if name not in providers:
            location = "" if locale == "en_US" else f" in the locale {locale}"
            yield Problem("type", f"Faker has no provider '{name}'{location}", _provider_hint(name, providers))
            return
    if name in _READS_CLOCK or name == "ssn":
        location = (
            f" in the locale {locales_without(name, locales)}" if name == "ssn" and locales_without(name, locales) else ""
        )
        message = f"faker.{name} reads today's date{location}, so the same config would give other rows tomorrow"
        yield Problem("type", message, _locale_hint(name))
        return
    problems = [problem for locale in locales[:1] for problem in _check_arguments(name, options.arguments, locale)]
    yield from problems
    if problems:
        return
    kinds = {kind for locale in locales for kind in _value_kinds(name, locale, options.argument_pairs)}
    if len(kinds) > 1 or not kinds <= _SCALAR_KINDS:
        yield Problem("type", f"faker.{name} gives {' or '.join(sorted(kinds))}; expected one text or number in each row")


_SUBSTITUTES = {
    **dict.fromkeys(("state", "province", "region", "administrative_unit", "department", "prefecture"), "geo.region"),
    **dict.fromkeys(("zipcode", "postalcode", "postcode"), "geo.postcode"),
    **dict.fromkeys(("city", "town"), "geo.city"),
}
"""Column type of every country, by the providers of parts of addresses, whose names differ between countries."""


def _provider_hint(name: str, providers: frozenset[str]) -> str:
    """Return the hint for a provider that a locale lacks: the locales that have it, or the nearest name in the locale."""
    locales = _locales_with(name)
    substitute = f"{_SUBSTITUTES[name]} has it for every country" if name in _SUBSTITUTES else ""
    if not locales:
        return substitute or did_you_mean(name, sorted({*providers, "industry", "year"}))
    hint = f"these locales have it: {enumeration(locales, 12)}"
    return f"{hint}; {substitute}" if substitute else hint


_HINT_LOCALES = [
    "en_US",
    "en_GB",
    "en_CA",
    "en_AU",
    "en_IN",
    "de_DE",
    "de_AT",
    "de_CH",
    "fr_FR",
    "fr_CA",
    "es_ES",
    "es_MX",
    "it_IT",
    "nl_NL",
    "pt_BR",
    "pl_PL",
    "sv_SE",
    "da_DK",
    "fi_FI",
    "cs_CZ",
    "tr_TR",
    "ru_RU",
    "ja_JP",
    "ko_KR",
    "zh_CN",
]
"""Locales that hints search; to search all takes seconds."""


@lru_cache(maxsize=256)
def _locales_with(name: str) -> tuple[str, ...]:
    """Return those of `_HINT_LOCALES` in which Faker has a provider."""
    return tuple(locale for locale in _HINT_LOCALES if name in _providers(locale))


def _locale_hint(name: str) -> str:
    locales = [locale for locale in _HINT_LOCALES if name == "ssn" and forms(name, locale)]
    return f"it has numbers of its own in these locales: {', '.join(locales)}" if locales else ""


def _check_arguments(name: str, arguments: Mapping[str, Scalar], locale: str) -> Iterable[Problem]:
    parameters = list(inspect.signature(getattr(Faker(locale), name)).parameters) if arguments else []
    for argument, value in arguments.items():
        if argument not in parameters:
            hint = did_you_mean(argument, parameters) if parameters else ""
            yield Problem("type", f"faker.{name} has no argument '{argument}'", hint)
        elif isinstance(value, str) and ("{{" in value or len(value) > _MAX_LENGTH):
            yield Problem("type", f"faker.{name}: '{argument}' may neither hold {{{{ nor more than {_MAX_LENGTH} letters")
        elif not isinstance(value, str) and argument not in _BOUNDS and not abs(value) <= _MAX_LENGTH:
            yield Problem(
                "type", f"faker.{name}: expected at most {_MAX_LENGTH} for '{argument}', found {value_text(value)}"
            )


@lru_cache(maxsize=256)
def _value_kinds(provider: str, locale: str, arguments: Given = ()) -> frozenset[str]:
    """Return the kinds of values of a provider, in words."""
    try:
        values = _generated(provider, locale, arguments, _SAMPLE)
        if values != _generated(provider, locale, arguments, _SAMPLE):
            return frozenset({"other values each time it is asked"})
    except Exception:  # noqa: BLE001 - Faker raises anything
        return frozenset({f"an error {'with these' if arguments else 'without'} arguments"})
    return frozenset(_KINDS.get(type(value), "something else") for value in values)


_DESCRIPTIONS = {
    "name": "Full name of an invented person",
    "first_name": "First name of an invented person",
    "last_name": "Last name of an invented person",
    "email": "E-mail address of an invented person",
    "user_name": "User name of an invented person",
}
