"""Table kinds, one file each. Importing this package is what makes them known; a test compares it to the folder."""

from plotsim_core.tables import child, date, fact, proportional, reference, threshold, unit

__all__ = ["child", "date", "fact", "proportional", "reference", "threshold", "unit"]
