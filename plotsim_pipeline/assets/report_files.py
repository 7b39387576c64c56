"""Files beside a store: what belongs to a dataset and is no table of it."""

from collections.abc import Iterable

from plotsim_core import Plan
from plotsim_pipeline.partitions import periods_in
from plotsim_pipeline.stores.filesystem import filesystem_of, prepare_folder, replacing_file
from plotsim_pipeline.stores.store import Store


def write_report_file(store: Store, name: str, pieces: Iterable[str | bytes]) -> str:
    """Write the pieces of a file to `reports/<name>` in the folder that a store is in, or is; return where it lies.

    Works on any path that fsspec knows, like the stores. The file is seen when it is whole.
    """
    filesystem, root = filesystem_of(store.folder)
    prepare_folder(filesystem, root, f"{root}/reports")
    path = f"{root}/reports/{name}"
    with replacing_file(filesystem, path) as sink:
        for piece in pieces:
            sink.write(piece.encode() if isinstance(piece, str) else piece)
    return str(filesystem.unstrip_protocol(path)) if "://" in store.path else path


def stored_periods(plan: Plan, store: Store) -> tuple[int, int] | None:
    """Return (first, stop) of the periods that are stored of any fact or event, without the states; None for none. Without a
    window it is the one period as soon as any table is stored."""
    if not plan.has_window:
        return (plan.first, plan.first + 1) if any(store.intact_partitions(plan.name).values()) else None
    timed_tables = {table.name for table in plan.tables if table.time is not None}
    keys = {
        key
        for table, partitions in store.intact_partitions(plan.name).items()
        if table in timed_tables
        for key in partitions
    }
    return (periods_in(plan, min(keys))[0], periods_in(plan, max(keys))[1]) if keys else None
