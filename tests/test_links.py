"""Links of pages lead to files that are there, and to headings that stand in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")}
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _anchor(heading: str) -> str:
    """Return the anchor that a heading gets where pages are shown: lower case, without signs, a hyphen for a space."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    return {_anchor(line.lstrip("#")) for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("#")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))
    for link in _LINK.findall(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} is not there"
        assert not anchor or target.suffix != ".md" or anchor in _anchors(target), f"{link}: no such heading"


def test_a_link_to_nowhere_is_seen() -> None:
    assert _LINK.findall("see [this](nowhere.md#part) and [that](a.py)") == ["nowhere.md#part", "a.py"]
    assert _anchor(" One shape: `per`, and rows") == "one-shape-per-and-rows"
