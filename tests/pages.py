"""What pages show, read out of their text and done: commands, trees of files, lists of options, programs."""

from __future__ import annotations

import re
import shlex

from click.testing import CliRunner, Result

from plotsim_core.cli import main


def commands(shell: str) -> list[str]:
    """Return the commands of the generator in a shell session, without comments."""
    lines = (line.partition("#")[0].strip() for line in shell.splitlines())
    return [line for line in lines if line.startswith("plotsim ")]


def run(command: str) -> Result:
    """Run a command that begins with `plotsim`."""
    return CliRunner().invoke(main, shlex.split(command)[1:])


def run_python(code: str) -> None:
    """Run a program, with the name of the module that it is in here."""
    exec(compile(re.sub(r"^from plotsim import", "from plotsim_core import", code, flags=re.MULTILINE), "page", "exec"), {})


def files(tree: str) -> set[str]:
    """Return the names of the files in a drawing of a folder."""
    return set(re.findall(r"^[├└]── ([\w<>.]+)", tree, re.MULTILINE))


def options(reference: str) -> dict[str, list[tuple[str, str]]]:
    """Return the commands of a reference, each with its options, short and long, and the words for their values."""
    values: dict[str, list[tuple[str, str]]] = {}
    for line in reference.splitlines():
        if command := re.match(r"plotsim ([\w-]+)", line):
            items = values[command[1]] = []
        elif option := re.match(r"\s+(-[\w, -]+?)(?: <(\w+)>)?(?:\s{2,}|$)", line):
            items += [(name.strip(), option[2] or "") for name in option[1].split(",")]
    return values
