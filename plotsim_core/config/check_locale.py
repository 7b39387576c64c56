"""Problems of locales: those that Faker does not have."""

from __future__ import annotations

from collections.abc import Iterator

from plotsim_core.config.parts import Parts
from plotsim_core.errors import Problem
from plotsim_core.families import nearest


def locales(parts: Parts) -> Iterator[Problem]:
    """Yield locales that Faker does not have, and those that stand twice."""
    names = parts.locale or ()
    for index, name in enumerate(names):
        path = f"locale[{index}]" if len(names) > 1 else "locale"
        yield from unknown_locale(name, path)
        if name in names[:index]:
            yield Problem(path, f"'{name}' stands twice")


def unknown_locale(name: str, path: str) -> Iterator[Problem]:
    """Yield a problem at `path` if Faker has no locale of that name."""
    from faker.config import AVAILABLE_LOCALES

    if name not in AVAILABLE_LOCALES:
        suggestion = nearest(name, sorted(AVAILABLE_LOCALES))
        hint = f"did you mean '{suggestion}'?" if suggestion else "locales are written like en_US, de_DE, fr_FR"
        yield Problem(path, f"Faker has no locale '{name}'", hint)
