"""Treatment: who is treated, and what that does to positions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.codes import COHORT, LATER
from plotsim_core.numerics.random import fold, key, uniforms, words
from plotsim_core.plan.plan import Population, SegmentPlan

if TYPE_CHECKING:
    from plotsim_core.engine.roster import Units

_BLOCK = 10
"""Units of a segment, in their order, that draw lots among themselves: a permuted block."""


def treated_units(population: Population, segment: NDArray[np.intp], ordinal: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which units are treated, shape (units,).

    Permuted blocks (Zelen, "The randomization and stratification of patients to clinical trials", 1974): of each ten
    units those with the smallest draws are treated, as many as keep the share of all blocks so far within one unit of
    what is declared. Each cohort of those who arrive later has blocks of its own. It depends on nothing but seed, segment
    and ordinal.
    """
    is_treated = np.zeros(len(ordinal), dtype=np.bool_)
    for index, segment_plan in enumerate(population.segments):
        if segment_plan.spec.treatment is not None:
            in_segment = segment == index
            if in_segment.any():
                is_treated[in_segment] = _lots(
                    population.seed, segment_plan, segment_plan.spec.treatment.fraction, ordinal[in_segment]
                )
    return is_treated


def _lots(seed: int, segment: SegmentPlan, fraction: float, ordinal: NDArray[np.int64]) -> NDArray[np.bool_]:
    address = np.array([segment.address], dtype=np.uint64)
    base = np.where((segment.rate > 0) & (ordinal >= LATER), ordinal // COHORT * COHORT, 0)
    firsts, inverse = np.unique(base + (ordinal - base) // _BLOCK * _BLOCK, return_inverse=True)
    members = firsts[:, None] + np.arange(_BLOCK, dtype=np.int64)
    ranks = uniforms(key(seed, "treatment"), fold(address, words(members))).argsort(axis=1).argsort(axis=1)
    bases = np.where((segment.rate > 0) & (firsts >= LATER), firsts // COHORT * COHORT, 0)
    cohort_address = np.where(bases > 0, fold(address, words(bases)), address)
    start = uniforms(key(seed, "treatment start"), cohort_address)
    blocks = (firsts - bases) // _BLOCK
    before = np.floor(blocks * (_BLOCK * fraction) + start)
    after = np.floor((blocks + 1) * (_BLOCK * fraction) + start)
    is_chosen: NDArray[np.bool_] = (ranks < (after - before)[:, None])[inverse, (ordinal - base) % _BLOCK]
    return is_chosen


def treated(
    population: Population, units: Units, periods: NDArray[np.int64], positions: Floats, metric: str | None
) -> Floats:
    """Return positions, shape (periods, units) like `positions`, with the log odds of treated units raised.

    `metric` is the name of the metric that reads them, for treatments that target it; None for treatments of the whole
    trajectory. In odds the rise is a factor g, so p becomes p g / (1 - p + p g): 0 and 1 stay by themselves.
    """
    arms = [segment.spec.treatment for segment in population.segments]
    treatments = [arm if arm is not None and arm.target_metric == metric else None for arm in arms]
    if not any(treatments):
        return positions
    treated_indices = np.flatnonzero(
        units.treated & np.array([treatment is not None for treatment in treatments])[units.segment]
    )
    if len(treated_indices) == 0:
        return positions
    segment = units.segment[treated_indices]
    gain = np.array([math.exp(treatment.lift_log_odds) if treatment else 1.0 for treatment in treatments])[segment]
    start = population.first + np.array([treatment.start_period if treatment else 0 for treatment in treatments])[segment]
    before = positions[:, treated_indices]
    raised = before * gain / (1.0 - before + before * gain)
    result = positions.copy()
    result[:, treated_indices] = np.where(periods[:, None] >= start, raised, before)
    return result
