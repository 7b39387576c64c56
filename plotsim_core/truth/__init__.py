"""What is known of data because it was made: how a value came to be, where a row is, the manifest.

May import: families, errors, run_files, version, numerics, arrow, config, plan, engine, columns, tables, rules.
"""
