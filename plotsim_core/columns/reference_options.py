"""What a reference says: its options, and what is wrong with them in the place where they stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from plotsim_core.columns.dependencies import decides_rows, scope_of
from plotsim_core.columns.distinct import check_distinct
from plotsim_core.columns.during import During, check_during, during_problems
from plotsim_core.columns.earlier_rows import ancestors, check_row_reference, is_row
from plotsim_core.columns.matching import Source, check_matching, match_of
from plotsim_core.columns.popularity import Popularity, check_popularity, weighted_count, weights_problems
from plotsim_core.columns.primary_key import key_column, lacks_key
from plotsim_core.columns.reference_problems import check_circle, check_key, check_target_column, needed_tables
from plotsim_core.columns.self_reference import ROOTS, check_self_reference
from plotsim_core.columns.sequence import place_column
from plotsim_core.columns.source import ColumnSource
from plotsim_core.config.column_source import Owners
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem


class ReferenceOptions(Popularity, ColumnSource):
    """The options of a reference, and what is wrong with them."""

    table: Name
    """The table."""
    column: Name | None = None
    """The unique column of the table whose value is the reference, rather than its key."""
    matching: dict[Name, Source] | None = None
    """The column of the row, of a row it belongs to (`stays.ward`) or of its unit that each column of a listed dimension
    agrees with."""
    during: During | None = None
    """The two columns of a listed dimension, `from` and `to`, between which the time of the row lies."""
    distinct: Flag = False
    """Whether siblings, the rows of one parent row or the children of one unit, refer to different rows."""
    of: Owners | None = None
    """Whose children are referred to: those of the row's unit (own), of any, or of any but it (others)."""
    roots: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    """How many rows of a table that refers to itself refer to none: the first."""
    within: Annotated[int, Field(ge=0, le=1000, strict=True)] | None = None
    """How many periods back a fact or event, or a plain row with a moment, may lie."""
    key: Flag = False
    """Whether it is the key of its own table, which has one row at most for each row referred to."""

    @property
    def root_count(self) -> int:
        """The number of rows of a table that refers to itself that refer to none."""
        return self.roots or ROOTS

    @property
    def given_names(self) -> set[str]:
        """The names of the options that are given."""
        return set(self.model_dump(exclude_defaults=True)) - {"key"}

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if self.key:
            yield from check_key(self.table, column, table, scope)
        referred = scope.declared_table(self.table)
        if referred is not None and referred.combines:
            message = f"rows of {self.table} are told apart by what they combine, so no single key leads to one"
            yield Problem("type", message, "refer to the rows that it combines")
            return
        if referred is not None and referred.is_timed and referred.name not in ancestors(table, scope):
            yield from self._check_timed(table, referred, scope)
            return
        if is_row(self.table, scope):
            yield from self._check_options("within")
            yield from check_popularity(self, self.table, (), None)
            yield from check_row_reference(self.table, self.within, column, table, scope)
            return
        problems = scope.unknown_table(self.table, "type")
        yield from problems
        declared = scope.tables.get(self.table) or scope.foreign.get(self.table)
        target = declared.table if declared is not None else None
        if problems:
            return
        if self.table in scope.foreign:
            yield from self._check_options("column")
            yield from check_popularity(self, self.table, (), None)
            if "period" not in table.knows:
                yield Problem("type", f"a row of {table.name} has no period in which there could be one of {self.table}")
            if target is not None and key_column(target) is None:
                yield lacks_key(target.name)
        if target is None:
            return
        has_column = target is table or target.is_listed or (target.comes_with_units and not target.is_unit_dimension)
        if self.column is not None and (has_column or self.table in scope.foreign):
            yield from check_target_column(self.column, target)
        if self.table not in scope.foreign:
            yield from self._check_target(column, table, target, scope)

    def _check_target(self, column: Column, table: Table, target: Table, scope: Scope) -> Iterable[Problem]:
        """Yield the problems of a reference to a dimension of the row's own kind of unit, or of none."""
        is_parent = target.name in ancestors(table, scope) or column.name in table.parent_keys
        if not is_parent and decides_rows(column, table, target, scope):
            message = f"which rows {target.name} has depends on {table.name}.{column.name}"
            yield Problem("type", message, f"let columns that do not lead to {target.name} decide it")
            return
        if key_column(target) is None and place_column(target) is not None and target.parent_name is None:
            yield lacks_key(target.name)
        if target is table:
            yield from self._check_options("roots", "column")
            yield from check_popularity(self, self.table, (), None)
            yield from check_self_reference(self.root_count, table)
            return
        if target.is_listed:
            yield from self._check_listed(column, table, target, scope)
            return
        if target.comes_with_units and target.parent_name is not None and not is_parent:
            yield from self._check_descendants(column, table, target, scope)
            return
        if target.is_of_units and not target.is_unit_dimension:
            yield from self._check_children(column, table, target, scope)
            return
        yield from self._check_options()
        yield from check_popularity(self, self.table, (), None)
        if not target.has_unit_rows:
            yield from check_circle(column, table, target.name, (), scope)
        if target.is_date_dimension and "period" not in table.knows:
            yield Problem("type", f"a row of {table.name} has no period that {self.table} could give the date of")
        has_times = scope.window is None or scope.window.grain.is_part_of_day
        if target.is_time_dimension and "event" not in table.knows and not (has_times and "period" in table.knows):
            yield Problem("type", f"a row of {table.name} has no moment that {self.table} could give the time of day of")
        if target.is_unit_dimension and "unit" not in table.knows:
            way_out = f"link them by a bridge, or let rows of {self.table} refer to {table.name}"
            hint = way_out if table.is_listed else ""
            yield Problem("type", f"a row of {table.name} has no {scope.unit} that it could refer to", hint)

    def _check_timed(self, table: Table, target: Table, scope: Scope) -> Iterable[Problem]:
        """Yield the problems of a reference to plain rows with moments, or to what belongs to them."""
        yield from self._check_options("roots" if target is table else "within")
        yield from check_popularity(self, self.table, (), None)
        if target is table:
            yield from check_self_reference(self.root_count, table)
        elif "period" not in table.knows:
            message = (
                f"a row of {table.name} is of no period: it is there from the first on, before rows of {target.name} happen"
            )
            is_circle = table.name in needed_tables(target.name, scope)
            hint = "leave this reference out" if is_circle else f"let rows of {target.name} refer to {table.name}"
            yield Problem("type", message, hint)
        elif table.name in needed_tables(target.name, scope):
            message = f"{table.name} and {target.name} refer to each other, directly or through others"
            yield Problem("type", message, "leave one of these references out")

    def _check_listed(self, column: Column, table: Table, target: Table, scope: Scope) -> Iterable[Problem]:
        yield from self._check_options("column", "matching", "during", "distinct")
        read_options = [name for name in ("matching", "during", *Popularity.model_fields) if name in self.given_names]
        circle_problems = list(check_circle(column, table, target.name, read_options, scope))
        yield from circle_problems
        if circle_problems:
            return
        if target.length > MOST_READ and read_options:
            message = f"reads all rows of {target.name}, and they are more than {MOST_READ:,}"
            yield Problem(read_options[0], message, "refer to a shorter list, or evenly")
            return
        group = target.length
        if self.matching is not None:
            yield from check_matching(self.matching, column, table, target, scope)
            for name in (*self.option_names, *(("during",) if self.during is not None else ())):
                yield Problem(name, "has no place beside `matching`: one of them says which row is referred to")
            match = match_of(self.matching, table, target, scope)
            group = match.smallest_group if match is not None else group
            if self.distinct and not group:
                yield Problem("distinct", "has no place here: how many rows match is not known from the config")
        elif self.during is not None:
            yield from check_during(self.during, table, target)
            for name in (*self.option_names, *(("distinct",) if self.distinct else ())):
                yield Problem(name, "has no place beside `during`: which rows are valid changes with time")
        else:
            problems = list(check_popularity(self, target.name, target.popularity, target))
            yield from problems
            if problems:
                return
            group = weighted_count(self, target)
        if self.distinct and group and self.during is None:
            yield from check_distinct(column, table, target.name, group, scope)

    def _check_children(self, column: Column, table: Table, target: Table, scope: Scope) -> Iterable[Problem]:
        is_own = self.of in (None, "own")
        yield from self._check_options(*(("column", "of", "distinct") if is_own else ("column", "of")))
        if self.of == "own":
            yield Problem("of", "has no effect: a row refers to the children of its own unit unless it says otherwise")
        if self.of != "any" and "unit" not in table.knows:
            yield Problem("type", f"a row of {table.name} has no {scope.unit} that it could refer to")
        if not is_own and "period" not in table.knows:
            yield Problem("type", f"a row of {table.name} has no period in which there could be one of {self.table}")
        yield from check_popularity(self, target.name, target.popularity if is_own else (), target)
        if self.distinct and is_own and target.filter is not None:
            yield Problem("distinct", f"has no place here: how many rows of {target.name} a unit keeps is not known")
        elif self.distinct and is_own and self.option_names:
            yield Problem("distinct", f"has no place beside `{self.option_names[0]}`: units have different numbers of rows")
        elif self.distinct and is_own:
            yield from check_distinct(column, table, target.name, target.per_unit[0], scope)

    def _check_descendants(self, column: Column, table: Table, target: Table, scope: Scope) -> Iterable[Problem]:
        """Yield the problems of a reference to what belongs to units' children."""
        yield from self._check_options("column")
        yield from check_popularity(self, target.name, target.popularity, target)
        if key_column(target) is None:
            yield lacks_key(target.name)
        elif "unit" not in table.knows:
            yield Problem("type", f"a row of {table.name} has no {scope.unit} that it could refer to")

    def _check_options(self, *names: str) -> Iterable[Problem]:
        """Yield the options that have no effect on a reference to such a table, where only those of some names have."""
        for name, reason in _OPTIONS.items():
            if name in self.given_names and name not in names:
                yield Problem(name, reason.format(table=self.table))

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if not any(other.name == self.table for other in dataset.all_tables):
            return
        target = referenced_table(self.table, dataset)
        yield from weights_problems(self, target, dataset)
        if self.during is not None:
            yield from during_problems(self.during, target, dataset)

    def notes(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if self.matching is not None and self.is_open(table, dataset):
            message = f"its values are not known from the config: it is null where {self.table} has no row for one"
            yield Problem("matching", message)

    def is_open(self, table: Table, dataset: Dataset) -> bool:
        """Return whether `matching` may find no row: its values are not known from the config."""
        match = match_of(self.matching or {}, table, referenced_table(self.table, dataset), scope_of(dataset))
        return match is None or match.values is None or match.listed_values is None


MOST_READ = 1_000_000
"""The most rows of a list that are looked at to say which is referred to."""

_OPTIONS = {
    "column": "has no place here: a row names the row of {table} by its key",
    "matching": "has no place here: {table} is not a plain table, or its rows have moments",
    "during": "has no place here: {table} is not a plain table, or its rows have moments",
    "distinct": "has no effect: which row of {table} is referred to is not drawn so",
    "of": "has no effect: rows of {table} are no children of units of this kind, or the row is one of them",
    "roots": "has no effect: it is for a table that refers to itself",
    "within": "has no effect: it is for rows that have moments, of another table",
}
"""Options that some references have, and why the others have not."""


def referenced_table(name: str, dataset: Dataset) -> Table:
    """Return the table of that name."""
    tables = [table for kind in (dataset, *dataset.units) for table in kind.all_tables]
    return next(table for table in tables if table.name == name)
