"""Noise: jitter, outliers, missing values, and what they leave of correlations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.fidelity import ours
from benchmarks.fidelity.configs import TYPES, Raw, Scale, config, metric, still
from benchmarks.fidelity.measures import batched, correlation, off_in_sigmas, rate
from benchmarks.fidelity.page import Section, estimate, number, percent, table
from benchmarks.fidelity.peer import Peer
from plotsim_core.numerics.arrays import Floats

FAMILIES = {"gaussian": ({}, 3.0), "laplace": ({}, 6.0), "student_t": ({"degrees_of_freedom": 12.0}, 3.75)}
"""Noise family to (its parameters, its kurtosis: 3 + 6 / (degrees of freedom - 4) for Student's t)."""
FAR_FROM_BOUNDS: Raw = {"type": "amount", "range": [0, 100_000_000], "mean": [10_000_000, 20_000_000]}
"""An amount that neither its rounding nor its range shows jitter."""
RATES = (0.01, 0.05, 0.2)
SIGMAS = 3.0
_PERIODS = 50


def noisy(units: int, **noise: Any) -> Raw:
    """Return a config of two metrics under noise."""
    return still(
        config([metric(name, FAR_FROM_BOUNDS) for name in ("m", "other")], ["growth"], units, _PERIODS, noise=noise)
    )


def relative_jitter(raw: Raw) -> Floats:
    """Return how far the stored values are off the true ones, as a share of those."""
    stages = ours.block(raw)
    return (stages.noised(0) / stages.correlated(0) - 1.0).ravel()


def configs(scale: Scale) -> dict[str, Raw]:
    """Return the configs that both generators get."""
    return {f"noise {rate_}": _missing(rate_, scale.shared_units) for rate_ in RATES}


def _missing(rate_: float, units: int) -> Raw:
    noise = {"gaussian_sigma": 0.0, "outlier_rate": 0.0, "mcar_rate": rate_}
    return config([metric(name, kind) for name, kind in TYPES.items()], ["growth", "decline"], units, _PERIODS, noise=noise)


def section(scale: Scale, peer: Peer) -> Section:
    """Measure noise, ours and, where its tables show it, plotsim's."""
    page = Section(
        "Noise",
        "σ is as declared (as a robust scale for the families with heavier tails, which have the quartiles of a normal); "
        "outliers, values missing completely at random and values missing at random come at their rates within binomial "
        f"{SIGMAS:g}σ; the families have their kurtosis.",
    )
    _jitter(page, scale)
    _rates(page, scale)
    _missing_at_random(page, scale)
    _survival(page, scale)
    rows = []
    for declared in RATES:
        peer_values = peer.values(f"noise {declared}")
        stages = ours.block(still(_missing(declared, scale.shared_units)))
        is_missing = np.isnan(np.stack([stages.noised(place) for place in range(len(TYPES))]))
        theirs = np.isnan(np.stack([peer_values[name] for name in TYPES])) if peer_values else None
        rows.append([f"{declared:g}", *(_rate(one, declared) for one in (is_missing, theirs))])
    page.blocks.append(
        "### Side by side\n\nOf noise, plotsim's tables show only what is missing (its true values are not given out). Same "
        f"configs, four metrics, {scale.shared_units * _PERIODS * len(TYPES):,} values:\n\n"
        + table(["mcar_rate", "ours", "plotsim 0.7.0"], rows)
    )
    return page


def _rate(hits: NDArray[np.bool_] | None, declared: float) -> str:
    return "–" if hits is None else f"{percent(rate(hits), 3)} ({off_in_sigmas(hits, declared):+.1f}σ)"


def _jitter(page: Section, scale: Scale) -> None:
    rows = []
    for family, (parameters, kurtosis) in FAMILIES.items():
        for sigma in (0.02, 0.1):
            jitter = relative_jitter(noisy(4 * scale.units, gaussian_sigma=sigma, noise_family=family, **parameters))
            robust = batched(
                lambda x: float(np.subtract(*np.quantile(x, [0.75, 0.25]))) / (2 * stats.norm.ppf(0.75)), jitter
            )
            actual = batched(lambda x: float(stats.kurtosis(x, fisher=False)), jitter)
            rows.append([family, f"{sigma:g}", estimate(robust, 5), number(kurtosis, 2), estimate(actual, 2)])
            if abs(robust[0] - sigma) > SIGMAS * robust[1] or abs(actual[0] - kurtosis) > SIGMAS * actual[1] + 0.05:
                page.miss(
                    f"{family} {sigma:g}: scale {estimate(robust, 5)}, kurtosis {estimate(actual, 2)}, declared {kurtosis:g}"
                )
    heads = ["family", "σ declared", "scale found", "kurtosis declared", "kurtosis found"]
    page.blocks.append(f"{4 * scale.units * _PERIODS:,} values:\n\n" + table(heads, rows))


def _rates(page: Section, scale: Scale) -> None:
    rows = []
    for declared in RATES:
        cells = []
        for what in ("outlier_rate", "mcar_rate"):
            stages = ours.block(noisy(scale.units, **{what: declared}))
            stored, true = stages.noised(0), np.round(stages.correlated(0), 2)
            hits = np.isnan(stored) if what == "mcar_rate" else stored != true
            cells.append(_rate(hits, declared))
            if abs(off_in_sigmas(hits, declared)) > SIGMAS:
                page.miss(f"{what} {declared:g}: {cells[-1]}")
        rows.append([f"{declared:g}", *cells])
    page.blocks.append(
        f"{scale.units * _PERIODS:,} values:\n\n" + table(["rate declared", "outliers", "missing (MCAR)"], rows)
    )


def _missing_at_random(page: Section, scale: Scale) -> None:
    rows = []
    for declared in RATES:
        raw = noisy(scale.units, mar_rate=declared, mar_on="other")
        refusal = ours.refusal(raw)
        if refusal is not None:
            page.skip("`mar_rate`, which the language does not know yet")
            return
        stages = ours.block(raw)
        is_missing = np.isnan(stages.noised(0))
        rank = stats.norm.cdf(stages.scores(1))
        halves = [is_missing[rank < 0.5], is_missing[rank >= 0.5]]
        rows.append(
            [
                f"{declared:g}",
                _rate(is_missing, declared),
                *(_rate(half, declared * f) for half, f in zip(halves, (0.5, 1.5), strict=True)),
            ]
        )
        for hits, expected in ((is_missing, declared), (halves[0], 0.5 * declared), (halves[1], 1.5 * declared)):
            if abs(off_in_sigmas(hits, expected)) > SIGMAS:
                page.miss(f"mar_rate {declared:g}: {_rate(hits, expected)} missing where {percent(expected)} were expected")
    heads = ["mar_rate", "all", "where `mar_on` is low (half the rate)", "where it is high (one and a half)"]
    page.blocks.append(
        "Missing by the value of another metric; low and high by its median given the trajectory:\n\n" + table(heads, rows)
    )


def _survival(page: Section, scale: Scale) -> None:
    rows = []
    for preset in ("clean", "slightly_messy", "realistic", "dirty"):
        cells = []
        for first, second in (("score", "index"), ("score", "amount"), ("amount", "count")):
            metrics = [metric("a", TYPES[first]), metric("b", TYPES[second])]
            links = [{"metric_a": "a", "coefficient": 0.6, "metric_b": "b"}]
            stages = ours.block(still(config(metrics, ["growth"], scale.units, _PERIODS, connections=links, noise=preset)))
            left = []
            for place in (0, 1):
                centres = stages.centres(place)
                left.append((stages.noised(place) - centres) / stages.population.metrics[place].quantiles.deviation(centres))
            cells.append(number(correlation(*left)[0]))
        rows.append([preset, *cells])
    heads = ["noise preset", "score × index", "score × amount", "amount × count"]
    page.blocks.append(
        "What noise leaves of a declared correlation of 0.6, residuals of stored values:\n\n" + table(heads, rows)
    )
