"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from plotsim_core.output.postgres import is_address

config_argument = click.argument("config", metavar="CONFIG")
seed_option = click.option("-s", "--seed", type=click.IntRange(0, 2**32 - 1), help="Use this seed instead of the config's.")
scale_option = click.option(
    "--scale", type=click.FloatRange(0, 1_000_000, min_open=True), help="Multiply the number of units."
)
rows_option = click.option(
    "--target-rows", type=click.IntRange(1), help="Scale to about so many rows in all tables and periods."
)
noise_option = click.option("--noise", metavar="PRESET", help="Noise of all metrics: none, realistic, messy ...")
periods_option = click.option(
    "--periods", metavar="A..B", help="Only these periods, both included: 2024-01..2024-03, or one."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
strict_option = click.option("--strict", is_flag=True, help="Let warnings fail too, with exit code 1.")
file_type, folder_type = click.Path(path_type=Path, dir_okay=False), click.Path(path_type=Path, file_okay=False)
output_option = click.option("-o", "--output", type=file_type, help="Write to this file.")


class TableRows(click.ParamType[tuple[str, int]]):
    """The rows of a table, as TABLE=N."""

    name = "TABLE=N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        table, _, number = str(value).partition("=")
        digits = number.replace("_", "")
        if not table or not digits.isdecimal() or int(digits) < 1:
            self.fail(f"expected TABLE=N, a table and how many rows it has, found {value!r}", param, ctx)
        return table.strip(), int(digits)


def _once_each(
    ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, int], ...]
) -> tuple[tuple[str, int], ...]:
    names = [name for name, _ in values]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise click.BadParameter(f"the rows of {twice} are given twice", ctx, param)
    return values


table_rows_option = click.option(
    "--rows",
    "table_rows",
    multiple=True,
    callback=_once_each,
    type=TableRows(),
    help="Give a plain table, or rows of one, N rows in all instead of the config's; repeat it for several.",
)


class FormatName(click.Choice[str]):
    """The name of a format, or the address of a server."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if "://" not in str(value):
            return super().convert(value, param, ctx)
        if not is_address(value):  # not told in full: there may be a password in it
            self.fail(f"tables cannot be loaded into {value.partition('://')[0]}://, but into postgres://", param, ctx)
        return value


class DataLocation(click.Path):
    """A path that is there, or the address of a server."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if is_address(str(value)) else super().convert(value, param, ctx)
