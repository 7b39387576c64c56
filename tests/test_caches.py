"""What a process keeps to save time has a stated size, and no plan changes when something is made of it."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

from plotsim_core import generate_tables, load_template

ROOT = Path(__file__).parents[1]
FILES = sorted(path for package in ("plotsim_core", "plotsim_pipeline") for path in (ROOT / package).rglob("*.py"))


def endless(tree: ast.AST) -> set[int]:
    """Return the lines of decorators that keep what a function returns without saying how much of it."""
    decorators = [d for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for d in node.decorator_list]
    names = {d.lineno for d in decorators if isinstance(d, ast.Name) and d.id in ("cache", "lru_cache")}
    calls = [d for d in decorators if isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id == "lru_cache"]
    return names | {d.lineno for d in calls if not any(word.arg == "maxsize" for word in d.keywords)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_cache_says_how_much_it_keeps(path: Path) -> None:
    assert endless(ast.parse(path.read_text(encoding="utf-8"))) == set()


def test_an_endless_cache_is_seen() -> None:
    tree = ast.parse(
        "@cache\ndef a():\n    pass\n@lru_cache()\ndef b():\n    pass\n@lru_cache(maxsize=1)\ndef c():\n    pass\n"
    )
    assert endless(tree) == {1, 4}


def test_making_tables_leaves_their_plan_as_it_was() -> None:
    plan = load_template("minimal")
    before = pickle.dumps(plan)
    generate_tables(plan)
    assert pickle.dumps(plan) == before
