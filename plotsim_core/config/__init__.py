"""The language: frozen models of what a file may say, and the loading that reports every error at once.

May import: families, errors, run_files, version, numerics, arrow.
"""
