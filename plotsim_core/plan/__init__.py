"""From a config to a plan: names resolved, factors and quantile tables solved, one schema per table.

May import: families, errors, run_files, version, numerics, arrow, config.
"""
