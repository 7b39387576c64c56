"""docs/importing.md says what its example becomes, and its commands run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.importing import PAGE, written
from plotsim_core.cli import main

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_example_becomes_what_is_shown() -> None:
    """Otherwise `make docs` writes it anew."""
    assert written(TEXT) == TEXT


def test_the_commands_run_on_the_example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(re.findall(r"```yaml no-load\n(.*?)```", TEXT, re.DOTALL)[0], encoding="utf-8")
    (block,) = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines():
        done = CliRunner().invoke(main, line.partition("#")[0].split()[1:])
        assert done.exit_code == 0, done.output
    assert {path.name for path in Path("output").iterdir()} >= {"dim_library.csv", "dim_desk.csv", "evt_loan.csv"}
