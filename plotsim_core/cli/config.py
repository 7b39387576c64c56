"""Commands that look at one config: validate, info, expected and explain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

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
)
from plotsim_core.cli.plans import config_plan, print_warnings
from plotsim_core.output.one_file import as_csv, write_single
from plotsim_core.show import show_plan
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
    count = f"{len(plan.tables)} tables, {len(plan.metrics)} metrics, {plan.units} {plan.unit} units"
    click.echo(f"{config}: nothing is wrong ({count})")


@main.command()
@config_argument
@seed_option
@scale_option
@rows_option
@noise_option
@periods_option
def info(
    config: str, seed: int | None, scale: float | None, target_rows: int | None, noise: str | None, periods: str | None
) -> None:
    """Show what CONFIG would make, and how large; nothing is made.

    \b
    Example:
      plotsim info saas --scale 1000
    """
    plan = config_plan(config, seed=seed, scale=scale, target_rows=target_rows, noise=noise)
    show_plan(plan, api.sizes(plan, periods=periods), Console(), periods)


@main.command()
@config_argument
@click.argument("table")
@click.argument("period")
@click.option("-o", "--output", type=file_type, help="Write to this file, .csv, .jsonl or .parquet; default: CSV to stdout.")
@seed_option
@scale_option
def expected(config: str, table: str, period: str, output: Path | None, seed: int | None, scale: float | None) -> None:
    """Print what a warehouse holds of a table once it has taken in everything up to and including PERIOD.

    Of a change log, the rows that are there when it is applied. Seed and scale must be those of the run.

    \b
    Example:
      plotsim expected saas dim_company 2024-03 -o expected.parquet
    """
    plan = config_plan(config, seed, scale)
    table_plan, rows = expected_rows(plan, table, find_period(plan, period))
    click.echo(as_csv(plan, table_plan, rows), nl=False) if output is None else write_single(plan, table_plan, rows, output)


@main.command()
@config_argument
@click.argument("table")
@click.argument("key")
@click.argument("period")
@click.argument("column")
@seed_option
@scale_option
@noise_option
def explain(config: str, table: str, key: str, period: str, column: str, **words: Any) -> None:
    """Tell how one value came to be.

    KEY is the unit's key in a fact and the row's own key in other tables. Seed, scale and noise must be those of the run.

    \b
    Example:
      plotsim explain saas fct_revenue COM-9TEVGFZ4D1 2024-03 mrr
    """
    click.echo(api.explain(config_plan(config, **words), table, key, period, column).text())
