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
from pathlib import Path
from typing import Any

from benchmarks.performance import save

BASE = "import numpy, scipy.special, pyarrow, pyarrow.compute, pydantic, yaml, click"
"""What `plotsim` cannot do without."""
COMMANDS = {
    "plotsim --help": ["-m", "plotsim_core", "--help"],
    "plotsim info saas": ["-m", "plotsim_core", "info", "saas"],
    "plotsim validate saas": ["-m", "plotsim_core", "validate", "saas"],
    "import of the API": ["-c", "import plotsim_core; plotsim_core.load_config"],
    "the code location, with its datasets": ["-c", "import plotsim_pipeline.definitions"],
    "import dagster": ["-c", "import dagster"],
}
TIMES = 5


def seconds(arguments: list[str], folder: Path) -> float:
    """Return the CPU seconds of a Python process in whose path a folder is: the least of some, after one that compiles."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    costs = []
    for _ in range(TIMES + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True, cwd=folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(costs[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=Path, help="a checkout of version 0.5")
    old = parser.parse_args().old
    checkout = Path(__file__).parents[1]
    base = seconds(["-c", BASE], checkout)
    rows: list[dict[str, Any]] = []
    for name, arguments in COMMANDS.items():
        cost = seconds(arguments, checkout)
        before = None if old is None else seconds(arguments, old)
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
