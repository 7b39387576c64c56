"""What is to be known of a sound config: words that have no effect where they stand, but that plotsim takes, and limits.

Words of this language alone that have no effect are refused; these are noted when the config is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import SECTIONS, SOURCE_WORDS
from plotsim_core.errors import Problem


def notes(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is to be known of a kind of unit."""
    yield from _columns(dataset)


def _columns(dataset: Dataset) -> Iterator[Problem]:
    for section in SECTIONS:
        for number, table in enumerate(getattr(dataset, section)):
            for place, column in enumerate(table.columns):
                for problem in SOURCE_WORDS[column.word].notes(column.source, table, dataset):
                    yield problem.under(f"{section}[{number}].columns[{place}]")
