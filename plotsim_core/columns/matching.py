"""`matching: {channel_name: channel}` beside a reference to a listed dimension: to the row, or one of the rows, whose
`channel_name` is what the unit's dimension says in `channel`.

That column is the unit's for life, with values that are known before any row is made, or its tier of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.columns.choice import Choice, common_type, listed, spelled
from plotsim_core.columns.geo import Options as Place
from plotsim_core.columns.geo import names_of
from plotsim_core.columns.pool import Options as Pool
from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.scd import Options as History
from plotsim_core.columns.segment import Options as OfSegment
from plotsim_core.columns.source import fill
from plotsim_core.config.scope import Scope
from plotsim_core.config.segments import Segment
from plotsim_core.config.tables import KIND_WORDS, Column, Table
from plotsim_core.engine.history import bands_of
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_TAKES = "pool, static, choice, segment.name, a named place, a lookup of listed values, or scd"
_SHOWN = 3
"""So many values that are not listed are named."""


def check_matching(
    matching: Mapping[str, str], column: Column, table: Table, kind: str, parent: Table, scope: Scope
) -> Iterable[Problem]:
    """Yield what is wrong with the `matching` of a reference from a table to a `parent` of a kind."""
    if kind != "reference" or len(matching) != 1:
        found = f"found {len(matching)} columns" if kind == "reference" else f"{parent.name} is not a reference dimension"
        yield Problem("matching", f"ties one column of a reference dimension to one of the unit's dimension; {found}")
        return
    ((theirs, ours),) = matching.items()
    columns = {other.name: other for other in parent.columns}
    if theirs not in columns or columns[theirs].word != "static":
        static = [other.name for other in parent.sourced("static")]
        yield Problem("matching", f"{parent.name} has no static column '{theirs}'", did_you_mean(theirs, static))
        return
    unit = scope.dimension("unit")
    if unit is None:
        return  # which is wrong elsewhere
    held = {other.name: other for other in unit.columns}
    if ours not in held:
        fitting = [name for name, other in held.items() if _values(other, unit, scope) is not None]
        yield Problem("matching", f"the {scope.unit} dimension has no column '{ours}'", did_you_mean(ours, fitting))
        return
    yield from _check_place(column, held[ours], table, unit, scope)
    values = _values(held[ours], unit, scope)
    if values is None:
        says = "changes with time" if getattr(held[ours].source, "by", None) == "trajectory" else "has no given values"
        yield Problem("matching", f"{unit.name}.{ours} ({held[ours].type}) {says}", f"it can be {_TAKES}")
        return
    yield from _check_listed(columns[theirs], values, f"{parent.name}.{theirs}", f"{unit.name}.{ours}")


def _check_place(column: Column, ours: Column, table: Table, unit: Table, scope: Scope) -> Iterable[Problem]:
    """Yield what is wrong with matching a column in rows of this table."""
    knows = KIND_WORDS[scope.tables[table.name].kind or ""].knows
    if ours.word == "scd" and "cell" not in knows:
        yield Problem("matching", f"has no place here: it needs rows of a {scope.unit} in a period")
    elif "unit" not in knows:
        yield Problem("matching", f"has no place here: it needs rows of a {scope.unit}")
    elif table is unit and _circular(column, ours, unit):
        yield Problem("matching", f"{unit.name}.{column.name} depends on itself")
    above = scope.tables.get(getattr(table, "parent_table", None) or "")
    for theirs in above.table.columns if above is not None and above.table is not None else ():
        if (theirs.name, theirs.type) == (column.name, column.type) and theirs.source != column.source:
            says = f"has no effect: a row refers to what its row of {above.name if above else ''} refers to"
            yield Problem("matching", says, f"give the column another name than {column.name}, or both the same `matching`")


def _check_listed(theirs: Column, values: list[Any], place: str, own: str) -> Iterable[Problem]:
    """Yield which of a unit's values no row lists; a unit without a value refers to no row."""
    values = [value for value in values if value is not None]
    known = dict.fromkeys(_words(listed(theirs), values))
    words = dict(zip(_words(values, listed(theirs)), map(str, values), strict=True))
    missing = [value for word, value in words.items() if word not in known]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        named = ", ".join(f"'{value}'" for value in missing[:_SHOWN])
        says = f"{place} does not list {named}{more}, which {own} can be"
        yield Problem("matching", says, did_you_mean(missing[0], list(dict.fromkeys(spelled(theirs)))))


def _circular(column: Column, ours: Column, unit: Table) -> bool:
    """Return whether what is matched is looked up by the reference itself, by one step or several."""
    named = {other.name: other for other in unit.columns}
    seen: set[str] = set()
    while ours.word == "lookup" and ours.name not in seen:
        seen |= {ours.name}
        way = _way(ours, unit)
        if way is None or way.name == column.name:
            return way is not None
        ours = named.get(next(iter((getattr(way.source, "matching", None) or {}).values()), ""), way)
    return False


def _way(ours: Column, unit: Table) -> Column | None:
    """Return the reference by which a column of the unit's dimension is looked up."""
    by = getattr(ours.source, "by", None)
    to = f"ref.{ours.type.split('.')[1]}"
    return next((other for other in unit.columns if other.type == to and by in (None, other.name)), None)


def _values(column: Column, unit: Table, scope: Scope) -> list[Any] | None:
    """Return what a column of the unit's dimension can say; None if that is not known, or changes but is no tier."""
    source = column.source
    if isinstance(source, History):
        return list(source.tiers)
    if isinstance(source, Pool) and source.by == "chance":
        return _alike([value for segment in scope.segments for value in segment.attributes.get(source.attribute, ())])
    if isinstance(source, Choice):
        return _alike(list(source.values))
    if isinstance(source, OfSegment):
        return _of_segments(source, scope.segments)
    if isinstance(source, Place):
        return names_of(source, unit)
    if column.word == "static":
        return listed(column)
    if column.word == "lookup":
        _, name, theirs = column.type.split(".")
        declared = scope.tables.get(name)
        of = declared.table if declared is not None and declared.kind == "reference" else None
        return next((listed(other) for other in (of.sourced("static") if of else ()) if other.name == theirs), None)
    return None


def _of_segments(source: OfSegment, segments: Iterable[Segment]) -> list[Any] | None:
    if source.fact == "name":
        return [segment.name for segment in segments]
    arms = [segment.treatment for segment in segments if segment.treatment is not None]
    both = [label for arm in arms for label in (arm.control_label, arm.treatment_label)]
    return list(dict.fromkeys(both)) if source.fact == "treatment" else None


def _alike(values: list[Any]) -> list[Any]:
    """Return values as one column has them."""
    return [str(value) for value in values] if common_type(values) == pa.string() else values


def _words(values: list[Any], others: list[Any]) -> list[Any]:
    """Return values such that those which say the same as one of `others` equal it: numbers if all are, else texts. None
    stays None, which says nothing."""
    numbers = {pa.int64(), pa.float64()}
    if all(common_type([value for value in some if value is not None]) in numbers for some in (values, others)):
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in values]


def matched(matching: Mapping[str, str], column: ColumnPlan, table: TablePlan, rows: Rows, parent: Table) -> Integers:
    """Return which row of a listed dimension each row refers to, -1 where its unit has no value. Of several that list one
    value, each is as likely."""
    ((theirs, ours),) = matching.items()
    values, which = _own(ours, rows)
    order, first, count = _places(next(other for other in parent.columns if other.name == theirs), values, parent)
    several = count[which]  # the last, of no place, is that of -1
    drawn = rows.choose(table, column, several) if int(several.max(initial=1)) > 1 else np.zeros(len(which), dtype=np.int64)
    return np.where(which < 0, -1, order[first[which] + drawn])


def _own(ours: str, rows: Rows) -> tuple[list[Any], Integers]:
    """Return the values of a column of the unit's dimension, and which of them each row's unit has (-1: none)."""
    plan, block = rows.block.plan, rows.block
    unit = next(table for table in plan.own if table.kind == "unit")
    mine = next(other for other in unit.columns if other.name == ours)
    if isinstance(mine.spec.source, History):
        history = mine.spec.source
        metric = plan.metric_index(history.tracks)
        band = bands_of(block, metric, history.at)
        return list(history.tiers), np.asarray(band, dtype=np.int64).ravel()[rows.cell]

    def told() -> tuple[list[Any], Integers]:
        units = block.units
        each = np.arange(len(units), dtype=np.int64)
        every = Rows(block=block, address=units.address, unit=each, period=units.arrival)
        coded = fill(mine, unit, every).dictionary_encode()
        return coded.dictionary.to_pylist(), coded.indices.fill_null(-1).to_numpy().astype(np.int64)

    values, which = block.kept("values for life", ours, told)
    return values, which[rows.unit]


def _places(theirs: Column, values: list[Any], parent: Table) -> tuple[Integers, Integers, NDArray[np.int64]]:
    """Return (order, first, count): the rows that list each value are `order[first : first + count]`. A last entry stands
    for none."""
    lists = listed(theirs)
    number = {word: place for place, word in enumerate(_words(values, lists))}
    codes = np.array([number.get(word, len(number)) for word in _words(lists, values)], dtype=np.int64)
    codes = codes[np.arange(parent.length, dtype=np.int64) % len(lists)]  # type: ignore[attr-defined]
    count = np.bincount(codes, minlength=len(number) + 1)
    first = np.cumsum(count) - count
    first[-1], count[-1] = 0, 1
    return np.argsort(codes, kind="stable"), first, count


__all__ = ["check_matching", "matched"]
