"""Commands that print what comes with the package: the bundled configs, and the schema of the language."""

from __future__ import annotations

import json
from pathlib import Path

import click

from plotsim_core import api
from plotsim_core.cli.group import main
from plotsim_core.cli.options import output_option
from plotsim_core.cli.text_files import write_text
from plotsim_core.config.read import read
from plotsim_core.schema import json_schema


@main.command("list-templates")
def list_templates() -> None:
    """List the bundled configs.

    \b
    Example:
      plotsim list-templates
    """
    for name in api.list_templates():
        click.echo(f"{name:<16}{read(api.template(name))['about']}")  # what it says is enough: nothing is solved


@main.command()
@click.argument("name")
@output_option
@click.option("--force", is_flag=True, help="Overwrite the file if you have changed it.")
def template(name: str, output: Path | None, force: bool) -> None:
    """Print a bundled config, to copy and edit.

    A file that you have changed is only overwritten with --force; one that still is a bundled config always is.

    \b
    Example:
      plotsim template saas -o my.yaml
    """
    text, *bundled_texts = (
        api.template(template_name).read_text(encoding="utf-8") for template_name in (name, *api.list_templates())
    )
    write_text(text, output, force, bundled_texts)


@main.command()
@output_option
@click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
def schema(output: Path | None, force: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of the language, for editors.

    \b
    Example:
      plotsim schema -o plotsim.schema.json  # then, as the first line of a config:
      # yaml-language-server: $schema=plotsim.schema.json
    """
    write_text(json.dumps(json_schema(), indent=2) + "\n", output, force)
