"""The Dagster home of this checkout: where runs and events are kept, with telemetry off."""

import os
import shutil
from pathlib import Path

import dagster as dg

from plotsim_core.output.aside import alone

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".dagster_home"


def prepare_home() -> Path:
    """Return the Dagster home in force, made if it is not there: `DAGSTER_HOME`, or `.dagster_home` of the checkout."""
    home = Path(os.environ.get("DAGSTER_HOME") or HOME)
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    os.environ["DAGSTER_HOME"] = str(home.resolve())
    with alone(home):  # Dagster makes its files without a lock: of several that are first at once, some would fail
        if not settings.exists():
            shutil.copyfile(Path(__file__).with_name("instance.yaml"), settings)
        if not (home / "history").exists():
            with dg.DagsterInstance.get():
                pass
    return home
