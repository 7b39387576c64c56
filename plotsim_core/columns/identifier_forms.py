"""Patterns of identifiers, by Faker provider and locale.

Patterns with check digits are defined here, by country. Phone numbers and licence plates have the forms that Faker lists
for the locale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from itertools import product
from typing import Any

from faker import Faker

from plotsim_core.columns.faker_locales import territory
from plotsim_core.columns.identifier_patterns import Pattern, pattern, patterns
from plotsim_core.numerics import check_digits as checks
from plotsim_core.numerics.check_digits import Check
from plotsim_core.numerics.random import key

Forms = Callable[[str], list[Pattern]]
_DRAWS, _MAX_TEXTS = 4000, 800
"""Number of draws of a name in a Faker form, and the most different texts that these may have."""
_CONSONANTS = "BCDFGHLMNPRSTV"


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


def _french_person(letters: checks.Letters) -> None:
    checks.write_number(letters, 13, 97 - checks.remainder(letters, range(13), 97), 2)


def _portuguese(letters: checks.Letters) -> None:
    checks.write_number(letters, 23, 98 - checks.remainder(letters, _span(4, 19), 97) * 3 % 97, 2)


def _accounts(locale: str, skip: int = 0) -> list[Pattern]:
    """Return the pattern of IBANs (check digits: MOD 97), without their first `skip` letters."""
    country = territory(locale)
    country = country if country in _BANKS else _DEFAULT_COUNTRY
    form, own_check = _BANKS[country]
    check = checks.run(*([own_check] if own_check is not None else []), checks.iban(len(form) + 4))
    return [pattern(f"{country}=={form}", check=check, skip=skip)]


@lru_cache(maxsize=4)
def _days(form: str) -> list[str]:
    """Return the days from 1950 to 1999, written in a form."""
    first = date(1950, 1, 1)
    return [f"{first + timedelta(days):{form}}" for days in range((date(2000, 1, 1) - first).days)]


def _numbers(first: int, stop: int, width: int) -> list[str]:
    return [f"{number:0{width}}" for number in range(first, stop)]


@lru_cache(maxsize=64)
def _personal_number(country: str) -> tuple[str, dict[str, list[str]], Check | None] | None:
    """Return (form, texts, check) of a country's personal identification numbers; None where unknown."""
    ymd, dmy = {"days": _days("%y%m%d")}, {"days": _days("%d%m%y")}
    weights: tuple[int, ...]
    match country:
        case "US":
            areas = [area for area in _numbers(1, 900, 3) if area != "666"]
            return "{{area}}-{{group}}-{{serial}}", {
                "area": areas, "group": _numbers(1, 100, 2), "serial": _numbers(1, 10_000, 4)
            }, None  # fmt: skip
        case "GB":
            pairs = ["".join(pair) for pair in product("ABCEGHJKLMNOPRSTWXYZ", "ABCEGHJKLMNPRSTWXYZ")]
            unused = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
            return (
                "{{pair}}######{{end}}",
                {"pair": [code for code in pairs if code not in unused], "end": list("ABCD")},
                None,
            )
        case "DE":
            weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
            return "##{{days}}?##=", dmy, checks.german_pension(range(11), weights, 11)
        case "FR":
            communes = [f"{a}{b}" for a, b, *_ in _provider("fr_FR", "ssn").departments_and_municipalities]
            texts = {
                "month": _numbers(1, 13, 2),
                "place": sorted({code for code in communes if code.isdigit() and len(code) == 5}),
            }
            return "{{sex}}{{year}}{{month}}{{place}}{{order}}==", {
                **texts, "sex": ["1", "2"], "year": _numbers(50, 100, 2), "order": _numbers(1, 1000, 3)
            }, _french_person  # fmt: skip
        case "IT":
            day = [*_numbers(1, 29, 2), *_numbers(41, 69, 2)]
            texts = {"c": list(_CONSONANTS), "month": list("ABCDEHLMPRST"), "day": day, "town": list("ABCDEFGHIL")}
            form = "{{c}}" * 6 + "{{year}}{{month}}{{day}}{{town}}{{number}}="
            texts |= {"year": _numbers(50, 100, 2), "number": _numbers(1, 1000, 3)}
            return form, texts, checks.italian(range(15), 15)
        case "ES":
            return "########=", {}, checks.by_letter(range(8), 8, "TRWAGMYFPDXBNJZSQVHLCKE")
        case "NL":
            return "%######~=", {}, checks.by_weights_unless_ten(range(8), (9, 8, 7, 6, 5, 4, 3, 2), 8)
        case "BR":
            digits = (0, 0, *range(9, 0, -1))
            first = checks.by_weights(range(9), range(10, 1, -1), 9, digits)
            return "%########==", {}, checks.run(first, checks.by_weights(range(10), range(11, 1, -1), 10, digits))
        case "KR":
            weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
            texts = {**ymd, "sex": ["1", "2"], "place": _numbers(0, 96, 2)}
            positions = [*range(6), *range(7, 13)]
            return (
                "{{days}}-{{sex}}{{place}}###=",
                texts,
                checks.by_weights(positions, weights, 13, [(11 - remainder) % 10 for remainder in range(11)]),
            )
        case "RO":
            weights = (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)
            texts = {**ymd, "sex": ["1", "2"], "county": _numbers(1, 47, 2), "order": _numbers(1, 1000, 3)}
            return "{{sex}}{{days}}{{county}}{{order}}=", texts, checks.by_weights(range(12), weights, 12, [*range(10), 1])
        case "HU":
            check = checks.by_weights_unless_ten(range(10), range(1, 11), 10)
            return "{{sex}}{{days}}##~=", {"sex": ["1", "2"], **ymd}, check
        case "BG":
            weights = (2, 4, 8, 5, 10, 9, 7, 3, 6)
            return "{{days}}###=", ymd, checks.by_weights(range(9), weights, 9, [*range(10), 0])
        case "DK":
            return "{{days}}-{{century}}###", {**dmy, "century": list("0123")}, None
        case "JP":
            weights = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
            return "%##########=", {}, checks.by_weights(range(11), weights, 11, [0, 0, *range(9, 0, -1)])
        case "CA":
            return "{{series}}## ### ##=", {"series": list("1234567")}, checks.luhn([0, 1, 2, 4, 5, 6, 8, 9], 10)
        case "PL":
            weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
            return "{{days}}####=", ymd, checks.by_weights(range(10), weights, 10, [0, *range(9, 0, -1)])
        case "FI":
            check = checks.by_letter([*range(6), 7, 8, 9], 10, "0123456789ABCDEFHJKLMNPRSTUVWXY")
            return "{{days}}-{{number}}=", {**dmy, "number": _numbers(2, 900, 3)}, check
        case "SE":
            return "{{days}}-###=", ymd, checks.luhn([*range(6), 7, 8, 9], 10)
        case "CH":
            return "756.####.####.#=", {}, checks.gtin([0, 1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14], 15)
        case "AT":
            check = checks.by_weights_unless_ten([4, 5, 6, 7, 8, 9, 0, 1, 2], (5, 8, 4, 2, 1, 6, 3, 7, 9), 3)
            return "%#~={{days}}", dmy, check
    return None


def _personal_numbers(locale: str) -> list[Pattern]:
    country = territory(locale)
    scheme = _personal_number(country)
    if scheme is None:
        return []
    form, texts, check = scheme
    return [pattern(form, texts, check)]


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
    provider = _provider(locale, "phone_number")
    return _listed_patterns(locale, "phone_number", getattr(provider, "formats", ()))


def _plates(locale: str) -> list[Pattern]:
    provider = _provider(locale, "license_plate")
    prefixes, suffixes = (getattr(provider, f"license_plate_{part}", ()) for part in ("prefix", "suffix"))
    texts = {"prefix": sorted(prefixes)} if prefixes and isinstance(next(iter(prefixes)), str) else {}
    forms = [f"{{{{prefix}}}}{form}" for form in suffixes] if texts else getattr(provider, "license_formats", ())
    return _listed_patterns(locale, "license_plate", forms, texts)


def _provider(locale: str, name: str) -> Any:
    """Return the Faker provider that has a method in a locale; None if there is none."""
    return next((provider for provider in Faker(locale).get_providers() if hasattr(provider, name)), None)


def _listed_patterns(locale: str, name: str, forms: Any, texts: Mapping[str, list[str]] | None = None) -> list[Pattern]:
    """Return the patterns of the forms that Faker lists; none if Faker also gives texts of other forms."""
    generator = Faker(locale)
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
