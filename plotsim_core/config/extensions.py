"""Modules of other distributions that add column sources and table kinds to the language (docs/extending.md)."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from plotsim_core.errors import UsageError

GROUP = "plotsim.language"
"""The group of entry points whose values are such modules."""


def load_extensions() -> None:
    """Import the modules that installed distributions name, once in a process. Raises UsageError if one cannot be imported.

    Families of the language call this at the first look into them, when all members of this distribution are there.
    """
    message = _failure()
    if message:
        raise UsageError(message)


def extension_versions() -> dict[str, str]:
    """Return the versions of the distributions that add to the language, by name."""
    distributions = {entry.dist.name: entry.dist.version for entry in _entries() if entry.dist is not None}
    return dict(sorted(distributions.items()))


def _entries() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)


@lru_cache(maxsize=1)
def _failure() -> str:
    """Import the modules and return why one could not be; empty if all were."""
    for entry in _entries():
        try:
            import_module(entry.module)
        except Exception as error:  # noqa: BLE001 - a module may raise anything
            name = entry.dist.name if entry.dist is not None else entry.name
            reason = f"its module '{entry.module}' cannot be imported: {type(error).__name__}: {error}"
            return f"the distribution '{name}' adds to the language, and {reason}"
    return ""
