"""`plotsim format`: write a config in today's words."""

from __future__ import annotations

import difflib
import stat
from pathlib import Path

import click

from plotsim_core import api
from plotsim_core.cli.group import main
from plotsim_core.cli.options import output_option
from plotsim_core.config.files import with_files
from plotsim_core.config.read import document_of
from plotsim_core.config.rewrite import rewritten
from plotsim_core.errors import UsageError
from plotsim_core.output.atomic import atomic_file
from plotsim_core.output.usage_errors import usage_errors


@main.command("format")
@click.argument("file", type=click.Path(path_type=Path))
@output_option
@click.option("--check", is_flag=True, help="Write nothing; exit with code 1 if something would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("--force", is_flag=True, help="Overwrite the file of -o if there is one.")
def format_config(file: Path, output: Path | None, check: bool, diff: bool, force: bool) -> None:
    """Write FILE, a config, in today's words.

    It makes the same tables and values as before. Comments and whatever is not spelt otherwise today stay as they are;
    tables of several sections come under `tables` in the order dimensions, facts, events, bridges. A file with errors is
    refused with them.

    \b
    Example:
      plotsim format my.yaml --diff
    """
    if output is not None and (check or diff):
        raise UsageError("--check and --diff write nothing, so they do not go with -o")
    digest = api.load_config(file).digest
    content = file.read_bytes()
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    text = content.removeprefix(mark).decode()
    todays_text = rewritten(text, str(file))
    document = with_files(document_of(todays_text, str(file)), file.parent)
    if api.from_mapping(document, name=file.stem, source=str(file)).digest != digest:
        raise UsageError(f"{file} would not make the same data in today's words; it stays as it is")
    if diff:
        lines, todays_lines = text.splitlines(keepends=True), todays_text.splitlines(keepends=True)
        click.echo("".join(difflib.unified_diff(lines, todays_lines, str(file), f"{file} in today's words")), nl=False)
    is_todays = todays_text == text
    if check:
        click.echo(f"{file}: {'is in today' if is_todays else 'would be written in today'}'s words", err=True)
    if check or diff:
        raise click.exceptions.Exit(1 if check and not is_todays else 0)
    _write(mark + todays_text.encode(), file, output, force)
    click.echo(f"{output or file}: {'is in today' if is_todays else 'written in today'}'s words", err=True)


def _write(content: bytes, file: Path, output: Path | None, force: bool) -> None:
    """Write the content over the file, or to an output, which may only be there with `force`."""
    target = (file if output is None else output).resolve()
    with usage_errors(f"cannot write {target}"):
        if output is not None and output.exists() and not force and not output.samefile(file):
            raise UsageError(f"{output} exists; --force overwrites it")
        if target.exists() and target.read_bytes() == content:
            return
        mode = stat.S_IMODE((target if target.exists() else file).stat().st_mode)
        with atomic_file(target) as sink:
            sink.write(content)
        target.chmod(mode)
