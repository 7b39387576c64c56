"""Judging data: the checks over a folder, a file or a server, and the files that the report goes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from plotsim_core import api
from plotsim_core.cli.text_files import write_report, write_text
from plotsim_core.config.output import Output
from plotsim_core.engine.slice import full_slice
from plotsim_core.output.postgres import fetch, is_address
from plotsim_core.plan.plan import Plan

if TYPE_CHECKING:
    from plotsim_core.validation.report import Report


@dataclass(frozen=True)
class ReportFiles:
    """Where a report goes: as text, as JSON, as a page; None for nowhere."""

    text: Path | None = None
    json: Path | None = None
    page: Path | None = None


def judge_data(
    plan: Plan,
    data: Path | str,
    periods: str | None,
    files: ReportFiles,
    format: str | None = None,
    requested: frozenset[str] | None = None,
) -> Report:
    """Run the checks over what lies at `data`, a run's own folder where its `format` is given, or in the server whose
    address either is, and write the report to the files that are given. `requested` are the tables of the run, None for
    all."""
    address = next((location for location in (str(data), format or "") if is_address(location)), None)
    if address is None:
        return _judge_files(plan, Path(data), periods, files, format, requested)
    with TemporaryDirectory(prefix="plotsim-") as folder:
        fetch(address, plan, Path(folder))
        plain_plan = replace(plan, dataset=plan.dataset.model_copy(update={"output": Output()}))
        return _judge_files(plain_plan, Path(folder), periods, files, None if format is None else "csv", requested)


def _judge_files(
    plan: Plan,
    data: Path,
    periods: str | None,
    files: ReportFiles,
    format: str | None,
    requested: frozenset[str] | None,
) -> Report:
    from plotsim_core.validation.charts import pictures
    from plotsim_core.validation.html_page import page  # not needed, and slow to import, unless asked for
    from plotsim_core.validation.report import check_store
    from plotsim_core.validation.store import directory_store, find_store

    write = write_report if format else partial(write_text, force=True)
    slice_ = full_slice(plan, *(api.parse_periods(plan, periods) or ())) if periods or format else None
    if format and slice_:
        opened = directory_store(plan, data, format, slice_.first, slice_.stop, requested)
    else:
        opened = find_store(plan, data, *((slice_.first, slice_.stop) if slice_ else (None, None)))
    with opened as store:
        report = check_store(store)
        if files.text is not None:
            write(report.text() + "\n", files.text)
        if files.json is not None:
            write(report.json(), files.json)
        if files.page is not None:
            write(page(store, report, pictures(store, report)), files.page)
    return report


def exit_if_failed(report: Report, strict: bool) -> None:
    """Exit with code 1 where data is broken, or with `strict` where a warning failed."""
    if report.failed or (strict and report.warned):
        raise click.exceptions.Exit(1)
