"""Public holidays: the days of a country, by year (from the `holidays` package).

Days are counted from 1970-01-01. What a year has depends on nothing but the year.
"""

from __future__ import annotations

from functools import lru_cache

from plotsim_core.config.day_rules import EPOCH


class UnknownCountry(LookupError):
    """No holidays are known of a country, a part of it, or in a language. `wanted` says which of the three is unknown,
    `name` what was asked for, and `known_names` what there is."""

    def __init__(self, wanted: str, name: str, known: list[str]) -> None:
        self.wanted, self.name, self.known_names = wanted, name, known
        super().__init__(f"no holidays are known of the {wanted} '{name}'")


def known_years(country: str, subdivision: str | None, language: str | None) -> tuple[int, int]:
    """Return the first and the last year that the holidays of a country are known of.

    Raises UnknownCountry for a country, subdivision or language that nothing is known of.
    """
    import holidays  # takes a tenth of a second, and few configs need it
    from holidays.registry import EntityLoader  # the codes alone: loading each country takes another tenth

    countries = set(EntityLoader.get_country_codes())
    if country not in countries:
        raise UnknownCountry("country", country, sorted(countries))
    subdivisions = getattr(holidays, country).subdivisions
    if subdivision is not None and subdivision not in subdivisions:
        raise UnknownCountry("subdivision", subdivision, sorted(subdivisions))
    calendar = holidays.country_holidays(country, subdiv=subdivision)
    if language is not None and language not in calendar.supported_languages:
        raise UnknownCountry("language", language, sorted(calendar.supported_languages))
    return calendar.start_year, calendar.end_year


@lru_cache(maxsize=4096)
def country_days(country: str, subdivision: str | None, language: str | None, observed: bool, year: int) -> dict[int, str]:
    """Return the holidays of a country in a year, as day to name; with `observed`, the days they are moved to as well."""
    import holidays

    years = range(year - 1, year + 2)  # a holiday of one year may be observed in the next or the last
    calendar = holidays.country_holidays(country, subdiv=subdivision, years=years, observed=observed, language=language)
    return {day.toordinal() - EPOCH: name for day, name in sorted(calendar.items()) if day.year == year}
