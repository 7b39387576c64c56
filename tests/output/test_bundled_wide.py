"""Every bundled dataset with wide tables, written in every format: what is read again is whole, and sound."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from plotsim_core import Plan, from_mapping, list_templates, template, write_tables
from plotsim_core.config.read import read
from plotsim_core.output.format import FORMATS
from plotsim_core.validation.report import check_store
from plotsim_core.validation.store import directory_store
from tests.marks import slow_but

_PERIODS = 8
"""Of a window that begins with a year: the first day is a holiday, the second none."""


@lru_cache(maxsize=1)
def wide(name: str) -> Plan:
    return from_mapping({**read(template(name)), "output": {"denormalized": True}}, name=name, scale=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("format", slow_but(FORMATS, "csv"))
@pytest.mark.parametrize("name", slow_but(list_templates(), "saas"))
def test_wide_tables_of_bundled_datasets_are_written_and_sound(name: str, format: str, tmp_path: Path) -> None:
    plan = wide(name)
    stop = min(plan.first + _PERIODS, plan.stop or plan.first + _PERIODS)
    periods = f"{plan.grain.label(plan.first)}..{plan.grain.label(stop - 1)}"
    rows = write_tables(plan, tmp_path, format=format, periods=periods)
    with directory_store(plan, tmp_path, format, plan.first, stop) as store:
        counted = {
            name: store.arrow(f"SELECT count(*) AS n FROM {place}")["n"][0].as_py()
            for name, place in store.relations.items()
        }
        assert counted == rows
        if format == "csv":  # the others have the same rows, and refuse by themselves what is not of their schema
            report = check_store(store)
            assert not report.failed, report.text()
