"""The code location: every dataset's assets, job and schedule, with the store that the environment names."""

import plotsim_core.blas  # noqa: F401 (for its effect)
from plotsim_pipeline.datasets import definitions_of, load_datasets

defs = definitions_of(*load_datasets())
