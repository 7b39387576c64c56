"""The page of what is tested where is written from the tests: each file, with the claim it is about."""

from __future__ import annotations

import re

from tests.page import FOLDER, PAGE, page


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.page"


def test_every_file_and_folder_says_what_it_claims() -> None:
    """In a sentence, at the head of the file, or of the `__init__` of the folder."""
    rows = re.findall(r"^\| `(test_\w+\.py)` \| (.*) \| [^|]*\|$", page(), re.MULTILINE)
    folders = re.findall(r"^## (tests.*)\n\n(.*)$", page(), re.MULTILINE)
    assert len(rows) == len(list(FOLDER.rglob("test_*.py")))
    assert [name for name, claim in (*rows, *folders) if not claim.endswith((".", ":")) or len(claim) < 20] == []
