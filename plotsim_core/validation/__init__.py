"""Judging stored data against its config: checks, the report of them, and pictures.

Importing this package is what makes the checks known.
"""

# the order in which checks are reported
from plotsim_core.validation import structure, rows, time, values, trajectory, seasons, behaviour, segments  # isort: skip

__all__ = ["behaviour", "rows", "seasons", "segments", "structure", "time", "trajectory", "values"]
