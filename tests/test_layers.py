"""Who may know whom: a package of the core imports only from those before it, and the core never imports the pipeline."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "plotsim_core"

LAYERS: list[set[str]] = [
    {"families", "errors", "run_files", "version", "numerics", "arrow"},
    {"config"},
    {"plan"},
    {"engine"},
    {"columns"},
    {"tables"},
    {"rules"},
    {"importers", "truth", "validation", "output"},
    {"api", "blas", "cli", "loading", "schema", "show", "__init__", "__main__"},
]
"""The layers, from the ground up. Within the first, the order is that of GROUND."""
GROUND = ["families", "errors", "run_files", "version", "numerics", "arrow"]
SIBLINGS = LAYERS[7]


def imports(path: Path) -> set[str]:
    """Return the full names of the modules a file imports, wherever in it that stands."""
    values: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            values |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            values.add(node.module or "")
            values |= {f"{node.module}.{alias.name}" for alias in node.names}
    return values


def part(module: str) -> str | None:
    """Return the layer's part that a module of the core belongs to (`plotsim_core.numerics.noise` to `numerics`)."""
    names = module.split(".")
    if names[0] != "plotsim_core":
        return None
    return names[1] if len(names) > 1 else "__init__"


def layer(name: str) -> int:
    """Return the place of a part among the layers."""
    return next(number for number, parts in enumerate(LAYERS) if name in parts)


def core_files() -> list[Path]:
    """Return the source files of the core."""
    return sorted(CORE.rglob("*.py"))


def own_part(path: Path) -> str:
    """Return the part that a file belongs to."""
    return path.relative_to(CORE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_knows_only_what_lies_below_it(path: Path) -> None:
    entry = own_part(path)
    known = {name for module in imports(path) if (name := part(module)) is not None}
    parts = set().union(*LAYERS)
    for other in (known & parts) - {entry}:
        if entry in GROUND and other in GROUND:
            assert GROUND.index(other) < GROUND.index(entry), f"{entry} knows {other}"
        elif entry in SIBLINGS:
            assert layer(other) < layer(entry), f"{entry} knows its sibling {other}"
        else:
            assert layer(other) <= layer(entry), f"{entry} knows {other}"
            assert layer(other) < layer(entry) or layer(entry) == len(LAYERS) - 1, f"{entry} knows {other}"


def test_every_part_of_the_core_has_its_layer() -> None:
    assert {own_part(path) for path in core_files()} <= set().union(*LAYERS)


PACKAGES = sorted(path for path in CORE.rglob("__init__.py") if path.parent != CORE)


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.parent.name)
def test_a_package_says_what_it_may_import(path: Path) -> None:
    """The last paragraph of its docstring lists the parts below it, and the package that it is in."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    entry = own_part(path)
    below = (
        GROUND[: GROUND.index(entry)]
        if entry in GROUND
        else [*GROUND, *(n for parts in LAYERS[1 : layer(entry)] for n in sorted(parts))]
    )
    expected = [*below, entry] if path.parent.parent != CORE else below
    assert docstring.rpartition("\n\n")[2].replace("\n", " ") == f"May import: {', '.join(expected)}."


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_knows_neither_dagster_nor_the_pipeline(path: Path) -> None:
    tops = {module.partition(".")[0] for module in imports(path)}
    assert not [top for top in tops if top.startswith("dagster") or top == "plotsim_pipeline"]


def test_importing_the_core_does_not_import_dagster() -> None:
    """Seen in a process of its own, so that nothing else can have imported it."""
    code = "import sys, plotsim_core; print([m for m in sys.modules if m.startswith(('dagster', 'plotsim_pipeline'))])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_numerics_knows_arrays_and_nothing_of_files_or_configs() -> None:
    known = {
        module.partition(".")[0]
        for path in (CORE / "numerics").rglob("*.py")
        for module in imports(path)
        if part(module) is None
    }
    assert known <= {"__future__", "numpy", "scipy", *sys.stdlib_module_names}


def test_a_rise_in_the_layers_would_be_seen(tmp_path: Path) -> None:
    """The reader of imports sees imports inside functions, and names imported from a package."""
    source = tmp_path / "some.py"
    source.write_text("def f():\n    from plotsim_core import tables\n    import plotsim_core.engine.block\n")
    assert {part(module) for module in imports(source)} == {"__init__", "tables", "engine"}
