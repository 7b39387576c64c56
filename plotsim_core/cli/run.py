"""`plotsim run`: make tables and write them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import get_args

import click

from plotsim_core import api
from plotsim_core.cli.group import main
from plotsim_core.cli.judging import ReportFiles, exit_if_failed, judge_data
from plotsim_core.cli.options import (
    FormatName,
    config_argument,
    folder_type,
    noise_option,
    periods_option,
    quiet_option,
    rows_option,
    scale_option,
    seed_option,
)
from plotsim_core.cli.plans import config_plan, print_warnings
from plotsim_core.config.output import Compression
from plotsim_core.errors import UsageError
from plotsim_core.output.format import FORMATS
from plotsim_core.output.postgres import is_address, shown_address
from plotsim_core.output.progress import print_written, progress_bars
from plotsim_core.output.run import files_in
from plotsim_core.run_files import REPORT_FILES

_MAX_NAMED = 5
"""So many files are named that an earlier run has left."""


@main.command()
@config_argument
@click.option(
    "-o", "--output-dir", "--output", "directory", type=folder_type, help="Fill it; default: the config's, or ./output."
)
@click.option(
    "--format",
    "format_",
    metavar=f"[{'|'.join(FORMATS)}|postgres://...]",
    type=FormatName(list(FORMATS)),
    help="Default: the config's, or csv. An address is that of a PostgreSQL server, where tables are loaded.",
)
@seed_option
@scale_option
@rows_option
@noise_option
@click.option("--compression", type=click.Choice(get_args(Compression)), help="Of Parquet; default: the config's, or zstd.")
@periods_option
@click.option("--tables", metavar="A,B", help="Only these tables, or stages such as trajectories.")
@click.option("-v", "--validate", is_flag=True, help="Check what was written, into validation_report.txt, .json and .html.")
@click.option("--strict", is_flag=True, help="Let warnings fail too; those of the config before anything is written.")
@click.option("--over-budget", is_flag=True, help="Whatever `output.cell_budget` of the config says.")
@quiet_option
def run(
    config: str,
    directory: Path | None,
    format_: str | None,
    seed: int | None,
    scale: float | None,
    target_rows: int | None,
    noise: str | None,
    compression: str | None,
    periods: str | None,
    tables: str | None,
    validate: bool,
    strict: bool,
    over_budget: bool,
    quiet: bool,
) -> None:
    """Make the tables of CONFIG and write them into a directory.

    Files of these tables that are there already are overwritten, and what tells of an older run (manifest, report) goes;
    others stay, and are named in a note.

    \b
    Examples:
      plotsim run saas -o data
      plotsim run my.yaml -o data --format duckdb --scale 10 --validate
      plotsim run my.yaml -o data --format postgres://me@localhost:5432/shops
      plotsim run my.yaml -o data --periods 2024-01..2024-03 --tables fct_revenue,evt_login
      plotsim run my.yaml -o data --target-rows 1000000 --noise none
    """
    if compression is not None and format_ not in (None, "parquet"):
        raise UsageError(f"--compression is that of Parquet, not of {format_.partition('://')[0]}")
    plan = config_plan(config, seed, scale, over_budget, target_rows=target_rows, noise=noise, compression=compression)
    print_warnings(plan, strict, quiet)
    output = plan.dataset.output
    directory, format_ = directory or Path(output.directory), format_ or output.format
    names = [name.strip() for name in tables.split(",")] if tables else [table.name for table in plan.tables]
    earlier_files = files_in(directory)
    with progress_bars({size.table: size.rows for size in api.sizes(plan, periods=periods, tables=names)}, quiet) as seconds:
        rows = api.write_tables(plan, directory, format=format_, periods=periods, tables=names, progress=seconds)
        seconds.stop()
    if not quiet:
        print_written(rows, seconds.spent, shown_address(format_) if is_address(format_) else str(directory))
        _note_leftovers(directory, earlier_files, REPORT_FILES if validate else ())
    if validate:
        report_files = ReportFiles(*(directory / name for name in REPORT_FILES))
        report = judge_data(plan, directory, periods, report_files, format_, frozenset(names) if tables else None)
        if not quiet or report.failed:
            click.echo(report.text(), err=True)
        exit_if_failed(report, strict)


def _note_leftovers(directory: Path, earlier_files: Mapping[Path, int], expected_names: Collection[str]) -> None:
    """Print the names of leftover files, which are not of this run: of another dataset, format or config."""
    current_files = files_in(directory)
    unchanged = (
        str(path.relative_to(directory)) for path, inode in earlier_files.items() if current_files.get(path) == inode
    )
    leftovers = sorted(name for name in unchanged if name not in expected_names)
    if leftovers:
        suffix = f" and {len(leftovers) - _MAX_NAMED} more" if len(leftovers) > _MAX_NAMED else ""
        click.echo(f"note: also in {directory}, and not of this run: {', '.join(leftovers[:_MAX_NAMED])}{suffix}", err=True)
