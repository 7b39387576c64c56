"""Patterns of identifiers, by Faker provider and locale.

Patterns with check digits are defined here, by country. Phone numbers and licence plates have the forms that Faker lists
for the locale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from plotsim_core.columns.faker_locales import territory
from plotsim_core.columns.faker_pools import faker_of
from plotsim_core.columns.identifier_patterns import Pattern, pattern, patterns
from plotsim_core.columns.personal_numbers import personal_number, provider_with
from plotsim_core.numerics import check_digits as checks
from plotsim_core.numerics.check_digits import Check
from plotsim_core.numerics.random import key

Forms = Callable[[str], list[Pattern]]
_DRAWS, _MAX_TEXTS = 4000, 800
"""Number of draws of a name in a Faker form, and the most different texts that these may have."""


def _span(first: int, count: int) -> list[int]:
    return list(range(first, first + count))


_BANKS: dict[str, tuple[str, Check | None]] = {
    "AT": ("################", None),
    "BE": ("##########==", lambda letters: _belgian(letters)),
    "BG": ("????##############", None),
    "CH": ("#################", None),
    "CY": ("########################", None),
    "CZ": ("####################", None),
    "DE": ("##################", None),
    "DK": ("##############", None),
    "EE": ("################", None),
    "ES": ("########==##########", lambda letters: _spanish(letters)),
    "FI": ("#############=", checks.luhn(_span(4, 13), 17)),
    "FR": ("#####################==", lambda letters: _french(letters)),
    "GB": ("????##############", None),
    "GR": ("#######################", None),
    "HR": ("#################", None),
    "HU": ("########################", None),
    "IE": ("????##############", None),
    "IT": ("=######################", checks.italian(_span(5, 22), 4)),
    "LT": ("################", None),
    "LU": ("################", None),
    "LV": ("????#############", None),
    "NL": ("????##########", None),
    "NO": ("%########~=", checks.by_weights_unless_ten(_span(4, 10), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), 14, -1)),
    "PL": ("########################", None),
    "PT": ("###################==", lambda letters: _portuguese(letters)),
    "RO": ("????################", None),
    "SE": ("####################", None),
    "SK": ("####################", None),
    "TR": ("#####0################", None),
}
"""Accounts by country: the part after the check digits of the IBAN (ISO 13616), with check digits of the country's own."""
_DEFAULT_COUNTRY = "GB"
"""Country of the accounts of people whose country has no IBAN."""
_SPANISH = (0, 1, *range(9, 0, -1))
"""Check digits of Spanish accounts, by the remainder of the sum."""


def _belgian(letters: checks.Letters) -> None:
    remainder = checks.remainder(letters, _span(4, 10), 97)
    checks.write_number(letters, 14, remainder + 97 * (remainder == 0), 2)


def _spanish(letters: checks.Letters) -> None:
    weights = (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)
    for positions, part_weights, check in ((_span(4, 8), weights[2:], 12), (_span(14, 10), weights, 13)):
        checks.by_weights(positions, part_weights, check, _SPANISH)(letters)


def _french(letters: checks.Letters) -> None:
    checks.write_number(letters, 25, 97 - checks.remainder(letters, _span(4, 21), 97) * 3 % 97, 2)


def _portuguese(letters: checks.Letters) -> None:
    checks.write_number(letters, 23, 98 - checks.remainder(letters, _span(4, 19), 97) * 3 % 97, 2)


def _accounts(locale: str, skip: int = 0) -> list[Pattern]:
    """Return the pattern of IBANs (check digits: MOD 97), without their first `skip` letters."""
    country = territory(locale)
    country = country if country in _BANKS else _DEFAULT_COUNTRY
    form, own_check = _BANKS[country]
    check = checks.run(*([own_check] if own_check is not None else []), checks.iban(len(form) + 4))
    return [pattern(f"{country}=={form}", check=check, skip=skip)]


def _personal_numbers(locale: str) -> list[Pattern]:
    country = territory(locale)
    scheme = personal_number(country)
    return [] if scheme is None else [pattern(scheme.form, scheme.texts, scheme.check)]


def _cards(locale: str) -> list[Pattern]:
    """Return the numbers of four kinds of card."""
    ends = {"fifty": ["51", "52", "53", "54", "55"], "amex": ["34", "37"]}
    forms = ("4##############=", "{{fifty}}#############=", "6011###########=", "{{amex}}############=")
    return [
        pattern(form, ends, checks.luhn(range(width), width)) for form, width in zip(forms, (15, 15, 15, 14), strict=True)
    ]


def _product_codes(digits: int) -> Forms:
    return lambda locale: [pattern("#" * (digits - 1) + "=", check=checks.gtin(range(digits - 1), digits - 1))]


def _phones(locale: str) -> list[Pattern]:
    provider = provider_with(locale, "phone_number")
    return _listed_patterns(locale, "phone_number", getattr(provider, "formats", ()))


def _plates(locale: str) -> list[Pattern]:
    provider = provider_with(locale, "license_plate")
    prefixes, suffixes = (getattr(provider, f"license_plate_{part}", ()) for part in ("prefix", "suffix"))
    texts = {"prefix": sorted(prefixes)} if prefixes and isinstance(next(iter(prefixes)), str) else {}
    forms = [f"{{{{prefix}}}}{form}" for form in suffixes] if texts else getattr(provider, "license_formats", ())
    return _listed_patterns(locale, "license_plate", forms, texts)


def _listed_patterns(locale: str, name: str, forms: Any, texts: Mapping[str, list[str]] | None = None) -> list[Pattern]:
    """Return the patterns of the forms that Faker lists; none if Faker also gives texts of other forms."""
    generator = faker_of(locale)
    token_texts = dict(texts or {})
    for token in sorted({token for form in forms for token in re.findall(r"\{\{(\w+)\}\}", form)} - token_texts.keys()):
        generator.seed_instance(int(key(0, "faker", token, locale)))
        token_texts[token] = sorted({str(getattr(generator, token)()) for _ in range(_DRAWS)})
        if len(token_texts[token]) > _MAX_TEXTS or "" in token_texts[token]:
            return []
    candidates = patterns([str(form) for form in forms], token_texts)
    generator.seed_instance(int(key(0, "faker", name, locale)))
    samples = [str(getattr(generator, name)()) for _ in range(20)] if candidates else []
    return candidates if all(any(_has_form(candidate, text) for candidate in candidates) for text in samples) else []


def _has_form(candidate: Pattern, text: str) -> bool:
    return len(text) == len(candidate.alphabets) and all(
        ord(letter) in alphabet for letter, alphabet in zip(text, candidate.alphabets, strict=True)
    )


def _hexadecimal(form: str) -> Forms:
    texts = {"x": list("0123456789abcdef"), "y": list("89ab")}
    return lambda locale: [pattern(re.sub("[xy]", lambda sign: f"{{{{{sign[0]}}}}}", form), texts)]


FORMS: dict[str, Forms] = {
    "iban": _accounts,
    "bban": lambda locale: _accounts(locale, 4),
    "credit_card_number": _cards,
    "ssn": _personal_numbers,
    "ean": _product_codes(13),
    "ean13": _product_codes(13),
    "ean8": _product_codes(8),
    "phone_number": _phones,
    "license_plate": _plates,
    "uuid4": _hexadecimal("xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx"),
    "mac_address": _hexadecimal("xx:xx:xx:xx:xx:xx"),
}
"""Patterns in a locale by provider of identifiers; none in a locale without known forms."""


@lru_cache(maxsize=256)
def forms(provider: str, locale: str) -> tuple[Pattern, ...]:
    """Return the patterns of a provider in a locale."""
    return tuple(FORMS[provider](locale))
