"""Which words of the language a config uses, of all that there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import get_args

from plotsim_core.config import quality, segments
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.metrics import METRIC_TYPES
from plotsim_core.config.output import FormatWord
from plotsim_core.config.table_kind import declared_forms
from plotsim_core.numerics.calendar import GRAINS, Grain
from plotsim_core.numerics.curves import CURVES, WORDS
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.noise import NOISE
from plotsim_core.plan.plan import Plan, Population

_ARRIVALS = (
    segments.UniformArrival,
    segments.LinearArrival,
    segments.StepArrival,
    segments.ExplicitArrival,
    segments.OngoingArrival,
)


def _grain_word(grain: Grain) -> str:
    """Return the word of a grain; those of some minutes are alike."""
    return "minutes" if grain.is_part_of_hour else grain.name


def every_word() -> dict[str, list[str]]:
    """Return the words that random configs are to use, by what they are words of."""
    return {
        "table kind": list(declared_forms()),
        "column source": list(SOURCES),
        "metric type": list(METRIC_TYPES),
        "distribution": list(DISTRIBUTIONS),
        "curve": list(CURVES),
        "archetype word": list(WORDS),
        "arrival": [arrival.__name__ for arrival in _ARRIVALS],
        "noise family": list(NOISE),
        "issue": list(get_args(quality.Kind)),
        "grain": list(dict.fromkeys(_grain_word(grain) for _, grain in GRAINS.items())),
        "format": [word for word in get_args(FormatWord) if word != "sql"],
        "section": list(Dataset.model_fields),
    }


def words_of(plan: Plan) -> dict[str, int]:
    """Return how often a config has each word, as `distribution beta`."""
    counts: Counter[str] = Counter()
    for population in plan.populations:
        counts.update(f"{what} {word}" for what, word in _of_population(population))
    for table in plan.tables:
        counts[f"table kind {table.form}"] += 1
        counts.update(f"column source {column.spec.word}" for column in table.columns)
    dataset = plan.dataset
    counts.update(f"issue {issue.issue}" for issue in dataset.quality)
    counts.update(f"section {name}" for name in Dataset.model_fields if name in plan.raw)
    counts[f"grain {_grain_word(plan.grain)}"] += 1
    counts[f"format {dataset.output.format}"] += 1
    return dict(counts)


def _of_population(population: Population) -> Iterator[tuple[str, str]]:
    for metric in population.metrics:
        yield "metric type", metric.spec.type
        yield "distribution", metric.spec.family
    for segment in population.segments:
        spec = segment.spec
        for piece in spec.archetype.curves or ():
            yield "curve", piece.curve
        for word in spec.archetype.words or ():
            yield "archetype word", word
        if spec.arrival is not None:
            yield "arrival", type(spec.arrival).__name__
    noises = [population.dataset.noise, *(metric.spec.noise for metric in population.metrics)]
    for noise in noises:
        if noise is not None and noise.gaussian_sigma > 0:
            yield "noise family", noise.noise_family


def counted(configs: list[Mapping[str, int]]) -> dict[str, int]:
    """Return in how many configs each word is."""
    counts: Counter[str] = Counter()
    for words in configs:
        counts.update(words.keys())
    return {f"{what} {word}": counts[f"{what} {word}"] for what, known in every_word().items() for word in known}
