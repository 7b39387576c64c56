"""The page of a run: how many configs, what crashed, what alarmed, what was judged, which words of the language occurred."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import get_args

import numpy

from benchmarks.robustness.population import SIZES
from benchmarks.robustness.trial import Trial
from benchmarks.robustness.words import counted, every_word
from plotsim_core import __version__
from plotsim_core.validation.check import Category

_INTRODUCTION = """# Robustness

Random configs over the whole language, made by a generator that shares nothing with that of the law tests
(`benchmarks/robustness/`). Each has a seed; it is loaded, all its tables are written, and what was written is judged by
the dataset's own checks, every fourth also by its later periods alone. The data is sound, so every alarm is a false one.
What is promised: no crash, no alarm of a check that means broken data, and at most one other alarm in a thousand datasets.

`make robustness` writes this page; `CONFIGS=` and `SEED=` say how many configs, and the seed of the first. Nothing here is
written by hand but the sentences.
"""


def page(trials: Sequence[Trial], seed: int, seconds: float) -> str:
    """Return the page of a run whose first config has the seed `seed`."""
    return "\n\n".join([_INTRODUCTION.strip(), *_parts(trials, seed, seconds)]) + "\n"


def _parts(trials: Sequence[Trial], seed: int, seconds: float) -> Iterable[str]:
    count, rows = len(trials), sum(trial.rows for trial in trials)
    versions = f"Version {__version__} (Python {platform.python_version()}, NumPy {numpy.__version__})"
    yield f"{versions}; seeds {seed} to {seed + count - 1}, {seconds / 60:.0f} minutes in two processes."
    crashed = [trial for trial in trials if trial.crash]
    refused = [trial for trial in trials if trial.refused]
    soft = [alarm for trial in trials for alarm in trial.alarms if not alarm.blocking]
    yield _table(
        ("what", "how many"),
        [
            ("configs", f"{count:,}"),
            ("rows", f"{rows:,}"),
            ("configs that the language refuses as a whole", f"{len(refused):,}"),
            ("crashes", f"{len(crashed):,}"),
            ("configs with an alarm that means broken data", f"{sum(trial.broken for trial in trials):,}"),
            ("other alarms", f"{len(soft):,}"),
            ("configs with one", f"{sum(any(not a.blocking for a in trial.alarms) for trial in trials):,}"),
        ],
    )
    lines = [f"- {trial}" for trial in trials if trial.crash or trial.refused or trial.alarms]
    yield "\n".join(lines) if lines else "No config crashed or alarmed."
    yield "## Sizes"
    yield _table(("size", "units", "periods", "configs", "rows"), (_size(name, trials) for name in SIZES))
    yield "## What was judged"
    yield (
        "The share of findings that could be judged; the others say why not. Small datasets have too few units for much of "
        "what is said of behaviour."
    )
    shares = ([name, *(_share(name, trials, size) for size in (*SIZES, ""))] for name in get_args(Category))
    yield _table(("category", *SIZES, "all"), shares)
    yield "## Words of the language"
    yield (
        "In how many of the configs each word occurs. What the language refuses of a config as it was composed was taken "
        f"out of it, part by part: {sum(trial.dropped for trial in trials):,} parts in all."
    )
    counts = counted([trial.words for trial in trials])
    for what, words in every_word().items():
        yield f"**{what}**: " + ", ".join(f"`{word}` {counts[f'{what} {word}']:,}" for word in words)


def _size(name: str, trials: Sequence[Trial]) -> list[str]:
    size, size_trials = SIZES[name], [trial for trial in trials if trial.size == name]
    ends = [f"{low:,} to {high:,}" for low, high in (size.units, size.periods)]
    return [name, *ends, f"{len(size_trials):,}", f"{sum(trial.rows for trial in size_trials):,}"]


def _share(category: str, trials: Sequence[Trial], size: str) -> str:
    counts = Counter[str]()
    for trial in trials:
        if size in ("", trial.size) and category in trial.findings:
            counts["judged"] += trial.findings[category][0]
            counts["all"] += trial.findings[category][1]
    return f"{100 * counts['judged'] / counts['all']:.1f} %" if counts["all"] else "–"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(headers), " | ".join(["---", *["---:"] * (len(headers) - 1)])]
    return "\n".join(f"| {line} |" for line in [*lines, *(" | ".join(row) for row in rows)])
