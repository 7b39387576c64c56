"""Which Faker columns can have a text of its own in each row: identifiers, addresses, and texts of pools in one locale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from plotsim_core.columns.faker_dates import PAST
from plotsim_core.columns.faker_identifiers import DIGESTS, locales_without, pattern_sets
from plotsim_core.columns.faker_people import ADDRESSES, PEOPLE
from plotsim_core.columns.identifier_forms import FORMS
from plotsim_core.columns.identifier_serials import has_own_texts
from plotsim_core.columns.unique import check_unique
from plotsim_core.config.model import Scalar
from plotsim_core.config.tables import Table
from plotsim_core.errors import Problem


def has_pool(name: str, arguments: Mapping[str, Scalar], locales: tuple[str, ...]) -> bool:
    """Return whether values come from a pool: those of no person, no date and no identifier."""
    others = (*ADDRESSES, *PEOPLE, *DIGESTS, *PAST, *FORMS)
    return name not in others and not is_identifier(name, arguments, locales)


def is_identifier(name: str, arguments: Mapping[str, Scalar], locales: tuple[str, ...]) -> bool:
    """Return whether a column has identifiers, rather than texts from a pool."""
    return name in FORMS and not arguments and bool(pattern_sets(name, locales))


def check_faker_unique(
    name: str, arguments: Mapping[str, Scalar], unique: bool, table: Table, locales: tuple[str, ...]
) -> Iterable[Problem]:
    """Yield why a column cannot say whether its texts are `unique`."""
    if unique and has_pool(name, arguments, locales):
        if len(locales) > 1:
            yield Problem("unique", "has no place here: texts of several locales may be the same", "give one `locale`")
        yield from check_unique(table)
    elif name not in ADDRESSES and not is_identifier(name, arguments, locales):
        if name in FORMS and not arguments:
            locales_text = locales_without(name, locales)
            location = f"in the locale {locales_text}" if locales_text else "of their own in each of the locales"
            yield Problem("unique", f"has no place here: faker.{name} gives no identifiers {location}")
            return
        yield Problem(
            "unique",
            f"has no place here: nothing keeps what faker.{name} gives from repeating",
            f"these tell people apart, without arguments: {', '.join([*ADDRESSES, *FORMS])}",
        )
    elif not has_own_texts(table):
        reason = f"rows of {table.name} stand for no thing that a code could be kept for, so their texts are drawn"
        yield Problem(
            "unique", f"has no place here: {reason}", "units, their children and listed rows have texts of their own"
        )
