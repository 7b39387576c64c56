"""One pass: tables whose rows are made of each other's are made together, a part of the periods after the other.

A return needs the orders of the weeks before it, and so does a review. Where each table is made by itself, the rows that
they have in common are made for each of them. Here, whoever is read first makes a part of all of them; the rows of the
others wait in files until they are read. It saves time and never changes a row: a part is a slice like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pyarrow as pa

from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.build import build
from plotsim_core.tables.kind import table_kind
from plotsim_core.tables.slices import TableSlice, cuts_of, slice_batches

Batches = Iterator[pa.RecordBatch]


def made_together(plan: Plan, tables: Sequence[TablePlan]) -> list[list[TablePlan]]:
    """Return those of some tables that are worth one pass, in groups: rows of units and periods that belong or refer to
    rows of each other."""
    groups: list[list[TablePlan]] = []
    for table in (table for table in tables if _is_cut_by_period(plan, table)):
        related = [group for group in groups if any(_are_related(table, other) for other in group)]
        groups = [group for group in groups if group not in related]
        groups.append([*(other for group in related for other in group), table])
    return [group for group in groups if len(group) > 1]


def _is_cut_by_period(plan: Plan, table: TablePlan) -> bool:
    """Return whether a table has rows of units, in the order of periods, that are made of no other table's stored rows."""
    kind = table_kind(table)
    return table.time is not None and kind.has_unit_rows and not kind.is_derived and "periods" in cuts_of(plan, table)


def _are_related(table: TablePlan, other: TablePlan) -> bool:
    return table.name in _read_names(other) or other.name in _read_names(table)


def _read_names(table: TablePlan) -> set[str | None]:
    """Return the names of the tables that the rows of a table belong or refer to, or are counted and added up from."""
    return {table.spec.parent_name, *(column.spec.source.target_name for column in table.all_columns)}


class OnePass:
    """The rows of some tables of one kind of unit in a slice, each to be read once, one table after the other. `folder` is
    where rows wait until they are read; it is made when there are any."""

    def __init__(self, plan: Plan, tables: Sequence[TablePlan], slice_: Slice, folder: Path) -> None:
        self._plan, self._slice, self._folder = plan, slice_, folder
        self._tables = {table.name: table for table in tables}
        self._is_begun = False
        self._waiting: set[str] = set()

    def batches(self, name: str) -> Batches:
        """Yield the rows of one of the tables. Whose rows do not wait makes them alone."""
        if not self._is_begun:
            self._is_begun = True
            yield from self._made_with_others(name)
        elif name in self._waiting:
            self._waiting.remove(name)
            yield from _read_file(self._file(name))
        else:
            yield from build(self._plan, self._tables[name], self._slice)

    def _made_with_others(self, name: str) -> Batches:
        """Yield the rows of a table, and write those of the others into files; not of one that fails, as its reader will."""
        self._folder.mkdir(exist_ok=True)
        others = {other: table for other, table in self._tables.items() if other != name}
        with ExitStack() as stack:
            writers = {
                other: stack.enter_context(pa.ipc.new_stream(str(self._file(other)), table.schema))
                for other, table in others.items()
            }
            for part in _parts(self._plan, list(self._tables.values()), self._slice):
                for other in list(writers):
                    try:
                        for batch in build(self._plan, others[other], part):
                            writers[other].write_batch(batch)
                    except Exception:  # noqa: BLE001 # whatever it is: who reads the table meets it
                        del writers[other]
                yield from build(self._plan, self._tables[name], part)
        self._waiting.update(writers)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.arrows"


def _read_file(path: Path) -> Batches:
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
        yield from reader
    path.unlink()


def _parts(plan: Plan, tables: Sequence[TablePlan], slice_: Slice) -> Iterator[Slice]:
    """Cut a slice into parts of which no table makes more than one block, where all can be cut so."""
    population = plan.population_of(tables[0])
    has_runs = all("units" in cuts_of(plan, table) for table in tables)
    first = slice_.first
    while first < slice_.stop:
        rest = Slice(first, slice_.stop, 0, units_by(population, slice_.stop))
        block = min((next(table_kind(table).cut(population, rest)) for table in tables), key=lambda block: block.shape)
        units = units_by(population, block.stop)
        step = block.unit_stop if has_runs and block.stop == first + 1 else units
        for start in range(0, units, max(1, step)):
            yield Slice(first, block.stop, start, min(start + step, units))
        first = block.stop


def passes(plan: Plan, tables: Sequence[TablePlan], slice_: Slice, folder: Path) -> dict[str, OnePass]:
    """Return the pass of each of some tables that is worth one, by name. Blocks of a slice of one part are kept anyway."""
    result: dict[str, OnePass] = {}
    for group in made_together(plan, tables):
        if len(list(islice(_parts(plan, group, slice_), 2))) > 1:
            result |= dict.fromkeys((table.name for table in group), OnePass(plan, group, slice_, folder))
    return result


def in_one_pass(plan: Plan, tables: Sequence[TablePlan], slice_: Slice, folder: Path) -> Iterator[Batches]:
    """Yield the rows of each of some tables in the periods of a slice, to be read one table after the other."""
    passes_by_name = passes(plan, tables, slice_, folder)
    for table in tables:
        one_pass = passes_by_name.get(table.name)
        part = TableSlice(table.name, slice_.first, slice_.stop)
        yield slice_batches(plan, part) if one_pass is None else one_pass.batches(table.name)
