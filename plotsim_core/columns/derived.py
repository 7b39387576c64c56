"""`derived.<what>`: facts of a row, in plain words: `name` and `entity_id` of its unit, the `archetype` and `size` of the
unit's segment, the `date_key` and `period_index` of its period, the `age` of the unit then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.primary_key import date_keys, key_column, unit_keys
from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.archetypes import Archetype
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import phrase
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_NUMBERS = ("size", "date_key", "period_index", "age")
_OF_PERIOD = ("date_key", "period_index")
_OF_BOTH = ("age",)
_DIGITS = 4
_DESCRIPTIONS = {
    "archetype": "Curves of the {unit}'s segment, in words.",
    "name": "Segment of the {unit} and its number there.",
    "entity_id": "Key of the {unit}, spelt out in the row.",
    "date_key": "Date of the row, as a number.",
    "period_index": "Number of the period, counted from 0 at the window's start.",
    "age": "Periods from the {unit}'s first one to that of the row.",
    "size": "Number of units in the {unit}'s segment.",
}


@add_source
class RowFact(ColumnSource):
    """`what` of the row."""

    word = "derived"
    in_cases = True
    example = "derived.archetype"
    argument = "what"
    in_structs = True

    what: Literal["archetype", "name", "entity_id", "date_key", "period_index", "size", "age"]
    """What of the row it shows."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        if self.what == "entity_id":
            key = key_column(dataset.unit_dimension)
            return pa.string() if key is None else key.source.arrow_type(key, dataset)
        return pa.int64() if self.what in _NUMBERS else pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        levels = ("unit", "period") if self.what in _OF_BOTH else ("period",) if self.what in _OF_PERIOD else ("unit",)
        for level in (level for level in levels if level not in table.knows):
            owner = level if level == "period" else scope.unit_word
            yield Problem("type", f"a row of {table.name} belongs to no {owner} that its {self.what} could be of")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return _DESCRIPTIONS[self.what].format(unit=phrase(dataset.unit))

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        population = rows.block.population
        if self.what == "date_key":
            return pa.array(date_keys(population, rows.period))
        if self.what == "period_index":
            return pa.array(rows.period - population.first)
        if self.what == "age":
            ages: ArrowArray = pa.array(rows.period - rows.block.units.curve_start[rows.unit])
            return ages
        if self.what == "entity_id":
            return unit_keys(rows.block).take(rows.unit)
        segment = rows.block.units.segment[rows.unit]
        if self.what == "size":
            return gathered([s.count for s in population.segments], segment, column.type)
        if self.what == "archetype":
            return gathered([archetype_text(s.spec.archetype) for s in population.segments], segment, column.type)
        number = pc.utf8_lpad(pc.cast(pa.array(rows.block.units.ordinal[rows.unit]), pa.string()), _DIGITS, "0")
        names = gathered([s.spec.name for s in population.segments], segment, pa.string())
        return joined(names, number, between="_")


def archetype_text(archetype: Archetype) -> str:
    """Return an archetype in words: as it was written, or the names of its curves."""
    if archetype.curves:
        return " > ".join(piece.curve for piece in archetype.curves)
    return " ".join([" > ".join(archetype.words), *(f"@ {period}" for period in archetype.breaks)])
