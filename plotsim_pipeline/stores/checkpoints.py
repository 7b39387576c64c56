"""What is known of each unit before a period, kept beside the tables of a store, so that a new period need not go through
those before it again.

A file holds the states before one period (`plotsim_core/engine/checkpoints.py`). Its name tells the plan, the period, of
how many units there are states in how many parts, and the hash of what is in it. Files are written after the rows that they
were made with, and only save time: what is missing, broken or of another config is passed over.
"""

import contextlib
import re
from typing import NamedTuple
from weakref import WeakKeyDictionary

from plotsim_core import Plan
from plotsim_core.engine.checkpoints import HASH_BYTES, checkpoints, take_states
from plotsim_core.engine.state_cache import spaced
from plotsim_pipeline.stores.filesystem import filesystem_of, prepare_folder, replacing_file

FOLDER = "_checkpoints"
"""Where they lie beside the tables, in a folder for each dataset."""
_NAME = re.compile(r"(?P<plan>[0-9a-z]+)_(?P<period>-?\d+)_(?P<units>\d+)_(?P<parts>\d+)_[0-9a-f]+")
_KNOWN: WeakKeyDictionary[Plan, dict[str, frozenset[object]]] = WeakKeyDictionary()
"""The files that this process has read or written for a plan, and of which states each is, if it wrote it."""


class _File(NamedTuple):
    """A file of states, as its name tells."""

    plan: str
    period: int
    units: int
    parts: int
    name: str

    @property
    def worth(self) -> tuple[int, int, str]:
        """What orders the files of one period: that of the most units is kept, in the fewest parts."""
        return self.units, -self.parts, self.name


def take_checkpoints(plan: Plan, folder: str) -> None:
    """Take the states that lie in the folder of a store and that this process does not know yet."""
    filesystem, root = filesystem_of(folder)
    known_paths = _KNOWN.setdefault(plan, {})
    for file in _files(plan, folder):
        path = f"{_place(root, plan)}/{file.name}"
        if path not in known_paths:
            known_paths[path] = frozenset()
            with contextlib.suppress(OSError), filesystem.open(path, "rb") as source:
                take_states(plan, [source.read()])


def save_checkpoints(plan: Plan, folder: str) -> None:
    """Write what this process knows of the states of a plan, and take away what is superfluous, whoever wrote it: all runs
    agree on what is."""
    filesystem, root = filesystem_of(folder)
    place, known_paths = _place(root, plan), _KNOWN.setdefault(plan, {})
    for checkpoint in checkpoints(plan):
        prefix = f"{place}/{plan.digest}_{checkpoint.period}_"
        if any(path.startswith(prefix) and keys == checkpoint.states.keys() for path, keys in known_paths.items()):
            continue
        content = checkpoint.content
        units = sum(len(state[0]) for _, state in checkpoint.states.values())
        path = f"{prefix}{units}_{len(checkpoint.states)}_{content[:HASH_BYTES].hex()}"
        if path not in known_paths:
            prepare_folder(filesystem, root, place)
            with replacing_file(filesystem, path) as sink:
                sink.write(content)
        known_paths[path] = frozenset(checkpoint.states)
    files = _files(plan, folder)
    plan_files = sorted((file for file in files if file.plan == plan.digest), key=lambda file: file.worth)
    best_files = {file.period: file for file in plan_files}
    kept_files = {best_files[period] for period in spaced(best_files)}
    for file in files if kept_files else ():
        if file not in kept_files:
            with contextlib.suppress(OSError):  # another run was faster
                filesystem.rm_file(f"{place}/{file.name}")


def _place(root: str, plan: Plan) -> str:
    return f"{root}/{FOLDER}/{plan.name}"


def _files(plan: Plan, folder: str) -> list[_File]:
    """Return the files of states of a dataset."""
    filesystem, root = filesystem_of(folder)
    filesystem.invalidate_cache()
    try:
        names = [path.rpartition("/")[2] for path in filesystem.ls(_place(root, plan), detail=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    matches = filter(None, map(_NAME.fullmatch, names))
    return [_File(m["plan"], int(m["period"]), int(m["units"]), int(m["parts"]), m.string) for m in matches]
