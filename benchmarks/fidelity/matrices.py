"""Many correlations at once: matrices, what is impossible, pooled targets, phases, the order of declaration."""

from __future__ import annotations

import numpy as np

from benchmarks.fidelity import ours
from benchmarks.fidelity.configs import CORRELATION_TOLERANCE, TYPES, Raw, Scale, config, metric, still
from benchmarks.fidelity.measures import by_segment_and_period, correlation
from benchmarks.fidelity.page import Section, estimate, number, table
from benchmarks.fidelity.peer import Peer
from plotsim_core import from_mapping
from plotsim_core.numerics.arrays import Floats

SIZES = (5, 10, 20, 50)
_PERIODS = 50
_KINDS = ("score", "index", "amount")


def random_matrix(size: int) -> Floats:
    """Return a correlation matrix of three common factors, two decimals, that margins of all types allow."""
    random = np.random.Generator(np.random.PCG64(size))
    loads = random.uniform(-0.5, 0.5, (size, 3))
    matrix = np.clip(np.round(loads @ loads.T, 2), -0.7, 0.7)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def full(size: int, units: int, shapes: tuple[str, ...] = ("growth", "decline")) -> Raw:
    """Return a config in which every pair of `size` metrics is connected."""
    matrix = random_matrix(size)
    metrics = [metric(f"m{i}", TYPES[_KINDS[i % len(_KINDS)]]) for i in range(size)]
    pairs = [(i, j) for i in range(size) for j in range(i)]
    links = [{"metric_a": f"m{j}", "coefficient": float(matrix[i, j]), "metric_b": f"m{i}"} for i, j in pairs]
    return config(metrics, shapes, units, _PERIODS, connections=links)


def matrix_errors(residuals: list[Floats], declared: Floats) -> Floats:
    """Return |found - declared| of each pair."""
    size = len(residuals)
    correlations = [[correlation(residuals[i], residuals[j])[0] for j in range(i)] for i in range(size)]
    return np.array([abs(correlations[i][j] - declared[i, j]) for i in range(size) for j in range(i)])


def configs(scale: Scale) -> dict[str, Raw]:
    """Return the configs that both generators get."""
    return {f"matrix {size}": full(size, scale.shared_units) for size in SIZES}


def section(scale: Scale, peer: Peer) -> Section:
    """Measure matrices of correlations, ours and those of plotsim."""
    page = Section(
        "Correlations together",
        f"Matrices of up to 50 metrics come out within ±{CORRELATION_TOLERANCE} at 250 000 cells; what cannot hold together "
        "is moved to the nearest that can, and load says what moved; phases switch on their date; `pooled` targets the "
        "whole table; the order of declaration does not matter.",
    )
    rows = []
    for size in SIZES:
        raw = still(full(size, scale.units))
        stages = ours.block(raw)
        declared = random_matrix(size)
        off = matrix_errors([ours.residuals(stages, f"m{i}") for i in range(size)], declared)
        peer_values = peer.values(f"matrix {size}")
        cells = "–"
        if peer_values:
            other = [
                by_segment_and_period(peer_values[f"m{i}"].astype(np.float64), peer_values["segment"]) for i in range(size)
            ]
            far = matrix_errors(other, declared)
            cells = f"{np.nanmean(far):.3f} / {np.nanmax(far):.3f}"
        rows.append(
            [
                str(size),
                str(len(off)),
                f"{off.mean():.4f} / {off.max():.4f}",
                str(len(from_mapping(raw, name="fidelity").warnings)),
                cells,
            ]
        )
        if off.max() > CORRELATION_TOLERANCE:
            page.miss(f"a matrix of {size} metrics is off by {off.max():.3f} somewhere")
    heads = ["metrics", "pairs", "ours, mean / largest error", "warnings at load", "plotsim 0.7.0, mean / largest error"]
    page.blocks.append(
        f"Score, index and amount in turn, growth and decline, {scale.units * _PERIODS:,} cells of ours (exact residuals), "
        f"{scale.shared_units * _PERIODS:,} of plotsim's (residuals over the units of a segment and period; "
        "above 20 metrics it compensates for nothing):\n\n" + table(heads, rows)
    )
    _impossible(page)
    _order(page, scale)
    _pooled(page, scale)
    _phases(page, scale)
    return page


def _triangle(r: float) -> Raw:
    metrics = [metric(name, TYPES["index"]) for name in "abc"]
    links = [("a", r, "b"), ("b", r, "c"), ("a", -r, "c")]
    return config(
        metrics, ["growth"], 100, connections=[{"metric_a": x, "coefficient": y, "metric_b": z} for x, y, z in links]
    )


def _impossible(page: Section) -> None:
    refusals = [(r, ours.refusal(_triangle(r))) for r in (0.45, 0.55, 0.8)]
    rows = [[f"{r:g}, {r:g}, {-r:g}", "nothing" if text is None else " ".join(text.split())] for r, text in refusals]
    page.blocks.append("Three metrics that cannot hold together beyond 0.5:\n\n" + table(["declared", "load says"], rows))
    if refusals[0][1] is not None or refusals[1][1] is None or refusals[2][1] is None:
        page.miss("load does not tell possible from impossible triangles")


def _order(page: Section, scale: Scale) -> None:
    raw = still(full(10, scale.shared_units))
    turned = {**raw, "metrics": raw["metrics"][::-1], "connections": raw["connections"][::-1]}
    sets = []
    for one in (raw, turned):
        stages = ours.block(one)
        sets.append(matrix_errors([ours.residuals(stages, f"m{i}") for i in range(10)], random_matrix(10)))
    page.blocks.append(
        f"Ten metrics declared in one order and in the reverse, {scale.shared_units * _PERIODS:,} cells: largest error "
        f"{sets[0].max():.4f} and {sets[1].max():.4f}."
    )


def _pooled(page: Section, scale: Scale) -> None:
    rows = []
    for first, second in (("score", "index"), ("score", "amount"), ("amount", "count")):
        for declared in (-0.3, 0.2, 0.5, 0.8):
            metrics = [metric("a", TYPES[first]), metric("b", TYPES[second])]
            links = [{"metric_a": "a", "coefficient": declared, "metric_b": "b", "pooled": True}]
            raw = still(config(metrics, ["growth", "decline"], scale.units, _PERIODS, connections=links))
            refusal = ours.refusal(raw)
            if refusal is not None and "unknown key" in refusal:
                page.skip("`pooled` on a connection, which the language does not know yet")
                return
            if refusal is not None:
                rows.append([f"{first} × {second}", f"{declared:g}", "load: " + " ".join(refusal.split()), "–"])
                continue
            stages = ours.block(raw)
            actual = correlation(ours.values(stages, "a"), ours.values(stages, "b"))
            within = correlation(ours.residuals(stages, "a"), ours.residuals(stages, "b"))
            rows.append([f"{first} × {second}", f"{declared:g}", estimate(actual), number(within[0])])
            if abs(actual[0] - declared) > CORRELATION_TOLERANCE:
                page.miss(f"pooled {first} × {second}, declared {declared:g}: found {estimate(actual)}")
    page.blocks.append(
        f"`pooled: true`, growth and decline, {scale.units * _PERIODS:,} cells, plain correlation of the columns:\n\n"
        + table(["pair", "declared", "found, pooled", "given the trajectory"], rows)
    )


def _phases(page: Section, scale: Scale) -> None:
    metrics = [metric("a", TYPES["score"]), metric("b", TYPES["amount"])]
    link = {"metric_a": "a", "coefficient": 0.6, "metric_b": "b"}
    phase = {"start_period": 15, "end_period": 34, "connections": [{**link, "coefficient": -0.4}]}
    raw = still(config(metrics, ["growth"], scale.units, _PERIODS, connections=[link], connection_phases=[phase]))
    refusal = ours.refusal(raw)
    if refusal is not None:
        page.skip(f"`connection_phases`: load says {' '.join(refusal.split())[:80]}")
        return
    stages = ours.block(raw)
    first, second = ours.residuals(stages, "a"), ours.residuals(stages, "b")
    rows = []
    for begin, stop, declared in ((0, 15, 0.6), (15, 35, -0.4), (35, _PERIODS, 0.6)):
        parts = {f"{begin} to {stop - 1}": slice(begin, stop), f"{begin} alone": slice(begin, begin + 1)}
        parts[f"{stop - 1} alone"] = slice(stop - 1, stop)
        for name, part in parts.items():
            actual = correlation(first[part], second[part])
            rows.append([name, f"{declared:g}", estimate(actual)])
            if abs(actual[0] - declared) > CORRELATION_TOLERANCE + 4 * actual[1] * (name.endswith("alone")):
                page.miss(f"phase, periods {name}: {declared:g} declared, {estimate(actual)} found")
    page.blocks.append("`connection_phases`, score × amount:\n\n" + table(["periods", "declared", "found"], rows))
