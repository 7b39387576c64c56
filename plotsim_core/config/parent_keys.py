"""The columns of a table of the section `tables` that come by themselves: the keys of what it is per.

A table per customer gets a reference to the table of customers, one per period a reference to the dates, one per order the
key of orders: its column of type id, or where it has none the key of its own parent and its number in that. A column that
the table declares itself, of the same type, stands in the place of the one that would come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plotsim_core.config.column_source import are_types_known
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.table_shape import CELL, MOMENT, NO_KINDS, PERIOD, UNIT, OtherKinds, Shape, unit_table_name
from plotsim_core.config.written_tables import columns_of, key_of, list_or_empty, shows_dimension

Raw = Mapping[str, Any]
KeyColumn = tuple[str, str]
"""The name and the type of a column."""


@dataclass(frozen=True)
class ParentKeys:
    """The names of the columns that say what the rows of a table belong to (`names`), and those of them that come by
    themselves, as (name, type)."""

    names: tuple[str, ...] = ()
    added: tuple[KeyColumn, ...] = ()


def read_parent_keys(
    sections: Raw, unit: str, shapes: Sequence[Shape | None], other_kinds: OtherKinds = NO_KINDS
) -> list[ParentKeys]:
    """Return the parent keys of each table of the section `tables`, whose `shapes` are in the order written."""
    shapes_by_name = {str(shape.raw.get("name")): shape for shape in shapes if shape is not None}
    tables = _Tables(sections, unit, shapes_by_name, other_kinds)
    return [ParentKeys() if shape is None else tables.keys(shape) for shape in shapes]


class _Tables:
    """The tables of all sections as written, by name."""

    def __init__(self, sections: Raw, unit: str, shapes: Mapping[str, Shape], other_kinds: OtherKinds) -> None:
        names = ("dimensions", "facts", "events", "tables")
        all_tables = [raw for name in names for raw in list_or_empty(sections.get(name)) if isinstance(raw, Mapping)]
        all_tables += other_kinds.unit_tables.values()
        self._raw = {str(raw.get("name")): raw for raw in reversed(all_tables)}
        self._shapes = shapes
        self._units = unit_table_name(sections, unit)

    def keys(self, shape: Shape) -> ParentKeys:
        """Return the parent keys of a table."""
        columns = columns_of(shape.raw)
        names: list[str] = []
        added: list[KeyColumn] = []
        wanted = list(dict.fromkeys(self._wanted(shape)))
        has_period = PERIOD not in shape.per and (shape.root in (CELL, MOMENT) or "when" in shape.raw)
        dates = list(self._key(DATE_DIMENSION)) if has_period else []  # the period of its rows is known
        for name, type_ in (*wanted, *(date for date in dates if date not in wanted)):
            written_name = next((column for column, column_type in columns if column_type == type_), None)
            is_taken = any(name == column for column, _ in (*columns, *added))
            added_name = f"{type_.split('.')[1]}_{name}" if is_taken else name
            if (name, type_) in wanted:
                names.append(written_name or added_name)
            if written_name is None:
                added.append((added_name, type_))
        return ParentKeys(tuple(names), tuple(added))

    def _wanted(self, shape: Shape) -> Iterator[KeyColumn]:
        if shape.is_of_units or shape.is_dates or shows_dimension(shape.raw):
            return
        for name in shape.per:
            if name == UNIT:
                yield from self._key(self._units)
            elif name == PERIOD:
                yield from self._key(DATE_DIMENSION)
            elif name in self._raw:
                yield from self._key(name)

    def _key(self, name: str, visited: Sequence[str] = ()) -> Iterator[KeyColumn]:
        """Yield the columns with which a table refers to rows of another one."""
        columns = columns_of(self._raw.get(name, {}))
        key = key_of(self._raw.get(name, {}))
        if key is not None:
            yield key, f"ref.{name}"
            return
        if not are_types_known(columns):  # one of them may be the key
            return
        shape = self._shapes.get(name)
        parent = shape.parent if shape is not None else None
        if parent is not None and parent not in visited:
            yield from self._key(parent, (*visited, name))
        elif shape is not None and UNIT in shape.per and name != self._units:
            has_period = shape.per != (UNIT,) or "when" in shape.raw
            yield from self._key(self._units)
            yield from self._key(DATE_DIMENSION) if has_period else ()
        yield from ((column, f"lookup.{name}.{column}") for column, type_ in columns if type_ == "sequence")
