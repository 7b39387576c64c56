"""The values of plotsim 0.7.0: run by an interpreter that has it, and read back from what that wrote.

python peer.py FOLDER     # makes NAME.npz, or NAME.error, of each NAME.json in the folder
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

VERSION = "0.7.0"


@dataclass
class Peer:
    """A run of plotsim under way; `process` is None where it is not installed."""

    folder: Path
    process: subprocess.Popen[bytes] | None

    def values(self, name: str) -> dict[str, Any] | None:
        """Return {metric: values (periods, units), "segment": (units,)} of a config; None if plotsim made none.

        Waits until the run has got so far. Rows of an event table are counted: "event" is their number per cell.
        """
        while self.process is not None:
            ended = self.process.poll() is not None
            path = self.folder / f"{name}.npz"
            if path.exists():
                return dict(np.load(path))
            if ended or (self.folder / f"{name}.error").exists():
                return None
            time.sleep(0.1)
        return None


def start(python: Path | None, folder: Path, configs: dict[str, dict[str, Any]]) -> Peer:
    """Start making the values of configs with the plotsim of another interpreter."""
    if python is None or not _installed(python):
        return Peer(folder, None)
    for place, (name, raw) in enumerate(configs.items()):
        (folder / f"{place:04d}.json").write_text(json.dumps({"name": name, "config": raw}), encoding="utf-8")
    quiet = subprocess.DEVNULL
    return Peer(folder, subprocess.Popen([python, __file__, folder], stdout=quiet, stderr=quiet))


def _installed(python: Path) -> bool:
    check = f"import plotsim, sys; sys.exit(plotsim.__version__ != {VERSION!r})"
    try:
        return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _made(raw: dict[str, Any]) -> dict[str, Any]:
    from plotsim import create, generate_tables  # type: ignore[import-not-found]  # it is not in this environment

    config = create(**raw)
    tables = generate_tables(config)
    key = f"{raw['unit']}_id"
    order = {code: place for place, code in enumerate(tables[f"dim_{raw['unit']}"][key])}
    metrics = [metric["name"] for metric in raw["metrics"]]
    fact = next(table for name, table in tables.items() if name.startswith("fct_"))
    dates = {date: place for place, date in enumerate(sorted(fact["date_key"].unique()))}
    row, unit = fact["date_key"].map(dates).to_numpy(), fact[key].map(order).to_numpy()
    values: dict[str, Any] = {}
    for metric in metrics:
        values[metric] = np.full((len(dates), len(order)), np.nan, dtype=np.float32)
        values[metric][row, unit] = fact[metric].to_numpy(dtype=float)
    counts = [segment["count"] for segment in raw["segments"]]
    values["segment"] = np.repeat(np.arange(len(counts)), counts)
    for event in (table for name, table in tables.items() if name.startswith("evt_")):
        values["event"] = np.zeros((len(dates), len(order)))
        np.add.at(values["event"], (event["date_key"].map(dates).to_numpy(), event[key].map(order).to_numpy()), 1)
    return values


def main(folder: Path) -> None:
    """Make the values of each config in a folder; what plotsim says against one goes beside it."""
    warnings.simplefilter("ignore")
    for path in sorted(folder.glob("*.json")):
        request = json.loads(path.read_text(encoding="utf-8"))
        try:
            values = _made(request["config"])
        except Exception as error:  # noqa: BLE001 - whatever it is, the other configs are still to be made
            (folder / f"{request['name']}.error").write_text(str(error), encoding="utf-8")
            continue
        np.savez(folder / f"{request['name']}.part.npz", **values)
        (folder / f"{request['name']}.part.npz").rename(folder / f"{request['name']}.npz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
