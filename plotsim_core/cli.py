"""The command line: run, validate, info, explain, templates and the schema of the language.

Data goes to files and what was asked for to stdout; progress, warnings and errors go to stderr. Exit codes: 0 done,
1 the data or (with --strict) a warning failed, 2 the config or the request makes no sense.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from plotsim_core import api
from plotsim_core.engine.slice import whole
from plotsim_core.errors import ConfigError, UsageError
from plotsim_core.output.format import FORMATS
from plotsim_core.plan.plan import Plan
from plotsim_core.schema import json_schema
from plotsim_core.show import show_plan
from plotsim_core.version import VERSION

REPORT = "validation_report.json"

_config = click.argument("config", metavar="CONFIG")
_seed = click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Use this seed instead of the config's.")
_scale = click.option(
    "--scale", type=click.FloatRange(0, 1_000_000, min_open=True), help="Multiply the number of units of every segment."
)
_output = click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")


class _Commands(click.Group):
    """Commands that answer a wrong config or request with what is wrong, and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ConfigError, UsageError) as error:
            click.echo(str(error), err=True)
            ctx.exit(2)


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
@_config
@click.option(
    "-o", "--output", "directory", type=click.Path(path_type=Path, file_okay=False), required=True, help="Directory to fill."
)
@click.option("--format", "format_", type=click.Choice(list(FORMATS)), default="csv", show_default=True)
@_seed
@_scale
@click.option("--periods", metavar="A..B", help="Only these periods, both included: 2024-01..2024-03, or one.")
@click.option("--tables", metavar="A,B", help="Only these tables, or stages such as trajectories.")
@click.option("--validate", is_flag=True, help=f"Check what was written, into {REPORT}.")
@click.option("--strict", is_flag=True, help="Let warnings fail too; those of the config before anything is written.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def run(
    config: str,
    directory: Path,
    format_: str,
    seed: int | None,
    scale: float | None,
    periods: str | None,
    tables: str | None,
    validate: bool,
    strict: bool,
    quiet: bool,
) -> None:
    """Make the tables of CONFIG and write them into a directory.

    \b
    Examples:
      plotsim run saas -o data
      plotsim run my.yaml -o data --format duckdb --scale 10 --validate
      plotsim run my.yaml -o data --periods 2024-01..2024-03 --tables fct_revenue,evt_login
    """
    plan = _plan(config, seed, scale)
    _warn(plan, strict)
    names = [name.strip() for name in tables.split(",")] if tables else [table.name for table in plan.tables]
    with _progress(plan, names, periods, quiet) as progress:
        seconds = _Seconds(progress)
        rows = api.write_tables(plan, directory, format=format_, periods=periods, tables=names, progress=seconds)
        seconds.stop()
    if not quiet:
        _closing(rows, seconds.spent, directory)
    if validate:
        _validate(plan, directory, format_, periods, strict, quiet)


@main.command()
@_config
@click.option("--strict", is_flag=True, help="Let warnings fail too, with exit code 1.")
def validate(config: str, strict: bool) -> None:
    """Tell everything that is wrong with CONFIG; nothing is made.

    \b
    Example:
      plotsim validate my.yaml
    """
    plan = _plan(config)
    _warn(plan, strict)
    count = f"{len(plan.tables)} tables, {len(plan.metrics)} metrics, {plan.units} {plan.unit} units"
    click.echo(f"{config}: nothing is wrong ({count})")


@main.command()
@_config
@_seed
@_scale
def info(config: str, seed: int | None, scale: float | None) -> None:
    """Show what CONFIG would make, and how large; nothing is made.

    \b
    Example:
      plotsim info saas --scale 1000
    """
    plan = _plan(config, seed, scale)
    show_plan(plan, api.sizes(plan), Console())


@main.command("list-templates")
def list_templates() -> None:
    """List the bundled configs.

    \b
    Example:
      plotsim list-templates
    """
    for name in api.list_templates():
        click.echo(f"{name:<16}{api.load_config(api.template(name)).dataset.about}")


@main.command()
@click.argument("name")
@_output
@click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
def template(name: str, output: Path | None, force: bool) -> None:
    """Print a bundled config, to copy and edit.

    \b
    Example:
      plotsim template saas -o my.yaml
    """
    _put(api.template(name).read_text(encoding="utf-8"), output, force)


@main.command()
@_output
@click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
def schema(output: Path | None, force: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of the language, for editors.

    \b
    Example:
      plotsim schema -o plotsim.schema.json
      # then, as the first line of a config:
      # yaml-language-server: $schema=plotsim.schema.json
    """
    _put(json.dumps(json_schema(), indent=2) + "\n", output, force)


@main.command()
@_config
@click.argument("table")
@click.argument("key")
@click.argument("period")
@click.argument("column")
@_seed
@_scale
def explain(config: str, table: str, key: str, period: str, column: str, seed: int | None, scale: float | None) -> None:
    """Tell how one value came to be.

    KEY is the unit's key in a fact and the row's own key in other tables. Seed and scale must be those of the run.

    \b
    Example:
      plotsim explain saas fct_revenue COM-9TEVGFZ4D1 2024-03 mrr
    """
    click.echo(api.explain(_plan(config, seed, scale), table, key, period, column).text())


def _plan(config: str, seed: int | None = None, scale: float | None = None) -> Plan:
    bundled = config in api.list_templates() and not Path(config).exists()
    return api.load_config(api.template(config) if bundled else config, seed=seed, scale=scale)


def _warn(plan: Plan, strict: bool) -> None:
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)
    if strict and plan.warnings:
        raise click.exceptions.Exit(1)


def _put(text: str, output: Path | None, force: bool) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists() and not force:
        raise UsageError(f"{output} exists; --force overwrites it")
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None


class _Seconds:
    """A progress callback that measures how long each table takes, and passes on what it is told."""

    def __init__(self, then: api.Progress) -> None:
        self.spent: dict[str, float] = {}
        self._then = then
        self._table, self._since = "", time.perf_counter()

    def __call__(self, table: str, rows: int) -> None:
        if rows == 0 and table != self._table:
            self.stop()
            self._table, self._since = table, time.perf_counter()
        self._then(table, rows)

    def stop(self) -> None:
        """End the table that is being written."""
        if self._table:
            self.spent[self._table] = time.perf_counter() - self._since


@contextmanager
def _progress(plan: Plan, names: list[str], periods: str | None, quiet: bool) -> Iterator[api.Progress]:
    """Give a progress callback: a bar per table on a terminal, nothing otherwise."""
    console = Console(stderr=True)
    expected = {size.table: size.rows for size in api.sizes(plan, periods=periods, tables=names)}
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bars:
        tasks = {name: bars.add_task(name, total=max(expected[name], 1), start=False) for name in names}

        def show(table: str, rows: int) -> None:
            if rows == 0:
                bars.start_task(tasks[table])
            bars.update(tasks[table], completed=rows)

        yield show


def _closing(rows: dict[str, int], seconds: dict[str, float], directory: Path) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("seconds", justify="right")
    for name, count in rows.items():
        table.add_row(name, f"{count:,}", f"{seconds[name]:.2f}")
    console = Console(stderr=True)
    console.print(table)
    console.print(f"{sum(rows.values()):,} rows in {directory}", soft_wrap=True, highlight=False)


def _validate(plan: Plan, directory: Path, format: str, periods: str | None, strict: bool, quiet: bool) -> None:
    from plotsim_core.validation.report import check_directory  # not needed, and slow to import, unless asked for

    slice_ = whole(plan, *(api.parse_periods(plan, periods) or ()))
    report = check_directory(plan, directory, format, slice_.first, slice_.stop)
    (directory / REPORT).write_text(report.json(), encoding="utf-8")
    if not quiet or report.failed:
        click.echo(report.text(), err=True)
    if report.failed or (strict and report.warned):
        raise click.exceptions.Exit(1)
