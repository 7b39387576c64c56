"""Units and time: between-unit share, memory, and concentration."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks.fidelity import ours
from benchmarks.fidelity.configs import FAMILIES, TYPES, Raw, Scale, config, metric, still
from benchmarks.fidelity.measures import Estimate, autocorrelation, by_segment_and_period, share_between
from benchmarks.fidelity.page import Section, estimate, percent, table
from benchmarks.fidelity.peer import Peer

LEVELS = (0.2, 0.5, 0.8)
PERSISTENCES = (0.3, 0.6, 0.9)
SIZES = (0.25, 1.0, 2.0)
TOLERANCE = 0.02
_PERIODS = 12


def level_config(level: float, units: int, families: dict[str, Raw] = FAMILIES) -> Raw:
    """Return a config in which `level` of the variance lies between units."""
    raw = config([metric(name, kind) for name, kind in families.items()], ["growth"], units, _PERIODS)
    raw["segments"][0]["variation"] = {"level": level, "timing": 0, "size": 0}
    return still(raw)


def persistence_config(persistence: float, units: int, families: dict[str, Raw] = FAMILIES) -> Raw:
    """Return a config in which metrics remember the period before."""
    metrics = [metric(name, kind, persistence=persistence) for name, kind in families.items()]
    return still(config(metrics, ["growth"], units, _PERIODS))


def configs(scale: Scale) -> dict[str, Raw]:
    """Return the configs that both generators get."""
    return {"units": _shared(scale)}


def _shared(scale: Scale) -> Raw:
    return config([metric(name, kind) for name, kind in TYPES.items()], ["growth", "decline"], 2 * scale.shared_units, 24)


def section(scale: Scale, peer: Peer) -> Section:
    """Measure how units differ and how long they remember, ours and plotsim's."""
    page = Section(
        "Units and time",
        "`variation.level` is the share of a metric's variance, given the trajectory, that lies between units; "
        f"`persistence` is the correlation of what is left with the period before. Both come out within {TOLERANCE} of "
        "what is set.",
    )
    units = 4 * scale.units
    for what, settings, make, measure in (
        ("level", LEVELS, level_config, share_between),
        ("persistence", PERSISTENCES, persistence_config, autocorrelation),
    ):
        blocks = {value: ours.block(make(value, units)) for value in settings}
        rows = [
            [name, *_cells(page, what, name, {v: measure(ours.residuals(blocks[v], name)) for v in settings})]
            for name in FAMILIES
        ]
        heads = [f"`{what}` set", *(f"{value:g}" for value in settings)]
        page.blocks.append(
            f"{units:,} units, {_PERIODS} periods of growth, residuals of the values:\n\n" + table(heads, rows)
        )
    _concentration(page, units)
    _beside(page, scale, peer)
    return page


def _cells(page: Section, what: str, name: str, estimates: dict[float, Estimate]) -> list[str]:
    off = [
        f"{declared:g} comes out as {estimate(one)}"
        for declared, one in estimates.items()
        if abs(one[0] - declared) > TOLERANCE
    ]
    if off:
        page.miss(f"`{what}` of {name}: {', '.join(off)}")
    return [estimate(one) for one in estimates.values()]


def _concentration(page: Section, units: int) -> None:
    rows = []
    for size in SIZES:
        raw = config([metric("m", {"type": "count", "mean": [20, 200]})], ["growth"], units, _PERIODS)
        raw["segments"][0]["variation"] = {"level": 0, "timing": 0, "size": size}
        stages = ours.block(still(raw))
        totals = np.sort(ours.values(stages, "m").sum(axis=0))[::-1]
        top = totals[: units // 10].sum() / totals.sum()
        rows.append([f"{size:g}", percent(float(ndtr(size - ndtri(0.9))), 1), percent(top, 1)])
    heads = ["`variation.size`", "share of the largest tenth, lognormal sizes", "found"]
    page.blocks.append("Concentration, a count:\n\n" + table(heads, rows))


def _beside(page: Section, scale: Scale, peer: Peer) -> None:
    raw = _shared(scale)
    stages = ours.block(raw)
    peer_values = peer.values("units")
    rows = []
    for name in TYPES:
        sets = [by_segment_and_period(ours.values(stages, name), ours.segments(stages))]
        sets += [by_segment_and_period(peer_values[name].astype(np.float64), peer_values["segment"])] if peer_values else []
        cells = [estimate(measure(one)) for measure in (share_between, autocorrelation) for one in sets]
        rows.append([name, *cells] if peer_values else [name, cells[0], "–", cells[1], "–"])
    heads = ["metric", "between units: ours, defaults", "plotsim 0.7.0", "autocorrelation: ours, defaults", "plotsim 0.7.0"]
    page.blocks.append(
        "### Side by side\n\nThe same config, which says nothing of variation or persistence, growth and decline, "
        f"{2 * scale.shared_units} units, 24 periods, residuals over the units of a period. Ours has the defaults of the "
        "language (timing and size also set units apart); plotsim has no such word:\n\n" + table(heads, rows)
    )
