"""Lag: where the cross-correlation of driver and follower peaks."""

from __future__ import annotations

import numpy as np

from benchmarks.fidelity import ours
from benchmarks.fidelity.configs import FAMILIES, SHAPES, TYPES, Raw, Scale, config, metric, still
from benchmarks.fidelity.measures import after, by_segment_and_period, peak
from benchmarks.fidelity.page import Section, estimate, number, table
from benchmarks.fidelity.peer import Peer
from plotsim_core.numerics.arrays import Floats

DELAYS = (1, 2, 5, 10, 20)
LAGS = range(-4, 25)
STRENGTH = 0.7
"""What the language takes if a config says nothing, and plotsim has no word for."""
LEAD = 5.0
"""How many standard errors a peak is above the correlation at every other lag."""
_PERIODS = 60


def following(kinds: dict[str, Raw], shape: str, units: int) -> Raw:
    """Return a config of one driver and, for each delay and kind, a follower `kind_delay`."""
    followers = [
        metric(f"{kind}_{delay}", raw, follows="driver", delay=delay) for delay in DELAYS for kind, raw in kinds.items()
    ]
    return config([metric("driver", {"type": "score"}), *followers], [shape], units, _PERIODS)


def configs(scale: Scale) -> dict[str, Raw]:
    """Return the configs that both generators get."""
    return {f"lag {shape}": following(TYPES, shape, scale.shared_units) for shape in SHAPES}


def section(scale: Scale, peer: Peer) -> Section:
    """Measure lags, ours and those of plotsim."""
    page = Section(
        "Lag",
        "A follower reads what its driver really did `delay` periods before: on every shape, the cross-correlation of "
        f"residuals peaks at the declared lag, more than {LEAD:g} standard errors above every other lag from {LAGS[0]} to "
        f"{LAGS[-1]}, and between normal scores it is the declared `strength` ({STRENGTH:g} here). Between values "
        "it is as large as the two margins let a correlation of scores be: a little less, the more they are skewed or "
        "discrete.",
    )
    rows = []
    worst: dict[str, tuple[float, float]] = {}
    for shape in SHAPES:
        stages = ours.block(still(following(FAMILIES, shape, 2 * scale.shared_units)))
        driver = ours.residuals(stages, "driver")
        for delay in DELAYS:
            right, leads, heights = 0, [], []
            for family in FAMILIES:
                name = f"{family}_{delay}"
                best, (height, _), lead = peak(driver, ours.residuals(stages, name), LAGS)
                right += best == delay
                leads.append(lead)
                heights.append(height)
                scores = after(stages.scores(0), stages.scores(ours.place(stages, name)), delay)
                if abs(scores[0] - STRENGTH) > abs(worst.get("scores", (STRENGTH, 0))[0] - STRENGTH):
                    worst["scores"] = scores
            rows.append(
                [
                    shape,
                    str(delay),
                    f"{right} of {len(FAMILIES)}",
                    number(min(leads), 0),
                    f"{min(heights):.2f}–{max(heights):.2f}",
                ]
            )
            if right < len(FAMILIES) or min(leads) < LEAD:
                page.miss(
                    f"{shape}, lag {delay}: {right} of {len(FAMILIES)} families peak there, lead {min(leads):.1f} errors"
                )
    page.blocks.append(
        f"Ours, a follower of each family after a score driver, {2 * scale.shared_units * _PERIODS:,} cells; units without "
        "variation and persistence:"
    )
    page.blocks.append(
        table(["shape", "declared lag", "families that peak there", "least lead, errors", "height of the peaks"], rows)
    )
    page.blocks.append(
        f"Between scores, the correlation furthest from {STRENGTH:g} is {estimate(worst.get('scores', (STRENGTH, 0.0)))}."
    )
    if abs(worst.get("scores", (STRENGTH, 0.0))[0] - STRENGTH) > 0.02:
        page.miss(f"a lagged correlation of scores is {worst['scores'][0]:.3f}, declared {STRENGTH}")
    _chains(page, scale)
    _decay(page, scale)
    _beside(page, scale, peer)
    return page


def _chains(page: Section, scale: Scale) -> None:
    """Chains add up, there is no warm-up, and it matters who the driver is."""
    metrics = [
        metric("a", TYPES["score"]),
        metric("b", TYPES["index"], follows="a", delay=2),
        metric("c", TYPES["amount"], follows="b", delay=3),
        metric("other", TYPES["score"]),
    ]
    stages = ours.block(still(config(metrics, ["growth"], 2 * scale.shared_units, _PERIODS)))
    first, last = ours.residuals(stages, "a"), ours.residuals(stages, "c")
    lag, height, lead = peak(first, last, LAGS)
    scores = after(stages.scores(0), stages.scores(2), 5)
    means = [float(ours.residuals(stages, "b")[t].mean()) for t in range(8)]
    foreign = after(ours.residuals(stages, "other"), last, 5)
    page.blocks.append(
        f"A chain of delays 2 and 3 peaks at lag {lag} ({estimate(height)}, {lead:.0f} errors above every other lag); "
        f"between scores it is {estimate(scores)}, the product of the strengths being {STRENGTH**2:.2f}. With a metric "
        f"that it does not follow the correlation is {estimate(foreign)}. In the first 8 periods the mean residual of a "
        f"follower of delay 2 is at most {max(map(abs, means)):.3f} from 0 (standard error "
        f"{1 / np.sqrt(2 * scale.shared_units):.3f})."
    )
    if lag != 5 or lead < LEAD:
        page.miss(f"a chain of delays 2 and 3 peaks at {lag}")


def _decay(page: Section, scale: Scale) -> None:
    rows = []
    for kernel, window in (("geometric", 4), ("linear", 4)):
        follower = metric("b", TYPES["score"], follows="a", delay=2, decay_window=window, decay_kernel=kernel, strength=0.9)
        raw = still(config([metric("a", TYPES["score"]), follower], ["growth"], 4 * scale.shared_units, _PERIODS))
        refusal = ours.refusal(raw)
        if refusal is not None:
            page.skip(f"decay_window, which the language does not know yet ({refusal[:60]})")
            return
        stages = ours.block(raw)
        weights = 0.5 ** np.arange(window) if kernel == "geometric" else np.arange(window, 0, -1.0)
        expected = 0.9 * weights / np.sqrt(np.sum(weights**2))
        correlations = [after(stages.scores(0), stages.scores(1), 2 + s) for s in range(window)]
        rows.append([kernel, ", ".join(f"{w:.3f}" for w in expected), ", ".join(f"{r:.3f}" for r, _ in correlations)])
        if max(abs(r - w) for (r, _), w in zip(correlations, expected, strict=True)) > 0.02:
            page.miss(f"the {kernel} kernel over {window} periods is {rows[-1][2]}, expected {rows[-1][1]}")
    page.blocks.append(
        "A decay over 4 periods, delay 2, strength 0.9; correlations of scores at lags 2, 3, 4, 5:\n\n"
        + table(["kernel", "expected", "found"], rows)
    )


def _beside(page: Section, scale: Scale, peer: Peer) -> None:
    page.blocks.append(
        f"### Side by side\n\nThe same configs, {scale.shared_units * _PERIODS:,} cells, four followers (score, index, "
        "amount, count) at each lag, residuals standardised over the units of a period. *Defaults* is ours with the "
        "variation and the persistence that a config has which says nothing of them; there, neighbouring lags are "
        "correlated too."
    )
    rows = []
    for shape in SHAPES:
        raw = following(TYPES, shape, scale.shared_units)
        residual_sets = []
        for config_ in (still(raw), raw):
            stages = ours.block(config_)
            names = ours.names(stages)
            residual_sets.append(
                {name: by_segment_and_period(ours.values(stages, name), ours.segments(stages)) for name in names}
            )
        peer_values = peer.values(f"lag {shape}")
        if peer_values:
            residual_sets.append(
                {name: by_segment_and_period(peer_values[name], peer_values["segment"]) for name in residual_sets[0]}
            )
        for delay in DELAYS:
            rows.append(
                [shape, str(delay), *(_seen(one, delay) for one in residual_sets), *["–"] * (3 - len(residual_sets))]
            )
    heads = ["shape", "lag", "ours", "ours, defaults", "plotsim 0.7.0"]
    page.blocks.append("Followers that peak at the lag, and the mean correlation there:\n\n" + table(heads, rows))


def _seen(residuals: dict[str, Floats], delay: int) -> str:
    right, heights = 0, []
    for kind in TYPES:
        pair = residuals["driver"], residuals[f"{kind}_{delay}"]
        right += peak(*pair, LAGS)[0] == delay
        heights.append(after(*pair, delay)[0])
    return f"{right} of {len(TYPES)}, {np.nanmean(heights):.3f}"
