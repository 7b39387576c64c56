"""Arrays in, arrays out: addresses and draws, calendar, curves, distributions and their quantile tables, correlation.

May import: families, errors, run_files, version.
"""
