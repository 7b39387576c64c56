"""A config that is wrong is one asset that says so; every other dataset lives on."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from plotsim_pipeline.__main__ import main
from plotsim_pipeline.datasets import BUNDLED, CONFIGS_VARIABLE, DATASETS_VARIABLE, definitions_of, load_datasets
from plotsim_pipeline.stores import PATH_VARIABLE

BROKEN = "about: x\nunit: shop\nmetrics: [{ name: sales, type: cuont, polarity: positive }]\n"


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with a sound config and a broken one, beside the bundled `minimal`."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "sound.yaml").write_text((BUNDLED / "minimal.yaml").read_text())
    (folder / "broken.yaml").write_text(BROKEN)
    monkeypatch.setenv(CONFIGS_VARIABLE, str(folder))
    monkeypatch.setenv(DATASETS_VARIABLE, "minimal,sound,broken")
    monkeypatch.setenv(PATH_VARIABLE, str(tmp_path / "store.duckdb"))
    return folder


def loaded() -> dg.Definitions:
    return definitions_of(*load_datasets())


@pytest.mark.slow
def test_the_others_live_on_and_the_broken_one_says_what_is_wrong(configs: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Assets, jobs and schedules of the sound ones are there and run; of the broken one there is a single asset, which lists
    all problems and fails with them. When its config is mended, it is as all others."""
    actual = loaded()
    assert "broken is left out" in caplog.text
    specs = {spec.key.to_user_string(): spec for spec in actual.resolve_all_asset_specs()}
    assert [name for name in specs if name.startswith("broken/")] == ["broken/config"]
    spec = specs["broken/config"]
    assert spec.group_name == "broken" and "broken" in spec.kinds
    for problem in ("`metrics[0].type`", "did you mean 'count'?", "`window`", "`segments`"):
        assert problem in (spec.description or "")
    assert {"minimal", "sound"} <= {job.name for job in actual.resolve_all_job_defs()}
    assert not any(schedule.name.startswith("broken") for schedule in actual.schedules or ())
    job = actual.resolve_implicit_global_asset_job_def()
    sound = job.execute_in_process(asset_selection=[dg.AssetKey(["sound", "dim_date"])], partition_key="2024-03-01")
    assert sound.success
    failed = job.execute_in_process(asset_selection=[dg.AssetKey(["broken", "config"])], raise_on_error=False)
    (failure,) = (event.step_failure_data for event in failed.all_events if event.is_step_failure)
    assert "did you mean 'count'?" in failure.error.message
    assert "reload the code location" in failure.error.message
    (configs / "broken.yaml").write_text((BUNDLED / "minimal.yaml").read_text())
    mended = {spec.key.to_user_string() for spec in loaded().resolve_all_asset_specs()}
    assert "broken/config" not in mended and "broken/fct_payments" in mended


def test_a_command_finds_them_all(configs: Path) -> None:
    """For CI: exit code 2 and every problem; without one, 0."""
    wrong = CliRunner().invoke(main, ["configs"])
    assert wrong.exit_code == 2
    assert "sound: Subscription customers" in wrong.output
    assert "broken.yaml: 3 problems" in wrong.output
    (configs / "broken.yaml").unlink()
    (configs / "broken.yaml").write_text((BUNDLED / "minimal.yaml").read_text())
    assert CliRunner().invoke(main, ["configs"]).exit_code == 0


@pytest.mark.slow
def test_a_run_makes_what_the_config_said_when_it_began(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config that is edited, or broken, under a run does not touch it: its plan was read when its process began."""
    job = loaded().resolve_implicit_global_asset_job_def()
    (configs / "sound.yaml").write_text(BROKEN)
    result = job.execute_in_process(asset_selection=[dg.AssetKey(["sound", "fct_payments"])], partition_key="2024-03-01")
    assert result.success
    (event,) = result.asset_materializations_for_node("sound__fct_payments")
    before, _ = load_datasets()
    minimal = next(plan for plan in before if plan.name == "minimal")
    assert (event.tags or {})["dagster/code_version"] == minimal.digest, "the same file under another name"
