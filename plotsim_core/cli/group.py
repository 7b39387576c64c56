"""The command `plotsim` as a group: exit codes, and the commands of installed packages."""

from __future__ import annotations

from collections.abc import Container
from importlib.metadata import entry_points
from typing import Any, cast

import click

from plotsim_core.errors import ConfigError, UsageError
from plotsim_core.families import did_you_mean, nearest
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
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            if name in PIPELINE_COMMANDS:
                raise UsageError(f"'{name}' is a command of plotsim-pipeline, which is not installed beside plotsim-core")
            ctx.fail(f"no command is named '{name}'; {self._nearest(name)}")
        return super().resolve_command(ctx, args)

    def _nearest(self, name: str) -> str:
        """Return a hint for a name that no command has: the nearest, also by one of its words (`list` of list-templates)."""
        names = [*self.commands, *_installed(self.commands), *PIPELINE_COMMANDS]
        words = {word: command for command in names for word in command.split("-")} | {command: command for command in names}
        word = nearest(name, list(words))
        return did_you_mean(name if word is None else words[word], list(dict.fromkeys(names)))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        names = _installed(self.commands)
        if names:
            with formatter.section("Commands of installed packages (each has --help)"):
                formatter.write_text(", ".join(names))


def _installed(commands: Container[str]) -> list[str]:
    """Return the names of the commands of installed packages that are not among `commands`."""
    return sorted(entry.name for entry in entry_points(group=_GROUP) if entry.name not in commands)


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
