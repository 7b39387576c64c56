"""Make and judge random configs of the whole language, and write docs/robustness.md.

python -m benchmarks.robustness                           # 1,000 configs from seed 0 on
python -m benchmarks.robustness --configs 50 --seed 7000  # others; printed rather than written
python -m benchmarks.robustness --keep DIR                # what crashes or alarms is kept there as YAML

Config n of a run has the seed SEED + n, and `--seed SEED+n --configs 1` repeats it alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.robustness.page import page
from benchmarks.robustness.trial import Trial, tried

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"
CONFIGS = 1_000
_PROCESSES = 2


def run(seeds: range, keep: Path | None) -> list[Trial]:
    """Make and judge the configs of some seeds in processes of their own, telling of each as it is done."""
    trials: list[Trial] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, mp_context=context) as pool:
        for trial in pool.map(partial(tried, keep=keep), seeds):
            trials.append(trial)
            print(f"[{len(trials)}/{len(seeds)}] {trial}", flush=True)
    return trials


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", type=int, default=CONFIGS, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first")
    parser.add_argument("--keep", type=Path, help="a folder for the YAML of what crashes or alarms")
    options = parser.parse_args()
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    trials = run(range(options.seed, options.seed + options.configs), options.keep)
    text = page(trials, options.seed, time.perf_counter() - begin)
    if options.configs >= CONFIGS:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    sys.exit(any(trial.crash or trial.refused or trial.broken for trial in trials))


if __name__ == "__main__":
    main()
