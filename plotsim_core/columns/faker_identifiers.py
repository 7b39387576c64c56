"""Identifiers: texts that are distinct within a dimension, computed from the row's serial number.

A keyed permutation of the serial number chooses the pattern and its letters; check digits follow from these. Rows of other
tables have no serial number: they draw from all texts of the patterns. Digests, and `uuid4` of such rows, are random
bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.faker_locales import RowLocales
from plotsim_core.columns.identifier_forms import FORMS, forms
from plotsim_core.columns.identifier_patterns import Pattern, ascii_texts, disjoint, pattern_texts, text_count
from plotsim_core.columns.identifier_serials import capacities, number_division, serials, slot_collisions
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.unique import capacity_messages, last_year
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import Table
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem
from plotsim_core.numerics.permutation import shuffled
from plotsim_core.numerics.random import GOLDEN, Words, choose, mix
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)
"""The two hexadecimal digits of each byte."""
_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
"""The digits between the dashes of a UUID."""

DIGESTS = {"md5": 16, "sha1": 20, "sha256": 32, "uuid4": 16}
"""Number of bytes by provider of hexadecimal digits."""


def _bytes(stream: np.uint64, address: Words, count: int) -> NDArray[np.uint8]:
    """Return `count` random bytes for each address, shape (addresses, count)."""
    steps = np.arange(-(-count // 8), dtype=np.uint64) * GOLDEN
    draws = np.stack([mix(address + stream + step) for step in steps], axis=1).astype("<u8")
    return draws.view(np.uint8).reshape(len(address), 8 * len(steps))[:, :count]


def digests(name: str, stream: np.uint64, address: Words) -> ArrowArray:
    """Return a digest for each address; a `uuid4` as RFC 9562 writes one (version 4, variant 8 to b)."""
    values = _bytes(stream, address, DIGESTS[name])
    if name == "uuid4":
        values[:, 6] = 0x40 | (values[:, 6] & 0x0F)
        values[:, 8] = 0x80 | (values[:, 8] & 0x3F)
    letters = _HEX[values].view(np.uint8).reshape(len(address), 2 * values.shape[1])
    if name != "uuid4":
        return ascii_texts(letters)
    texts = np.full((len(address), 36), ord("-"), dtype=np.uint8)
    for dashes, (first, stop) in enumerate(_GROUPS):
        texts[:, first + dashes : stop + dashes] = letters[:, first:stop]
    return ascii_texts(texts)


@lru_cache(maxsize=256)
def pattern_sets(name: str, locales: tuple[str, ...]) -> tuple[tuple[Pattern, ...], ...]:
    """Return the patterns of a provider in each of several locales: equal to those of an earlier locale, or without a text
    in common; all of a locale if it has no such patterns. Empty if a locale has none at all."""
    locale_patterns: list[tuple[Pattern, ...]] = []
    for locale in locales:
        patterns = forms(name, locale)
        equivalent = next((other for other in locale_patterns if _same_alphabets(patterns, other)), None)
        earlier = [pattern for other in locale_patterns for pattern in other]
        locale_patterns.append(equivalent or tuple(disjoint(patterns, earlier)) or patterns)
    return tuple(locale_patterns) if all(locale_patterns) else ()


def inseparable_locales(name: str, locales: tuple[str, ...]) -> tuple[str, ...]:
    """Return the locales whose every pattern of a provider may spell a text of an earlier locale."""
    earlier: list[tuple[Pattern, ...]] = []
    mingled_locales = []
    for locale, patterns in zip(locales, pattern_sets(name, locales), strict=False):
        if patterns not in earlier and not disjoint(patterns, [pattern for other in earlier for pattern in other]):
            mingled_locales.append(locale)
        earlier.append(patterns)
    return tuple(mingled_locales)


def _same_alphabets(first: Sequence[Pattern], second: Sequence[Pattern]) -> bool:
    return [pattern.alphabets for pattern in first] == [pattern.alphabets for pattern in second]


def capacity(name: str, locales: tuple[str, ...]) -> int:
    """Return the number of texts of a provider in each of several locales, at least; 0 if it gives no identifiers."""
    return min(map(text_count, pattern_sets(name, locales)), default=0) if name in FORMS else 0


def identifiers(
    name: str, column: ColumnPlan, table: TablePlan, rows: Rows, distinct: bool, locales: RowLocales
) -> ArrowArray:
    """Return an identifier for each row; distinct within a dimension if `distinct`."""
    stream = rows.stream(table, column)
    locale_patterns = pattern_sets(name, locales.names)
    serial_numbers = serials(rows, table, capacity(name, locales.names)) if distinct else None
    if serial_numbers is None and name in DIGESTS:
        return digests(name, stream, rows.address)
    locale_indexes = locales.indexes
    texts, order = [], []
    for index, patterns in enumerate(locale_patterns):
        row_indexes = np.flatnonzero(locale_indexes == index) if len(locale_patterns) > 1 else np.arange(len(rows))
        size, address = text_count(patterns), rows.address[row_indexes]
        text_numbers = (
            choose(stream, address, size)
            if serial_numbers is None
            else shuffled(serial_numbers[row_indexes], size, np.array([stream]))
        )
        texts.append(pattern_texts(patterns, text_numbers, rows.stream(table, column, "more"), address))
        order.append(row_indexes)
    inverse = np.argsort(np.concatenate(order))
    return pa.concat_arrays(texts).take(inverse)


def capacity_problems(name: str, table: Table, dataset: Dataset, locales: tuple[str, ...]) -> Iterable[Problem]:
    """Yield the problems of a dimension with more rows, or more segments of units, than there are identifiers."""
    limit = capacity(name, locales)
    hint = "`unique: false` lets them repeat"
    if shared := inseparable_locales(name, locales):
        message = f"faker.{name} may give the same text in {enumeration(shared)} as in another locale of the column"
        yield Problem("type", message, f"{hint}; or leave out a locale")
        return
    for message in capacity_messages(limit, f"faker.{name}", "texts", table, dataset):
        yield Problem("type", message, hint)


def colliding_segments(name: str, table: Table, dataset: Dataset, locales: tuple[str, ...]) -> Iterable[str]:
    """Yield the segments whose identifiers depend on the segments declared before them."""
    limit = capacity(name, locales)
    if limit and table.is_of_units:
        yield from slot_collisions([segment.name for segment in dataset.segments], number_division(limit).slots)


def capacity_text(name: str, table: Table, dataset: Dataset, locales: tuple[str, ...]) -> str:
    """Return the number of rows of a dimension that get identifiers, in words, and the last year of arrivals."""
    limit = capacity(name, locales)
    if table.is_listed:
        return f"no two the same, for up to {limit:,} rows"
    segment_rooms = capacities(table, dataset, limit)
    units = min(room.most for room in segment_rooms)
    text = f"no two the same, for up to {number_division(limit).slots:,} segments of {units:,} units each"
    cohort_limits = [room.cohorts for room in segment_rooms if room.cohorts is not None]
    if not cohort_limits:
        return text
    return f"{text}; they last until {last_year(min(cohort_limits), dataset.grain, dataset.first)}"


def locales_without(name: str, locales: Sequence[str]) -> str:
    """Return the locales in which a provider has no identifiers, in words."""
    return enumeration([locale for locale in locales if not forms(name, locale)])
