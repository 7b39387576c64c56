"""`case`: a value by another column of the row, each of `cases` with a source of its own.

`{ type: case, by: status, cases: { cancelled: { type: choice, values: [late, price] }, open: faker.word } }`: rows of other
values have none, unless `else` is among the cases. A case may be a formula, a metric, a lookup, or a case itself. Each case
draws from a stream of its own, so one that is added or changed moves no value of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from plotsim_core.arrow import ArrowArray, taken
from plotsim_core.columns.dependencies import column_in, depend_on, names_in, type_in
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.config.cases import ELSE, case_key, impossible_keys, unlisted_keys
from plotsim_core.config.check_columns import null_formula, null_problems
from plotsim_core.config.column_source import SOURCES, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.pydantic_errors import words_of
from plotsim_core.config.read_columns import UNIQUE
from plotsim_core.config.read_columns import column as read_column
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, may_be_null
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.config.written_columns import with_formula
from plotsim_core.engine.steps import Step
from plotsim_core.errors import ConfigError, Problem, ProblemError, key_text, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_MOST, _LEVELS = 200, 4
"""The most cases, and the most cases inside each other."""
_REFERENCE = "make the reference a column of its own, hidden if need be, and read it: = post_id"
_OF_THE_COLUMN = tuple(word for word in words_of(Column) if word not in ("source", "type", "nulls"))
"""What a column says of all its rows. Nulls may differ from case to case."""


def _case(key: str, written: Any) -> Column | None:
    """Return what a case is written as, as a column; None for one without a value. Raises ProblemError where it is none."""
    options = with_formula({"type": written} if isinstance(written, str) else written)
    if options is None:
        return None
    if not isinstance(options, Mapping) or "type" not in options:
        message = f"expected a column type, or a type with options, found {value_text(written)}"
        raise ProblemError(Problem(key, message, "write it like faker.word, or { type: range, range: [1, 9] }"))
    if misplaced := [word for word in _OF_THE_COLUMN if word in options]:
        message, hint = "has no place in a case: it is said of the whole column", "say it beside `cases`"
        raise ProblemError(*(Problem(f"{key}.{word}", message, hint) for word in misplaced))
    if UNIQUE in options:
        raise ProblemError(Problem(f"{key}.{UNIQUE}", "has no place in a case: other cases may give the same value"))
    try:
        return read_column("case", options["type"], **{word: value for word, value in options.items() if word != "type"})
    except ConfigError as error:
        paths = [f"{key}.{problem.path.removeprefix('case').lstrip('.')}".rstrip(".") for problem in error.problems]
        pairs = zip(paths, error.problems, strict=True)
        raise ProblemError(*(Problem(path, problem.message, problem.hint) for path, problem in pairs)) from None


def _cases(value: Any) -> Any:
    if not isinstance(value, Mapping) or not 0 < len(value) <= _MOST:
        raise ValueError(f"expected values, each with what rows of it have, 1 to {_MOST} of them, found {value_text(value)}")
    problems: list[Problem] = []
    cases: dict[str, Column | None] = {}
    for key, written in value.items():
        try:
            cases[case_key(key_text(key), key)] = _case(key_text(key), written)
        except ProblemError as error:
            problems += error.problems
    if problems:
        raise ProblemError(*problems)
    return cases


@add_source
class Case(ColumnSource):
    """`by` is the column that decides, `cases` what rows of each of its values have, each written as a column is: a type, or
    a type with options; nothing for those that have none. `else` is for all other values."""

    word = "case"
    example = "case"
    in_cases = True

    by: Name
    """The column of the row that decides."""
    cases: Annotated[dict[str, Any], BeforeValidator(_cases), Field(min_length=1, max_length=_MOST)]
    """What rows of each value of it have; `else` for all other values."""

    def _columns(self, name: str) -> Iterator[tuple[str, Column]]:
        """Yield the cases that have values as columns of a name of their own."""
        for key, case in self.cases.items():
            if case is not None:
                yield key, case.model_copy(update={"name": f"{name}.{key}"})

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        types = list(dict.fromkeys(case.source.arrow_type(case, dataset) for _, case in self._columns(column.name)))
        return pa.float64() if set(types) == {pa.int64(), pa.float64()} else types[0] if types else pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        names = [name for name in names_in(scope.tables[table.name]) if name != column.name]
        if self.by not in names:
            yield Problem("by", f"{table.name} has no column '{self.by}'", did_you_mean(self.by, names))
        if all(case is None for case in self.cases.values()):
            yield Problem("cases", "expected a value in one of them", "leave the column out")
        if self._levels > _LEVELS:
            yield Problem("cases", f"expected at most {_LEVELS} cases inside each other, found {self._levels}")
            return
        for key, case in self._columns(column.name):
            yield from (problem.under(f"cases.{key}") for problem in self._case_problems(case, column, table, scope))
        if depend_on([(table.name, self.by)], (table.name, column.name), scope):
            yield Problem("by", f"{table.name}.{column.name} depends on itself")
        yield from self._key_problems(table, scope)

    def _case_problems(self, case: Column, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        words = sorted(word for word, source in SOURCES.items() if source.in_cases)
        if not case.source.in_cases:
            hint = _REFERENCE if case.source.target_name is not None else f"one of {', '.join(words)}"
            yield Problem("", f"'{case.word}' has no place in a case", hint)
        elif not case.source.needed <= table.knows:
            yield Problem("", f"'{case.word}' has no place in {table.name}")
        elif depend_on(case.depends_on(table), (table.name, column.name), scope):
            yield Problem("", f"{table.name}.{column.name} depends on itself")
        else:
            yield from case.source.check(case, table, scope)
            yield from null_formula(case, scope.tables[table.name], table)

    @property
    def _levels(self) -> int:
        """How many cases are inside each other."""
        return 1 + max((branch.source._levels for branch in self.branches if isinstance(branch.source, Case)), default=0)

    def _key_problems(self, table: Table, scope: Scope) -> Iterable[Problem]:
        """Yield the values that the deciding column never has, where the config says which it has."""
        deciding = next((other for other in table.columns if other.name == self.by), None)
        is_as_listed = deciding is not None and deciding.as_type is None  # or they are compared as another type
        values = deciding.source.possible_values(table, scope) if deciding is not None and is_as_listed else None
        yield from unlisted_keys("cases", self.by, self.cases, values)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        types = {case.source.arrow_type(case, dataset) for _, case in self._columns("case")}
        if len(types) > 1 and types != {pa.int64(), pa.float64()}:
            yield Problem("cases", f"expected values of one type, found {enumeration(sorted(map(str, types)))}")
        deciding, type_ = column_in(table.name, self.by, dataset)[0], type_in(table.name, self.by, dataset)
        if pa.types.is_nested(type_):
            yield Problem("by", f"{self.by} has lists or records, which are no single value")
        elif pa.types.is_timestamp(type_) or pa.types.is_time(type_):
            yield Problem("by", f"{self.by} has moments, which hardly come again", "decide by their date, hour or weekday")
        yield from impossible_keys("cases", self.by, self.cases, type_, deciding.source.number_range(dataset))
        for key, case in self._columns("case"):
            yield from (problem.under(f"cases.{key}") for problem in case.source.problems(table, dataset))
            yield from (problem.under(f"cases.{key}") for problem in null_problems(case, table, dataset))

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"{capitalised(phrase(column.name))}, by the row's {self.by}."

    def reads(self, table: Table) -> Iterable[Origin]:
        yield table.name, self.by
        for case in self.branches:
            yield from case.depends_on(table)

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        cases = [case for _, case in self._columns(column.name)]
        return ELSE not in self.cases or len(cases) < len(self.cases) or any(may_be_null(case, dataset) for case in cases)

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(name for _, case in self._columns("case") for name in case.source.attributes)

    @property
    def has_locale(self) -> bool:
        return any(case.source.has_locale for _, case in self._columns("case"))

    @property
    def branches(self) -> tuple[Column, ...]:
        return tuple(case for _, case in self._columns("case"))

    @property
    def formula_texts(self) -> tuple[str, ...]:
        return tuple(formula for case in self.branches for formula in case.source.formula_texts)

    @property
    def changes_over_time(self) -> bool:
        return any(case.source.changes_over_time for case in self.branches)

    def stage_origin(self, dataset: Dataset) -> Origin | None:
        origins = (case.source.stage_origin(dataset) for case in self.branches)
        return next((origin for origin in origins if origin is not None), None)

    def decimal_places(self, dataset: Dataset) -> int | None:
        digits = [case.source.decimal_places(dataset) for _, case in self._columns("case")]
        return None if None in digits or not digits else max(number for number in digits if number is not None)

    def _index(self, table: TablePlan, rows: Rows) -> tuple[NDArray[np.int64], dict[str, int]]:
        """Return the place of the case that each row's value names, -1 where none does, and the places of the cases."""
        deciding = pc.cast(fill(table.column(self.by), table, rows), pa.string())
        keys = [key for key in self.cases if key != ELSE]
        index = pc.index_in(deciding, pa.array(keys, pa.string())).fill_null(-1).to_numpy(zero_copy_only=False)
        return index.astype(np.int64), {key: place for place, key in enumerate(keys)}

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        index, places = self._index(table, row)
        key = next((key for key, place in places.items() if place == index[0]), ELSE)
        value = fill(table.column(self.by), table, row)[0].as_py()
        if key not in self.cases:
            return [Step("case", None, f"none is for {self.by} {value_text(value)}")]
        case = next((case for name, case in self._columns(column.name) if name == key), None)
        if case is None or not isinstance(case.source, ColumnSource):
            return [Step("case", key, f"of {self.by} {value_text(value)}, which has no value")]
        steps = case.source.row_steps(self._plan(case, row), table, row)
        return [Step("case", key, f"of {self.by} {value_text(value)}: {case.type}"), *steps]

    def _plan(self, case: Column, rows: Rows) -> ColumnPlan:
        return ColumnPlan(case, case.source.arrow_type(case, rows.block.population.dataset), True, "")

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        index, places = self._index(table, rows)
        order: list[NDArray[np.intp]] = []
        parts: list[ArrowArray] = []
        for key, case in self._columns(column.name):
            positions = np.flatnonzero(index == places.get(key, -1))
            order.append(positions)
            parts.append(fill(self._plan(case, rows), table, rows.take(positions)).cast(column.type))
        taken_positions = np.concatenate(order)
        sources = np.full(len(rows), -1, dtype=np.int64)
        sources[taken_positions] = np.arange(len(taken_positions))
        return taken(pa.concat_arrays(parts), sources, sources < 0)
