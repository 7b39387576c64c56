"""CPU time of commands from their start to their end, as multiples of importing what they all need.

python -m benchmarks.startup                           # about a minute
python -m benchmarks.startup --old /path/to/plotsim-0.5    # and version 0.5 beside it
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.performance import save

BASE = "import numpy, scipy.special, pyarrow, pyarrow.compute, pydantic, yaml, click"
"""What `plotsim` cannot do without. It is imported on one thread, as `plotsim` does: others of OpenBLAS only spin."""
IDLE = ["-m", "plotsim_pipeline", "run", "saas"]
MATERIALIZE = ["-m", "dagster", "asset", "materialize", "-m", "plotsim_pipeline.definitions"]
PARTITION = [*MATERIALIZE, "--select", "saas/fct_revenue", "--partition", "2024-03-01"]
COMMANDS = {
    "plotsim --help": ["-m", "plotsim_core", "--help"],
    "plotsim info saas": ["-m", "plotsim_core", "info", "saas"],
    "plotsim validate saas": ["-m", "plotsim_core", "validate", "saas"],
    "import of the API": ["-c", "import plotsim_core; plotsim_core.load_config"],
    "the code location, with its datasets": ["-c", "import plotsim_pipeline.definitions"],
    "import dagster": ["-c", "import dagster"],
    "make run, with nothing to make": IDLE,
    "a partition of a table, by Dagster": PARTITION,
}
ONLY = "a partition of a table, PLOTSIM_DATASETS=saas"
"""The last command, where the code location has that dataset alone."""
TIMES = 5


def seconds(arguments: list[str], folder: Path, **variables: str) -> float:
    """Return the CPU seconds of a Python process in whose path a folder is, with further environment variables: the least of
    some, after one that compiles."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "", **variables}
    measured = []
    for _ in range(TIMES + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True, cwd=folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(measured[1:])


def costs(folder: Path) -> dict[str, float]:
    """Return the CPU seconds of each command of a checkout, on a home and a store in which the dataset is made."""
    with tempfile.TemporaryDirectory() as directory:
        places = {"DAGSTER_HOME": f"{directory}/home", "PLOTSIM_STORE_PATH": f"{directory}/store.duckdb"}
        seconds(IDLE, folder, **places)  # makes the dataset
        commands = {name: seconds(arguments, folder, **places) for name, arguments in COMMANDS.items()}
        return {**commands, ONLY: seconds(PARTITION, folder, PLOTSIM_DATASETS="saas", **places)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=Path, help="a checkout of version 0.5")
    old = parser.parse_args().old
    checkout = Path(__file__).parents[1]
    base = seconds(["-c", BASE], checkout, OPENBLAS_NUM_THREADS="1")
    old_costs = {} if old is None else costs(old)
    rows: list[dict[str, Any]] = []
    for name, cost in costs(checkout).items():
        before = old_costs.get(name)
        rows.append(
            {
                "what": name,
                "times the imports": round(cost / base, 2),
                "version 0.5": None if before is None else round(before / base, 2),
                "ratio": None if before is None else round(cost / before, 2),
            }
        )
    save("startup", rows)


if __name__ == "__main__":
    main()
