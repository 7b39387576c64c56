"""Seasons, treatment, arrivals, events and stages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logit

from benchmarks.fidelity import ours
from benchmarks.fidelity.configs import TYPES, Raw, Scale, config, metric, still
from benchmarks.fidelity.measures import batched
from benchmarks.fidelity.page import Section, estimate, number, percent, table
from benchmarks.fidelity.peer import Peer
from plotsim_core import from_mapping, generate_tables
from plotsim_core.numerics.arrays import Floats
from plotsim_core.tables.proportional import ProportionalEvent

SEASON = [{"months": [3, 4], "strength": 0.2}, {"months": [4], "strength": 0.1}]
"""Which makes March 1.2 and April 1.3 times the mean."""
FACTORS = {3: 1.2, 4: 1.3, 5: 1.0}
NAMED = [
    {"name": "one day", "date": "2020-03-16", "factor": 3, "metrics": list(TYPES)},
    {"name": "a month", "start": "2020-04-01", "end": "2020-04-30", "factor": 0.7, "metrics": list(TYPES)},
    {"name": "every year", "date": "last monday of may", "factor": 2, "metrics": list(TYPES), "ramp_out": 1},
]
NAMED_FACTORS = {3: 1 + 2 / 31, 4: 0.7, 5: 1 + 1 / 31, 6: 1 + 0.5 / 31, 7: 1.0}
"""What they make of the months March to July."""
GROWTH = "5% a year"
SEASON_TOLERANCE = 0.01
LIFT_TOLERANCE = 0.05
SCALES = (0.2, 1.0)
_PERIODS = 24
_STAGES = {"new": 0.0, "warm": 0.4, "hot": 0.7}


def seasoned(units: int, shape: str, season: bool) -> Raw:
    """Return a config of the four metric types with or without a season."""
    more = {"seasonality": SEASON} if season else {}
    return config([metric(name, kind) for name, kind in TYPES.items()], [shape], units, _PERIODS, **more)


def named(units: int, shape: str, effects: bool) -> Raw:
    """Return a config of the four metric types with or without named effects."""
    return seasoned(units, shape, season=False) | ({"effects": NAMED} if effects else {})


def grown(units: int, growth: bool) -> Raw:
    """Return a config of an amount and a count with or without growth."""
    more = {"growth": GROWTH} if growth else {}
    return config([metric(name, TYPES[name], **more) for name in ("amount", "count")], ["flat"], units, _PERIODS)


def eventful(units: int, scale: float) -> Raw:
    """Return a config of a count that drives events."""
    keys = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "unit_id", "type": "ref.dim_unit"}]
    return config(
        [metric("driver", TYPES["count"])],
        ["growth", "decline"],
        units,
        _PERIODS,
        dimensions=[{"name": "dim_unit", "per": "unit", "columns": [{"name": "unit_id", "type": "id"}]}],
        facts=[{"name": "fct_unit", "columns": [*keys, {"name": "driver", "type": "metric.driver"}]}],
        events=[
            {
                "name": "evt_use",
                "trigger": "proportional",
                "driver": "driver",
                "scale": scale,
                "columns": [{"name": "event_id", "type": "id"}, *keys],
            }
        ],
    )


def configs(scale: Scale) -> dict[str, Raw]:
    """Return the configs that both generators get."""
    units = 2 * scale.shared_units
    return {
        **{f"season {shape} {on}": seasoned(units, shape, on) for shape in ("flat", "growth") for on in (False, True)},
        **{f"events {one}": eventful(units, one) for one in SCALES},
    }


def section(scale: Scale, peer: Peer) -> Section:
    """Measure what acts on top of trajectories, ours and plotsim's."""
    page = Section(
        "Seasons, effects, treatment, arrivals, events, stages",
        f"Factors of seasons, named effects and growth come out within {SEASON_TOLERANCE:.0%} (short of where the range of "
        "a metric ends), the lift of a "
        f"treatment within {LIFT_TOLERANCE:.0%}, arrivals as declared, event counts are Poisson around their driver, and a "
        "stage is the highest whose threshold a value has reached.",
    )
    _seasons(page, scale, peer)
    _named_effects(page, scale)
    _growth(page, scale)
    _treatment(page, scale)
    _arrivals(page, scale)
    _events(page, scale, peer)
    _stages(page, scale)
    return page


def _factor(within: Floats, without: Floats, month: int) -> float:
    rows = np.arange(len(within)) % 12 == month - 1
    return float(within[rows].mean() / without[rows].mean())


def _seasons(page: Section, scale: Scale, peer: Peer) -> None:
    rows = []
    for shape in ("flat", "growth"):
        pairs = [ours.block(still(seasoned(2 * scale.units, shape, season))) for season in (True, False)]
        on, off = (peer.values(f"season {shape} {season}") for season in (True, False))
        for name in TYPES:
            factors = {m: _factor(ours.values(pairs[0], name), ours.values(pairs[1], name), m) for m in FACTORS}
            theirs = [number(_factor(on[name], off[name], m)) if on and off else "–" for m in FACTORS]
            rows.append([f"{name}, {shape}", " / ".join(number(one) for one in factors.values()), " / ".join(theirs)])
            worst = max(FACTORS, key=lambda m: abs(factors[m] / FACTORS[m] - 1))
            if abs(factors[worst] / FACTORS[worst] - 1) > SEASON_TOLERANCE:
                page.miss(f"season of {name} on {shape}: {factors[worst]:.3f}, declared {FACTORS[worst]}")
    page.blocks.append(
        "March, April and May with a season over without it, declared 1.200 / 1.300 / 1.000. No mean is led "
        "beyond a range by them; one that is, is held inside:\n\n" + table(["metric, shape", "ours", "plotsim 0.7.0"], rows)
    )


def _named_effects(page: Section, scale: Scale) -> None:
    rows = []
    for shape in ("flat", "growth"):
        acting, plain = (ours.block(still(named(2 * scale.units, shape, effects))) for effects in (True, False))
        for name in TYPES:
            within, without = (ours.values(stages, name)[:12] for stages in (acting, plain))
            factors = {month: _factor(within, without, month) for month in NAMED_FACTORS}
            rows.append([f"{name}, {shape}", " / ".join(number(one) for one in factors.values())])
            worst = max(NAMED_FACTORS, key=lambda month: abs(factors[month] / NAMED_FACTORS[month] - 1))
            if abs(factors[worst] / NAMED_FACTORS[worst] - 1) > SEASON_TOLERANCE:
                page.miss(f"effects on {name}, {shape}: {factors[worst]:.3f}, declared {NAMED_FACTORS[worst]:.3f}")
    declared = " / ".join(number(one) for one in NAMED_FACTORS.values())
    page.blocks.append(
        "March to July of the first year with named effects over without them: 3 on a day of March, 0.7 in April, 2 on a "
        f"day of May that half of is left of in June. Declared {declared}:\n\n" + table(["metric, shape", "ours"], rows)
    )


def _growth(page: Section, scale: Scale) -> None:
    growing, still_block = (ours.block(still(grown(2 * scale.units, growth))) for growth in (True, False))
    rows = []
    for name in ("amount", "count"):
        values = [ours.values(stages, name) for stages in (growing, still_block)]
        factors = [float(values[0][period].mean() / values[1][period].mean()) for period in (0, 12, 23)]
        declared = [1.05 ** (period / 12) for period in (0, 12, 23)]
        rows.append([name, " / ".join(number(one) for one in factors), " / ".join(number(one) for one in declared)])
        if max(abs(one / other - 1) for one, other in zip(factors, declared, strict=True)) > SEASON_TOLERANCE:
            page.miss(f"growth of {name}: {factors}, declared {declared}")
    page.blocks.append(
        f"Growth of {GROWTH} over none, in the first month, the thirteenth and the last:\n\n"
        + table(["metric", "ours", "declared"], rows)
    )


def _treatment(page: Section, scale: Scale) -> None:
    rows = []
    for shape in ("flat", "seasonal"):
        for lift in (-0.5, 0.5, 1.0):
            raw = still(config([metric("m", TYPES["score"])], [shape], 8 * scale.units, _PERIODS))
            with_ = {
                **raw,
                "segments": [
                    {**raw["segments"][0], "treatment": {"fraction": 0.4, "lift_log_odds": lift, "start_period": 6}}
                ],
            }
            refusal = ours.refusal(with_)
            if refusal is not None:
                page.skip("`treatment` of a segment, which the language does not know yet")
                return
            plain, treated = ours.values(ours.block(raw), "m"), ours.values(ours.block(with_), "m")
            arm = (plain != treated).any(axis=0)
            columns = np.concatenate([treated, arm[None, :]])
            parts = [_lift(part[:-1], part[-1] > 0) for part in np.array_split(columns, 50, axis=1)]
            actual_lift = _lift(treated, arm), float(np.std(parts, ddof=1) / np.sqrt(len(parts)))
            before = int((plain[:6] != treated[:6]).sum())
            rows.append([f"{shape}, {lift:g}", percent(float(arm.mean())), estimate(actual_lift), str(before)])
            if abs(actual_lift[0] / lift - 1) > LIFT_TOLERANCE:
                page.miss(f"lift {lift:g} on {shape}: {estimate(actual_lift)}")
    heads = ["shape, lift of log odds", "share treated (40 % declared)", "lift found", "values changed before the start"]
    page.blocks.append(
        "From a score, whose mean is 0.1 + 0.8 position: mean log odds of the treated arm less those of the control, by "
        f"period from the start on, {8 * scale.units:,} units:\n\n" + table(heads, rows)
    )


def _lift(values: Floats, arm: NDArray[np.bool_]) -> float:
    arms = [logit((values[6:, one].mean(axis=1) - 0.1) / 0.8) for one in (arm, ~arm)]
    return float((arms[0] - arms[1]).mean())


def _arrivals(page: Section, scale: Scale) -> None:
    rows = []
    even, rising = np.full(12, 1 / 12), (2 * np.arange(12) + 1) / 144
    kinds: dict[str, tuple[Raw, Floats]] = {
        "uniform": ({"kind": "uniform", "start": 4, "end": 16}, even),
        "increasing": ({"kind": "linear", "start": 4, "end": 16, "direction": "increasing"}, rising),
        "decreasing": ({"kind": "linear", "start": 4, "end": 16, "direction": "decreasing"}, rising[::-1]),
    }
    for name, (arrival, shares) in kinds.items():
        raw = config([metric("m", TYPES["score"])], ["growth"], 4 * scale.units, _PERIODS)
        stages = ours.block({**raw, "segments": [{**raw["segments"][0], "arrival": arrival}]})
        counts = np.bincount(stages.units.arrival - stages.population.first, minlength=_PERIODS)
        p = float(stats.chisquare(counts[4:16], shares * counts.sum()).pvalue)
        rows.append([name, str(int(counts[:4].sum() + counts[16:].sum())), number(p, 2)])
        if p < 1e-3:
            page.miss(f"{name} arrivals: p = {p:.2g}")
    heads = ["arrival", "units outside the periods", "p of the counts by period"]
    page.blocks.append(f"Arrivals of {4 * scale.units:,} units over 12 periods, chi-square:\n\n" + table(heads, rows))


def _dispersion(counts: Floats, driver: Floats, scale: float) -> list[str]:
    is_driven = driver > 0
    mean = driver[is_driven] * scale
    off = (counts[is_driven] - mean) ** 2 / mean
    return [number(float(counts.sum() / (driver.sum() * scale)), 4), estimate(batched(lambda x: float(x.mean()), off))]


def _events(page: Section, scale: Scale, peer: Peer) -> None:
    rows = []
    for one in SCALES:
        raw = still(eventful(2 * scale.shared_units, one))
        stages = ours.block(raw)
        uses = stages.population.table("evt_use")
        assert isinstance(uses.spec, ProportionalEvent)
        our_cells = _dispersion(uses.spec.row_counts(uses, stages).astype(float), stages.correlated(0), one)
        peer_values = peer.values(f"events {one}")
        theirs = (
            _dispersion(peer_values["event"], peer_values["driver"].astype(np.float64), one)
            if peer_values and "event" in peer_values
            else ["–", "–"]
        )
        rows.append([f"{one:g}", our_cells[0], theirs[0], our_cells[1], theirs[1]])
        ratio, error = (float(part) for part in our_cells[1].split(" ± "))
        if abs(ratio - 1) > 4 * error:
            page.miss(f"events of scale {one:g} have a dispersion of {our_cells[1]}")
    heads = ["scale", "rows / expected: ours", "plotsim 0.7.0", "variance / mean: ours", "plotsim 0.7.0"]
    page.blocks.append(
        "Events in proportion to a count; a Poisson count has a variance of its mean:\n\n" + table(heads, rows)
    )


def _stages(page: Section, scale: Scale) -> None:
    raw = still(config([metric("m", TYPES["score"])], ["growth"], scale.shared_units, _PERIODS))
    lifecycle = {"track": "m", "stages": [{"name": name, "threshold": at} for name, at in _STAGES.items()]}
    tables = generate_tables(from_mapping({**raw, "lifecycle": lifecycle}, name="fidelity"))
    fact = next(frame for frame in tables.values() if "stage" in frame.columns)
    place = np.searchsorted(list(_STAGES.values()), fact["m"].to_numpy(), side="right") - 1
    right = float(np.mean(np.array(list(_STAGES))[place] == fact["stage"].to_numpy().astype(str)))
    page.blocks.append(
        f"Stages from {len(fact):,} rows: {percent(right)} are in the highest stage whose threshold they reach."
    )
    if right < 1:
        page.miss(f"{percent(1 - right)} of rows are in another stage")
