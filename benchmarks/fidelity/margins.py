"""Margins: the declared family at a fixed position, its mean, and what lies on a bound."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.fidelity import ours
from benchmarks.fidelity.configs import FAMILIES, TYPES, Raw, Scale, config, metric, still
from benchmarks.fidelity.measures import chi_square, kolmogorov, off_in_sigmas
from benchmarks.fidelity.page import Section, number, percent, table
from benchmarks.fidelity.peer import Peer
from benchmarks.fidelity.twins import Twin, twin
from plotsim_core.config.metrics import Metric
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.distributions import DISTRIBUTIONS

POSITIONS = (0.15, 0.5, 0.85)
SMALLEST_P = 0.01
PASSES = 0.97
MEAN_TOLERANCE = 0.01
MOST_ON_BOUND = 0.005
_PERIODS = 10
_OLD: dict[str, Raw] = {
    **TYPES,
    "weibull": {"type": "amount", "range": [50, 5000], "distribution": "weibull", "distribution_params": {"shape": 1.5}},
    "gamma": {"type": "amount", "range": [10, 800], "distribution": "gamma", "distribution_params": {"shape": 2.0}},
    "normal": {"type": "index", "range": [0, 100], "distribution": "normal", "distribution_params": {"sigma": 10.0}},
    "index, symmetric": {"type": "index", "range": [-100, 100]},
}
"""Metrics as plotsim's own guide declares them."""


@dataclass
class Margin:
    """What was found of one family at one position, seed by seed."""

    mean: float
    margin: Twin
    p: list[float] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    on_bound: list[float] = field(default_factory=list)


def at_positions(draws: int, seed: int, families: dict[str, Raw] = FAMILIES) -> Raw:
    """Return a config of a metric of each family, with a segment that stays at each position; `draws` cells in each."""
    metrics = [metric(name, kind) for name, kind in families.items()]
    raw = still(config(metrics, ["flat"] * len(POSITIONS), len(POSITIONS) * draws // _PERIODS, _PERIODS, seed=seed))
    for segment, position in zip(raw["segments"], POSITIONS, strict=True):
        segment["archetype"] = [{"curve": "plateau", "level": position, "until": 1.0}]
    return raw


def p_value(spec: Metric, margin: Twin, values: Floats) -> float:
    """Return the p of flat values against the declared margin: Kolmogorov-Smirnov, or chi-square for counts.

    Extra zeros of a family that is continuous otherwise are tested by themselves; of the two p the smaller one decides
    (Sidak 1967).
    """
    cdf, zeros = margin
    if DISTRIBUTIONS[spec.family].support == "count":
        return chi_square(values, lambda x: zeros + (1 - zeros) * cdf(x))
    if zeros == 0:
        return kolmogorov(values, cdf)
    p_zeros = 2 * float(stats.norm.sf(abs(off_in_sigmas(values == 0, zeros))))
    return 1 - (1 - min(p_zeros, kolmogorov(values[values != 0], cdf))) ** 2


def margins(draws: int, seeds: range, families: dict[str, Raw] = FAMILIES) -> dict[tuple[str, float], Margin]:
    """Return what is found of each family at each position."""
    measured_margins: dict[tuple[str, float], Margin] = {}
    for seed in seeds:
        stages = ours.block(at_positions(draws, seed, families))
        segment = ours.segments(stages)
        for place, name in enumerate(families):
            spec = stages.population.metrics[place].spec
            for number_, position in enumerate(POSITIONS):
                mean = spec.means[0] + (spec.means[1] - spec.means[0]) * position
                values = stages.correlated(place)[:, segment == number_].ravel()
                if (name, position) not in measured_margins:
                    measured_margins[name, position] = Margin(mean, twin(spec, mean))
                one = measured_margins[name, position]
                one.p.append(p_value(spec, one.margin, values))
                one.means.append(float(values.mean()))
                one.on_bound.append(on_bound(spec.bounds, values, DISTRIBUTIONS[spec.family].inflated))
    return measured_margins


def on_bound(bounds: tuple[float, float] | None, values: Floats, inflated: bool = False) -> float:
    """Return the share of values exactly on a bound; zeros that a family is declared to have do not count."""
    if bounds is None:
        return 0.0
    low = 0.0 if inflated else float(np.mean(values == bounds[0]))
    return low + float(np.mean(values == bounds[1]))


def configs(scale: Scale) -> dict[str, Raw]:
    """Return the configs that both generators get: each kind on its own, so that one that fails takes no other along."""
    return {f"margin {name}": _old(name, scale) for name in _OLD}


def _old(name: str, scale: Scale) -> Raw:
    return config([metric("m", _OLD[name])], ["growth", "decline"], 2 * scale.shared_units, 24)


def section(scale: Scale, peer: Peer) -> Section:
    """Measure margins, ours and those of plotsim."""
    page = Section(
        "Families",
        f"At a fixed position the margin is the declared family: Kolmogorov–Smirnov, or chi-square for counts, with "
        f"p > {SMALLEST_P} over {scale.draws:,} draws in at least {PASSES:.0%} of the seeds. The mean is within "
        f"{MEAN_TOLERANCE:.0%} of the declared one, and fewer than {percent(MOST_ON_BOUND, 1)} of the values lie "
        "exactly on a bound.",
    )
    measured_margins = margins(scale.draws, range(scale.seeds))
    rows = []
    for name in FAMILIES:
        family_margins = [measured_margins[name, position] for position in POSITIONS]
        passed = [sum(p > SMALLEST_P for p in one.p) for one in family_margins]
        off = [np.mean(one.means) / one.mean - 1 for one in family_margins]
        errors = [np.std(one.means) / np.sqrt(len(one.means)) / abs(one.mean) for one in family_margins]
        bound = max(float(np.mean(one.on_bound)) for one in family_margins)
        worst = int(np.argmax(np.abs(off)))
        rows.append(
            [
                name,
                " / ".join(map(str, passed)),
                " / ".join(f"{np.median(one.p):.2f}" for one in family_margins),
                f"{100 * off[worst]:+.3f} ± {100 * errors[worst]:.3f} %",
                percent(bound),
            ]
        )
        if min(passed) < PASSES * scale.seeds:
            page.miss(f"{name}: {' / '.join(map(str, passed))} of {scale.seeds} seeds pass at positions {POSITIONS}")
        if abs(off[worst]) > MEAN_TOLERANCE:
            page.miss(f"{name}: the mean is off by {100 * off[worst]:.2f} %")
        if bound > MOST_ON_BOUND:
            page.miss(f"{name}: {percent(bound)} lie on a bound")
    page.blocks.append(
        f"At positions {' / '.join(map(str, POSITIONS))}, {scale.seeds} seeds of {scale.draws:,} draws each, against "
        f"SciPy's families. Of {scale.seeds} seeds {0.01 * scale.seeds:g} are expected to fail by chance (binomial "
        f"standard deviation {np.sqrt(0.0099 * scale.seeds):.1f}); the median of p is 0.5 where nothing is off at all:"
    )
    heads = ["family", f"seeds of {scale.seeds} that pass", "median p", "mean off by, worst position", "exactly on a bound"]
    page.blocks.append(table(heads, rows))
    _beside(page, scale, peer)
    return page


def _beside(page: Section, scale: Scale, peer: Peer) -> None:
    rows = []
    for name, kind in _OLD.items():
        stages = ours.block(still(_old(name, scale)))
        both = [_seen(ours.values(stages, "m"), ours.segments(stages), kind)]
        peer_values = peer.values(f"margin {name}")
        both.append(_seen(peer_values["m"].astype(np.float64), peer_values["segment"], kind) if peer_values else ["–"] * 3)
        rows.append([name, *(cell for pair in zip(*both, strict=True) for cell in pair)])
    heads = ["metric"]
    for what in ("exactly on a bound", "distinct values", "mean, first → last period of growth"):
        heads += [f"{what}: ours", "plotsim 0.7.0"]
    page.blocks.append(
        f"### Side by side\n\nThe same configs, growth and decline, {2 * scale.shared_units * 24:,} cells; the last ones "
        "give family and shape in the words of plotsim's guide:\n\n" + table(heads, rows)
    )


def _seen(values: Floats, segment: NDArray[np.int64], kind: Raw) -> list[str]:
    bounds = kind.get("range", [0, 1] if kind["type"] == "score" else None)
    rising = values[:, segment == 0].mean(axis=1)
    share = percent(on_bound(bounds, values), 1) if bounds else "–"
    return [share, f"{len(np.unique(values)):,}", f"{number(rising[0], 2)} → {number(rising[-1], 2)}"]
