"""Zero-inflated gamma: `zeros`, the share of zeros; the rest is gamma with mean / (1 - zeros) and `shape`."""

from __future__ import annotations

from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, with_zeros
from plotsim_core.numerics.distributions.gamma import GAMMA

DISTRIBUTIONS.add("zero_inflated_gamma", with_zeros(GAMMA))
