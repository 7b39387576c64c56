"""The command line: run, check, validate, info, explain, templates and the schema of the language.

Data goes to files and what was asked for to stdout; progress, warnings and errors go to stderr. Exit codes: 0 done,
1 the data or (with --strict) a warning failed, 2 the config or the request makes no sense.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.console import Console

from plotsim_core import api
from plotsim_core.config.dataset import dataset_name
from plotsim_core.config.output import Compression, Output, without_budget
from plotsim_core.config.overrides import with_overrides
from plotsim_core.config.read import read
from plotsim_core.engine.slice import full_slice
from plotsim_core.errors import ConfigError, UsageError
from plotsim_core.output.atomic import atomic_file
from plotsim_core.output.format import FORMATS
from plotsim_core.output.one_file import as_csv, write_single
from plotsim_core.output.postgres import fetch, is_address, origin_at, shown_address
from plotsim_core.output.progress import print_written, progress_bars
from plotsim_core.output.run import files_in
from plotsim_core.output.staged import finish
from plotsim_core.output.usage_errors import usage_errors
from plotsim_core.plan.plan import Plan
from plotsim_core.schema import json_schema
from plotsim_core.show import show_plan
from plotsim_core.truth.expected import expected_rows
from plotsim_core.truth.locate import find_period
from plotsim_core.validation.provenance import Origin, origin_of, origins, overrides
from plotsim_core.validation.report import REPORT_TEXT
from plotsim_core.version import VERSION

if TYPE_CHECKING:
    from plotsim_core.validation.report import Report

REPORT, PAGE = "validation_report.json", "validation_report.html"
_NAMED = 5
"""How many files are named that an earlier run has left."""
_GROUP = "plotsim.commands"
_ReportFiles = tuple[Path | None, Path | None, Path | None]
"""Where the report goes: as text, as JSON, as a page."""

_config_argument = click.argument("config", metavar="CONFIG")
_seed_option = click.option("-s", "--seed", type=click.IntRange(0, 2**32 - 1), help="Use this seed instead of the config's.")
_scale_option = click.option(
    "--scale", type=click.FloatRange(0, 1_000_000, min_open=True), help="Multiply the number of units."
)
_rows_option = click.option(
    "--target-rows", type=click.IntRange(1), help="Scale to about so many rows in all tables and periods."
)
_noise_option = click.option("--noise", metavar="PRESET", help="Noise of all metrics: none, realistic, messy ...")
_periods_option = click.option(
    "--periods", metavar="A..B", help="Only these periods, both included: 2024-01..2024-03, or one."
)
_quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
_strict_option = click.option("--strict", is_flag=True, help="Let warnings fail too, with exit code 1.")
_file_type, _folder_type = click.Path(path_type=Path, dir_okay=False), click.Path(path_type=Path, file_okay=False)
_output_option = click.option("-o", "--output", type=_file_type, help="Write to this file.")


class _Format(click.Choice[str]):
    """The name of a format, or the address of a server."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if "://" not in str(value):
            return super().convert(value, param, ctx)
        if not is_address(value):  # not told in full: there may be a password in it
            self.fail(f"tables cannot be loaded into {value.partition('://')[0]}://, but into postgres://", param, ctx)
        return value


class _Data(click.Path):
    """A path that is there, or the address of a server."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if is_address(str(value)) else super().convert(value, param, ctx)


class _Commands(click.Group):
    """Commands that answer a wrong config or request with what is wrong, and exit code 2. Installed packages add commands of
    their own by the entry point group `plotsim.commands`, which are loaded when they are called for."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ConfigError, UsageError) as error:
            click.echo(str(error), err=True)
            ctx.exit(2)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        command = super().get_command(ctx, name)
        entries = () if command is not None else entry_points(group=_GROUP, name=name)
        return next((entry.load() for entry in entries), command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        names = sorted(entry.name for entry in entry_points(group=_GROUP) if entry.name not in self.commands)
        if names:
            with formatter.section("Commands of installed packages (each has --help)"):
                formatter.write_text(", ".join(names))


@click.group(cls=_Commands)
@click.version_option(VERSION, prog_name="plotsim")
def main() -> None:
    """Synthetic multi-table data with shape, from one YAML file.

    CONFIG is a path, or the name of a bundled template. Begin with:

    \b
      plotsim list-templates
      plotsim info saas
      plotsim run saas -o data --format parquet
    """


@main.command()
@_config_argument
@click.option(
    "-o", "--output-dir", "--output", "directory", type=_folder_type, help="Fill it; default: the config's, or ./output."
)
@click.option(
    "--format",
    "format_",
    metavar=f"[{'|'.join(FORMATS)}|postgres://...]",
    type=_Format(list(FORMATS)),
    help="Default: the config's, or csv. An address is that of a PostgreSQL server, where tables are loaded.",
)
@_seed_option
@_scale_option
@_rows_option
@_noise_option
@click.option("--compression", type=click.Choice(get_args(Compression)), help="Of Parquet; default: the config's, or zstd.")
@_periods_option
@click.option("--tables", metavar="A,B", help="Only these tables, or stages such as trajectories.")
@click.option("-v", "--validate", is_flag=True, help="Check what was written, into validation_report.txt, .json and .html.")
@click.option("--strict", is_flag=True, help="Let warnings fail too; those of the config before anything is written.")
@click.option("--over-budget", is_flag=True, help="Whatever `output.cell_budget` of the config says.")
@_quiet_option
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
    plan = _plan(config, seed, scale, over_budget, target_rows=target_rows, noise=noise, compression=compression)
    _warn(plan, strict, quiet)
    output = plan.dataset.output
    directory, format_ = directory or Path(output.directory), format_ or output.format
    names = [name.strip() for name in tables.split(",")] if tables else [table.name for table in plan.tables]
    earlier_files = files_in(directory)
    with progress_bars({size.table: size.rows for size in api.sizes(plan, periods=periods, tables=names)}, quiet) as seconds:
        rows = api.write_tables(plan, directory, format=format_, periods=periods, tables=names, progress=seconds)
        seconds.stop()
    if not quiet:
        print_written(rows, seconds.spent, shown_address(format_) if is_address(format_) else str(directory))
        _note_leftovers(directory, earlier_files, (REPORT_TEXT, REPORT, PAGE) if validate else ())
    if validate:
        report_files = directory / REPORT_TEXT, directory / REPORT, directory / PAGE
        report = _judge(plan, directory, periods, report_files, format_, frozenset(names) if tables else None)
        if not quiet or report.failed:
            click.echo(report.text(), err=True)
        _exit_if_failed(report, strict)


def _note_leftovers(directory: Path, earlier_files: Mapping[Path, int], expected_names: Collection[str]) -> None:
    """Print the names of leftover files, which are not of this run: of another dataset, format or config."""
    current_files = files_in(directory)
    unchanged = (
        str(path.relative_to(directory)) for path, inode in earlier_files.items() if current_files.get(path) == inode
    )
    leftovers = sorted(name for name in unchanged if name not in expected_names)
    if leftovers:
        suffix = f" and {len(leftovers) - _NAMED} more" if len(leftovers) > _NAMED else ""
        click.echo(f"note: also in {directory}, and not of this run: {', '.join(leftovers[:_NAMED])}{suffix}", err=True)


@main.command()
@click.argument("data", type=_Data(path_type=Path, exists=True))
@click.option("--config", required=True, metavar="CONFIG", help="What the data was made from.")
@_seed_option
@_scale_option
@_noise_option
@_periods_option
@click.option("--json", "json_file", type=_file_type, help="Write the report for machines to this file.")
@click.option("--html", "html_file", type=_file_type, help="Write the report as a page, with pictures, to this file.")
@_strict_option
@_quiet_option
def check(
    data: Path | str,
    config: str,
    seed: int | None,
    scale: float | None,
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
    path = _path(config)
    location = data if isinstance(data, Path) else shown_address(data)
    if isinstance(data, Path) and data.is_dir():
        finish(data)
    raw = with_overrides(read(path), noise=noise)
    data_origins = origins(data) if isinstance(data, Path) else _origins_at(data, path)
    if not data_origins:
        click.echo(f"warning: {location} does not say what it was made from; it is taken to be {config}", err=True)
    plan = api.from_mapping(raw, source=str(path), **overrides(raw, path.stem, data_origins, seed, scale))
    report = _judge(plan, data, periods, (None, json_file, html_file))
    if not quiet:
        click.echo(report.text())
    _exit_if_failed(report, strict)


@main.command()
@_config_argument
@_strict_option
def validate(config: str, strict: bool) -> None:
    """Tell everything that is wrong with CONFIG; nothing is made.

    \b
    Example:
      plotsim validate my.yaml
    """
    plan = _plan(config)
    _warn(plan, strict)
    population = plan.population
    count = f"{len(plan.tables)} tables, {len(population.metrics)} metrics, {population.units} {population.unit} units"
    click.echo(f"{config}: nothing is wrong ({count})")


@main.command()
@_config_argument
@_seed_option
@_scale_option
@_rows_option
@_noise_option
@_periods_option
def info(
    config: str, seed: int | None, scale: float | None, target_rows: int | None, noise: str | None, periods: str | None
) -> None:
    """Show what CONFIG would make, and how large; nothing is made.

    \b
    Example:
      plotsim info saas --scale 1000
    """
    plan = _plan(config, seed=seed, scale=scale, target_rows=target_rows, noise=noise)
    show_plan(plan, api.sizes(plan, periods=periods), Console(), periods)


@main.command()
@_config_argument
@click.argument("table")
@click.argument("period")
@click.option(
    "-o", "--output", type=_file_type, help="Write to this file, .csv, .jsonl or .parquet; default: CSV to stdout."
)
@_seed_option
@_scale_option
def expected(config: str, table: str, period: str, output: Path | None, seed: int | None, scale: float | None) -> None:
    """Print what a warehouse holds of a table once it has taken in everything up to and including PERIOD.

    Of a change log, the rows that are there when it is applied. Seed and scale must be those of the run.

    \b
    Example:
      plotsim expected saas dim_company 2024-03 -o expected.parquet
    """
    plan = _plan(config, seed, scale)
    table_plan, rows = expected_rows(plan, table, find_period(plan.population, period))
    click.echo(as_csv(plan, table_plan, rows), nl=False) if output is None else write_single(plan, table_plan, rows, output)


@main.command("list-templates")
def list_templates() -> None:
    """List the bundled configs.

    \b
    Example:
      plotsim list-templates
    """
    for name in api.list_templates():
        click.echo(f"{name:<16}{read(api.template(name))['about']}")  # what it says is enough: nothing is solved


@main.command()
@click.argument("name")
@_output_option
@click.option("--force", is_flag=True, help="Overwrite the file if you have changed it.")
def template(name: str, output: Path | None, force: bool) -> None:
    """Print a bundled config, to copy and edit.

    A file that you have changed is only overwritten with --force; one that still is a bundled config always is.

    \b
    Example:
      plotsim template saas -o my.yaml
    """
    text, *bundled_texts = (
        api.template(template_name).read_text(encoding="utf-8") for template_name in (name, *api.list_templates())
    )
    _write_text(text, output, force, bundled_texts)


@main.command()
@_output_option
@click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
def schema(output: Path | None, force: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of the language, for editors.

    \b
    Example:
      plotsim schema -o plotsim.schema.json  # then, as the first line of a config:
      # yaml-language-server: $schema=plotsim.schema.json
    """
    _write_text(json.dumps(json_schema(), indent=2) + "\n", output, force)


@main.command()
@_config_argument
@click.argument("table")
@click.argument("key")
@click.argument("period")
@click.argument("column")
@_seed_option
@_scale_option
@_noise_option
def explain(config: str, table: str, key: str, period: str, column: str, **words: Any) -> None:
    """Tell how one value came to be.

    KEY is the unit's key in a fact and the row's own key in other tables. Seed, scale and noise must be those of the run.

    \b
    Example:
      plotsim explain saas fct_revenue COM-9TEVGFZ4D1 2024-03 mrr
    """
    click.echo(api.explain(_plan(config, **words), table, key, period, column).text())


def _path(config: str) -> Path:
    path = Path(config)
    if path.exists() or path.suffix or path.name != config:
        return path
    try:
        return api.template(config)
    except UsageError as error:
        raise UsageError(str(error).replace("no template", "no file and no template", 1)) from None


def _plan(config: str, seed: int | None = None, scale: float | None = None, over_budget: bool = False, **words: Any) -> Plan:
    """Return the plan of a config with other words in it: seed and scale, target_rows, noise and compression."""
    path = _path(config)
    raw = without_budget(read(path)) if over_budget else read(path)
    return api.from_mapping(raw, name=path.stem, source=str(path), seed=seed, scale=scale, **words)


def _warn(plan: Plan, strict: bool, quiet: bool = False) -> None:
    if strict or not quiet:
        for warning in plan.warnings:
            click.echo(f"warning: {warning}", err=True)
    if not quiet:
        for note in plan.notes:
            click.echo(f"note: {note}", err=True)
    if strict and plan.warnings:
        raise click.exceptions.Exit(1)


def _write_text(text: str, output: Path | None, force: bool, replaceable: Collection[str] = ()) -> None:
    """Write a text to a file, or to stdout. An existing file must hold a `replaceable` text, unless `force` is given."""
    if output is None:
        click.echo(text, nl=False)
        return
    with usage_errors(f"cannot write {output}"):
        if output.exists() and not force and output.read_text(encoding="utf-8", errors="replace") not in replaceable:
            raise UsageError(f"{output} exists; --force overwrites it")
        output.write_text(text, encoding="utf-8")


def _origins_at(address: str, config: Path) -> list[Origin]:
    """Return what the dataset of a config says of itself in a server; empty if it says nothing, or is not there."""
    origin = origin_at(address, dataset_name(config.stem))
    return [origin_of(shown_address(address), origin)] if origin else []


def _judge(
    plan: Plan,
    data: Path | str,
    periods: str | None,
    files: _ReportFiles,
    format: str | None = None,
    asked: frozenset[str] | None = None,
) -> Report:
    """Run the checks over what lies at `data`, a run's own folder where its `format` is given, or in the server whose
    address either is, and write the report to the files that are given. A run may have been `asked` for some tables."""
    for address in (location for location in (str(data), format or "") if is_address(location)):
        with TemporaryDirectory(prefix="plotsim-") as folder:
            fetch(address, plan, Path(folder))
            plain_plan = replace(plan, dataset=plan.dataset.model_copy(update={"output": Output()}))
            return _judge(plain_plan, Path(folder), periods, files, None if format is None else "csv", asked)
    assert isinstance(data, Path)
    from plotsim_core.validation.charts import pictures
    from plotsim_core.validation.html_page import page  # not needed, and slow to import, unless asked for
    from plotsim_core.validation.report import check_store
    from plotsim_core.validation.store import directory_store, find_store

    text_file, report_file, page_file = files
    write = _write_report if format else partial(_write_text, force=True)
    slice_ = full_slice(plan.population, *(api.parse_periods(plan, periods) or ())) if periods or format else None
    if format and slice_:
        opened = directory_store(plan, data, format, slice_.first, slice_.stop, asked)
    else:
        opened = find_store(plan, data, *((slice_.first, slice_.stop) if slice_ else (None, None)))
    with opened as store:
        report = check_store(store)
        if text_file is not None:
            write(report.text() + "\n", text_file)
        if report_file is not None:
            write(report.json(), report_file)
        if page_file is not None:
            write(page(store, report, pictures(store, report)), page_file)
    return report


def _write_report(text: str, path: Path) -> None:
    """Write a report into the folder of a run, atomically and through no symbolic link."""
    with usage_errors(f"cannot write {path}"), atomic_file(path) as file:
        file.write(text.encode())


def _exit_if_failed(report: Report, strict: bool) -> None:
    if report.failed or (strict and report.warned):
        raise click.exceptions.Exit(1)
