"""A table kind from outside that no section declares: `add_kind` alone puts the tables that it derives into any dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import pyarrow as pa
import pytest

from plotsim_core import batches, from_mapping
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.table_kind import TABLE_FORMS
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Plan, TablePlan, made_column
from plotsim_core.plan.schemas import DERIVED
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.kind import DerivedKind, add_kind
from tests.extension.test_kind import CONFIG

GYM = {key: value for key, value in CONFIG.items() if key not in ("facts", "quality")}


class Sizes(DerivedKind):
    """The numbers of units of segments."""

    kind: ClassVar[str] = "segment_sizes"
    is_state: ClassVar[bool] = True

    @classmethod
    def derive(cls, dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterable[TablePlan]:
        columns = (
            made_column("segment", pa.string(), "Name of the segment.", word="sizes.segment"),
            made_column("units", pa.int64(), "Number of its units.", word="sizes.units"),
        )
        spec = cls(name="segment_sizes", columns=tuple(column.spec for column in columns))
        yield TablePlan(spec, columns, key=("segment",), time=None, references=(), description="Sizes of segments.")

    def batches(self, plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        segments = plan.population_of(table).segments
        yield batch_of(table, [pa.array([s.spec.name for s in segments]), pa.array([s.count for s in segments], pa.int64())])


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind is known while a test of this file runs."""
    monkeypatch.setattr(TABLE_FORMS, "_members", dict(TABLE_FORMS.items()))
    monkeypatch.setattr(DERIVED, "_members", dict(DERIVED.items()))
    add_kind(Sizes)


def test_its_table_is_in_a_dataset() -> None:
    schema, rows = batches(from_mapping(GYM, name="gym"), "segment_sizes")
    assert pa.Table.from_batches(rows, schema).to_pydict() == {"segment": ["keen", "fading"], "units": [23, 17]}


def test_a_kind_that_no_section_declares_must_derive_tables() -> None:
    class Nothing(DerivedKind):
        """A kind without tables."""

        kind: ClassVar[str] = "nothing"

    add_kind(Nothing)
    with pytest.raises(NotImplementedError, match="no section declares Nothing, and it derives no tables"):
        from_mapping(GYM, name="gym")
