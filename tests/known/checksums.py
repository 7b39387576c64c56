"""Checksums of the bundled configs: `python -m tests.known.checksums` prints them, `--write` also keeps them.

One SHA-256 for each config, over the bytes of its tables as CSV, in the order of the tables; of one without an end, up to
the day that `docs.datasets` says. They protect people who
regenerate a dataset with a newer version: a change is a visible one and belongs in the list of changes.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from docs.datasets import shown
from plotsim_core import list_templates, write_tables

KEPT = Path(__file__).with_name("checksums.json")
CONFIGS = Path(__file__).parents[2] / "configs"


def checksum(name: str) -> str:
    """Return the checksum of a bundled config."""
    plan = shown(CONFIGS / f"{name}.yaml")
    total = hashlib.sha256()
    with tempfile.TemporaryDirectory() as directory:
        write_tables(plan, directory)
        for table in plan.tables:
            total.update((Path(directory) / f"{table.name}.csv").read_bytes())
    return total.hexdigest()


def main() -> None:
    """Print the checksums as JSON."""
    text = json.dumps({name: checksum(name) for name in list_templates()}, indent=2) + "\n"
    if "--write" in sys.argv[1:]:
        KEPT.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
