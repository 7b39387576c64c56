"""The ledger of what is broken on purpose: a row for each cell that was changed, each row that was copied, and each cell of
a row that was dropped. Together with what is stored it gives back what would have been stored.

`row_key` is the key of the row, as it is stored (of a dropped row, as it would have been). Where rows are delivered
late or again, the ledger lies in the partitions of delivery: it says of a row that it is held back in the period in which
it should have come, and that it came when it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.row_relations import rows_in_slice
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.quality import DELIVERED, LEDGER
from plotsim_core.engine.slice import Slice, all_units_in, spans
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Plan, TablePlan, made_column
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.delivery import Deliveries, deliveries_in
from plotsim_core.tables.estimate import delivered_after, expected_rows
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.issue_rows import covers
from plotsim_core.tables.issues import Broken, break_rows, text_of
from plotsim_core.tables.kind import DerivedKind, add_kind, table_kind
from plotsim_core.tables.rank import with_ranks

DELIVERY_DATE = "delivered_date_key"
_COLUMNS: dict[str, tuple[pa.DataType, bool, str]] = {
    "table_name": (pa.string(), False, "Table that was broken."),
    "row_key": (pa.string(), False, "Key of the row: the values of its key columns as they are stored, joined by |."),
    "column_name": (pa.string(), False, "Column that was broken; * for the whole row."),
    "issue_number": (pa.int64(), False, "Number of the entry of `quality` that did it, from 1."),
    "date_key": (pa.int64(), False, "Date key of the row."),
    "issue": (pa.string(), False, "Kind of fault."),
    "action": (pa.string(), False, "Kind of action: changed (a cell), copied (a row, once) or dropped (a cell of a row)."),
    "clean_value": (pa.string(), True, "Value that the cell would hold without the fault."),
    "stored_value": (pa.string(), True, "Value that the cell holds."),
}
KEY = ("table_name", "row_key", "column_name", "issue_number")
_DELIVERY: dict[str, tuple[pa.DataType, bool, str]] = {
    **_COLUMNS,
    "action": (
        pa.string(),
        False,
        "Kind of action: changed (a cell), copied (a row, once), dropped (a cell of a row), held_back (a cell of a row that "
        "did not come in time), delivered (a row that was held back), redelivered (a row, once more) or restated (a row, "
        "put right).",
    ),
    DELIVERY_DATE: (pa.int64(), False, "Date key of the partition: when the row was delivered, or should have been."),
}
"""The columns of the ledger of a dataset in which rows are delivered late or again."""


@add_kind
class QualityLedger(DerivedKind):
    """A row for every cell that is changed, and every row that is copied, dropped or delivered otherwise."""

    kind: ClassVar[str] = LEDGER
    config_key: ClassVar[str] = "quality"

    @classmethod
    def derive(cls, dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterable[TablePlan]:
        if not dataset.quality:
            return
        dates = next(table for table in declared if table.spec.is_date_dimension)
        key = key_column(dates.spec)
        assert key is not None
        delivery = any(issue.delivers for issue in dataset.quality)
        columns = tuple(
            made_column(name, type_, description, word="quality", nullable=nullable)
            for name, (type_, nullable, description) in (_DELIVERY if delivery else _COLUMNS).items()
        )
        times = ("date_key", DELIVERY_DATE) if delivery else ("date_key",)
        description = "Everything that is broken on purpose, and what it would be."
        yield TablePlan(
            spec=cls(name=LEDGER, columns=tuple(column.spec for column in columns), description=description),
            columns=columns,
            key=(*KEY, *times[1:]),
            time=times[-1],
            references=((times[-1], dates.name, key.name),),
            description=description,
        )

    def batches(self, plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        """Yield the ledger in the order of periods, then of tables, then of their rows."""
        for first, stop in spans(plan.population, slice_):
            part = replace(slice_, first=first, stop=stop)
            batches = [
                batch
                for broken in plan.tables
                if broken.issues and not broken.shown_table
                for batch in _entries(plan, broken, table, part)
            ]
            entries = pa.Table.from_batches(batches, table.schema)
            order = np.argsort(entries[table.time or ""].to_numpy(), kind="stable")
            yield from entries.take(order).combine_chunks().to_batches()

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        """The cells and rows that the issues of each table change, copy and drop, on average."""
        total = np.zeros(len(sample.periods))
        for broken in (table for table in sample.broken if not table.shown_table):
            rows = expected_rows(broken, sample)
            columns = broken.clean.columns
            for _, issue in broken.issues:
                affected = rows * issue.rate * covers(sample.population, issue, sample.periods)
                dropped_cells = len(columns) if issue.drops or issue.issue == "late_delivery" else 0
                has_changes = any(column.spec.source.change_part is not None for column in columns)
                entries = dropped_cells or 1 + 2 * int(bool(issue.column) and has_changes)
                repeats = delivered_after(issue, sample, affected) if issue.delivers else np.zeros(len(affected))
                total += repeats if issue.issue == "redelivery" else affected * entries + repeats
        return total

    def read_tables(self, plan: Plan, table: TablePlan) -> Iterable[str]:
        return [other.name for other in plan.tables if other.issues and not other.shown_table]


def _entries(plan: Plan, broken: TablePlan, ledger: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
    """Yield what was done to the rows of one table."""
    kind, population, clean = table_kind(broken), plan.population_of(broken), broken.clean
    if population is not plan.population:
        slice_ = all_units_in(population, slice_)
    names = {*clean.key, clean.time, *(issue.column for _, issue in broken.issues)}
    has_all = any(issue.drops or issue.issue == "late_delivery" for _, issue in broken.issues)
    columns = [c for c in clean.columns if has_all or c.name in names or c.spec.source.change_part is not None]
    parts: Iterator[tuple[Rows, Deliveries | None]]
    if any(issue.delivers for _, issue in broken.issues):
        parts = deliveries_in(kind, population, broken, slice_)
    else:
        parts = ((with_ranks(clean, rows_in_slice(population, clean, part)), None) for part in kind.cut(population, slice_))
    for rows, deliveries in parts:
        clean_columns = {column.name: fill(column, clean, rows) for column in columns}
        yield _batch(clean, ledger, break_rows(broken, rows, clean_columns, deliveries), clean_columns)


def _batch(table: TablePlan, ledger: TablePlan, broken: Broken, clean: dict[str, ArrowArray]) -> pa.RecordBatch:
    changes = [change for change in broken.changes if len(change.rows)]
    counts = [len(change.rows) for change in changes]
    positions = np.concatenate([change.rows for change in changes]) if changes else np.empty(0, dtype=np.int64)
    order = np.argsort(positions, kind="stable")

    def keys(columns: dict[str, ArrowArray]) -> ArrowArray:
        return joined(*(text_of(columns[name].take(positions)) for name in table.key), between="|")

    change_indices = np.repeat(np.arange(len(changes), dtype=np.int64), counts)
    dropped = pa.array([change.action == "dropped" for change in changes], pa.bool_()).take(change_indices)
    texts = pa.string()
    dates = clean[table.time or ""]
    columns: dict[str, ArrowArray] = {
        "table_name": pa.array([table.name] * len(changes), texts).take(change_indices),
        "row_key": pc.if_else(dropped, keys(clean), keys(broken.columns)),
        "column_name": pa.array([change.column for change in changes], texts).take(change_indices),
        "issue_number": pa.array([change.number for change in changes], pa.int64()).take(change_indices),
        "date_key": dates.take(positions),
        "issue": pa.array([change.issue for change in changes], texts).take(change_indices),
        "action": pa.array([change.action for change in changes], texts).take(change_indices),
        "clean_value": pa.concat_arrays([change.clean_texts for change in changes] or [pa.nulls(0, texts)]),
        "stored_value": pa.concat_arrays([change.stored_texts for change in changes] or [pa.nulls(0, texts)]),
        DELIVERY_DATE: broken.columns.get(DELIVERED, dates).take(positions),
    }
    return batch_of(ledger, [columns[column.name].take(order) for column in ledger.columns])
