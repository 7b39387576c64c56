"""Every broken config is refused with its text."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from plotsim_core.config.missing import LEAST
from tests.errors.cases import THEMES, Case, all_cases, base_of, cases_of, combined, text_of
from tests.errors.update import update

CASES = all_cases()
_each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
_JARGON = re.compile(
    r"Input should|union|tuple|extra_forbidden|pydantic|Traceback|None|True|False|<class|Error\b|\bdict\b|datetime|\\n|[{(]'"
)


@_each
def test_a_broken_config_is_refused_with_its_text(case: Case, tmp_path: Path) -> None:
    assert text_of(case.name, case.config, tmp_path) == case.text


@_each
def test_texts_are_for_people_and_say_each_thing_once(case: Case) -> None:
    head, *lines = case.text.splitlines()
    problems = [line for line in lines if line.startswith("  ") and not line.startswith("      ")]
    assert head == f"{case.name}.yaml: {len(problems)} problem{'' if len(problems) == 1 else 's'}"
    assert not _JARGON.search("\n".join(lines).replace("TypeError", ""))
    assert len(set(problems)) == len(problems)
    assert all(len(line) < 240 for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.stem)
def test_many_mistakes_at_once_are_told_as_mistakes(theme: Path, tmp_path: Path) -> None:
    """Whatever is wrong beside each other, a check of one part does not fall over another part that is wrong."""
    configs = [config for seed in range(12) if (config := combined(theme, seed)) is not None]
    for config in configs:
        text = text_of("several", config, tmp_path) or ""
        assert not _JARGON.search(text.replace("TypeError", "")), text


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.stem)
def test_a_base_is_sound(theme: Path, tmp_path: Path) -> None:
    """So that what is wrong about a case is what it says itself."""
    base = base_of(theme)
    assert base is None or text_of(theme.stem, base, tmp_path) is None


def test_the_least_that_an_empty_file_is_told_of_is_sound(tmp_path: Path) -> None:
    assert text_of("least", LEAST.encode(), tmp_path) is None


def test_each_case_is_there_once() -> None:
    assert [name for name, number in Counter(case.name for case in CASES).items() if number > 1] == []
    assert len(CASES) >= 400


def test_the_update_writes_texts_and_nothing_else(tmp_path: Path) -> None:
    """Texts that are wrong, and one that is not there, are as they were; so is every other byte."""
    theme = tmp_path / "dates.yaml"
    shutil.copy(THEMES[0].with_name(theme.name), theme)
    before = theme.read_text(encoding="utf-8")
    first, *_, last = cases_of(theme)
    commented = before.replace("cases:\n", "cases:  # of the dates\n\n")
    theme.write_text(commented.replace(first.text.splitlines()[1], "what was\n\n         said"), encoding="utf-8")
    assert update(theme, tmp_path) == [] and theme.read_text(encoding="utf-8") == commented
    theme.write_text(before[: before.index("    text: |\n      " + last.text.splitlines()[0])], encoding="utf-8")
    assert update(theme, tmp_path) == [] and theme.read_text(encoding="utf-8") == before
