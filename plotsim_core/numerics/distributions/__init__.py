"""The distribution families, one file each. Importing this package registers them.

May import: families, errors, run_files, version, numerics.
"""

from plotsim_core.numerics.distributions import (
    beta,
    gamma,
    lognormal,
    negative_binomial,
    normal,
    poisson,
    weibull,
    zero_inflated_gamma,
    zero_inflated_poisson,
)
from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution

__all__ = [
    "DISTRIBUTIONS",
    "Distribution",
    "beta",
    "gamma",
    "lognormal",
    "negative_binomial",
    "normal",
    "poisson",
    "weibull",
    "zero_inflated_gamma",
    "zero_inflated_poisson",
]
