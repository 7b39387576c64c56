"""plotsim_pipeline: the generator as a Dagster code location. Every stage and table is a partitioned asset."""
