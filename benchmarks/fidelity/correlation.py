"""Correlation of every pair of families, on trajectories that move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from benchmarks.fidelity import ours
from benchmarks.fidelity.configs import (
    CORRELATION_TOLERANCE,
    FAMILIES,
    STRENGTHS,
    TRAJECTORIES,
    TYPES,
    Raw,
    Scale,
    config,
    metric,
    still,
)
from benchmarks.fidelity.measures import by_segment_and_period, correlation
from benchmarks.fidelity.page import Section, number, table
from benchmarks.fidelity.peer import Peer

Pair = tuple[str, str]
_AT_ONCE = 12


@dataclass(frozen=True)
class Found:
    """One measured correlation."""

    pair: Pair
    trajectory: str
    declared: float
    estimate: float
    error: float

    @property
    def off(self) -> float:
        return abs(self.estimate - self.declared)


def pairs_of(kinds: dict[str, Raw]) -> list[Pair]:
    """Return all pairs of kinds of metric, each with itself as well."""
    return list(combinations_with_replacement(kinds, 2))


def paired(kinds: dict[str, Raw], pairs: Sequence[Pair], declared: float, trajectory: str, units: int) -> Raw:
    """Return a config with a metric pair, connected by `declared`, for each pair of kinds: a0 and b0, a1 and b1 ..."""
    metrics = [
        metric(f"{side}{i}", kinds[kind]) for i, pair in enumerate(pairs) for side, kind in zip("ab", pair, strict=True)
    ]
    links = [{"metric_a": f"a{i}", "coefficient": declared, "metric_b": f"b{i}"} for i in range(len(pairs)) if declared]
    return config(metrics, TRAJECTORIES[trajectory], units, connections=links)


def refused(
    kinds: dict[str, Raw], pairs: Sequence[Pair], strengths: Sequence[float] = STRENGTHS
) -> dict[tuple[Pair, float], str]:
    """Return what load says of pairs that cannot have a correlation, by pair and strength."""
    refusals = {}
    for pair in pairs:
        for declared in strengths:
            text = ours.refusal(paired(kinds, [pair], declared, "growth", 3)) if declared else None
            if text is not None:
                refusals[pair, declared] = text
    return refusals


def measured(
    kinds: dict[str, Raw], trajectory: str, declared: float, pairs: Sequence[Pair], units: int
) -> list[list[Found]]:
    """Return, for each pair, the correlation of exact residuals and that of empirical ones."""
    results = []
    for begin in range(0, len(pairs), _AT_ONCE):
        some = pairs[begin : begin + _AT_ONCE]
        stages = ours.block(still(paired(kinds, some, declared, trajectory, units)))
        segment = ours.segments(stages)
        for i, pair in enumerate(some):
            exact = correlation(ours.residuals(stages, f"a{i}"), ours.residuals(stages, f"b{i}"))
            blind = [by_segment_and_period(ours.values(stages, f"{side}{i}"), segment) for side in "ab"]
            both = (exact, correlation(blind[0], blind[1]))
            results.append([Found(pair, trajectory, declared, *one) for one in both])
    return results


def configs(scale: Scale) -> dict[str, Raw]:
    """Return the configs that both generators get."""
    return {
        f"correlation {trajectory} {declared}": paired(TYPES, pairs_of(TYPES), declared, trajectory, scale.shared_units)
        for trajectory in TRAJECTORIES
        for declared in STRENGTHS
    }


def section(scale: Scale, peer: Peer) -> Section:
    """Measure correlations, ours and those of plotsim."""
    page = Section(
        "Correlation",
        "A declared correlation is that of the two metrics given the trajectory: between residuals standardised at each "
        f"position. It comes out within ±{CORRELATION_TOLERANCE} at 250 000 cells, for every pair of families, r in "
        f"{{{', '.join(f'{r:g}' for r in STRENGTHS)}}}, on every trajectory; what the margins do not allow is said at load.",
    )
    pairs = pairs_of(FAMILIES)
    refusals = refused(FAMILIES, pairs)
    correlations = []
    for trajectory in TRAJECTORIES:
        for declared in STRENGTHS:
            possible = [pair for pair in pairs if (pair, declared) not in refusals]
            correlations += [exact for exact, _ in measured(FAMILIES, trajectory, declared, possible, scale.units)]
    cells = scale.units * 50
    page.blocks.append(
        f"{len(correlations)} correlations of ours at {cells:,} cells each; units without variation and persistence. "
        f"The standard error of one is {np.median([one.error for one in correlations]):.4f} (median), "
        f"{max(one.error for one in correlations):.4f} (largest)."
    )
    page.blocks.append(_by_trajectory("exact residuals", correlations))
    page.blocks.append(_by_pair(pairs, correlations, refusals))
    worst = [one for one in correlations if one.off > CORRELATION_TOLERANCE]
    if worst:
        far = max(worst, key=lambda one: one.off)
        page.miss(
            f"{len(worst)} of {len(correlations)} correlations are off by more than {CORRELATION_TOLERANCE}; the most is "
            f"{_sentence(far)}"
        )
        page.blocks.append(_list(worst))
    _beside(page, scale, peer)
    return page


def _by_trajectory(title: str, correlations: Sequence[Found]) -> str:
    rows = []
    for trajectory in TRAJECTORIES:
        off = [one.off for one in correlations if one.trajectory == trajectory]
        rows.append([trajectory, str(len(off)), number(float(np.mean(off)), 4), number(max(off), 4)])
    return table([f"trajectory ({title})", "pairs × strengths", "mean abs. error", "largest"], rows)


def _by_pair(pairs: Sequence[Pair], correlations: Sequence[Found], refusals: dict[tuple[Pair, float], str]) -> str:
    rows = []
    for pair in pairs:
        pair_correlations = [one for one in correlations if one.pair == pair]
        out = [f"{declared:g}" for declared in STRENGTHS if (pair, declared) in refusals]
        off, errors = [one.off for one in pair_correlations], [one.error for one in pair_correlations]
        rows.append(
            [
                " × ".join(pair),
                number(float(np.mean(off)), 4),
                number(max(off), 4),
                number(max(errors), 4),
                ", ".join(out) or "–",
            ]
        )
    return table(["pair", "mean abs. error", "largest", "standard error", "refused or warned of at load"], rows)


def _sentence(one: Found) -> str:
    pair = " × ".join(one.pair)
    return (
        f"{one.off:.3f}: {pair} on {one.trajectory}, declared {one.declared:g}, found {one.estimate:.3f} ± {one.error:.3f}"
    )


def _list(worst: Sequence[Found]) -> str:
    first = sorted(worst, key=lambda one: -one.off)[:12]
    rows = [
        [" × ".join(one.pair), one.trajectory, f"{one.declared:g}", f"{one.estimate:.3f} ± {one.error:.3f}"] for one in first
    ]
    return table(["furthest off", "trajectory", "declared", "found"], rows)


def _beside(page: Section, scale: Scale, peer: Peer) -> None:
    pairs = pairs_of(TYPES)
    refusals = refused(TYPES, pairs)
    columns: dict[str, list[Found]] = {"exact": [], "blind": [], "peer": [], "pooled": []}
    for trajectory in TRAJECTORIES:
        for declared in STRENGTHS:
            possible = [pair for pair in pairs if (pair, declared) not in refusals]
            for exact, blind in measured(TYPES, trajectory, declared, possible, scale.shared_units):
                columns["exact"].append(exact)
                columns["blind"].append(blind)
            peer_values = peer.values(f"correlation {trajectory} {declared}")
            for i, pair in enumerate(pairs):
                if peer_values and pair in possible:
                    raw = [np.asarray(peer_values[f"{side}{i}"], dtype=np.float64) for side in "ab"]
                    given, plain = (
                        correlation(*(by_segment_and_period(one, peer_values["segment"]) for one in raw)),
                        correlation(*raw),
                    )
                    columns["peer"].append(Found(pair, trajectory, declared, *given))
                    columns["pooled"].append(Found(pair, trajectory, declared, *plain))
    page.blocks.append(
        f"### Side by side\n\nThe same configs of both generators, {scale.shared_units * 50:,} cells, metrics of the four "
        "types. plotsim does not say what it expected, so residuals are standardised by mean and deviation over the units "
        "of the same segment and period, ours too; the first column has ours by exact expectation. Pooled is the plain "
        "correlation of plotsim's columns, which its compensation aims at. Pairs and strengths that we refuse or warn "
        f"of are left out: {len(refusals)} of {len(pairs) * len(STRENGTHS)}."
    )
    worst = [one for one in columns["exact"] if one.off > CORRELATION_TOLERANCE + 3 * one.error]
    if worst:
        far = max(worst, key=lambda one: one.off)
        page.miss(f"of the metric types side by side, {len(worst)} of {len(columns['exact'])}; the most is {_sentence(far)}")
        page.blocks.append(_list(worst))
    for title, groups, of in (
        ("trajectory", list(TRAJECTORIES), lambda one: one.trajectory),
        ("pair", [" × ".join(pair) for pair in pairs], lambda one: " × ".join(one.pair)),
    ):
        rows = []
        for group in groups:
            cells = []
            for column in columns.values():
                off = [one.off for one in column if of(one) == group and np.isfinite(one.estimate)]
                cells.append(f"{np.mean(off):.3f} / {max(off):.3f}" if off else "–")
            rows.append([group, *cells])
        heads = [title, "ours, exact", "ours", "plotsim 0.7.0", "plotsim 0.7.0, pooled"]
        page.blocks.append("Absolute error, mean / largest:\n\n" + table(heads, rows))
