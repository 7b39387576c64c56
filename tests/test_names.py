"""Names that tell nobody what they hold are not among the locals and members of the packages, the benchmarks and the
scripts of the docs, nor the locals of tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "docs", "plotsim_core", "plotsim_pipeline")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
RIDDLES = frozenset(
    ("asked", "begun", "found", "gone", "held", "here", "kept", "made", "own", "said", "says", "taken", "there", "told")
)
"""Participles and adverbs: a local is a noun, and a boolean says what is true."""


def locals_of(tree: ast.AST) -> set[tuple[str, int]]:
    """Return the names that are bound inside functions, with their lines; of parameters those of private functions."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    nodes = [node for function in functions for node in ast.walk(function)]
    bound = {(node.id, node.lineno) for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    private = [node for node in functions if getattr(node, "name", "_").startswith("_")]
    return bound | {(n.arg, n.lineno) for node in private for n in ast.walk(node.args) if isinstance(n, ast.arg)}


def members_of(tree: ast.AST) -> set[tuple[str, int]]:
    """Return the attributes and methods of classes, and the parameters of all functions, with their lines."""
    nodes = list(ast.walk(tree))
    body = [node for class_ in nodes if isinstance(class_, ast.ClassDef) for node in class_.body]
    fields = {(n.target.id, n.lineno) for n in body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    methods = {(node.name, node.lineno) for node in body if isinstance(node, ast.FunctionDef)}
    attributes = {(n.attr, n.lineno) for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    return fields | methods | attributes | {(node.arg, node.lineno) for node in nodes if isinstance(node, ast.arg)}


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_locals_are_nouns(path: Path) -> None:
    names = locals_of(ast.parse(path.read_text(encoding="utf-8")))
    assert sorted(f"line {line}: {name}" for name, line in names if name in RIDDLES) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_members_are_nouns(path: Path) -> None:
    names = members_of(ast.parse(path.read_text(encoding="utf-8")))
    assert sorted(f"line {line}: {name}" for name, line in names if name in RIDDLES) == []


def test_a_riddle_among_members_is_seen() -> None:
    tree = ast.parse("class C:\n    said: int\n    def told(self, own):\n        self.held = own\n")
    assert {name for name, _ in members_of(tree)} == {"said", "told", "self", "own", "held"}


def test_a_riddle_is_seen() -> None:
    tree = ast.parse("def _f(told):\n    own = 1\n    return [there for there in told]\n")
    assert {name for name, _ in locals_of(tree)} == {"told", "own", "there"}
