"""Zero-inflated Poisson: `zeros`, the share of extra zeros; the rest is Poisson with mean / (1 - zeros)."""

from __future__ import annotations

from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, with_zeros
from plotsim_core.numerics.distributions.poisson import POISSON

DISTRIBUTIONS.add("zero_inflated_poisson", with_zeros(POISSON))
