"""`narrative`: a sentence whose slots are filled with phrases that fit how the row's unit is doing.

`template` has the slots, `{mood} about {subject}`; `lexicons` has for each segment, slot and band the phrases to choose
from. Bands are equal parts of the position on the unit's curve, or with `metric` of that metric's stored value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from string import Formatter
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from plotsim_core.arrow import ArrowArray, joined, taken
from plotsim_core.columns.as_of import (
    Band,
    band_indexes,
    band_origin,
    check_metric,
    may_be_missing,
    quantity_name,
    scaled_values,
)
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Group, Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import phrase
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, TablePlan

Phrases = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1, max_length=100)]
_SLOT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _parts(template: str) -> list[tuple[str, str | None]]:
    """Return the template as (text, slot after it) pairs. Raises ValueError for anything in braces but a name."""
    try:
        fields = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"cannot read {value_text(template)}: {error}") from None
    for _, slot, format_spec, conversion in fields:
        if slot is not None and (format_spec or conversion or not _SLOT.fullmatch(slot)):
            raise ValueError(f"expected nothing but names in braces, like {{mood}}, found {value_text(template)}")
    return [(text, slot) for text, slot, _, _ in fields]


@add_source
class Narrative(ColumnSource):
    """`template`, `lexicons` {segment: {slot: {band: [phrases]}}}, the names of the `bands` from low to high, and the
    `metric` that they are bands of (the position on the curve without one)."""

    word = "narrative"
    in_cases = True
    example = "narrative"
    needs = frozenset({"unit"})

    template: Annotated[str, Field(min_length=1, max_length=2000)]
    """The text, with a slot in braces for each phrase."""
    lexicons: dict[Group, dict[Name, dict[str, Phrases]]]
    """The phrases: {segment: {slot: {band: [phrases]}}}."""
    bands: Annotated[tuple[Band, ...], Field(min_length=2, max_length=20)] = ("low", "mid", "high")
    """The names of the bands, from low to high."""
    metric: Name | None = None
    """The metric that they are bands of; the position on the curve without one."""

    @model_validator(mode="after")
    def _check_parts(self) -> Narrative:
        problems = list(self._problems())
        if problems:
            raise ProblemError(*problems)
        return self

    def _problems(self) -> Iterator[Problem]:
        try:
            slots = self.slots
        except ValueError as error:
            yield Problem("template", str(error))
            return
        if not slots:
            yield Problem("template", "has no slot to fill", "write slots in braces: {mood} about {subject}")
        if len(set(self.bands)) != len(self.bands):
            yield Problem("bands", f"two bands have one name in {value_text(list(self.bands))}")
        for segment, lexicon in self.lexicons.items():
            path = f"lexicons.{segment}"
            for slot in slots:
                if slot not in lexicon:
                    yield Problem(path, f"the slot '{slot}' of the template has no phrases")
            for slot, phrases in lexicon.items():
                if slot not in slots:
                    yield Problem(f"{path}.{slot}", f"the template has no slot '{slot}'", did_you_mean(slot, slots))
                    continue
                for band in self.bands:
                    if band not in phrases:
                        yield Problem(f"{path}.{slot}", f"the band '{band}' has no phrases")
                for band in phrases:
                    if band not in self.bands:
                        hint = did_you_mean(band, list(self.bands))
                        yield Problem(f"{path}.{slot}.{band}", f"no band is named '{band}'", hint)

    @property
    def slots(self) -> list[str]:
        """The names of the slots, each once."""
        return list(dict.fromkeys(slot for _, slot in _parts(self.template) if slot is not None))

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        names = [segment.name for segment in scope.segments]
        for name in names:
            if name not in self.lexicons:
                yield Problem("lexicons", f"the segment {name} has no phrases")
        for name in self.lexicons:
            if names and name not in names:
                yield Problem(f"lexicons.{name}", f"no segment is named '{name}'", did_you_mean(name, names))
        yield from check_metric(self.metric, scope)

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"Text that fits {quantity_name(self.metric)} and the {phrase(dataset.unit)}'s segment."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return may_be_missing(self.metric, dataset)

    @property
    def changes_over_time(self) -> bool:
        return True

    def stage_origin(self, dataset: Dataset) -> Origin:
        return band_origin(self.metric)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        bands, is_missing = band_indexes(scaled_values(rows, self.metric), len(self.bands))
        list_indexes = rows.block.units.segment[rows.unit] * len(self.bands) + bands
        lexicons = [self.lexicons[segment.spec.name] for segment in rows.block.population.segments]
        phrases_by_slot: dict[str, ArrowArray] = {}
        for slot in self.slots:
            lists = [lexicon[slot][band] for lexicon in lexicons for band in self.bands]
            sizes = np.array([len(phrases) for phrases in lists])
            firsts = np.cumsum(sizes) - sizes
            entry = firsts[list_indexes] + rows.choose(table, column, sizes[list_indexes], slot)
            flat = pa.array([entry for phrases in lists for entry in phrases], pa.string())
            phrases_by_slot[slot] = taken(flat, entry, is_missing)
        pieces = []
        for text, next_slot in _parts(self.template):
            pieces += [pa.scalar(text)] + ([phrases_by_slot[next_slot]] if next_slot is not None else [])
        return joined(*pieces)
