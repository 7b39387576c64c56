"""The stages of a slice, in the order of the data: roster, trajectories, metrics, correlated metrics, noised metrics.

May import: families, errors, run_files, version, numerics, arrow, config, plan.
"""
