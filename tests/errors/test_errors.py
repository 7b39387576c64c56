"""Every broken config is refused with the text that lies beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.errors import FOLDER, text_of

CASES = sorted(FOLDER.glob("*.yaml"))
_JARGON = re.compile(
    r"Input should|union|tuple|extra_forbidden|pydantic|Traceback|None|True|False|<class|Error\b|\bdict\b|datetime|\\n|[{(]'"
)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_broken_config_is_refused_with_its_text(path: Path) -> None:
    assert text_of(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_texts_are_for_people_and_say_each_thing_once(path: Path) -> None:
    text = path.with_suffix(".txt").read_text(encoding="utf-8")
    head, *lines = text.splitlines()
    problems = [line for line in lines if line.startswith("  ") and not line.startswith("      ")]
    assert head == f"{path.name}: {len(problems)} problem{'' if len(problems) == 1 else 's'}"
    assert not _JARGON.search("\n".join(lines).replace("TypeError", ""))
    assert len(set(problems)) == len(problems)
    assert all(len(line) < 240 for line in lines)


def test_each_text_has_its_config() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in CASES}
    assert len(CASES) >= 80
