"""How many rows each parent has by one of its columns: a member of the family of row counts.

`{ by: tier, cases: { gold: [3, 8], basic: { poisson: 1.2 }, else: 1 } }`: parents of other values have none, unless `else`
is among the cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from plotsim_core.config.cases import ELSE, case_key, unlisted_keys
from plotsim_core.config.model import Name
from plotsim_core.config.row_count import Level, RowCount, add_row_count, read_row_count
from plotsim_core.errors import Problem, ProblemError, key_text, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import Words

if TYPE_CHECKING:
    from plotsim_core.config.scope import Scope
    from plotsim_core.config.tables import Table

_MOST = 200
"""The most cases."""


def _cases(value: Any) -> Any:
    if not isinstance(value, Mapping) or not 0 < len(value) <= _MOST:
        raise ValueError(f"expected values, each with how many rows it has, 1 to {_MOST} of them, found {value_text(value)}")
    problems: list[Problem] = []
    cases: dict[str, RowCount | None] = {}
    for key, written in value.items():
        is_none = written is None or (type(written) is int and written == 0)
        try:
            cases[case_key("", key)] = None if is_none else read_row_count(written)
        except ProblemError as error:
            problems += [problem.under(key_text(key)) for problem in error.problems]
    if problems:
        raise ProblemError(*problems)
    return cases


@add_row_count
class ByColumn(RowCount):
    """Another number for the parents of each value of one of their columns."""

    word = "by"
    example = "{ by: tier, cases: { gold: [3, 8], else: 1 } }"

    by: Name
    """The column of the parent that decides; of rows per unit and period, that of its unit."""
    cases: Annotated[dict[str, Any], BeforeValidator(_cases), Field(min_length=1, max_length=_MOST)]
    """How many rows parents of each value have; nothing, or 0, for none; `else` for all other values."""

    @property
    def _counts(self) -> list[RowCount]:
        return [count for count in self.cases.values() if count is not None]

    @property
    def deciding(self) -> str:
        return self.by

    @property
    def case_keys(self) -> tuple[str, ...]:
        return tuple(key for key in self.cases if key != ELSE)

    def of_value(self, value: str | None) -> RowCount | None:
        return self.cases.get(ELSE if value is None else value)

    @property
    def driver(self) -> str | None:
        return next((count.driver for count in self._counts if count.driver is not None), None)

    @property
    def drivers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for count in self._counts for name in count.drivers))

    @property
    def is_drawn(self) -> bool:
        return any(count.is_drawn for count in self._counts)

    @property
    def bounds(self) -> tuple[int, int | None]:
        """The least is 0 where some parents may have none."""
        bounds = [count.bounds for count in self._counts] or [(0, 0)]
        largest = [most for _, most in bounds if most is not None]
        least = min(least for least, _ in bounds) if len(bounds) == len(self.cases) and ELSE in self.cases else 0
        return least, max(largest) if len(largest) == len(bounds) else None

    @property
    def mean(self) -> float:
        """The mean over cases, as if each had as many parents."""
        return sum(count.mean for count in self._counts) / len(self.cases)

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        if not self._counts:
            yield Problem("rows.cases", "expected a number of rows in one of them", "leave the table out")
        for key, count in self.cases.items():
            path = f"rows.cases.{key}"
            if count is None:
                continue
            has_no_number = count.total is not None or count.deciding is not None or bool(count.step_names)
            if has_no_number or type(count).of_segment is not RowCount.of_segment:
                yield Problem(path, "expected how many rows each parent has", "a number, [least, most], or a distribution")
            else:
                yield from (replace(p, path=p.path.replace("rows", path, 1)) for p in count.check(table, scope))
        if len(self.drivers) > 1:
            message = f"follow {self.drivers[0]} and {self.drivers[1]}"
            yield Problem("rows.cases", message, "let all that follow something follow the same")
        yield from self._column_problems(table, scope)

    def _column_problems(self, table: Table, scope: Scope) -> Iterable[Problem]:
        """Yield why the column that decides is none of the parent, and the values that it never has."""
        is_of_rows = table.parent_name is not None
        parent = scope.tables.get(table.parent_name or "") if is_of_rows else scope.declared_units
        if parent is None or parent.is_open:
            return
        if self.by not in parent.columns:
            hint = did_you_mean(self.by, list(parent.columns))
            yield Problem("rows.by", f"{parent.name} has no column '{self.by}'", hint)
            return
        deciding = next((c for c in (parent.table.columns if parent.table else ()) if c.name == self.by), None)
        values = deciding.source.possible_values(parent.table, scope) if deciding is not None and parent.table else None
        yield from unlisted_keys("rows.cases", f"{parent.name}.{self.by}", self.case_keys, values)

    def describe(self) -> str:
        texts = dict.fromkeys(count.describe() for count in self._counts)
        return f"{' or '.join(texts)} by {self.by}"

    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        raise TypeError("the number of a value is drawn for the parents that have it")
