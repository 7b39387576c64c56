"""`faker.<provider>`: a realistic text from the Faker library.

Faker is asked once per provider and locale, for a pool; rows index into it. A pool depends on nothing but the provider
and the locale. Providers that read today's date are refused: the same config would give other rows tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from faker import Faker
from faker.providers.date_time import Provider as DateTimeProvider

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.random import key
from plotsim_core.plan.plan import ColumnPlan, TablePlan

POOL = 2048
_TIMELESS = {"am_pm", "century", "day_of_week", "month", "month_name", "pytimezone", "timezone", "day_of_month"}
_READS_CLOCK = {name for name in vars(DateTimeProvider) if not name.startswith("_") and name not in _TIMELESS} | {
    "credit_card_expire",
    "credit_card_full",
    "passport_dates",
    "passport_dob",
    "passport_full",
    "date_of_birth",
}
_PLAIN = (str, int, float, bool, Decimal, date, datetime)


class Options(Part):
    """`provider` is the name of a Faker method without arguments."""

    provider: Name


@lru_cache(maxsize=8)
def _providers(locale: str) -> frozenset[str]:
    generator = Faker(locale)
    return frozenset(
        name
        for provider in generator.get_providers()
        for name in dir(provider)
        if not name.startswith("_") and callable(getattr(provider, name, None))
    )


@lru_cache(maxsize=256)
def pool(provider: str, locale: str, size: int = POOL) -> pa.Array:
    """Return `size` values of a provider in a locale; always the same ones."""
    generator = Faker(locale)
    generator.seed_instance(int(key(0, "faker", provider, locale)))
    make = getattr(generator, provider)
    values = [make() for _ in range(size)]
    if isinstance(values[0], Decimal):
        values = [float(value) for value in values]
    return pa.array(values)


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    return pool(options.provider, dataset.locale[0]).type


@lru_cache(maxsize=256)
def _sample(provider: str, locale: str) -> Any:
    generator = Faker(locale)
    generator.seed_instance(0)
    return getattr(generator, provider)()


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[str]:
    known = _providers("en_US")
    if options.provider not in known:
        yield f"Faker has no provider {options.provider!r}; {did_you_mean(options.provider, sorted(known))[:200]}"
    elif options.provider in _READS_CLOCK:
        yield f"faker.{options.provider} reads today's date, so the same config would give other rows tomorrow"
    else:
        try:
            sample = _sample(options.provider, "en_US")
        except Exception as error:  # noqa: BLE001 - Faker raises anything
            yield f"faker.{options.provider} cannot be called without arguments: {error}"
            return
        if not isinstance(sample, _PLAIN):
            yield f"faker.{options.provider} gives a {type(sample).__name__}, not a text or number"


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    locales = rows.block.plan.dataset.locale
    pools = [pool(options.provider, locale).cast(column.type) for locale in locales]
    place = rows.choose(table, column, POOL)
    if len(locales) > 1:
        place = place + POOL * rows.choose(table, column, len(locales), "locale")
    return pa.concat_arrays(pools).take(pa.array(place.astype(np.int32)))


add_source(
    "faker",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="faker.company",
        argument="provider",
        check=_check,
        describe=lambda options, dataset: f"Synthetic {options.provider.replace('_', ' ')}.",
    ),
    Source(_fill),
)
