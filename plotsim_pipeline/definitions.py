"""The code location: every dataset's definitions, merged, with the store that the environment names."""

import warnings

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # BackfillPolicy, once per asset
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

from plotsim_pipeline.datasets import dataset_definitions, load_datasets  # noqa: E402
from plotsim_pipeline.stores import store_from_environment  # noqa: E402

defs = dg.Definitions.merge(
    *(dataset_definitions(plan) for plan in load_datasets()),
    dg.Definitions(resources={"store": store_from_environment()}, executor=dg.in_process_executor),
)
