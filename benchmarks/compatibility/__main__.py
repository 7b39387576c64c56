"""Make the same configs with plotsim 0.7.0 and with ours, compare, and write docs/compatibility.md.

python -m benchmarks.compatibility --peer PYTHON     # an interpreter that has plotsim 0.7.0
python -m benchmarks.compatibility --peer PYTHON --print words tables     # some configs, printed
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.compatibility.page import Row, page
from benchmarks.compatibility.shapes import Difference, differences, judged, ours
from benchmarks.fidelity.peer import VERSION
from plotsim_core import ConfigError

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "compatibility"
FOUND = OWN / "peer.json"
PAGE = ROOT / "docs" / "compatibility.md"
_LISTED = (
    f"import plotsim, pathlib; assert plotsim.__version__ == {VERSION!r}; "
    "print(*sorted((pathlib.Path(plotsim.__file__).parent / 'configs' / 'templates').glob('*.yaml')))"
)


def main() -> int:
    """Compare what the command line asks for; 1 if something differs that should not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="an interpreter that has plotsim 0.7.0")
    parser.add_argument("--print", nargs="*", metavar="CONFIG", help="print the page of these configs and write nothing")
    options = parser.parse_args()
    try:
        done = subprocess.run([options.peer, "-c", _LISTED], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        print(f"plotsim {VERSION} is not there; nothing was compared", file=sys.stderr)
        return 2
    configs = {path.stem: ("plotsim's", path) for path in map(Path, done.stdout.split())}
    configs |= {path.stem: ("ours", path) for path in sorted(OWN.glob("*.yaml"))}
    if options.print is not None:
        configs = {name: config for name, config in configs.items() if not options.print or name in options.print}
    theirs = _theirs(options.peer, [path for _, path in configs.values()])
    rows: dict[str, Row] = {name: (whose, {}, 0) for name, (whose, _) in configs.items()}
    all_differences: list[Difference] = []
    broken: dict[str, str] = {name: f"plotsim: {outcome['error']}" for name, outcome in theirs.items() if "error" in outcome}
    for name, (whose, path) in configs.items():
        try:
            shape = ours(path)
        except ConfigError as error:
            broken[name] = "; ".join(f"{problem.path}: {problem.message}" for problem in error.problems)
            continue
        rows[name] = (whose, shape, judged(path).score)
        all_differences += differences(name, theirs[name], shape) if name not in broken else ()
    text = page(rows, all_differences, broken)
    if options.print is not None:
        print(text)
        return 0
    PAGE.write_text(text, encoding="utf-8")
    peer_shapes = {name: theirs[name] for name, (whose, _) in configs.items() if whose == "ours"}
    FOUND.write_text(_json(peer_shapes), encoding="utf-8")
    print(text)
    return int("\nNothing.\n" not in text.partition("should not")[2])


def _theirs(peer: str, paths: list[Path]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        subprocess.run([peer, str(Path(__file__).with_name("peer.py")), str(out), *map(str, paths)], check=True)
        peer_shapes: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return peer_shapes


def _json(peer_shapes: dict[str, Any]) -> str:
    """Return what was found, a line for each table."""
    note = "What plotsim 0.7.0 gives for the files beside this one. Written by `make compatibility`."
    parts = [f' "": {json.dumps(note)}']
    for name, tables in sorted(peer_shapes.items()):
        lines = [f"  {json.dumps(table)}: {json.dumps(shape, sort_keys=True)}" for table, shape in sorted(tables.items())]
        parts.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
