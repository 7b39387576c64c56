"""Random configs of the whole language neither crash nor alarm, and they are of the whole language.

`make robustness` makes a thousand of them; what they showed is in docs/robustness.md.
"""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.robustness.configs import composed
from benchmarks.robustness.page import page
from benchmarks.robustness.trial import Trial, tried
from benchmarks.robustness.words import every_word, words_of
from tests.marks import slow_but

SEEDS = range(20)
COMPOSED = range(220)
"""Composing is cheap: so many configs show whether a word is ever used."""


@pytest.mark.parametrize("seed", slow_but(SEEDS, 5))
def test_a_random_config_neither_crashes_nor_alarms(seed: int) -> None:
    trial = tried(seed)
    assert not (trial.crash or trial.refused or trial.alarms), f"{trial}\n{trial.crash}"
    assert trial.rows > 0
    assert trial.findings


@pytest.mark.slow
def test_configs_use_every_word_of_the_language() -> None:
    """Each table kind, column source, distribution, curve, arrival, issue, grain, format and section occurs."""
    actual: Counter[str] = Counter()
    for seed in COMPOSED:
        actual.update(words_of(composed(seed).plan))
    missing = [f"{what} {word}" for what, words in every_word().items() for word in words if not actual[f"{what} {word}"]]
    assert not missing


def test_a_seed_is_one_config() -> None:
    """The seed alone says what is made, so that whoever reads of an alarm can see it again."""
    first, again = composed(7), composed(7)
    assert first.raw == again.raw
    assert first.plan.digest == again.plan.digest
    assert composed(8).raw != first.raw


@pytest.mark.slow
def test_the_page_tells_of_crashes_and_alarms() -> None:
    """A run that found something says so, with the seed that shows it."""
    trials = [Trial(3, "tiny", crash="Traceback\nValueError: no"), tried(4)]
    text = page(trials, 3, 60.0)
    assert "| crashes | 1 |" in text
    assert "- seed 3, tiny: 0 rows, 0.0 s; CRASH ValueError: no" in text
    assert "- seed 4" not in text
