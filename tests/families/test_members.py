"""Families that are folders: the list in a package is the folder, and a second member of a name is refused."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import plotsim_core.output
import plotsim_core.tables
import plotsim_pipeline
from plotsim_core import columns, numerics
from plotsim_core.columns.source import ColumnSource
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.table_kind import TABLE_FORMS, declared_forms, declared_kinds, form_name
from plotsim_core.families import Family, UnknownMember
from plotsim_core.numerics import distributions
from plotsim_core.numerics.calendar import GRAINS
from plotsim_core.numerics.curves import CURVES, WORDS
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.noise import NOISE, PRESETS
from plotsim_core.output.format import FORMATS
from plotsim_core.plan.schemas import DERIVED
from plotsim_core.tables.kind import TableKind
from plotsim_core.tables.stages import STAGES
from tests.marks import slow_but

ROOT = Path(__file__).parents[2]
SOURCE_FILES = sorted(path for package in ("plotsim_core", "plotsim_pipeline") for path in (ROOT / package).rglob("*.py"))
ADDERS = {"add", "add_source", "add_kind"}
FOLDERS: list[tuple[ModuleType, Family]] = [  # type: ignore[type-arg]
    (columns, SOURCES),
    (plotsim_core.tables, TABLE_FORMS),
    (plotsim_core.output, FORMATS),
    (distributions, DISTRIBUTIONS),
]
HELPERS = {"stages", "distribution", "dialects"}
"""Files that add to another family than their folder's, or define what a member is."""
FAMILIES = [SOURCES, TABLE_FORMS, STAGES, FORMATS, DISTRIBUTIONS, NOISE, PRESETS, CURVES, WORDS, GRAINS]


def members(folder: Path) -> set[str]:
    """Return the files of a folder that add a member: those that call `add_kind(...)` or the like at their top level, or
    decorate a class with `add_source`."""
    values = set()
    for path in folder.glob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        classes = [node for node in body if isinstance(node, ast.ClassDef)]
        if any(isinstance(d, ast.Name) and d.id in ADDERS for node in classes for d in node.decorator_list):
            values.add(path.stem)
        top = [node for node in body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
        for node in (inner for outer in top for inner in ast.walk(outer)):
            called = node.func if isinstance(node, ast.Call) else None
            name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            if name in ADDERS and path.stem not in HELPERS:
                values.add(path.stem)
    return values - {"source", "kind", "format", "__init__"}


@pytest.mark.parametrize(("package", "family"), FOLDERS, ids=lambda value: getattr(value, "noun", ""))
def test_the_list_of_a_package_is_its_folder(package: ModuleType, family: Family) -> None:  # type: ignore[type-arg]
    """Every file that adds a member is imported by the package, and every module that it lists adds one."""
    folder = Path(package.__file__ or "").parent
    listed = {name for name in package.__all__ if name.islower()}
    assert listed == members(folder)
    views = {*DERIVED} - {*TABLE_FORMS} if family is TABLE_FORMS else set()
    assert len(family) + len(views) >= len(listed)


def test_a_source_is_one_class() -> None:
    assert all(issubclass(source, ColumnSource) and source.word == word for word, source in SOURCES.items())


def test_a_form_of_a_kind_is_one_class() -> None:
    """Its name is the one it is known by, and what its tables are is that class; kinds are fewer than the 14 that there were
    before tables had one shape."""
    assert len(declared_kinds()) < 14
    assert all(form_name(kind) == name and issubclass(kind, TableKind) for name, kind in TABLE_FORMS.items())
    assert len({kind for _, kind in TABLE_FORMS.items()}) == len(TABLE_FORMS)


def asks_for_a_kind(node: ast.AST) -> bool:
    """Return whether code compares the name of a kind, looks something up by it, or asks a table for a field it may lack."""
    if isinstance(node, ast.Compare):
        is_none = isinstance(node.comparators[-1], ast.Constant) and node.comparators[-1].value is None
        parts = [] if is_none else [node.left, *node.comparators]
    elif isinstance(node, ast.Subscript):
        parts = [node.slice]
    else:
        parts = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            holder = ast.unparse(node.args[0]).split(".")[-1]
            return holder in {"spec", "table", "dimension", "fact", "event"}
    return any(isinstance(part, ast.Attribute) and part.attr == "kind" for part in parts)


@pytest.mark.parametrize(
    "package", slow_but([plotsim_core, plotsim_pipeline], plotsim_pipeline), ids=lambda package: package.__name__
)
def test_nobody_compares_the_name_of_a_kind(package: ModuleType) -> None:
    """Who wants to know something of a table asks it; `TableWords` has the questions, with defaults."""
    folder = Path(package.__file__ or "").parent
    files = {path: ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")}
    values = [f"{path}:{node.lineno}" for path, tree in files.items() for node in ast.walk(tree) if asks_for_a_kind(node)]
    assert not values
    assert asks_for_a_kind(ast.parse("table.kind == 'fact'", mode="eval").body)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.noun)
def test_a_second_member_of_a_name_is_refused(family: Family) -> None:  # type: ignore[type-arg]
    for name, member in family.items():
        with pytest.raises(ValueError, match="already"):
            family.add(name, member)
    assert len(set(family)) == len(family) > 0


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.noun)
def test_an_unknown_name_is_answered_with_the_nearest_known(family: Family) -> None:  # type: ignore[type-arg]
    name = next(iter(sorted(family, key=len, reverse=True)))
    with pytest.raises(UnknownMember, match=f"(?s)no {family.noun} is named.*{name}"):
        family[f"{name}x"]


@pytest.mark.parametrize("word", list(SOURCES))
def test_a_source_has_a_place_in_some_kind_of_table(word: str) -> None:
    assert any(SOURCES[word].needs <= kind.knows for kind in declared_forms().values())


def words_compared(tree: ast.AST) -> list[int]:
    """Return the lines that compare the word of a source, or the type of a column as it is written, with literals."""
    values = []
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Compare)):
        sides = [node.left, *node.comparators]
        has_word = any(isinstance(side, ast.Attribute) and (side.attr == "word" or _is_written(side)) for side in sides)
        texts = [leaf for side in sides for leaf in ast.walk(side) if isinstance(leaf, ast.JoinedStr | ast.Constant)]
        if has_word and any(isinstance(leaf, ast.JoinedStr) or isinstance(leaf.value, str) for leaf in texts):
            values.append(node.lineno)
    return values


def _is_written(node: ast.Attribute) -> bool:
    """Return whether an expression is the `type` of a column of the config: `column.spec.type`."""
    return node.attr == "type" and isinstance(node.value, ast.Attribute) and node.value.attr == "spec"


@pytest.mark.parametrize("path", SOURCE_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_names_a_source(path: Path) -> None:
    """What is to be known of a column its source answers, so that a source from elsewhere has answers as well."""
    assert words_compared(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_a_source_that_is_named_is_seen() -> None:
    lines = [
        'column.word == "ref"',
        'c.spec.word in ("id", "ref")',
        'c.spec.type == f"ref.{name}"',
        'metric.type == "amount"',
    ]
    assert words_compared(ast.parse("\n".join(lines))) == [1, 2, 3]


def test_numerics_is_importable_alone() -> None:
    assert all(
        import_module(f"{numerics.__name__}.{path.stem}") for path in Path(numerics.__file__ or "").parent.glob("*.py")
    )
