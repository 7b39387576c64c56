"""Labels have their declared rate as near as chance and the sample of their intercept let them."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from plotsim_core import from_mapping, generate_tables
from tests.columns.test_label import LOANS, intercept

SEEDS = 60
ROWS = 3000


def test_deviations_of_rates_are_those_of_chance() -> None:
    """Over seeds, the sum of squares of deviations in standard ones follows chi-square: no more, and no less."""
    scores = []
    for seed in range(SEEDS):
        raw = {"about": "Loans", "seed": seed, "tables": [{"name": "loans", "rows": ROWS, "columns": LOANS}]}
        plan = from_mapping(raw, name="loans")
        share = generate_tables(plan)["loans"]["defaulted"].mean()
        deviation = np.hypot(np.sqrt(0.04 * 0.96 / ROWS), intercept(plan, "loans", "defaulted").error)
        scores.append((share - 0.04) / deviation)
    low, high = chi2.ppf([0.0005, 0.9995], SEEDS)
    assert low < np.sum(np.square(scores)) < high
    assert np.abs(scores).max() < 4
