"""The command that writes files of other systems in the words of this language."""

from __future__ import annotations

from pathlib import Path

import click

from plotsim_core.cli.group import main
from plotsim_core.cli.options import file_type, output_option
from plotsim_core.cli.text_files import write_text
from plotsim_core.config.read import read_document
from plotsim_core.errors import ConfigError, Problem, UsageError
from plotsim_core.families import UnknownMember
from plotsim_core.importers import IMPORTERS, Imported, Importer, converted, importer_of
from plotsim_core.importers.text import config_text


@main.command("import")
@click.argument("system")
@click.argument("file", type=file_type)
@output_option
@click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
def import_file(system: str, file: Path, output: Path | None, force: bool) -> None:
    """Write FILE of another SYSTEM in the words of this language.

    SYSTEM is plotsim: FILE is then one of its engine layer, with `time_window` and `entities`, such as the config.yaml
    that plotsim writes beside its data. A file of its builder (`about`, `unit`, `segments`) needs no import.

    The config goes to -o, or to stdout; to stderr goes the list of what became of each item: carried over, approximated, or
    not carried over, with its path and the reason. Nothing is left out of the list. Read it, then try the config.

    \b
    Example:
      plotsim import plotsim config.yaml -o new.yaml
      plotsim info new.yaml
      plotsim run new.yaml

    Exit code 1: FILE cannot be read. docs/importing.md says what becomes of what.
    """
    try:
        importer = IMPORTERS[system]
    except UnknownMember as error:
        raise UsageError(f"{error.message}; {error.hint}") from None
    try:
        result = _converted(importer, file)
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(1) from None
    write_text(config_text(result.config), output, force)
    click.echo(list_text(result), err=True)


def _converted(importer: type[Importer], file: Path) -> Imported:
    document = read_document(file).readable()
    if importer_of(document.value) is not importer:
        signs = " nor ".join(f"`{sign}`" for sign in importer.signs)
        problem = Problem("", f"is no file of {importer.title}: it has neither {signs}", "a config is loaded as it is")
        raise ConfigError([problem], str(file))
    return converted(document, importer)


def list_text(result: Imported) -> str:
    """Return what became of each item of a document, for people."""
    lines: list[str] = []
    for fate in ("carried over", "approximated", "not carried over"):
        notes = [note for note in result.notes if note.fate == fate]
        lines += [f"{fate} ({len(notes)}):" if notes else f"{fate}: nothing", *(f"  {note}" for note in notes)]
    return "\n".join(lines)
