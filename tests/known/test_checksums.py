"""The bundled configs give the bytes that they have always given."""

from __future__ import annotations

import json

import pytest

from plotsim_core import list_templates
from tests.known.checksums import KEPT, checksum
from tests.laws.made import BUNDLED


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_config_gives_the_bytes_it_has_always_given(name: str) -> None:
    """If this is meant to change: `python -m tests.known.checksums --write`, and a line in the list of changes."""
    assert json.loads(KEPT.read_text(encoding="utf-8")).get(name) == checksum(name)


def test_every_checksum_is_of_a_bundled_config() -> None:
    assert set(json.loads(KEPT.read_text(encoding="utf-8"))) == set(list_templates())
