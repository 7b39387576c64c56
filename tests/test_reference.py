"""The reference of the language says what the models say, of every field."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from docs.phrases import title
from docs.reference import EXAMPLES, PAGE, below, page
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.meanings import meanings
from plotsim_core.config.model import Part
from plotsim_core.config.table_kind import declared_forms, declared_kinds

PARTS = dict(below(Dataset, set()))


def models() -> Iterator[tuple[str, type[Part]]]:
    yield "Dataset", Dataset
    yield from PARTS.items()
    yield from declared_forms().items()
    yield from SOURCES.items()


@pytest.mark.parametrize(("name", "model"), list(models()))
def test_every_field_has_a_meaning(name: str, model: type[Part]) -> None:
    """It stands below the field, as its docstring."""
    assert set(model.model_fields) - set(getattr(model, "unwritten", ())) - meanings(model).keys() == set()


def test_the_page_is_what_the_models_say() -> None:
    """Otherwise `make docs` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_has_every_part_kind_and_source() -> None:
    several = {kind for kind, forms in declared_kinds().items() if len(forms) > 1}
    headings = {line.lstrip("# ") for line in page().splitlines() if line.startswith("#")}
    assert {f"Column `{word}`" for word, source in SOURCES.items() if not source.is_old_spelling} <= headings
    assert len([heading for heading in headings if "(in `" in heading]) == len(declared_forms())
    assert {title(kind) for kind in several} <= headings
    assert set(PARTS) >= set(EXAMPLES)


def test_no_key_is_without_words() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) > 200
    assert [row for row in rows if row.rstrip().endswith("|  |")] == []
