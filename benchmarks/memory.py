"""Peak memory of a run into Parquet, of datasets ten times as large as each other.

python -m benchmarks.memory        # about ten minutes
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import plotsim_core
from benchmarks.performance import save

SIZES = {"saas": (100, 1000), "hr": (50, 500), "retail": (20, 200), "delivery": (10, 100)}
"""Dataset to scales."""


def measure(dataset: str, scale: float) -> tuple[int, float]:
    """Return the rows of a dataset, and the peak memory in MB of this process, which writes them."""
    plan = plotsim_core.load_config(plotsim_core.template(dataset), scale=scale)
    with tempfile.TemporaryDirectory() as folder:
        rows = plotsim_core.write_tables(plan, folder, format="parquet")
    return sum(rows.values()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 10)


def main() -> None:
    if len(sys.argv) == 3:
        print(*measure(sys.argv[1], float(sys.argv[2])))
        return
    rows: list[dict[str, Any]] = []
    for dataset, scales in SIZES.items():
        peaks = []
        for scale in scales:
            command = [sys.executable, "-m", "benchmarks.memory", dataset, str(scale)]
            run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
            count, peak = run.stdout.split()
            peaks.append(float(peak))
            ratio = round(peaks[-1] / peaks[0], 2) if len(peaks) > 1 else None
            rows.append(
                {"dataset": f"{dataset} x {scale}", "rows": f"{int(count):,}", "peak, MB": round(peaks[-1]), "ratio": ratio}
            )
    save("memory", rows)


if __name__ == "__main__":
    main()
