"""Old spellings of the language and today's words for them: of a config as read, for its digest, and of the text of a file.

`rules.py` lists what is spelt otherwise today; one more is an entry there.

May import: families, errors, run_files, version, numerics, arrow, config.
"""

from plotsim_core.config.rewrite.rules import RULES, canonical
from plotsim_core.config.rewrite.text import rewritten

__all__ = ["RULES", "canonical", "rewritten"]
