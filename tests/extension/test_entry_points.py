"""An installed distribution adds its sources by an entry point, as every process sees that looks into the language."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.extension import test_source
from tests.extension.test_kind import CONFIG

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TOYS = Path(__file__).with_name("toys.py").read_text(encoding="utf-8")
KIND = Path(__file__).with_name("toy_kind.py").read_text(encoding="utf-8")
LOOK = "from plotsim_core.config.column_source import SOURCES; print('dice' in SOURCES, 'tip' in SOURCES)"


def installed(folder: Path, module: str) -> dict[str, str]:
    """Return the environment of a process that has a distribution `bars-of-dice` with a module of that text."""
    metadata = folder / "bars_of_dice-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bars-of-dice\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[plotsim.language]\ndice = bars_of_dice\n", encoding="utf-8")
    (folder / "bars_of_dice.py").write_text(module, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_the_module_that_the_page_shows_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "ColumnSource" in block)
    assert run(installed(tmp_path, code), "-c", LOOK).stdout == "True False\n"


def test_a_kind_is_known_at_the_first_look(tmp_path: Path) -> None:
    kind = f"{KIND}\n\nfrom plotsim_core.tables.kind import add_kind\nadd_kind(Milestone)\n"
    look = "import plotsim_core; from plotsim_core.config.table_kind import TABLE_FORMS; print('milestone' in TABLE_FORMS)"
    assert run(installed(tmp_path, kind), "-c", look).stdout == "True\n"


def test_the_kind_that_the_page_shows_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "TableKind" in block)
    config = tmp_path / "gym.yaml"
    config.write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    environment = installed(tmp_path, code)
    result = run(environment, "-m", "plotsim_core", "run", str(config), "-o", str(tmp_path / "data"), "--format", "csv")
    assert result.returncode == 0, result.stderr
    assert next((tmp_path / "data").rglob("fct_milestone.csv")).read_text(encoding="utf-8").count("\n") > 30


def test_its_members_are_known_at_the_first_look(tmp_path: Path) -> None:
    environment = installed(tmp_path, TOYS)
    assert run(environment, "-c", LOOK).stdout == "True True\n"
    code = "import sys, plotsim_core; print('bars_of_dice' in sys.modules)"
    assert run(environment, "-c", code).stdout == "False\n"


def test_its_columns_are_made_by_the_command(tmp_path: Path) -> None:
    config = tmp_path / "bars.yaml"
    config.write_text(test_source.TEXT, encoding="utf-8")
    result = run(
        installed(tmp_path, TOYS), "-m", "plotsim_core", "run", str(config), "-o", str(tmp_path / "data"), "--format", "csv"
    )
    assert result.returncode == 0, result.stderr
    written = (tmp_path / "data").rglob("fct_month*")
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["versions"]["bars-of-dice"] == "1.0"
    assert any("throw" in path.read_text(encoding="utf-8") for path in written if path.is_file())


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import nothing_of_that_name\n", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        (TOYS.replace('"dice", "sides", "dice.6"', '"id", "sides", "id.6"'), "there is already a column type named 'id'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_with_its_distribution(tmp_path: Path, module: str, reason: str) -> None:
    result = run(installed(tmp_path, module), "-m", "plotsim_core", "info", "saas")
    assert result.returncode != 0 and "Traceback" not in result.stderr
    output = " ".join(result.stderr.split())
    assert "the distribution 'bars-of-dice' adds to the language" in output and reason in output
