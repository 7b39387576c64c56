"""Texts that commands write to a file, or to stdout."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import click

from plotsim_core.errors import UsageError
from plotsim_core.output.atomic import atomic_file
from plotsim_core.output.usage_errors import usage_errors


def write_text(text: str, output: Path | None, force: bool, replaceable: Collection[str] = ()) -> None:
    """Write a text to a file, or to stdout. An existing file must hold a `replaceable` text, unless `force` is given."""
    if output is None:
        click.echo(text, nl=False)
        return
    with usage_errors(f"cannot write {output}"):
        if output.exists() and not force and output.read_text(encoding="utf-8", errors="replace") not in replaceable:
            raise UsageError(f"{output} exists; --force overwrites it")
        output.write_text(text, encoding="utf-8")


def write_report(text: str, path: Path) -> None:
    """Write a report into the folder of a run, atomically and through no symbolic link."""
    with usage_errors(f"cannot write {path}"), atomic_file(path) as file:
        file.write(text.encode())
