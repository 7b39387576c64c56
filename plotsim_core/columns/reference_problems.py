"""Problems of references that two tables make together: keys, columns that are referred to, tables that need each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from plotsim_core.columns.earlier_rows import ancestors
from plotsim_core.columns.key_numbers import most_rows
from plotsim_core.columns.primary_key import key_column
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean


def check_key(target: str, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield why a reference does not tell the rows of its table apart."""
    if key_column(table) is not column:
        yield Problem("key", f"{table.name} has another key already", "leave out one of the two")
        return
    declared = scope.tables.get(target) or scope.foreign.get(target)
    if declared is None or declared.kind is None:
        return
    if target in scope.foreign:
        is_single = False
    elif declared.kind.is_unit_dimension:
        is_single = table.is_single and not table.is_unit_dimension
    elif declared.kind.is_date_dimension:
        is_single = "crowd" in table.knows
    else:
        is_single = table.parent_name == target and most_rows(table) == 1
    if not is_single:
        message = f"{table.name} may have several rows for one row of {target}"
        yield Problem("key", message, "a row may be the only one of its unit, of the row it belongs to, or of its period")


def check_circle(column: Column, table: Table, target: str, read_options: Sequence[str], scope: Scope) -> Iterable[Problem]:
    """Yield the problems of a reference of a table to a listed one that leads back to the table. One of such references has
    to say `nulls`: its rows can be there before it is filled. `read_options` are those by which the rows of the target are
    read, which are not known yet."""
    if column.name in table.parent_keys or table.name not in _reached(target, lambda table: set(), scope):
        return
    message = f"{table.name} and {target} refer to each other, directly or through others"
    if column.nulls is None and table.name in _reached(target, lambda table: set(), scope, is_first=True):
        yield Problem("type", message, "give one of these references `nulls` (no key of a parent): it is filled last")
    else:
        yield from (Problem(name, f"has no place here: {message}", "let it be drawn evenly") for name in read_options)


def needed_tables(name: str, scope: Scope) -> set[str]:
    """Return the tables that rows of a table belong to or refer to, directly or through others."""
    return _reached(name, lambda table: set(ancestors(table, scope)[:1]), scope)


def _reached(name: str, others: Callable[[Table], set[str]], scope: Scope, is_first: bool = False) -> set[str]:
    """Return the tables that come after a table, directly or through others: those it refers to (`is_first`: by references
    without `nulls`), and `others` of it."""
    names: set[str] = set()
    pending = [name]
    while pending:
        table = scope.declared_table(pending.pop())
        if table is not None:
            columns = [column for column in table.columns if column.nulls is None or not is_first]
            targets = {column.source.target_name for column in columns} | others(table)
            new_names = {target for target in targets if target is not None} - names
            names |= new_names
            pending += new_names
    return names


def check_target_column(name: str, target: Table) -> Iterable[Problem]:
    """Yield a problem if a column that a reference names does not tell the rows of its table apart."""
    columns = {column.name: column for column in target.columns}
    plain_columns = [
        other for other in target.columns if other.decimals is None and other.as_type is None and not other.hidden
    ]
    unique_names = [other.name for other in plain_columns if other.source.is_unique(target)]
    if name not in columns:
        yield Problem("column", f"{target.name} has no column '{name}'", did_you_mean(name, unique_names))
    elif columns[name].source.is_key:
        yield Problem("column", f"has no effect: {name} is the key of {target.name}")
    elif columns[name].hidden:
        yield Problem("column", f"{target.name}.{name} is hidden, so there is nothing to refer to")
    elif name not in unique_names:
        others = [other for other in unique_names if not columns[other].source.is_key]
        hint = f"these are: {', '.join(others)}" if others else "one of type faker.email with `unique: true` would be"
        yield Problem("column", f"rows of {target.name} may share a {name}: it is not unique by construction", hint)
