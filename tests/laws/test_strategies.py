"""What the laws are held over: random configs have every kind of table, every source of columns, every issue in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import Phase, given, settings

from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.document import Document
from plotsim_core.config.load import read_parts
from plotsim_core.config.quality import Issue
from plotsim_core.config.table_kind import declared_forms, form_name
from tests.laws.pieces import PIECES
from tests.laws.strategies import Raw, configs

BY_THEMSELVES = {"cdc": "`cdc: true` adds it"}
"""Sources whose columns come by themselves."""


def texts_under(raw: Any, key: str) -> Iterator[str]:
    """Yield every text that stands under a key anywhere in a config."""
    if isinstance(raw, dict):
        yield from (value for name, value in raw.items() if name == key and isinstance(value, str))
    for item in raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ():
        yield from texts_under(item, key)


@pytest.mark.slow
def test_random_configs_use_the_whole_language() -> None:
    kinds: set[str] = set()
    words: set[str] = set()
    issues: set[str] = set()

    @settings(max_examples=2400, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(configs(pieces=len(PIECES)))
    def look(raw: Raw) -> None:
        words.update(type_.partition(".")[0] for type_ in texts_under(raw, "type"))
        issues.update(texts_under(raw, "issue"))
        if kinds < set(declared_forms()):
            parts, _ = read_parts(Document(raw, "random", raw))
            kinds.update(form_name(declared.kind) for declared in (parts.tables if parts else ()) if declared.kind)

    look()
    assert kinds == set(declared_forms())
    assert sorted(set(SOURCES) - words - set(BY_THEMSELVES)) == []
    assert not set(get_args(Issue.model_fields["issue"].annotation)) - issues
