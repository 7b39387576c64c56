"""Judging stored data against its config: checks, the report of them, and pictures.

Importing this package is what makes the checks known.
"""

from plotsim_core.validation import structure, behaviour  # isort: skip - the order in which checks are reported

__all__ = ["behaviour", "structure"]
