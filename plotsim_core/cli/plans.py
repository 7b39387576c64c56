"""Configs that commands name, and their plans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from plotsim_core import api
from plotsim_core.config.output import without_budget
from plotsim_core.config.read import read_document
from plotsim_core.errors import UsageError
from plotsim_core.importers import imported
from plotsim_core.plan.plan import Plan


def config_path(config: str) -> Path:
    """Return the path of a config: that of a file, or of a bundled template. Raises UsageError for neither."""
    path = Path(config)
    if path.exists() or path.suffix or path.name != config:
        return path
    try:
        return api.template(config)
    except UsageError as error:
        raise UsageError(str(error).replace("no template", "no file and no template", 1)) from None


def config_plan(
    config: str,
    seed: int | None = None,
    scale: float | None = None,
    over_budget: bool = False,
    table_rows: Sequence[tuple[str, int]] = (),
    **words: Any,
) -> Plan:
    """Return the plan of a config with other words in it: seed and scale, the rows of tables, target_rows, noise and
    compression."""
    path = config_path(config)
    document = imported(read_document(path))
    if over_budget:
        document = document.with_value(without_budget(document.value))
    overrides = {"seed": seed, "scale": scale, "table_rows": dict(table_rows), **words}
    return api.from_mapping(document, name=path.stem, source=str(path), **overrides)


def print_warnings(plan: Plan, strict: bool, quiet: bool = False) -> None:
    """Print the warnings and notes of a plan to stderr. With `strict`, exit with code 1 after a warning."""
    if strict or not quiet:
        for warning in plan.warnings:
            click.echo(f"warning: {warning}", err=True)
    if not quiet:
        for note in plan.notes:
            click.echo(f"note: {note}", err=True)
    if strict and plan.warnings:
        raise click.exceptions.Exit(1)
