"""The benchmark leaves nothing out: its config has every kind of table and every source of a column."""

from __future__ import annotations

from pathlib import Path

from plotsim_core import load_config
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.table_kind import TABLE_FORMS
from plotsim_core.plan.schemas import DERIVED

EVERYTHING = load_config(Path(__file__).parents[1] / "benchmarks" / "everything.yaml")


def test_every_kind_of_table_is_measured() -> None:
    assert {table.form for table in EVERYTHING.tables} == set(TABLE_FORMS)


def test_every_column_source_is_measured() -> None:
    assert set(SOURCES) <= {column.spec.word for table in EVERYTHING.tables for column in table.columns}


def test_every_way_to_derive_a_table_is_measured() -> None:
    declared = {table.name for table in EVERYTHING.dataset.all_tables}
    for name, derive in DERIVED.items():
        tables = tuple(table for table in EVERYTHING.tables if table.name in declared)
        assert list(derive(EVERYTHING.dataset, tables)), name
