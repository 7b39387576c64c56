"""Write the page of what is tested where: `python -m tests.page` writes tests/README.md from the docstrings of the tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parent
PAGE = FOLDER / "README.md"
_MARK = r"pytest\.mark\.(slow|long)"

_HEAD = """# What is tested where

Written from the docstrings of the tests by `python -m tests.page`. Each file is about one claim, each test says a part
of it. A folder says what its files are about, how long they take, and whether yours goes there.

`make test` is what a developer runs between two edits, `make check` all else that CI runs: style and types, tests
marked `slow`, which take seconds to repeat a claim on another dataset, store or format, and proofs marked `long`, which
need a server, a daemon, a kill, or a dataset a hundred times its size. `make endurance` has the longer form of some of
these ([benchmarks/endurance.md](../benchmarks/endurance.md)). A claim whose proof is dear has a cheap test beside it,
without a mark, wherever it can have one.

`make test` touches every package, every law, every command, and a Dagster run on each store. What it leaves to
`make check`:

- Datasets: the laws are held for `minimal` and `delivery`, where that takes a while for `minimal` alone, and for a quarter
  of the random examples. `make check` takes all bundled datasets, `tests/fields.yaml` with every field,
  `benchmarks/everything.yaml` with every table kind and source, and all the examples.
- Runs of Dagster: three months of `saas` in DuckDB, of which some tables are compared, and a few months of `minimal` on each
  store. `make check` makes the whole window of `saas` on each store, in each order, again, and by days.
- Formats, layouts, stores, distributions: where one claim is held for each of many, often the quickest of them.
- Programs in processes of their own: what an environment without the pipeline lacks, what a loader imports, the programs of
  some pages.
- Judgement of whole reports, of rows by the million, of other years, and random configs of the whole language, but for one.

The last column of the tables below counts the tests of a file that are left to `make check` with all their parameters.

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
    rows = [f"| `{path.name}` | {_docstring(path, 0)} | {_left(path)} |" for path in sorted(folder.glob("test_*.py"))]
    head = ["| file | claim | left to `make check` |", "| --- | --- | --- |"]
    return "\n".join([f"## {name}", "", _docstring(folder / "__init__.py"), "", *head, *rows, ""])


def _left(path: Path) -> str:
    """Return how many of the tests of a file `make test` leaves to `make check`, whatever their parameters."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    tests = [node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    names = {ast.unparse(node.targets[0]): node.value for node in body if isinstance(node, ast.Assign)}
    if "pytestmark" in names and re.match(_MARK, ast.unparse(names["pytestmark"])):
        return "all"
    left = sum(any(re.fullmatch(_MARK, ast.unparse(mark)) for mark in test.decorator_list) for test in tests)
    return "all" if left == len(tests) else f"{left} of {len(tests)}" if left else ""


def _docstring(path: Path, paragraph: int | None = None) -> str:
    """Return the docstring of a file, or one of its paragraphs in a line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    if paragraph is None:
        return text
    return " ".join(text.split("\n\n")[paragraph].split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
