"""Hypothesis runs the same examples every time; PLOTSIM_LAW_SEED=<number> looks elsewhere, PLOTSIM_LAW_TIMES=<number>
tries that many times as many."""

from __future__ import annotations

import gc
import os

import hypothesis
import pytest
from hypothesis import HealthCheck, settings

gc.set_threshold(100_000, 20, 20)  # looking for garbage while tests are read takes a quarter of the time
_SEED = os.environ.get("PLOTSIM_LAW_SEED")
_COMMON = {
    "deadline": None,
    "max_examples": max(1, round(12 * float(os.environ.get("PLOTSIM_LAW_TIMES", "1")))),
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("fixed", derandomize=True, database=None, **_COMMON)
settings.register_profile("seeded", **_COMMON)
settings.load_profile("fixed" if _SEED is None else "seeded")


def pytest_collection_finish() -> None:
    """Keep what was read for good: looking for garbage in it finds none."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of random examples, and seed it when a seed is asked for."""
    for item in items:
        function = getattr(item, "obj", None)
        if getattr(function, "is_hypothesis_test", False):
            item.add_marker(pytest.mark.random)
            if _SEED is not None:
                hypothesis.seed(int(_SEED))(function)
