"""The page of what is tested where is written from the tests: each file, with the claim it is about."""

from __future__ import annotations

import re

from tests.page import FOLDER, PAGE, page


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.page"


def test_every_file_and_folder_says_what_it_claims() -> None:
    rows = re.findall(r"^\| `(test_\w+\.py)` \| (\S.*) \|$", page(), re.MULTILINE)
    assert len(rows) == len(list(FOLDER.rglob("test_*.py")))
    assert all(claim.endswith((".", ":")) and len(claim) > 20 for _, claim in rows), [r for r in rows if len(r[1]) <= 20]
    folders = re.findall(r"^## tests(?:/\w+)*\n\n(\S.*)$", page(), re.MULTILINE)
    assert len(folders) == len({path.parent for path in FOLDER.rglob("test_*.py")})
