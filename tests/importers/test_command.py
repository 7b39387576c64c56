"""`plotsim import` writes a config and the list of what became of each item; such a file is loaded wherever a config is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from plotsim_core import load_config
from plotsim_core.cli import main
from plotsim_core.config.read import read
from plotsim_core.importers import EngineLayer
from plotsim_core.importers.text import config_text
from plotsim_pipeline.datasets import CONFIGS_VARIABLE, load_datasets
from tests.importers.files import document

FOLDER = Path(__file__).parent
BAKERY, DAYS, MEMBERS = (FOLDER / f"{name}.yaml" for name in ("bakery", "days", "members"))


def _plotsim(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def test_the_config_is_written_and_the_list_printed(tmp_path: Path) -> None:
    result = _plotsim("import", "plotsim", BAKERY, "-o", tmp_path / "new.yaml")
    assert result.stdout == ""
    assert (tmp_path / "new.yaml").read_text() == config_text(EngineLayer.convert(document(BAKERY)).config)
    notes = EngineLayer.convert(document(BAKERY)).notes
    for fate in ("carried over", "approximated", "not carried over"):
        listed = [f"  {note}" for note in notes if note.fate == fate]
        assert "\n".join([f"{fate} ({len(listed)}):", *listed]) in result.stderr
    load_config(tmp_path / "new.yaml")


def test_without_a_file_the_config_goes_to_stdout(tmp_path: Path) -> None:
    result = _plotsim("import", "plotsim", MEMBERS)
    (tmp_path / "new.yaml").write_text(result.stdout)
    assert load_config(tmp_path / "new.yaml").digest == load_config(MEMBERS).digest


def test_a_file_is_overwritten_by_force_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    path.write_text("mine")
    assert "--force overwrites it" in _plotsim("import", "plotsim", DAYS, "-o", path, code=2).stderr
    assert path.read_text() == "mine"
    _plotsim("import", "plotsim", DAYS, "-o", path, "--force")
    assert path.read_text().startswith("about: Lifts")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("a: [", "is not valid YAML"),
        ("about: Shops\nunit: shop\n", "is no file of plotsim's engine layer: it has neither `time_window` nor `entities`"),
        ("time_window: {}\n", "time_window.start: is missing"),
        (
            "time_window: {}\nabout: Shops\n",
            "`about` is a word of this language, `time_window` one of plotsim's engine layer",
        ),
    ],
)
def test_what_cannot_be_read_ends_with_1(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "engine.yaml"
    if text is not None:
        path.write_text(text)
    result = _plotsim("import", "plotsim", path, "-o", tmp_path / "new.yaml", code=1)
    assert message in result.stderr
    assert not (tmp_path / "new.yaml").exists()


def test_an_unknown_system_is_answered_with_the_nearest() -> None:
    assert "did you mean 'plotsim'?" in _plotsim("import", "plotsin", BAKERY, code=2).stderr


def test_the_help_names_every_system_and_what_to_do_next() -> None:
    text = _plotsim("import", "--help").output
    assert "plotsim import plotsim config.yaml -o new.yaml" in text
    assert "not carried over" in text and "time_window" in text


def test_each_command_takes_such_a_file(tmp_path: Path) -> None:
    assert "nothing is wrong (4 tables" in _plotsim("validate", DAYS).stdout
    assert "note: domain.entity_type: approximated: " in _plotsim("info", DAYS).stdout
    result = _plotsim("run", DAYS, "-o", tmp_path / "data", "--seed", "3", "--format", "csv")
    assert "note: colour: not carried over: there is no such key" in result.stderr
    config = read(tmp_path / "data" / "config.yaml")
    assert config == EngineLayer.convert(document(DAYS)).config | {"seed": 3}
    _plotsim("check", tmp_path / "data", "--config", DAYS)


def test_such_a_file_in_a_folder_of_datasets_is_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(MEMBERS, tmp_path)
    monkeypatch.setenv(CONFIGS_VARIABLE, str(tmp_path))
    monkeypatch.delenv("PLOTSIM_DATASETS", raising=False)
    plans, errors = load_datasets()
    assert errors == {}
    assert [plan.name for plan in plans] == ["members"]
    assert "stages.sequence" in {note.path for note in plans[0].notes}
