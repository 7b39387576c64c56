"""The command `plotsim` as a group: exit codes, and the commands of installed packages."""

from __future__ import annotations

import gc
from collections.abc import Container
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

import click

import plotsim_core.blas  # noqa: F401 (for its effect)
from plotsim_core.errors import ConfigError, UsageError
from plotsim_core.families import did_you_mean, nearest
from plotsim_core.version import VERSION

_OBJECTS = 100_000
"""So many new objects there are before Python looks for garbage: what is imported is none, and short commands mostly
import."""
_GROUP = "plotsim.commands"
"""The entry point group of commands."""
PIPELINE_COMMANDS = ("materialize", "query", "reconcile", "status", "ui")
"""Commands that plotsim-pipeline adds. A test proves that they are those."""


COMMANDS = {
    "check": ("check", "Judge data that is already written against its config."),
    "expected": ("config", "Print what a warehouse holds of a table after some loads."),
    "explain": ("config", "Tell how one value came to be."),
    "format": ("rewriting", "Write FILE, a config, in today's words."),
    "import": ("imports", "Write FILE of another SYSTEM in the words of this language."),
    "info": ("config", "Show what CONFIG would make, and how large."),
    "list-templates": ("templates", "List the bundled configs."),
    "run": ("run", "Make the tables of CONFIG and write them."),
    "schema": ("templates", "Print the JSON Schema of the language, for editors."),
    "template": ("templates", "Print a bundled config, to copy and edit."),
    "validate": ("config", "Tell everything that is wrong with CONFIG."),
}
"""Each command, the module of this package that has it, and what the list of commands says of it: a module is imported when
one of its commands is called."""


_INTERRUPTED = "Query interrupted"
"""What DuckDB says where it was interrupted by the keyboard."""


class Commands(click.Group):
    """Commands that answer a wrong config or request with what is wrong, and exit code 2. They are loaded when they are
    called for. Installed packages add commands of their own by the entry point group `plotsim.commands`."""

    def invoke(self, ctx: click.Context) -> Any:
        gc.set_threshold(_OBJECTS)
        try:
            return super().invoke(ctx)
        except (ConfigError, UsageError) as error:
            click.echo(str(error), err=True)
            ctx.exit(2)
        except RuntimeError as error:
            if str(error) != _INTERRUPTED:
                raise
            raise click.Abort from None

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS and name not in self.commands:
            import_module(f"plotsim_core.cli.{COMMANDS[name][0]}")
        command = super().get_command(ctx, name)
        for entry in () if command is not None else entry_points(group=_GROUP, name=name):
            try:
                return cast(click.Command, entry.load())
            except ImportError as error:
                package = entry.dist.name if entry.dist is not None else entry.module
                raise UsageError(f"'{name}' is a command of {package}, which cannot be imported: {error}") from None
        return command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            if name in PIPELINE_COMMANDS:
                raise UsageError(f"'{name}' is a command of plotsim-pipeline, which is not installed beside plotsim-core")
            ctx.fail(f"no command is named '{name}'; {self._nearest(name)}")
        return super().resolve_command(ctx, args)

    def _nearest(self, name: str) -> str:
        """Return a hint for a name that no command has: the nearest, also by one of its words (`list` of list-templates)."""
        names = [*COMMANDS, *_installed(COMMANDS), *PIPELINE_COMMANDS]
        words = {word: command for command in names for word in command.split("-")} | {command: command for command in names}
        word = nearest(name, list(words))
        return did_you_mean(name if word is None else words[word], list(dict.fromkeys(names)))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])
        names = _installed(COMMANDS)
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
