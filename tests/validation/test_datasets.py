"""Every bundled dataset passes every check, small and large, and fails where it was broken, table by table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from docs.datasets import shown
from plotsim_core import Plan, list_templates, template, write_tables
from plotsim_core.engine.memory import Memory
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.check import CHECKS
from plotsim_core.validation.report import check_store
from plotsim_core.validation.store import StoredData, directory_store
from tests.laws.made import BUNDLED

HEAVY = ("streaming", "ecommerce")
"""Datasets whose hundredfold takes longest to judge: `make check` has their tenfold."""

TWICE = ("keys_unique", "date_spine_whole")


@contextmanager
def stored(plan: Plan, directory: Path) -> Iterator[StoredData]:
    write_tables(plan, directory, format="parquet")
    assert plan.stop is not None
    with directory_store(plan, directory, "parquet", plan.first, plan.stop) as store:
        yield store


def sizes() -> Iterator[Any]:
    """Yield each dataset as it is and a hundred times its size; those that are heavy ten times as well."""
    for name in list_templates():
        yield pytest.param(name, 1, id=f"{name}-as it is", marks=[] if name == "saas" else pytest.mark.long)
        if name in HEAVY:
            yield pytest.param(name, 10, id=f"{name}-ten times its size", marks=pytest.mark.long)
        marks = [pytest.mark.long, pytest.mark.endurance] if name in HEAVY else pytest.mark.long
        yield pytest.param(name, 100, id=f"{name}-a hundred times its size", marks=marks)


@pytest.mark.parametrize(("name", "scale"), [*sizes()])
def test_a_dataset_passes_every_check(name: str, scale: float, tmp_path: Path) -> None:
    plan = shown(template(name), scale=scale)
    assert not plan.warnings
    with stored(plan, tmp_path) as store:
        report = check_store(store)
    assert report.score == 100 and not report.failed and not report.warned, report.text()


def _found(store: StoredData, table: TablePlan, relation: str, checks: Iterable[str] = CHECKS) -> set[tuple[str, str]]:
    """Return (check, subject) that fail when a table is another relation: `t` in it stands for the table as it is."""
    entry = f"FROM {store.relations[table.name]} AS t"
    instead = {**store.relations, table.name: f"({relation.replace('FROM t', entry)})"}
    kinds = replace(store, relations=instead, memory=Memory()).kinds
    cases = ((check, kind, table) for check in checks for kind in kinds for table in kind.tables)
    findings = ((check, finding) for check, kind, table in cases for finding in CHECKS[check].findings(kind, table))
    return {(check, finding.subject) for check, finding in findings if not finding.passed}


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_a_row_twice_in_any_table_is_found(name: str, tmp_path: Path) -> None:
    with stored(shown(template(name)), tmp_path) as store:
        for table in store.plan.tables:
            actual = _found(store, table, "SELECT * FROM t UNION ALL (SELECT * FROM t LIMIT 1)", TWICE)
            assert any(subject.startswith(table.name) for _, subject in actual), table.name


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_an_orphan_in_any_reference_is_found(name: str, tmp_path: Path) -> None:
    """The greatest key that is referred to, and is no orphan on purpose, becomes one that nobody has."""
    with stored(shown(template(name)), tmp_path) as store:
        for table in store.plan.tables:
            clean = table.clean
            for column in {column for column, _, _ in clean.references}.difference(clean.key, [clean.time]):
                key, present = quoted(column), store.relations[table.name]
                nobody = "-1" if _type(table, column) == pa.int64() else "'nobody'"
                greatest = f"(SELECT max({key}) FROM {present} WHERE {key}::VARCHAR NOT LIKE '%-X')"
                orphan = f"CASE WHEN {key} = {greatest} THEN {nobody} ELSE {key} END"
                actual = _found(store, table, f"SELECT * REPLACE ({orphan} AS {key}) FROM t", ["references_resolve"])
                assert any(subject.startswith(f"{table.name}.{column}") for _, subject in actual), (table.name, column)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_lives_that_are_mixed_up_are_found(name: str, tmp_path: Path) -> None:
    """In every fact per unit and period, what a unit did goes to the next one, another in each period: rows, keys and
    margins stay the same, and no unit's rows are one life."""
    with stored(shown(template(name)), tmp_path) as store:
        for table in (table for table in store.plan.tables if table.kind == "fact" and not table.shown_table):
            clean = table.clean
            unit, date = (quoted(column) for column in clean.key)
            columns = [quoted(column.name) for column in clean.columns if column.name not in clean.key]
            given = ", ".join(f"coalesce(lead({column}) OVER w, {column}) AS {column}" for column in columns)
            window = f"WINDOW w AS (PARTITION BY {date} ORDER BY hash({unit}, {date}))"
            assert _found(store, table, f"SELECT * REPLACE ({given}) FROM t {window}"), table.name


def _type(table: TablePlan, column: str) -> pa.DataType:
    return next(c.type for c in table.columns if c.name == column)
