"""Files beside a store: what belongs to a dataset and is no table of it."""

from collections.abc import Iterable

import fsspec

from plotsim_core import Plan
from plotsim_pipeline.partitions import period_of
from plotsim_pipeline.stores.store import Store


def write_beside(store: Store, name: str, pieces: Iterable[str]) -> str:
    """Write the pieces of a text to `reports/<name>` in the folder that a store is in, or is; return where it lies.

    Works on any path that fsspec knows, like the stores. The file is written aside and renamed.
    """
    filesystem, root = fsspec.core.url_to_fs(store.folder)
    folder = f"{root.rstrip('/')}/reports"
    filesystem.makedirs(folder, exist_ok=True)
    aside, place = f"{folder}/.{name}.tmp", f"{folder}/{name}"
    with filesystem.open(aside, "wb") as sink:
        for piece in pieces:
            sink.write(piece.encode())
    filesystem.mv(aside, place)
    return str(filesystem.unstrip_protocol(place)) if "://" in store.path else place


def stored_periods(plan: Plan, store: Store) -> tuple[int, int] | None:
    """Return (first, stop) of the periods that are stored of any fact or event, without the states; None for none."""
    timed = {table.name for table in plan.tables if table.time is not None}
    keys = {key for table, kept in store.held(plan.name).items() if table in timed for key in kept}
    there = [period_of(plan, key) for key in keys]
    return (min(there), max(there) + 1) if there else None
