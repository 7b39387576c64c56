"""Broken configs, each beside the exact text that a user reads."""

from __future__ import annotations

from pathlib import Path

from plotsim_core import ConfigError, load_config

FOLDER = Path(__file__).parent


def text_of(path: Path) -> str | None:
    """Return the text of the ConfigError that loading a config raises, its source shown as the file's name."""
    try:
        load_config(path)
    except ConfigError as error:
        return str(ConfigError(error.problems, path.name)) + "\n"
    return None
