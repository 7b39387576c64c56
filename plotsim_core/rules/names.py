"""Names of columns in rules: one that stands for a list of one, and those that stand twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from plotsim_core.config.model import Name
from plotsim_core.errors import Problem


def listed(value: Any) -> Any:
    """Return a text as a list of one, and all else as it is."""
    return [value] if isinstance(value, str) else value


ONE_OR_SEVERAL = BeforeValidator(listed, json_schema_input_type=Name | list[Name])
Groups = Annotated[tuple[Name, ...], ONE_OR_SEVERAL]
"""The columns whose values make a group, one of them also as a text."""


def repeated(path: str, names: Sequence[str]) -> Iterator[Problem]:
    """Yield a problem of each name that stands in a list before."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(f"{path}[{index}]", f"'{name}' stands twice")


def split(name: str) -> tuple[str, str]:
    """Return the table and the column of `TABLE.COLUMN`; an empty column where there is none."""
    table, _, column = name.partition(".")
    return table, column
