"""Columns of stored tables against those that a config asks for: what can be added, and what takes a table made anew."""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg


@dataclass(frozen=True)
class ColumnChanges:
    """How the columns of a table differ from the stored ones: those that come, those that go, and those of another type
    as (stored type, type asked for)."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: Mapping[str, tuple[str, str]] | None = None

    @property
    def only_added(self) -> bool:
        """Whether stored partitions can stay as they are: a new column is null in them."""
        return not self.removed and not self.retyped

    def __str__(self) -> str:
        parts = [f"{name} is new" for name in self.added]
        parts += [f"{name} is gone" for name in self.removed]
        parts += [f"{name} was {old} and is now {new}" for name, (old, new) in (self.retyped or {}).items()]
        return ", ".join(parts)


def column_changes(stored: Mapping[str, str], wanted: Mapping[str, str]) -> ColumnChanges:
    """Return how columns as name to type differ; their order does not matter."""
    return ColumnChanges(
        added=tuple(name for name in wanted if name not in stored),
        removed=tuple(name for name in stored if name not in wanted),
        retyped={n: (type_, wanted[n]) for n, type_ in stored.items() if n in wanted and wanted[n] != type_},
    )


def remedy(dataset: str, table: str) -> str:
    """Return what makes a table anew, which is what a refusal ends with."""
    return f"To make the table anew from this config: plotsim materialize {dataset} --recreate --tables {table}"


def refusal(dataset: str, table: str, path: str, reason: str) -> dg.Failure:
    """Return the failure of writing into a table that cannot take the rows; nothing was written."""
    return dg.Failure(
        f"{dataset}.{table} in {path} cannot take these rows: {reason}. Nothing was written. {remedy(dataset, table)}",
        allow_retries=False,
    )


def other_columns(changes: ColumnChanges) -> str:
    """Return why changed columns keep rows out."""
    return f"its columns have changed ({changes})"


def other_length(stored: str, wanted: str) -> str:
    """Return why partitions of another length keep rows out: a key would mean either."""
    stored_text, wanted_text = (f"a {length}" if length else "one period" for length in (stored, wanted))
    return f"it is stored in partitions of {stored_text}, and `window.partition` now asks for {wanted_text}"
