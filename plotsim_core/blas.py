"""BLAS on one thread, for a process that is plotsim's own. Imported for its effect, before NumPy.

No value is made by BLAS, and what a load solves with it is small; but OpenBLAS starts a thread for each core when NumPy is
imported, and these spin: a quarter of the CPU time of a short command. What `OPENBLAS_NUM_THREADS` says already stays.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
