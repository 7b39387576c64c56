"""Write the page of what is tested where: `python -m tests.page` writes tests/README.md from the docstrings of the tests."""

from __future__ import annotations

import ast
from pathlib import Path

FOLDER = Path(__file__).parent
PAGE = FOLDER / "README.md"

_HEAD = """# What is tested where

Written from the docstrings of the tests by `python -m tests.page`. Each file is about one claim, each test says a part
of it. A folder says what its files are about, how long they take, and whether yours goes there.

`make test` is what a developer runs between two edits, `make check` all else that CI runs: style and types, tests
marked `slow`, which take seconds to repeat a claim on another dataset, store or format, and proofs marked `long`, which
need a server, a daemon, a kill, or a dataset a hundred times its size. `make endurance` has the longer form of some of
these ([benchmarks/endurance.md](../benchmarks/endurance.md)). A claim whose proof is dear has a cheap test beside it,
without a mark, wherever it can have one.

A tolerance follows from the size of its sample, and a test of chance has a fixed seed. A dataset is as small as its
claim allows. What several tests of a file make alike is a fixture of the file.
"""


def page() -> str:
    """Return the text of the page."""
    folders = sorted({path.parent for path in FOLDER.rglob("test_*.py")}, key=lambda folder: (folder != FOLDER, folder.name))
    return "\n".join([_HEAD, *(_section(folder) for folder in folders)])


def _section(folder: Path) -> str:
    """Return what a folder says of itself, and a line for each of its files of tests."""
    name = "tests" if folder == FOLDER else f"tests/{folder.relative_to(FOLDER)}"
    rows = [f"| `{path.name}` | {_docstring(path, 0)} |" for path in sorted(folder.glob("test_*.py"))]
    return "\n".join(
        [f"## {name}", "", _docstring(folder / "__init__.py"), "", "| file | claim |", "| --- | --- |", *rows, ""]
    )


def _docstring(path: Path, paragraph: int | None = None) -> str:
    """Return the docstring of a file, or one of its paragraphs in a line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    if paragraph is None:
        return text
    return " ".join(text.split("\n\n")[paragraph].split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
