"""Commands that look at one config: validate, info, expected and explain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from plotsim_core import api
from plotsim_core.cli.group import main
from plotsim_core.cli.options import (
    config_argument,
    file_type,
    noise_option,
    periods_option,
    rows_option,
    scale_option,
    seed_option,
    strict_option,
    table_rows_option,
)
from plotsim_core.cli.plans import config_plan, print_warnings
from plotsim_core.config.words import plural
from plotsim_core.errors import UsageError
from plotsim_core.output.one_file import as_csv, write_single
from plotsim_core.truth.expected import expected_rows
from plotsim_core.truth.locate import find_period


@main.command()
@config_argument
@strict_option
def validate(config: str, strict: bool) -> None:
    """Tell everything that is wrong with CONFIG; nothing is made.

    \b
    Example:
      plotsim validate my.yaml
    """
    plan = config_plan(config)
    print_warnings(plan, strict)
    metrics = [_counted(sum(len(kind.metrics) for kind in plan.kinds), "metric")] if plan.kinds else []
    units = [f"{kind.units} {kind.unit} units" for kind in plan.kinds]
    click.echo(f"{config}: nothing is wrong ({', '.join([_counted(len(plan.tables), 'table'), *metrics, *units])})")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun if count == 1 else plural(noun)}"


@main.command()
@config_argument
@seed_option
@scale_option
@rows_option
@table_rows_option
@noise_option
@periods_option
def info(config: str, periods: str | None, **words: Any) -> None:
    """Show what CONFIG would make, and how large; nothing is made.

    \b
    Example:
      plotsim info saas --scale 1000
    """
    from rich.console import Console  # slow to import, as is what shows a plan, and needed here alone

    from plotsim_core.show import show_plan

    plan = config_plan(config, **words)
    show_plan(plan, api.sizes(plan, periods=periods), Console(), periods)


@main.command()
@config_argument
@click.argument("table")
@click.argument("period", default="")
@click.option("-o", "--output", type=file_type, help="Write to this file, .csv, .jsonl or .parquet; default: CSV to stdout.")
@seed_option
@scale_option
@table_rows_option
def expected(config: str, table: str, period: str, output: Path | None, **words: Any) -> None:
    """Print what a warehouse holds of a table once it has taken in everything up to and including PERIOD.

    Of a change log, the rows that are there when it is applied. A dataset without a window has no PERIOD. Seed, scale and
    rows must be those of the run.

    \b
    Example:
      plotsim expected saas dim_company 2024-03 -o expected.parquet
    """
    plan = config_plan(config, **words)
    table_plan, rows = expected_rows(plan, table, find_period(plan.population, period))
    if output is None:
        click.echo(as_csv(plan, table_plan, rows), nl=False)
        return
    if output.exists():
        raise UsageError(f"{output} exists; choose another name, or remove it")
    write_single(plan, table_plan, rows.schema, rows.to_batches(), output)


@main.command()
@config_argument
@click.argument("table")
@click.argument("key")
@click.argument("period", default="")
@click.argument("column", default="")
@seed_option
@scale_option
@table_rows_option
@noise_option
def explain(config: str, table: str, key: str, period: str, column: str, **words: Any) -> None:
    """Tell how one value came to be.

    KEY is the unit's key in a fact and the row's own key in other tables. A dataset without a window has no PERIOD. Seed,
    scale, rows and noise must be those of the run.

    \b
    Examples:
      plotsim explain saas fct_revenue COM-9TEVGFZ4D1 2024-03 mrr
      plotsim explain users.yaml users USE-0017 name
    """
    plan = config_plan(config, **words)
    if not plan.has_window and not column:
        period, column = "", period
    if not column:
        raise UsageError("expected TABLE, KEY, PERIOD and COLUMN" if plan.has_window else "expected TABLE, KEY and COLUMN")
    click.echo(api.explain(plan, table, key, period, column).text())
