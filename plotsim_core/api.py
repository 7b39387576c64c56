"""The public face: load a config, make its tables, write them. Importing it makes every family known."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pyarrow as pa

from plotsim_core.config import read
from plotsim_core.config.document import Document
from plotsim_core.config.overrides import with_overrides
from plotsim_core.config.quality import LEDGER
from plotsim_core.config.written_columns import with_listed_columns
from plotsim_core.engine.slice import Slice, full_slice
from plotsim_core.errors import UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.importers import imported
from plotsim_core.loading import plan_of, plan_of_rows
from plotsim_core.output.format import Progress
from plotsim_core.output.frames import frame_of, rows_of
from plotsim_core.output.run import Streams, write_run
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.run_files import REPORT_FILES
from plotsim_core.tables.build import find_table
from plotsim_core.tables.one_pass import in_one_pass
from plotsim_core.tables.row_estimates import Size
from plotsim_core.tables.row_estimates import sizes as table_sizes
from plotsim_core.tables.slices import TableSlice, make, slice_batches, slices
from plotsim_core.truth.expected import expected_rows
from plotsim_core.truth.explain import Explanation, explain
from plotsim_core.truth.locate import find_period
from plotsim_core.truth.manifest import manifest, manifest_files, manifest_head
from plotsim_core.truth.restore import restored as restored_rows

if TYPE_CHECKING:
    import pandas as pd

    from plotsim_core.validation.report import Report

__all__ = [
    "Explanation",
    "Progress",
    "Size",
    "TableSlice",
    "batches",
    "create",
    "create_from_yaml",
    "expected_state",
    "explain",
    "from_mapping",
    "generate_tables",
    "list_templates",
    "load_config",
    "load_template",
    "make",
    "manifest",
    "parse_periods",
    "restored",
    "sizes",
    "slices",
    "template",
    "validate",
    "write_tables",
]

TEMPLATES = (Path(__file__).parent / "configs").resolve()
"""The folder of the bundled configs: inside the package, where a checkout has a link to the folder beside it."""


def load_config(
    path: str | Path,
    *,
    seed: int | None = None,
    scale: float | None = None,
    target_rows: int | None = None,
    noise: str | None = None,
    compression: str | None = None,
    table_rows: Mapping[str, int] | None = None,
) -> Plan:
    """Read a YAML config and return its plan. What is given overrides the file's and is recorded as its own (see
    `from_mapping`).

    Raises ConfigError with everything that is wrong, UsageError for a request that makes no sense.
    """
    plan = from_mapping(
        read.read_document(Path(path)),
        name=Path(path).stem,
        source=str(path),
        seed=seed,
        scale=scale,
        target_rows=target_rows,
        noise=noise,
        compression=compression,
        table_rows=table_rows,
    )
    return replace(plan, file=str(Path(path).absolute()))


def create_from_yaml(text: str | Path) -> Plan:
    """Return the plan of a config given as a path or as YAML text."""
    if isinstance(text, Path) or "\n" not in text:
        return load_config(text)
    return from_mapping(read.document_of(text, "config"), name="dataset")


def create(*, name: str = "dataset", **sections: Any) -> Plan:
    """Return the plan of a config given as keyword arguments: `create(about=..., unit=..., window=..., ...)`."""
    return from_mapping(sections, name=name, source="config")


def from_mapping(
    raw: Any,
    *,
    name: str,
    source: str = "config",
    seed: int | None = None,
    scale: float | None = None,
    target_rows: int | None = None,
    noise: str | None = None,
    compression: str | None = None,
    table_rows: Mapping[str, int] | None = None,
) -> Plan:
    """Return the plan of a config given as what its YAML says, or its `Document`, with other words where they are given.

    `noise` is a preset, or none, for all metrics. `target_rows` is how many rows all tables shall have together: the scale
    is solved so that the expected rows (`sizes`) come as near as whole units allow; a note of the plan says where that is
    not within 2 %. `table_rows` is how many rows each of some plain tables has. A file of another system (plotsim's engine
    layer) is taken in the words of this language, with notes on what of it is not as it was.

    Raises ConfigError with everything that is wrong, UsageError for both a scale and target rows, for target rows where
    there are no units, for an unknown noise, and for a table that cannot have so many rows.
    """
    document = imported(raw if isinstance(raw, Document) else with_listed_columns(Document(raw, source, raw)))
    words = {"seed": seed, "scale": scale, "noise": noise, "output": compression}
    document = document.with_value(
        with_overrides(document.value, seed=seed, scale=scale, noise=noise, compression=compression, table_rows=table_rows),
        *(section for section, word in words.items() if word is not None),
    )
    if target_rows is not None:
        if scale is not None:
            raise UsageError("either the scale or the target rows can be given: one follows from the other")
        plan = plan_of_rows(document, name, target_rows)
    else:
        plan = plan_of(document, name)
    for table_name, count in (table_rows or {}).items():
        spec = plan.table(table_name).spec
        if spec.is_listed and spec.length != count:
            raise UsageError(f"{table_name} cannot have {count:,} rows: it lists {spec.length:,}")
    return plan


def parse_periods(plan: Plan, text: str | None) -> tuple[int, int] | None:
    """Return (first, stop) of periods written `A..B` (both included) or `A`, as dates or labels; None for None.

    Raises UsageError for anything else.
    """
    if text is None:
        return None
    if not plan.has_window:
        raise UsageError(f"{plan.name} has no periods to choose from: its config has no window")
    ends = text.split("..")
    if len(ends) > 2 or not all(ends):
        raise UsageError(f"cannot read the periods {text!r}; write A..B or A, for example {plan.grain.label(plan.first)}")
    try:
        first, last = (plan.grain.read(end.strip()) for end in (ends[0], ends[-1]))
    except ValueError as error:
        raise UsageError(f"periods: {error}; write A..B or A, for example {plan.grain.label(plan.first)}") from None
    if last < first:
        raise UsageError(f"the periods {text!r} end before they begin")
    return first, last + 1


def batches(
    plan: Plan, table: str, first: int | None = None, stop: int | None = None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return (schema, record batches) of a table or stage in the periods `first` to `stop`: the slice-level function.

    Rows come in the order of periods and units. A dimension of units is given as of the last of the periods. Raises
    UsageError for an unknown table and for periods outside the window.
    """
    table_plan = find_table(plan, table)
    whole = full_slice(plan.population, first, stop)
    return plan.schema(table_plan), slice_batches(plan, TableSlice(table, whole.first, whole.stop))


def generate_tables(
    plan: Plan, rng: object = None, *, periods: str | None = None, tables: Sequence[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Return tables as pandas frames, by name. `periods` is `A..B`; `tables` defaults to all tables of the config.

    An `rng` is taken for the sake of programs that pass one, and draws nothing: every value follows from the config and its
    seed. A UserWarning says so. For other data, give another seed: `load_config(path, seed=...)`.
    """
    if rng is not None:
        message = (
            f"the rng draws nothing: all values follow from the config's seed, {plan.seed}; load_config(path, seed=...)"
        )
        warnings.warn(f"{message} gives others", UserWarning, stacklevel=2)
    first, stop = parse_periods(plan, periods) or (None, None)
    names = tables or [table.name for table in plan.tables]
    streams = ((name, batches(plan, name, first, stop)) for name in names)
    return {name: frame_of(pa.Table.from_batches(rows, schema)) for name, (schema, rows) in streams}


def expected_state(plan: Plan, table: str, as_of: str) -> pd.DataFrame:
    """Return what a warehouse must hold of a table when it has taken in everything up to and including the period `as_of`, a
    label or a date in it: to test a pipeline against.

    Of a dimension its rows as of then (of a history, with the ends that are known), of a fact, an event or a snapshot all
    rows delivered so far, of a change log the rows that are there when it is applied. Raises UsageError for an unknown
    table, and for a period outside the window.
    """
    return frame_of(expected_rows(plan, table, find_period(plan.population, as_of))[1])


def validate(plan: Plan, tables: Mapping[str, pd.DataFrame], *, periods: str | None = None) -> Report:
    """Run every check over frames by the names of their tables, and return the report; `text()` is for people.

    Raises UsageError for an unknown table, and for a frame that does not have its columns.
    """
    from plotsim_core.validation.report import check_tables  # slow to import, and few need it

    slice_ = full_slice(plan.population, *(parse_periods(plan, periods) or ()))
    return check_tables(plan, _arrow_tables(plan, tables), slice_.first, slice_.stop)


def restored(
    plan: Plan, tables: Mapping[str, pd.DataFrame], ledger: pd.DataFrame, *, awaited: bool = True
) -> dict[str, pd.DataFrame]:
    """Return tables as they would be without `quality`, by name: those given but for the ledger.

    `tables` are stored rows, of any periods that `ledger` covers too. Rows come in the order of their keys where their table
    was broken, and as they are where it was not. Rows that are held back and have not come yet are among them, unless
    nothing that is `awaited` is wanted; of them and of dropped rows, the ledger does not know what a wide table adds. Raises
    UsageError for an unknown table, and for a frame that does not have its columns.
    """
    rows = rows_of(plan, find_table(plan, LEDGER), ledger)
    return {name: frame_of(table) for name, table in restored_rows(plan, _arrow_tables(plan, tables), rows, awaited).items()}


@overload
def write_tables(
    first: Mapping[str, pd.DataFrame],
    second: Plan,
    /,
    directory: str | Path | None = None,
    *,
    format: str | None = None,
    periods: str | None = None,
) -> dict[str, int]: ...


@overload
def write_tables(
    first: Plan,
    second: str | Path,
    /,
    *,
    format: str | None = None,
    periods: str | None = None,
    tables: Sequence[str] | None = None,
    progress: Progress | None = None,
    with_manifest: bool | None = None,
) -> dict[str, int]: ...


@overload
def write_tables(
    first: Plan,
    /,
    *,
    directory: str | Path,
    format: str | None = None,
    periods: str | None = None,
    tables: Sequence[str] | None = None,
    progress: Progress | None = None,
    with_manifest: bool | None = None,
) -> dict[str, int]: ...


def write_tables(
    first: Plan | Mapping[str, pd.DataFrame],
    second: Plan | str | Path | None = None,
    /,
    directory: str | Path | None = None,
    *,
    format: str | None = None,
    periods: str | None = None,
    tables: Sequence[str] | None = None,
    progress: Progress | None = None,
    with_manifest: bool | None = None,
) -> dict[str, int]:
    """Write tables into a directory, beside a copy of the config; return the rows of each.

    `write_tables(plan, directory)` makes the rows as it writes them, so any number of them fits into memory.
    `write_tables(tables, plan)` writes frames that are there, as `generate_tables` gives them, by default into the config's
    directory, judges them, and adds `validation_report.txt`; `periods` are those that they were made for.

    `format` defaults to that of the config's `output`, whose other options hold too; the address of a PostgreSQL server,
    `postgres://user@host:5432/database`, loads the tables into it, in a schema named as the dataset. Nothing is visible
    before everything is written, and writing again replaces what was there. `progress` is called with (table, rows so far),
    at first with 0 rows. `with_manifest` says whether the manifest is written too: by default if the config says so, and
    not with `periods`, as it goes through all periods before.
    """

    def is_asked(plan: Plan) -> bool:
        return plan.dataset.manifest.include and periods is None if with_manifest is None else with_manifest

    if isinstance(first, Plan):
        folder = second if directory is None else directory
        if folder is None or isinstance(folder, Plan) or (second is not None and directory is not None):
            raise UsageError("expected write_tables(plan, directory), or write_tables(tables, plan, directory)")
        slice_ = full_slice(first.population, *(parse_periods(first, periods) or ()))
        table_plans = [find_table(first, name) for name in tables or [table.name for table in first.tables]]
        streams = partial(in_one_pass, first, table_plans, slice_)
        return _write_streams(first, table_plans, streams, slice_, Path(folder), format, progress, {}, is_asked(first))
    if not isinstance(second, Plan):
        raise UsageError("expected the plan that the tables were made from: write_tables(tables, plan)")
    if tables is not None or progress is not None:
        raise UsageError("`tables` and `progress` are for write_tables(plan, directory): frames are all written, at once")
    slice_ = full_slice(second.population, *(parse_periods(second, periods) or ()))
    rows = _arrow_tables(second, first)
    from plotsim_core.validation.report import check_tables

    report = check_tables(second, rows, slice_.first, slice_.stop)
    table_plans = [find_table(second, name) for name in rows]
    batches = [table.to_batches() for table in rows.values()]
    target = Path(directory if directory is not None else second.dataset.output.directory)
    texts = {REPORT_FILES[0]: [report.text(), "\n"]}
    return _write_streams(
        second, table_plans, lambda folder: batches, slice_, target, format, progress, texts, is_asked(second)
    )


def _arrow_tables(plan: Plan, tables: Mapping[str, pd.DataFrame]) -> dict[str, pa.Table]:
    return {name: rows_of(plan, find_table(plan, name), frame) for name, frame in tables.items()}


def _write_streams(
    plan: Plan,
    table_plans: Sequence[TablePlan],
    streams: Streams,
    slice_: Slice,
    directory: Path,
    format: str | None,
    progress: Progress | None,
    texts: Mapping[str, Iterable[str | bytes]],
    with_manifest: bool,
) -> dict[str, int]:
    """Write rows, and `texts` (file name to the pieces of its text) beside them."""

    def side_files(rows: Mapping[str, int]) -> dict[str, Iterable[str | bytes]]:
        if not with_manifest:
            return dict(texts)
        return {**manifest_files(plan, manifest_head(plan, rows, slice_.stop), slice_.stop), **texts}

    span = slice_.first, slice_.stop
    return write_run(plan, table_plans, streams, directory, format or plan.dataset.output.format, progress, side_files, span)


def sizes(plan: Plan, *, periods: str | None = None, tables: Sequence[str] | None = None) -> tuple[Size, ...]:
    """Return how large tables will be; nothing is made. An open window is taken as long as its span."""
    first, stop = parse_periods(plan, periods) or (plan.first, plan.stop_or_span)
    table_plans = [find_table(plan, name) for name in tables] if tables else plan.tables
    return table_sizes(plan, tuple(table_plans), full_slice(plan.population, first, stop))


def load_template(name: str) -> Plan:
    """Return the plan of a bundled config. Raises UsageError for an unknown one."""
    return load_config(template(name))


def list_templates() -> list[str]:
    """Return the names of the bundled configs."""
    return sorted(path.stem for path in TEMPLATES.glob("*.yaml"))


def template(name: str) -> Path:
    """Return the file of a bundled config, by its name or the beginning of it that no other has (`health`).

    Raises UsageError for an unknown one.
    """
    names = list_templates()
    matches = [candidate for candidate in names if name and candidate.startswith(name)]
    if name not in names and len(matches) != 1:
        raise UsageError(f"no template is named {name!r}; {did_you_mean(name, names)}")
    return TEMPLATES / f"{name if name in names else matches[0]}.yaml"
