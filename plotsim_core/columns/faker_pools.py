"""Pools of texts: the values of a Faker provider in a locale, always the same ones."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.config.model import Scalar
from plotsim_core.numerics.random import key

if TYPE_CHECKING:
    from faker import Faker

POOL = 2048
"""How many values of a provider there are in a locale."""
Arguments = tuple[tuple[str, Scalar], ...]
"""What a provider is given, as sorted pairs, which caches use as a key."""


def argument_value(text: str) -> Scalar:
    """Return an argument as it is written in a type: a number, a truth or a text."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def faker_of(locale: str) -> Faker:
    """Return a new Faker of a locale."""
    from faker import Faker  # slow to import, and many configs need none

    return Faker(locale)


@lru_cache(maxsize=64)
def providers_of(locale: str) -> frozenset[str]:
    generator = faker_of(locale)
    return frozenset(
        name
        for provider in generator.get_providers()
        for name in dir(provider)
        if not name.startswith("_") and callable(getattr(provider, name, None))
    )


@lru_cache(maxsize=256)
def return_type(provider: str, locale: str) -> Any:
    """Return the annotated return type of a provider; None without an annotation, or for an unknown provider."""
    return getattr(getattr(faker_of(locale), provider, None), "__annotations__", {}).get("return")


def generated(provider: str, locale: str, arguments: Arguments, size: int) -> list[Any]:
    """Return `size` values of a provider in a locale, from a fixed seed."""
    generator = faker_of(locale)
    generator.seed_instance(int(key(0, "faker", provider, locale)))
    method = getattr(generator, provider)
    values = [method(**dict(arguments)) for _ in range(size)]
    return [" ".join(value) for value in values] if provider == "words" else values


@lru_cache(maxsize=256)
def pool(provider: str, locale: str, arguments: Arguments = (), size: int = POOL) -> ArrowArray:
    """Return `size` values of a provider in a locale; always the same ones."""
    if provider == "industry":
        return pa.array((files("plotsim_core") / "data" / "industries.txt").read_text(encoding="utf-8").splitlines())
    values = generated(provider, locale, arguments, size)
    if isinstance(values[0], Decimal):
        values = [float(value) for value in values]
    array: ArrowArray = pa.array(values)
    return array


def distinct_pool(provider: str, locale: str, arguments: Arguments = ()) -> ArrowArray:
    """Return the different values of a pool, in the order in which they are first there."""
    return pool(provider, locale, arguments).unique()
