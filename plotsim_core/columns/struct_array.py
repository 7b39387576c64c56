"""`struct` with `nested_schema: {name: type}` and `array` with `array_element_type` and `array_length`: values in values.

The types are int (0 to 999), float (0 to 1), string (v00000 to v99999) and boolean; a field of a struct may also be of any
column type that needs no options, like `faker.email` or `geo.city`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.source import Source, add_source, fill
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, Part
from plotsim_core.config.read_tables import column as read_column
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import SOURCE_WORDS, Column, SourceWords, Table, may_be_null
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.errors import ConfigError, Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.random import Floats, fold, key, uniforms, words
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_TYPES = {"int": pa.int64(), "float": pa.float64(), "string": pa.string(), "boolean": pa.bool_()}
_FIELD_SOURCES = ("derived", "faker", "geo", "metric", "pool", "segment", "static", "timestamp")
"""Sources that a field of a struct may have."""
_DECIMALS = 4


class Struct(Part):
    """`nested_schema` has the fields and their types."""

    nested_schema: Annotated[dict[Name, str], Field(min_length=1, max_length=20)]


class Array(Part):
    """`array_element_type` is the type of the elements, `array_length` how many there are."""

    array_element_type: Literal["int", "float", "string", "boolean"]
    array_length: Annotated[int, Field(ge=1, le=100, strict=True)] = 3


def _values(type_: str, draws: Floats) -> pa.Array:
    """Return a value of a type for each uniform."""
    if type_ == "float":
        return pa.array(draws.round(_DECIMALS))
    if type_ == "boolean":
        return pa.array(draws < 0.5)
    if type_ == "int":
        return pa.array((draws * 1000).astype(np.int64))
    numbers: Integers = (draws * 100_000).astype(np.int64)
    return pc.binary_join_element_wise("v", pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), 5, "0"), "")


def _field(column: Column, name: str, type_: str) -> Column:
    """Return the field of a struct as a column. Raises ConfigError if there is no such type."""
    return read_column(name, type_).model_copy(update={"name": f"{column.name}.{name}"})


def _check(options: Struct, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    for name, type_ in options.nested_schema.items():
        path = f"nested_schema.{name}"
        if type_ in _TYPES:
            continue
        if type_.partition(".")[0] not in _FIELD_SOURCES:
            type_names = [*_TYPES, *(f"{word}." for word in _FIELD_SOURCES)]
            hint = did_you_mean(type_, type_names) if "." not in type_ else ""
            yield Problem(path, f"a field cannot be of the type '{type_}'", hint or f"one of {', '.join(type_names)}")
            continue
        try:
            field_column = _field(column, name, type_)
        except ConfigError as error:
            yield from (Problem(path, problem.message, problem.hint) for problem in error.problems)
            continue
        if not SOURCE_WORDS[field_column.word].needs <= table.knows:
            yield Problem(path, f"'{field_column.word}' has no place in {table.name}")
            continue
        for problem in SOURCE_WORDS[field_column.word].check(field_column.source, field_column, table, scope):
            yield Problem(path, problem.message, problem.hint)


def _fields(options: Struct, column: Column, dataset: Dataset) -> list[pa.Field]:
    fields = []
    for name, type_ in options.nested_schema.items():
        if type_ in _TYPES:
            fields.append(pa.field(name, _TYPES[type_]))
            continue
        field_column = _field(column, name, type_)
        fields.append(pa.field(name, SOURCE_WORDS[field_column.word].arrow(field_column.source, field_column, dataset)))
    return fields


def _field_problems(options: Struct, hook: str, table: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield the problems that a `hook` (`wrong` or `notes`) of the fields' sources gives, at the fields."""
    for name, type_ in options.nested_schema.items():
        if type_ not in _TYPES:
            field_column = read_column(name, type_)
            for problem in getattr(SOURCE_WORDS[field_column.word], hook)(field_column.source, table, dataset):
                yield Problem(f"nested_schema.{name}", problem.message, problem.hint)


def _variety(options: Struct, table: Table, dataset: Dataset) -> str:
    field_columns = [read_column(name, type_) for name, type_ in options.nested_schema.items() if type_ not in _TYPES]
    texts = [
        (field_column.name, SOURCE_WORDS[field_column.word].variety(field_column.source, table, dataset))
        for field_column in field_columns
    ]
    return ", ".join(f"{name}: {text}" for name, text in texts if text)


def _fill_struct(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Struct)
    arrays: list[Any] = []
    for field, (name, type_) in zip(column.type, options.nested_schema.items(), strict=True):
        if type_ in _TYPES:
            arrays.append(_values(type_, rows.uniforms(table, column, name)))
            continue
        field_column = _field(column.spec, name, type_)
        nullable = may_be_null(field_column, rows.block.plan.dataset)
        arrays.append(fill(ColumnPlan(field_column, field.type, nullable, ""), table, rows))
    return pa.StructArray.from_arrays(arrays, fields=list(column.type))


def _fill_array(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Array)
    length = options.array_length
    row_addresses = fold(rows.address, np.full(1, key(0, "element")))  # keeps elements apart from numbered rows
    addresses = fold(row_addresses[:, None], words(np.arange(length))[None, :]).ravel()
    stream = key(rows.block.plan.seed, "column", table.stream, column.name, "element")
    offsets = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * length)
    return pa.ListArray.from_arrays(offsets, _values(options.array_element_type, uniforms(stream, addresses)))


add_source(
    "struct",
    SourceWords(
        options=Struct,
        arrow=lambda options, column, dataset: pa.struct(_fields(options, column, dataset)),
        example="struct",
        check=_check,
        describe=lambda options, column, table, dataset: (
            f"{capitalised(phrase(column.name))}, a record with the fields {enumeration(options.nested_schema)}."
        ),
        wrong=lambda options, table, dataset: _field_problems(options, "wrong", table, dataset),
        notes=lambda options, table, dataset: _field_problems(options, "notes", table, dataset),
        variety=_variety,
    ),
    Source(_fill_struct),
)
add_source(
    "array",
    SourceWords(
        options=Array,
        arrow=lambda options, column, dataset: pa.list_(_TYPES[options.array_element_type]),
        example="array",
        describe=lambda options, column, table, dataset: (
            f"{capitalised(phrase(column.name))}, a list of {options.array_length} values "
            f"of type {options.array_element_type}."
        ),
    ),
    Source(_fill_array),
)
