"""`struct` with `nested_schema: {name: type}` and `array` with `array_element_type` and `array_length`: values in values.

The types are int (0 to 999), float (0 to 1), string (v00000 to v99999) and boolean; a field of a struct may also be of any
column type that needs no options, like `faker.email` or `geo.city`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from plotsim_core.arrow import ArrowArray, ArrowField, fields_of, joined, lists
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.config.column_source import SOURCES, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.read_columns import column as read_column
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, may_be_null
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.errors import ConfigError, Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import fold, key, uniforms, words
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_TYPES: dict[str, pa.DataType] = {"int": pa.int64(), "float": pa.float64(), "string": pa.string(), "boolean": pa.bool_()}
_DECIMALS = 4


@add_source
class Struct(ColumnSource):
    """`nested_schema` has the fields and their types."""

    word = "struct"
    example = "struct"

    nested_schema: Annotated[dict[Name, str], Field(min_length=1, max_length=20)]
    """The fields and their types."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        fields: list[ArrowField] = []
        for name, type_ in self.nested_schema.items():
            if type_ in _TYPES:
                fields.append(pa.field(name, _TYPES[type_]))
                continue
            field_column = _field(column, name, type_)
            fields.append(pa.field(name, field_column.source.arrow_type(field_column, dataset)))
        return pa.struct(fields)

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        for name, type_ in self.nested_schema.items():
            path = f"nested_schema.{name}"
            if type_ in _TYPES:
                continue
            words = sorted(word for word, source in SOURCES.items() if source.in_structs)
            if type_.partition(".")[0] not in words:
                type_names = [*_TYPES, *(f"{word}." for word in words)]
                hint = did_you_mean(type_, type_names) if "." not in type_ else ""
                yield Problem(path, f"a field cannot be of the type '{type_}'", hint or f"one of {', '.join(type_names)}")
                continue
            try:
                field_column = _field(column, name, type_)
            except ConfigError as error:
                yield from (Problem(path, problem.message, problem.hint) for problem in error.problems)
                continue
            if not field_column.source.needed <= table.knows:
                yield Problem(path, f"'{field_column.word}' has no place in {table.name}")
                continue
            for problem in field_column.source.check(field_column, table, scope):
                yield Problem(path, problem.message, problem.hint)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        for column in self._columns():
            yield from (_at_field(column, problem) for problem in column.source.problems(table, dataset))

    def notes(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        for column in self._columns():
            yield from (_at_field(column, note) for note in column.source.notes(table, dataset))

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"{capitalised(phrase(column.name))}, a record with the fields {enumeration(self.nested_schema)}."

    def variety(self, table: Table, dataset: Dataset) -> str:
        texts = [(column.name, column.source.variety(table, dataset)) for column in self._columns()]
        return ", ".join(f"{name}: {text}" for name, text in texts if text)

    def reads(self, table: Table) -> Iterable[Origin]:
        for name, type_ in self.nested_schema.items():
            try:
                yield from () if type_ in _TYPES else read_column(name, type_).source.reads(table)
            except ConfigError:
                continue  # reported at the field

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(name for column in self._columns() for name in column.source.attributes)

    @property
    def has_locale(self) -> bool:
        return any(column.source.has_locale for column in self._columns())

    def _columns(self) -> list[Column]:
        """Return the fields that have column sources, as columns."""
        return [read_column(name, type_) for name, type_ in self.nested_schema.items() if type_ not in _TYPES]

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        arrays: list[ArrowArray] = []
        for field, (name, type_) in zip(fields_of(column.type), self.nested_schema.items(), strict=True):
            if type_ in _TYPES:
                arrays.append(_values(type_, rows.uniforms(table, column, name)))
                continue
            field_column = _field(column.spec, name, type_)
            nullable = may_be_null(field_column, rows.block.population.dataset)
            arrays.append(fill(ColumnPlan(field_column, field.type, nullable, ""), table, rows))
        return pa.StructArray.from_arrays(arrays, fields=fields_of(column.type))


@add_source
class Array(ColumnSource):
    """`array_element_type` is the type of the elements, `array_length` how many there are."""

    word = "array"
    example = "array"

    array_element_type: Literal["int", "float", "string", "boolean"]
    """The type of the elements."""
    array_length: Annotated[int, Field(ge=1, le=100, strict=True)] = 3
    """How many elements there are."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.list_(_TYPES[self.array_element_type])

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"{capitalised(phrase(column.name))}, a list of {self.array_length} values of type {self.array_element_type}."

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        length = self.array_length
        row_addresses = fold(rows.address, np.full(1, key(0, "element")))  # keeps elements apart from numbered rows
        addresses = fold(row_addresses[:, None], words(np.arange(length))[None, :]).ravel()
        stream = key(rows.block.population.seed, "column", table.stream, column.name, "element")
        edges = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(length)
        return lists(edges, _values(self.array_element_type, uniforms(stream, addresses)))


def _values(type_: str, draws: Floats) -> ArrowArray:
    """Return a value of a type for each uniform."""
    if type_ == "float":
        return pa.array(draws.round(_DECIMALS))
    if type_ == "boolean":
        return pa.array(draws < 0.5)
    if type_ == "int":
        return pa.array((draws * 1000).astype(np.int64))
    numbers: Integers = (draws * 100_000).astype(np.int64)
    return joined("v", pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), 5, "0"))


def _field(column: Column, name: str, type_: str) -> Column:
    """Return the field of a struct as a column. Raises ConfigError if there is no such type."""
    return read_column(name, type_).model_copy(update={"name": f"{column.name}.{name}"})


def _at_field(column: Column, problem: Problem) -> Problem:
    """Return a problem of a field's source at the field."""
    return Problem(f"nested_schema.{column.name}", problem.message, problem.hint)
