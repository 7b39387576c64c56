"""`plotsim check`: judge data that is already written."""

from __future__ import annotations

from pathlib import Path

import click

from plotsim_core import api
from plotsim_core.cli.group import main
from plotsim_core.cli.judging import ReportFiles, exit_if_failed, judge_data
from plotsim_core.cli.options import (
    DataLocation,
    file_type,
    noise_option,
    periods_option,
    quiet_option,
    scale_option,
    seed_option,
    strict_option,
    table_rows_option,
)
from plotsim_core.cli.plans import config_path
from plotsim_core.config.dataset import dataset_name
from plotsim_core.config.overrides import with_overrides
from plotsim_core.config.read import read_document
from plotsim_core.importers import imported
from plotsim_core.output.postgres import origin_at, shown_address
from plotsim_core.output.staged import finish
from plotsim_core.validation.provenance import Origin, origin_of, origins, overrides


@main.command()
@click.argument("data", type=DataLocation(path_type=Path, exists=True))
@click.option("--config", required=True, metavar="CONFIG", help="What the data was made from.")
@seed_option
@scale_option
@table_rows_option
@noise_option
@periods_option
@click.option("--json", "json_file", type=file_type, help="Write the report for machines to this file.")
@click.option("--html", "html_file", type=file_type, help="Write the report as a page, with pictures, to this file.")
@strict_option
@quiet_option
def check(
    data: Path | str,
    config: str,
    seed: int | None,
    scale: float | None,
    table_rows: tuple[tuple[str, int], ...],
    noise: str | None,
    periods: str | None,
    json_file: Path | None,
    html_file: Path | None,
    strict: bool,
    quiet: bool,
) -> None:
    """Judge data that is already written against its config.

    DATA is a directory that `plotsim run` filled, a DuckDB file of it, the address of a PostgreSQL server that it loaded
    (postgres://...), or a store of the Dagster side. Data knows its seed and scale, so they need not be given; data that was
    made from another config is refused. Exit code 1: it is broken.

    \b
    Examples:
      plotsim check data --config saas
      plotsim check plotsim.duckdb --config saas.yaml --periods 2024-01..2024-06 --json report.json --strict
    """
    path = config_path(config)
    location = data if isinstance(data, Path) else shown_address(data)
    if isinstance(data, Path) and data.is_dir():
        finish(data)
    document = imported(read_document(path).readable())
    raw = with_overrides(document.value, noise=noise, table_rows=dict(table_rows))
    data_origins = origins(data) if isinstance(data, Path) else _origins_at(data, path)
    if not data_origins:
        click.echo(f"warning: {location} does not say what it was made from; it is taken to be {config}", err=True)
    words = overrides(raw, path.stem, data_origins, seed, scale)
    plan = api.from_mapping(document, source=str(path), noise=noise, table_rows=dict(table_rows), **words)
    report = judge_data(plan, data, periods, ReportFiles(None, json_file, html_file))
    if not quiet:
        click.echo(report.text())
    exit_if_failed(report, strict)


def _origins_at(address: str, config: Path) -> list[Origin]:
    """Return what the dataset of a config says of itself in a server; empty if it says nothing, or is not there."""
    origin = origin_at(address, dataset_name(config.stem))
    return [origin_of(shown_address(address), origin)] if origin else []
