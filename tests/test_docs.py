"""The README is true: its config, its code, its commands and their output."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from docs import correlations, drafts
from docs.gallery import PICTURE, picture
from plotsim_core import ConfigError, from_mapping, generate_tables, load_config
from plotsim_core.cli import main
from plotsim_core.numerics.curves import CURVES, WORDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_config_is_the_bundled_one() -> None:
    """The config shown is configs/minimal.yaml."""
    assert blocks("yaml") == [(ROOT / "configs" / "minimal.yaml").read_text(encoding="utf-8")]


def test_the_errors_are_those_of_the_config(tmp_path: Path) -> None:
    """Two mistakes in that config give the errors shown."""
    (shown,) = (block for block in blocks("text") if block.startswith("mine.yaml"))
    broken = blocks("yaml")[0].replace("archetype: growth", "archetype: grwoth")
    (tmp_path / "mine.yaml").write_text(broken.replace("count, polarity: positive", "count, polarity: up"))
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "mine.yaml")
    assert str(raised.value).replace(f"{tmp_path}/", "") == shown.strip()


def test_the_tables_are_those_of_the_run() -> None:
    """Tables and rows shown for `make run` are those that saas gives."""
    shown = dict(re.findall(r"│ (\w+) +│ +([\d,]+) │", README))
    values = {
        name: f"{len(frame):,}" for name, frame in generate_tables(load_config(ROOT / "configs" / "saas.yaml")).items()
    }
    assert shown == values


FRAGMENTS = [
    pytest.param(fragment, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, fragment in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]
"""The YAML of every page: a whole config, or the sections that take the place of those of BASE."""
BASE = """
about: Shops
unit: shop
window: { start: 2024-01, end: 2024-12, every: month }
metrics:
  - { name: visits, type: count, polarity: positive, mean: [2, 30] }
  - { name: refunds, type: amount, polarity: negative, range: [0, 500] }
  - { name: mood, type: score, polarity: positive }
segments: [{ name: small, count: 5, archetype: growth }]
"""


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_the_fragments_of_the_pages_make_tables_without_a_warning(fragment: str) -> None:
    raw = yaml.safe_load(fragment)
    raw = raw if "about" in raw else {**yaml.safe_load(BASE), **raw}
    plan = from_mapping(raw, name="shops")
    assert plan.warnings == ()
    last = (plan.stop or plan.first + 60) - 1  # of an open window, the first periods
    periods = f"{plan.grain.label(plan.first)}..{plan.grain.label(last)}" if plan.has_window else None
    frames = generate_tables(plan, periods=periods)
    assert all(len(frame) for frame in frames.values())


@pytest.mark.slow
def test_the_correlations_are_those_that_come_out() -> None:
    """Otherwise `make docs` writes them anew."""
    assert correlations.written(README) == README
    assert "\n".join(correlations.rows()) in README


def test_the_page_of_drafts_counts_every_config_of_tests() -> None:
    """Otherwise `make docs` writes its table anew. None of them has a unit."""
    page = drafts.PAGE.read_text(encoding="utf-8")
    assert "\n".join(drafts.rows()) in page
    configs = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in drafts.CONFIGS.glob("*.yaml")}
    assert configs.keys() == drafts.BEFORE.keys()
    assert not any({"unit", "metrics", "segments"} & config.keys() for config in configs.values())


def test_the_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python shown runs as it stands."""
    monkeypatch.chdir(ROOT)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})


def test_the_code_of_the_page_about_output_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It leaves the files that the page names."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "output.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "plotsim_core" in block)
    exec(compile(code, "output.md", "exec"), {})
    assert (tmp_path / "data" / "validation_report.txt").is_file()


@pytest.mark.slow
def test_the_code_of_the_page_about_slices_runs(tmp_path: Path) -> None:
    """Each program prints what its comments say; the one of several processes, the rows of both tables."""
    page = (ROOT / "docs" / "slices.md").read_text(encoding="utf-8")
    plan = load_config(ROOT / "configs" / "saas.yaml")
    rows = sum(len(table) for table in generate_tables(plan, tables=["evt_login", "dim_company"]).values())
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page, re.DOTALL)):
        file = tmp_path / f"program_{number}.py"
        file.write_text(code)
        done = subprocess.run([sys.executable, file], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert f"# {done.stdout.strip()}" in code or done.stdout.strip() == str(rows)


@pytest.mark.slow
def test_the_commands_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each `plotsim` command shown succeeds, and `explain` prints what is shown."""
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"\.venv/bin/plotsim ([^#\n]+)", README)
    assert {command.split()[0] for command in commands} == {"info", "run", "check", "explain"}
    for command in commands:
        done = CliRunner().invoke(main, command.split())
        assert done.exit_code == 0, done.output
        if command.startswith("explain"):
            assert done.output.strip() in [block.strip() for block in blocks("text")]


def test_the_picture_of_the_curves_is_what_is_drawn() -> None:
    """Otherwise `make docs` draws it anew."""
    assert PICTURE.read_text(encoding="utf-8") == picture()


def test_the_page_of_the_curves_has_every_word_and_every_curve() -> None:
    page = (ROOT / "docs" / "archetypes.md").read_text(encoding="utf-8")
    words, curves = page.split("## Words")[1].split("## Curves")
    assert set(re.findall(r"^\| `(\w+)`", words, re.MULTILINE)) == set(WORDS)
    assert set(re.findall(r"^\| `(\w+)`", curves.split("## Time")[0], re.MULTILINE)) == set(CURVES)
