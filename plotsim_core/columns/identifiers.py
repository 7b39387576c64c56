"""Identifiers: texts that no two rows of a dimension share, made from the row's serial number rather than drawn from a pool.

A keyed permutation of the serial number chooses the pattern and its letters; check digits follow from these. Rows of other
tables have no serial number below a limit: there each row draws from all texts of the patterns. Digests and the identifiers
of such rows' `uuid4` are drawn as bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.columns.forms import FORMS, forms
from plotsim_core.columns.locales import locale_of
from plotsim_core.columns.patterns import Pattern, apart, ascii_texts, total, written
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.serials import KINDS, meeting, rooms, serials, shares
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import Table
from plotsim_core.config.words import several
from plotsim_core.errors import Problem
from plotsim_core.numerics.calendar import Grain
from plotsim_core.numerics.codes import PERIODS
from plotsim_core.numerics.permutation import shuffled
from plotsim_core.numerics.random import GOLDEN, Words, choose, mix
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)
"""The two hexadecimal digits of each byte."""
_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
"""The digits between the dashes of a UUID."""

DIGESTS = {"md5": 16, "sha1": 20, "sha256": 32, "uuid4": 16}
"""Providers whose values are so many bytes, in hexadecimal digits."""


def _bytes(stream: np.uint64, address: Words, count: int) -> NDArray[np.uint8]:
    """Return `count` random bytes for each address, shape (addresses, count)."""
    steps = np.arange(-(-count // 8), dtype=np.uint64) * GOLDEN
    drawn = np.stack([mix(address + stream + step) for step in steps], axis=1).astype("<u8")
    return drawn.view(np.uint8).reshape(len(address), 8 * len(steps))[:, :count]


def digests(name: str, stream: np.uint64, address: Words) -> pa.Array:
    """Return a digest for each address; a `uuid4` as RFC 9562 writes one (version 4, variant 8 to b)."""
    drawn = _bytes(stream, address, DIGESTS[name])
    if name == "uuid4":
        drawn[:, 6] = 0x40 | (drawn[:, 6] & 0x0F)
        drawn[:, 8] = 0x80 | (drawn[:, 8] & 0x3F)
    letters = _HEX[drawn].view(np.uint8).reshape(len(address), 2 * drawn.shape[1])
    if name != "uuid4":
        return ascii_texts(letters)
    texts = np.full((len(address), 36), ord("-"), dtype=np.uint8)
    for dashes, (first, stop) in enumerate(_GROUPS):
        texts[:, first + dashes : stop + dashes] = letters[:, first:stop]
    return ascii_texts(texts)


@lru_cache(maxsize=256)
def sets(name: str, locales: tuple[str, ...]) -> tuple[tuple[Pattern, ...], ...]:
    """Return the patterns of a provider in each of some locales: those that spell no text of another one's, or all of
    another one's; all of them where there are no such ones. Empty where the provider has none in one of the locales."""
    made: list[tuple[Pattern, ...]] = []
    for locale in locales:
        own = forms(name, locale)
        same = next((other for other in made if _alike(own, other)), None)
        made.append(same or tuple(apart(own, [one for other in made for one in other])) or own)
    return tuple(made) if all(made) else ()


def mingled(name: str, locales: tuple[str, ...]) -> tuple[str, ...]:
    """Return the locales of which each pattern of a provider may spell a text of a locale before it."""
    made: list[tuple[Pattern, ...]] = []
    found = []
    for locale, patterns in zip(locales, sets(name, locales), strict=False):
        if patterns not in made and not apart(patterns, [one for other in made for one in other]):
            found.append(locale)
        made.append(patterns)
    return tuple(found)


def _alike(one: Sequence[Pattern], other: Sequence[Pattern]) -> bool:
    return [own.alphabets for own in one] == [own.alphabets for own in other]


def capacity(name: str, locales: tuple[str, ...]) -> int:
    """Return how many rows a provider has texts for, in each of some locales; 0 where it gives no identifiers."""
    return min(map(total, sets(name, locales)), default=0) if name in FORMS else 0


def identifiers(name: str, column: ColumnPlan, table: TablePlan, rows: Rows, distinct: bool) -> pa.Array:
    """Return an identifier for each row; no two the same in a dimension, if they are to be `distinct`."""
    plan, stream = rows.block.plan, rows.stream(table, column)
    own = sets(name, plan.dataset.locale)
    numbers = serials(rows, table, capacity(name, plan.dataset.locale)) if distinct else None
    if numbers is None and name in DIGESTS:
        return digests(name, stream, rows.address)
    locale = locale_of(rows, table, "")
    texts, order = [], []
    for place, patterns in enumerate(own):
        here = np.flatnonzero(locale == place) if len(own) > 1 else np.arange(len(rows))
        size, address = total(patterns), rows.address[here]
        which = choose(stream, address, size) if numbers is None else shuffled(numbers[here], size, np.array([stream]))
        texts.append(written(patterns, which, rows.stream(table, column, "more"), address))
        order.append(here)
    back = np.argsort(np.concatenate(order))
    return pa.concat_arrays(texts).take(pa.array(back))


def crowded(name: str, table: Table, kind: str, dataset: Dataset) -> Iterable[Problem]:
    """Yield where the rows of a dimension, or the segments of their units, are more than there are identifiers for."""
    most = capacity(name, dataset.locale)
    hint = "`unique: false` lets them repeat"
    if shared := mingled(name, dataset.locale):
        says = f"faker.{name} may give the same text in {several(shared)} as in another locale of the dataset"
        yield Problem("type", says, f"{hint}; or leave out a locale")
        return
    if kind == "reference":
        rows: int = table.length  # type: ignore[attr-defined]
        if rows > most:
            yield Problem("type", f"{table.name} has {rows:,} rows, and faker.{name} has {most:,} different texts", hint)
        return
    slots = shares(most).slots
    if len(dataset.segments) > slots:
        found = f"faker.{name} has texts for {slots:,} segments, and there are {len(dataset.segments):,}"
        yield Problem("type", found, f"{hint}; or declare fewer segments")
        return
    window = dataset.window
    for room in rooms(table, dataset, most):
        if room.units > room.most:
            found = f"faker.{name} has texts for {room.most:,} units of a segment, and {room.segment} has {room.units:,}"
            yield Problem("type", found, hint)
        elif room.cohorts is not None and room.cohorts * PERIODS[window.grain.name] < (
            window.length if window.stop is None else window.stop - window.first
        ):
            year = _year(room.cohorts, window.grain, window.first)
            yield Problem("type", f"faker.{name} has texts for those who arrive in {room.segment} up to {year}", hint)


def meetings(name: str, table: Table, kind: str, dataset: Dataset) -> Iterable[str]:
    """Yield the segments whose identifiers depend on the segments declared before them."""
    most = capacity(name, dataset.locale)
    if most and kind in KINDS and kind != "reference":
        yield from meeting([segment.name for segment in dataset.segments], shares(most).slots)


def lasting(name: str, table: Table, kind: str, dataset: Dataset) -> str:
    """Return how many rows of a dimension have identifiers, in words, and until when where units keep arriving."""
    most = capacity(name, dataset.locale)
    if kind == "reference":
        return f"no two the same, for up to {most:,} rows"
    found = rooms(table, dataset, most)
    units = min(room.most for room in found)
    says = f"no two the same, for up to {shares(most).slots:,} segments of {units:,} units each"
    ends = [room.cohorts for room in found if room.cohorts is not None]
    if not ends:
        return says
    return f"{says}; they last until {_year(min(ends), dataset.window.grain, dataset.window.first)}"


def _year(cohorts: int, grain: Grain, first: int) -> int:
    """Return the last year in which cohorts arrive."""
    last = first + cohorts * PERIODS[grain.name]
    return int(grain.starts(np.array([last])).astype("datetime64[Y]").astype(np.int64)[0]) + 1970


def missing(name: str, locales: Sequence[str]) -> str:
    """Return the locales in which a provider has no identifiers, in words."""
    return several([locale for locale in locales if not forms(name, locale)])
