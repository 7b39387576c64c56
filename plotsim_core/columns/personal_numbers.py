"""Personal identification numbers (`faker.ssn`) by country: their form, the texts of its parts, and their check digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import product
from typing import Any

from plotsim_core.columns.faker_pools import faker_of
from plotsim_core.numerics import check_digits as checks
from plotsim_core.numerics.check_digits import Check

_CONSONANTS = "BCDFGHLMNPRSTV"


@dataclass(frozen=True)
class Scheme:
    """The numbers of a country: their form (see `identifier_patterns.py`), the texts for each name in it, and what writes
    their check digits."""

    form: str
    texts: Mapping[str, list[str]] = field(default_factory=dict)
    check: Check | None = None


@lru_cache(maxsize=64)
def personal_number(country: str) -> Scheme | None:
    """Return the personal identification numbers of a country; None where unknown."""
    scheme = _SCHEMES.get(country)
    return None if scheme is None else scheme()


def provider_with(locale: str, name: str) -> Any:
    """Return the Faker provider that has a method in a locale; None if there is none."""
    return next((provider for provider in faker_of(locale).get_providers() if hasattr(provider, name)), None)


@lru_cache(maxsize=4)
def _days(form: str) -> list[str]:
    """Return the days from 1950 to 1999, written in a form."""
    first = date(1950, 1, 1)
    return [f"{first + timedelta(days):{form}}" for days in range((date(2000, 1, 1) - first).days)]


def _year_first() -> dict[str, list[str]]:
    return {"days": _days("%y%m%d")}


def _day_first() -> dict[str, list[str]]:
    return {"days": _days("%d%m%y")}


def _numbers(first: int, stop: int, width: int) -> list[str]:
    return [f"{number:0{width}}" for number in range(first, stop)]


def _american() -> Scheme:
    areas = [area for area in _numbers(1, 900, 3) if area != "666"]
    texts = {"area": areas, "group": _numbers(1, 100, 2), "serial": _numbers(1, 10_000, 4)}
    return Scheme("{{area}}-{{group}}-{{serial}}", texts)


def _british() -> Scheme:
    pairs = ["".join(pair) for pair in product("ABCEGHJKLMNOPRSTWXYZ", "ABCEGHJKLMNPRSTWXYZ")]
    unused = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
    texts = {"pair": [code for code in pairs if code not in unused], "end": list("ABCD")}
    return Scheme("{{pair}}######{{end}}", texts)


def _german() -> Scheme:
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    return Scheme("##{{days}}?##=", _day_first(), checks.german_pension(range(11), weights, 11))


def _french() -> Scheme:
    communes = [f"{a}{b}" for a, b, *_ in provider_with("fr_FR", "ssn").departments_and_municipalities]
    texts = {
        "month": _numbers(1, 13, 2),
        "place": sorted({code for code in communes if code.isdigit() and len(code) == 5}),
        "sex": ["1", "2"],
        "year": _numbers(50, 100, 2),
        "order": _numbers(1, 1000, 3),
    }
    return Scheme("{{sex}}{{year}}{{month}}{{place}}{{order}}==", texts, _french_check)


def _french_check(letters: checks.Letters) -> None:
    checks.write_number(letters, 13, 97 - checks.remainder(letters, range(13), 97), 2)


def _italian() -> Scheme:
    texts = {
        "c": list(_CONSONANTS),
        "month": list("ABCDEHLMPRST"),
        "day": [*_numbers(1, 29, 2), *_numbers(41, 69, 2)],
        "town": list("ABCDEFGHIL"),
        "year": _numbers(50, 100, 2),
        "number": _numbers(1, 1000, 3),
    }
    form = "{{c}}" * 6 + "{{year}}{{month}}{{day}}{{town}}{{number}}="
    return Scheme(form, texts, checks.italian(range(15), 15))


def _spanish() -> Scheme:
    return Scheme("########=", check=checks.by_letter(range(8), 8, "TRWAGMYFPDXBNJZSQVHLCKE"))


def _dutch() -> Scheme:
    return Scheme("%######~=", check=checks.by_weights_unless_ten(range(8), (9, 8, 7, 6, 5, 4, 3, 2), 8))


def _brazilian() -> Scheme:
    first = checks.by_weights(range(9), range(10, 1, -1), 9, (0, 0, *range(9, 0, -1)))
    second = checks.by_weights(range(10), range(11, 1, -1), 10, (0, 0, *range(9, 0, -1)))
    return Scheme("%########==", check=checks.run(first, second))


def _korean() -> Scheme:
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    texts = {**_year_first(), "sex": ["1", "2"], "place": _numbers(0, 96, 2)}
    digits = [(11 - remainder) % 10 for remainder in range(11)]
    check = checks.by_weights([*range(6), *range(7, 13)], weights, 13, digits)
    return Scheme("{{days}}-{{sex}}{{place}}###=", texts, check)


def _romanian() -> Scheme:
    weights = (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)
    texts = {**_year_first(), "sex": ["1", "2"], "county": _numbers(1, 47, 2), "order": _numbers(1, 1000, 3)}
    check = checks.by_weights(range(12), weights, 12, [*range(10), 1])
    return Scheme("{{sex}}{{days}}{{county}}{{order}}=", texts, check)


def _hungarian() -> Scheme:
    check = checks.by_weights_unless_ten(range(10), range(1, 11), 10)
    return Scheme("{{sex}}{{days}}##~=", {"sex": ["1", "2"], **_year_first()}, check)


def _bulgarian() -> Scheme:
    check = checks.by_weights(range(9), (2, 4, 8, 5, 10, 9, 7, 3, 6), 9, [*range(10), 0])
    return Scheme("{{days}}###=", _year_first(), check)


def _danish() -> Scheme:
    return Scheme("{{days}}-{{century}}###", {**_day_first(), "century": list("0123")})


def _japanese() -> Scheme:
    check = checks.by_weights(range(11), (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2), 11, [0, 0, *range(9, 0, -1)])
    return Scheme("%##########=", check=check)


def _canadian() -> Scheme:
    return Scheme("{{series}}## ### ##=", {"series": list("1234567")}, checks.luhn([0, 1, 2, 4, 5, 6, 8, 9], 10))


def _polish() -> Scheme:
    check = checks.by_weights(range(10), (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), 10, [0, *range(9, 0, -1)])
    return Scheme("{{days}}####=", _year_first(), check)


def _finnish() -> Scheme:
    check = checks.by_letter([*range(6), 7, 8, 9], 10, "0123456789ABCDEFHJKLMNPRSTUVWXY")
    return Scheme("{{days}}-{{number}}=", {**_day_first(), "number": _numbers(2, 900, 3)}, check)


def _swedish() -> Scheme:
    return Scheme("{{days}}-###=", _year_first(), checks.luhn([*range(6), 7, 8, 9], 10))


def _swiss() -> Scheme:
    return Scheme("756.####.####.#=", check=checks.gtin([0, 1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14], 15))


def _austrian() -> Scheme:
    check = checks.by_weights_unless_ten([4, 5, 6, 7, 8, 9, 0, 1, 2], (5, 8, 4, 2, 1, 6, 3, 7, 9), 3)
    return Scheme("%#~={{days}}", _day_first(), check)


_SCHEMES: dict[str, Callable[[], Scheme]] = {
    "US": _american,
    "GB": _british,
    "DE": _german,
    "FR": _french,
    "IT": _italian,
    "ES": _spanish,
    "NL": _dutch,
    "BR": _brazilian,
    "KR": _korean,
    "RO": _romanian,
    "HU": _hungarian,
    "BG": _bulgarian,
    "DK": _danish,
    "JP": _japanese,
    "CA": _canadian,
    "PL": _polish,
    "FI": _finnish,
    "SE": _swedish,
    "CH": _swiss,
    "AT": _austrian,
}
"""What each country's numbers are made by."""
