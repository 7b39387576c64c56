"""The command `plotsim` as a group: exit codes, and the commands of installed packages."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, cast

import click

from plotsim_core.errors import ConfigError, UsageError
from plotsim_core.version import VERSION

_GROUP = "plotsim.commands"
"""The entry point group of commands."""
PIPELINE_COMMANDS = ("materialize", "query", "reconcile", "status", "ui")
"""Commands that plotsim-pipeline adds. A test proves that they are those."""


class Commands(click.Group):
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
        for entry in () if command is not None else entry_points(group=_GROUP, name=name):
            try:
                return cast(click.Command, entry.load())
            except ImportError as error:
                package = entry.dist.name if entry.dist is not None else entry.module
                raise UsageError(f"'{name}' is a command of {package}, which cannot be imported: {error}") from None
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in PIPELINE_COMMANDS and self.get_command(ctx, args[0]) is None:
            raise UsageError(f"'{args[0]}' is a command of plotsim-pipeline, which is not installed beside plotsim-core")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        names = sorted(entry.name for entry in entry_points(group=_GROUP) if entry.name not in self.commands)
        if names:
            with formatter.section("Commands of installed packages (each has --help)"):
                formatter.write_text(", ".join(names))


@click.group(cls=Commands)
@click.version_option(VERSION, prog_name="plotsim")
def main() -> None:
    """Synthetic multi-table data with shape, from one YAML file.

    CONFIG is a path, or the name of a bundled template. Begin with:

    \b
      plotsim list-templates
      plotsim info saas
      plotsim run saas -o data --format parquet
    """
