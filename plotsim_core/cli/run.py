"""`plotsim run`: make tables and write them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import get_args

import click

from plotsim_core import api
from plotsim_core.cli.group import main
from plotsim_core.cli.judging import ReportFiles, exit_if_failed, judge_data
from plotsim_core.cli.options import (
    FormatName,
    config_argument,
    noise_option,
    periods_option,
    quiet_option,
    rows_option,
    scale_option,
    seed_option,
    table_rows_option,
)
from plotsim_core.cli.plans import config_plan, print_warnings
from plotsim_core.config.output import Compression
from plotsim_core.config.words import enumeration
from plotsim_core.engine.slice import full_slice
from plotsim_core.errors import UsageError
from plotsim_core.output.format import FORMATS
from plotsim_core.output.one_file import ENDINGS, has_other_ending, is_file_name, write_single
from plotsim_core.output.postgres import is_address, shown_address
from plotsim_core.output.run import files_in
from plotsim_core.output.text_table import aligned_rows
from plotsim_core.plan.plan import Plan
from plotsim_core.run_files import REPORT_FILES
from plotsim_core.tables.build import find_table
from plotsim_core.tables.first_rows import first_rows

_MAX_NAMED = 5
"""So many files are named that an earlier run has left."""


@main.command()
@config_argument
@click.option(
    "-o",
    "--output-dir",
    "--output",
    "output",
    type=click.Path(path_type=Path),
    help="Fill this folder; default: the config's, or ./output. Or write one table into a file: t.csv, t.jsonl, t.parquet. "
    "A new folder has no ending such as .txt in its name.",
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
@table_rows_option
@noise_option
@click.option("--compression", type=click.Choice(get_args(Compression)), help="Of Parquet; default: the config's, or zstd.")
@periods_option
@click.option("--tables", metavar="A,B", help="Only these tables, or stages such as trajectories.")
@click.option("--sample", metavar="N", type=click.IntRange(1), help="Print N rows of each table, and write nothing.")
@click.option("-v", "--validate", is_flag=True, help="Check what was written, into validation_report.txt, .json and .html.")
@click.option("--strict", is_flag=True, help="Let warnings fail too; those of the config before anything is written.")
@click.option("--over-budget", is_flag=True, help="Whatever `output.cell_budget` of the config says.")
@click.option(
    "--manifest/--no-manifest",
    "with_manifest",
    default=None,
    help="Write what is true of the units; default: as the config says, and not with --periods.",
)
@quiet_option
def run(
    config: str,
    output: Path | None,
    format_: str | None,
    seed: int | None,
    scale: float | None,
    target_rows: int | None,
    table_rows: tuple[tuple[str, int], ...],
    noise: str | None,
    compression: str | None,
    periods: str | None,
    tables: str | None,
    sample: int | None,
    validate: bool,
    strict: bool,
    over_budget: bool,
    with_manifest: bool | None,
    quiet: bool,
) -> None:
    """Make the tables of CONFIG and write them into a directory, or one table into a file.

    Files of these tables that are there already are overwritten, and what tells of an older run (manifest, report) goes;
    others stay, and are named in a note. A single file comes without manifest, report and log lines.

    \b
    Examples:
      plotsim run saas -o data
      plotsim run my.yaml -o data --format duckdb --scale 10 --validate
      plotsim run my.yaml -o data --format postgres://me@localhost:5432/shops
      plotsim run my.yaml -o data --periods 2024-01..2024-03 --tables fct_revenue,evt_login
      plotsim run my.yaml -o data --target-rows 1000000 --noise none
      plotsim run my.yaml --tables users -o users.parquet --rows users=5000
      plotsim run my.yaml --sample 3
    """
    from plotsim_core.output.progress import print_written, progress_bars  # slow to import, and needed here alone

    if compression is not None and format_ not in (None, "parquet"):
        raise UsageError(f"--compression is that of Parquet, not of {format_.partition('://')[0]}")
    plan = config_plan(
        config, seed, scale, over_budget, table_rows, target_rows=target_rows, noise=noise, compression=compression
    )
    print_warnings(plan, strict, quiet)
    names = [name.strip() for name in tables.split(",")] if tables else [table.name for table in plan.tables]
    if sample is not None:
        unused = {"-o": output is not None, "--validate": validate, "--manifest": with_manifest is not None}
        if any(unused.values()):
            unused_names = " and ".join(name for name, is_given in unused.items() if is_given)
            raise UsageError(f"--sample prints rows and writes nothing: leave out {unused_names}")
        _print_sample(plan, names, sample, periods)
        return
    if output is not None and is_file_name(output):
        if validate:
            raise UsageError("--validate judges what is in a folder: let -o name one")
        if with_manifest is not None:
            raise UsageError("--manifest writes beside tables in a folder: let -o name one")
        _write_file(plan, names, output, format_, periods, quiet)
        return
    if output is not None and has_other_ending(output):
        message = f"{output} ends in {output.suffix}, and a file of one table in {', '.join(ENDINGS)}"
        raise UsageError(f"{message}; leave the ending out for a folder, or make the folder first")
    directory, format_ = output or Path(plan.dataset.output.directory), format_ or plan.dataset.output.format
    if directory.is_file():
        raise UsageError(f"{directory} is a file; -o names a folder, or a file that ends in {', '.join(ENDINGS)}")
    earlier_files = files_in(directory)
    with progress_bars({size.table: size.rows for size in api.sizes(plan, periods=periods, tables=names)}, quiet) as seconds:
        rows = api.write_tables(
            plan,
            directory,
            format=format_,
            periods=periods,
            tables=names,
            progress=seconds,
            with_manifest=with_manifest,
        )
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


def _print_sample(plan: Plan, names: Sequence[str], count: int, periods: str | None) -> None:
    """Print the first rows of tables, each under its name."""
    first, stop = api.parse_periods(plan, periods) or (plan.first, plan.stop_or_span)
    full_slice(plan.population, first, stop)
    for number, name in enumerate(names):
        rows = first_rows(plan, name, count, first, stop)
        click.echo(f"{'' if number == 0 else chr(10)}{name}")
        click.echo(aligned_rows(find_table(plan, name), rows))


def _write_file(
    plan: Plan, names: Sequence[str], output: Path, format_: str | None, periods: str | None, quiet: bool
) -> None:
    """Write a table into a file of its own."""
    if len(names) > 1:
        raise UsageError(
            f"{output} is one file, and there are {len(names)} tables ({enumeration(names)}): name one by --tables, "
            "or let -o name a folder"
        )
    if format_ not in (None, output.suffix[1:]):
        raise UsageError(f"{output} ends in {output.suffix}, and --format says {format_.partition('://')[0]}")
    table = find_table(plan, names[0])
    schema, rows = api.batches(plan, table.name, *(api.parse_periods(plan, periods) or ()))
    count = write_single(plan, table, schema, rows, output)
    if not quiet:
        click.echo(f"{count:,} rows of {table.name} in {output}", err=True)


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
