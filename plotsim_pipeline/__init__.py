"""plotsim_pipeline: the generator as a Dagster code location. Every stage and table is a partitioned asset."""

import warnings

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # BackfillPolicy, once per asset
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
