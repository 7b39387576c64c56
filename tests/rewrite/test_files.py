"""Files in today's words make the same data and keep their comments: bundled ones, plotsim's, and drafts of others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plotsim_core import ConfigError, Plan, from_mapping
from plotsim_core.config.files import with_files
from plotsim_core.config.read import document_of, read_text, yaml_text
from plotsim_core.config.rewrite import canonical, rewritten
from plotsim_core.config.yaml_values import comments
from tests.compatibility.test_corpus import LINES
from tests.laws.made import CONFIGS, WHOLE
from tests.marks import slow_but
from tests.rewrite.same import differences

HERE = Path(__file__).parent
DRAFTS = Path(os.environ.get("PLOTSIM_DRAFTS") or Path(__file__).parents[3] / "shared/studies/drafts")
DRAFT_FILES = sorted(path for path in DRAFTS.rglob("*.yaml") if "proposed" not in path.parts)
FILES = [*sorted(CONFIGS.glob("*.yaml")), *WHOLE.values(), *sorted((HERE.parent / "compatibility").glob("*.yaml"))]
QUICK = [CONFIGS / "minimal.yaml", CONFIGS / "saas.yaml", *WHOLE.values()]
"""Files that `make test` looks at too."""


def planned(text: str, path: Path) -> Plan:
    return from_mapping(with_files(document_of(text, str(path)), path.parent), name="file", source=str(path))


def wrong(text: str, path: Path) -> list[str]:
    """Return what is not as it should be of a file in today's words."""
    plan = planned(text, path)
    todays = rewritten(text, str(path))
    names = differences(plan, planned(todays, path))
    if rewritten(todays, str(path)) != todays:
        names.append("a second time changes something")
    if sorted(comment for _, comment in comments(text)) != sorted(comment for _, comment in comments(todays)):
        names.append("comments")
    if canonical(raw := read_text(todays, str(path))) != raw:
        names.append("an old spelling is left")
    return names


@pytest.mark.parametrize("path", slow_but(FILES, *QUICK), ids=lambda path: path.stem)
def test_a_file_of_the_project_makes_the_same(path: Path) -> None:
    assert wrong(path.read_text(encoding="utf-8"), path) == []


@pytest.mark.slow
@pytest.mark.skipif(not DRAFT_FILES, reason=f"there are no drafts: {DRAFTS}")
def test_drafts_of_other_systems_make_the_same() -> None:
    values = {}
    for path in DRAFT_FILES:
        text = path.read_text(encoding="utf-8")
        try:
            planned(text, path)
        except ConfigError:  # in words of the future
            continue
        values[path.name] = wrong(text, path)
    assert len(values) >= 19
    assert {name: names for name, names in values.items() if names} == {}


@pytest.mark.slow
@pytest.mark.skipif(not LINES, reason="plotsim's configs are not there")
def test_plotsims_files_make_the_same() -> None:
    values = {line["from"]: wrong(yaml_text(line["config"]), HERE / "corpus.yaml") for line in LINES}
    assert {name: names for name, names in values.items() if names} == {}
