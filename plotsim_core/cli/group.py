"""The command `plotsim` as a group: exit codes, and the commands of installed packages."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import click

from plotsim_core.errors import ConfigError, UsageError
from plotsim_core.version import VERSION

_GROUP = "plotsim.commands"
"""The entry point group of commands."""


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
        entries = () if command is not None else entry_points(group=_GROUP, name=name)
        return next((entry.load() for entry in entries), command)

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
