"""Problems of locales: those that Faker does not have."""

from __future__ import annotations

from collections.abc import Iterator

from plotsim_core.config.parts import Parts
from plotsim_core.errors import Problem
from plotsim_core.families import nearest


def locales(parts: Parts) -> Iterator[Problem]:
    """Yield locales that Faker does not have, and those that stand twice."""
    from faker.config import AVAILABLE_LOCALES

    names = parts.locale or ()
    for index, name in enumerate(names):
        path = f"locale[{index}]" if len(names) > 1 else "locale"
        if name not in AVAILABLE_LOCALES:
            suggestion = nearest(name, sorted(AVAILABLE_LOCALES))
            hint = f"did you mean '{suggestion}'?" if suggestion else "locales are written like en_US, de_DE, fr_FR"
            yield Problem(path, f"Faker has no locale '{name}'", hint)
        elif name in names[:index]:
            yield Problem(path, f"'{name}' stands twice")
