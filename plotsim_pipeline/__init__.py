"""plotsim_pipeline: the generator as a Dagster code location. Every stage and table is a partitioned asset.

May import: plotsim_core.
"""

import warnings
from typing import Any

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # BackfillPolicy, once per asset
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

__all__ = ["DatasetComponent"]


def __getattr__(name: str) -> Any:
    """Give `DatasetComponent`, which `dg` looks for here, without loading it for everything else."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from plotsim_pipeline.component import DatasetComponent

    return DatasetComponent


def __dir__() -> list[str]:
    return [*globals(), *__all__]
