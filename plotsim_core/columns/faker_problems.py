"""Problems of Faker providers: unknown names, other arguments, values that are no text or number, or follow the clock."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from plotsim_core.columns.faker_identifiers import locales_without
from plotsim_core.columns.faker_pools import Arguments, faker_of, generated, providers_of
from plotsim_core.columns.identifier_forms import forms
from plotsim_core.config.model import Scalar
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean

_SAMPLE = 24
_TIMELESS = {"century", "pytimezone", "timezone"}
_CLOCK_READERS = {
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


_MAX_LENGTH = 4096
"""Largest number of an argument that bounds no value (such as a length), and most letters of a text."""
_BOUNDS = ("min", "max", "step", "min_value", "max_value")


def check_provider(name: str, arguments: Mapping[str, Scalar], locales: list[str]) -> Iterable[Problem]:
    """Yield why a provider gives no column in some locales: it is not known there, follows the clock, takes other arguments,
    or gives something else than one text or number."""
    for locale in locales:
        providers = providers_of(locale)
        if name not in providers:
            location = "" if locale == "en_US" else f" in the locale {locale}"
            yield Problem("type", f"Faker has no provider '{name}'{location}", _provider_hint(name, providers))
            return
    if _reads_clock(name) or name == "ssn":
        location = (
            f" in the locale {locales_without(name, locales)}" if name == "ssn" and locales_without(name, locales) else ""
        )
        message = f"faker.{name} reads today's date{location}, so the same config would give other rows tomorrow"
        yield Problem("type", message, _locale_hint(name))
        return
    problems = [problem for locale in locales[:1] for problem in _check_arguments(name, arguments, locale)]
    yield from problems
    if problems:
        return
    kinds = {kind for locale in locales for kind in _value_kinds(name, locale, tuple(sorted(arguments.items())))}
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
    hint = f"these locales have it: {enumeration(locales, 12)}; `locale: {locales[0]}` at the column gives it one of its own"
    return f"{hint}; {substitute}" if substitute else hint


def locale_with(name: str, locales: Iterable[str]) -> str:
    """Return the first of some locales, or of the usual ones, that has a provider; the first of all, if none has."""
    candidates = [*locales, *_HINT_LOCALES]
    return next((locale for locale in candidates if name in providers_of(locale)), candidates[0])


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
    return tuple(locale for locale in _HINT_LOCALES if name in providers_of(locale))


def _locale_hint(name: str) -> str:
    locales = [locale for locale in _HINT_LOCALES if name == "ssn" and forms(name, locale)]
    return f"it has numbers of its own in these locales: {', '.join(locales)}" if locales else ""


def _check_arguments(name: str, arguments: Mapping[str, Scalar], locale: str) -> Iterable[Problem]:
    parameters = list(inspect.signature(getattr(faker_of(locale), name)).parameters) if arguments else []
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
def _value_kinds(provider: str, locale: str, arguments: Arguments = ()) -> frozenset[str]:
    """Return the kinds of values of a provider, in words."""
    try:
        values = generated(provider, locale, arguments, _SAMPLE)
        if values != generated(provider, locale, arguments, _SAMPLE):
            return frozenset({"other values each time it is asked"})
    except Exception:  # noqa: BLE001 - Faker raises anything
        return frozenset({f"an error {'with these' if arguments else 'without'} arguments"})
    return frozenset(_KINDS.get(type(value), "something else") for value in values)


def _reads_clock(name: str) -> bool:
    """Return whether a provider reads today's date."""
    from faker.providers.date_time import Provider

    is_of_time = name in vars(Provider) and not name.startswith("_") and name not in _TIMELESS
    return is_of_time or name in _CLOCK_READERS
