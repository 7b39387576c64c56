"""The Dagster home of this checkout: where runs and events are kept, with telemetry off."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".dagster_home"


def prepare_home() -> Path:
    """Return the Dagster home in force, made if it is not there: `DAGSTER_HOME`, or `.dagster_home` of the checkout."""
    home = Path(os.environ.get("DAGSTER_HOME") or HOME)
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        shutil.copyfile(Path(__file__).with_name("instance.yaml"), settings)
    os.environ["DAGSTER_HOME"] = str(home.resolve())
    return home
