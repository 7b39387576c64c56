"""Measure what is promised, side by side with plotsim 0.7.0, and write docs/fidelity.md.

python -m benchmarks.fidelity --peer PYTHON    # an interpreter that has plotsim 0.7.0
python -m benchmarks.fidelity --quick          # a smoke test: few draws, printed rather than written
python -m benchmarks.fidelity --only lag       # some sections, printed
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from pathlib import Path

import numpy
import scipy

from benchmarks.fidelity import correlation, effects, lag, margins, matrices, noise, units
from benchmarks.fidelity.configs import FULL, QUICK
from benchmarks.fidelity.page import Section
from benchmarks.fidelity.peer import VERSION, start
from plotsim_core import __version__

SECTIONS = {
    module.__name__.rpartition(".")[2]: module for module in (margins, correlation, matrices, lag, units, noise, effects)
}
PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"
INTRODUCTION = """# Fidelity

What a config declares against what its data shows. Each section says what is promised, what was measured, how large the
standard error of a measurement is, and where a promise is missed. All numbers below, and the lists of what is missed, are
written by `make fidelity`; nothing here is written by hand but the sentences. Seeds are fixed, so running it again gives the
same page; `tests/statistics/test_fidelity.py` holds a part of it to the same tolerances.

Two ways of standardising are used. *Exact* residuals are (value - expectation) / deviation, with the mean and the deviation
that the declared family has at the unit's position; they need to know what was expected. *Empirical* ones use the mean and
the deviation over all units of the same segment and period; they need only the data, so the two generators can be treated
alike. Standard errors take units as independent of each other, not the cells of one unit. The trajectory of a segment is
common to both generators only in kind: `seasonal` is yearly here and twice a window there, and `accelerating` bends here.
"""


def page(sections: list[Section], compared: bool) -> str:
    """Return the whole page."""
    beside = (
        f"side by side with plotsim {VERSION} from the package index, in an environment of its own, on the same configs"
        if compared
        else f"plotsim {VERSION} could not be installed or run, so its columns are empty (–)"
    )
    missed = sum(len(section.misses) for section in sections)
    versions = f"{__version__} (Python {platform.python_version()}, NumPy {numpy.__version__}, SciPy {scipy.__version__})"
    header = f"Version {versions}, written by `make fidelity`; {beside}. Promises missed somewhere: {missed}"
    listed = "\n".join(f"- {section.title}: {text}" for section in sections for text in section.misses)
    parts = [INTRODUCTION.strip(), header + (":" if missed else "."), *([listed] if missed else [])]
    return "\n\n".join([*parts, *(section.markdown() for section in sections)]) + "\n"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="an interpreter that has plotsim 0.7.0")
    parser.add_argument("--quick", action="store_true", help="few draws; print the page rather than write it")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), help="print these sections")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    configs = {name: raw for section in options.only for name, raw in SECTIONS[section].configs(scale).items()}
    with tempfile.TemporaryDirectory() as folder:
        peer = start(options.peer, Path(folder), configs)
        if peer.process is None:
            print(f"plotsim {VERSION} is not there: its columns stay empty", flush=True)
        try:
            sections = []
            for name in options.only:
                print(f"measuring {name} ...", flush=True)
                sections.append(SECTIONS[name].section(scale, peer))
        finally:
            if peer.process is not None:
                peer.process.kill()
                peer.process.wait()
    text = page(sections, peer.process is not None)
    if options.quick or len(options.only) < len(SECTIONS):
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(f"written: {PAGE.relative_to(Path.cwd())}" if PAGE.is_relative_to(Path.cwd()) else "written")
    for section in sections:
        for miss in section.misses:
            print(f"missed: {section.title}: {miss}")


if __name__ == "__main__":
    main()
