"""Rows that are the steps of a funnel: a member of the family of row counts.

`{ steps: { view: 1, cart: 0.4, order: p_order } }`: each parent takes the steps in their order until it misses one, and has
a row for each that it takes. A step has the share of the parents that reached the step before it and take this one: a
number, or a column of the parent, whose chance that is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field

from plotsim_core.config.model import is_name
from plotsim_core.config.row_count import Level, RowCount, add_row_count
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import Words, key, uniforms

if TYPE_CHECKING:
    from plotsim_core.config.scope import Scope
    from plotsim_core.config.tables import Table

_MOST = 50
"""The most steps."""
_LONGEST = 63
"""Most letters of the name of a step."""
_UNKNOWN_SHARE = 0.5
"""What is thought of a share that a column says, where no column is looked at."""


def _steps(value: Any) -> Any:
    if not isinstance(value, Mapping) or not 0 < len(value) <= _MOST:
        raise ValueError(f"expected steps, each with its share, 1 to {_MOST} of them, found {value_text(value)}")
    problems = []
    for name, share in value.items():
        is_number = isinstance(share, int | float) and not isinstance(share, bool)
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST:
            problems.append(Problem("", f"expected a name of a step, a text, found {value_text(name)}"))
        elif is_number and not 0 < share <= 1:
            problems.append(Problem(name, f"expected a share above 0, 1 at most, found {value_text(share)}"))
        elif not is_number and not is_name(share):
            message = f"expected a share of those who reached the step before, or a column, found {value_text(share)}"
            problems.append(Problem(name, message, "compute it in a hidden column of the row, and write its name"))
    if problems:
        raise ProblemError(*problems)
    return value


@add_row_count
class Steps(RowCount):
    """The steps of a funnel, which each parent takes in their order until it misses one."""

    word = "steps"
    example = "{ steps: { view: 1, cart: 0.4, order: 0.6 } }"

    steps: Annotated[dict[str, float | str], BeforeValidator(_steps), Field(min_length=1, max_length=_MOST)]
    """The names of the steps in their order, each with the share of the parents that reached the step before it and take
    this one: a number, or a column of the parent that is a number from 0 to 1, or true or false."""

    @property
    def step_names(self) -> tuple[str, ...]:
        return tuple(self.steps)

    @property
    def chance_columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(share for share in self.steps.values() if isinstance(share, str)))

    @property
    def read_columns(self) -> tuple[str, ...]:
        return self.chance_columns

    @property
    def bounds(self) -> tuple[int, int]:
        """The least are the steps at the beginning that all take."""
        certain = [share == 1 for share in self.steps.values()]
        return next((place for place, is_certain in enumerate(certain) if not is_certain), len(certain)), len(certain)

    @property
    def mean(self) -> float:
        """The mean number of steps, where a share that a column says is one half."""
        shares = [_UNKNOWN_SHARE if isinstance(share, str) else share for share in self.steps.values()]
        return sum(math.prod(shares[: place + 1]) for place in range(len(shares)))

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        if table.parent_name is None and not table.comes_with_units:
            hint = "let a table have the rows, and another the steps: `per` that table"
            yield Problem("rows.steps", f"rows of {table.name} belong to no row or unit that takes steps", hint)
            return
        parent = scope.tables.get(table.parent_name) if table.parent_name is not None else scope.declared_units
        if parent is None or parent.is_open:
            return
        for step, share in self.steps.items():
            if isinstance(share, str) and share not in parent.columns:
                hint = did_you_mean(share, list(parent.columns))
                yield Problem(f"rows.steps.{step}", f"{parent.name} has no column '{share}'", hint)

    def describe(self) -> str:
        return f"one for each step that it takes ({', '.join(self.steps)})"

    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        raise TypeError("steps are drawn by the shares of the parents")

    def shares(self, columns: Mapping[str, Floats]) -> Iterator[tuple[str, Floats | float]]:
        """Yield each step with its share, between 0 and 1 (0 where a column is null), of what parents have in the `columns`
        that say shares."""
        for step, share in self.steps.items():
            yield step, np.clip(np.nan_to_num(columns[share]), 0.0, 1.0) if isinstance(share, str) else share

    def uniforms(self, seed: int, stream: str, step: str, address: Words) -> Floats:
        """Return the uniform by which each parent takes a step of the table `stream`: one below its share does."""
        return uniforms(key(seed, "step", stream, step), address)

    def reached(self, seed: int, stream: str, address: Words, columns: Mapping[str, Floats]) -> Integers:
        counts = np.zeros(len(address), dtype=np.int64)
        for place, (step, share) in enumerate(self.shares(columns)):
            takes_step = self.uniforms(seed, stream, step, address) < share
            counts += (counts == place) & takes_step
        return counts
