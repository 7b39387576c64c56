"""The public face: load a config, make its tables, write them. Importing it makes every family known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from plotsim_core.config import load, read
from plotsim_core.config.check import Parts
from plotsim_core.config.dataset import dataset_name
from plotsim_core.config.notes import notes
from plotsim_core.config.override import overridden
from plotsim_core.engine.pooled import given
from plotsim_core.engine.slice import whole
from plotsim_core.errors import ConfigError, UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.target import scale_to
from plotsim_core.output.format import Progress
from plotsim_core.output.run import write_run
from plotsim_core.plan.plan import Plan
from plotsim_core.plan.resolve import Numbers, numbers, phase_connections, resolve
from plotsim_core.tables.build import build, find_table
from plotsim_core.tables.size import Size
from plotsim_core.tables.size import sizes as table_sizes
from plotsim_core.truth.expected import expected_rows
from plotsim_core.truth.explain import Explanation, explain
from plotsim_core.truth.find import find_period
from plotsim_core.truth.manifest import MANIFEST, manifest, manifest_text
from plotsim_core.truth.restore import restored

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Explanation",
    "Progress",
    "Size",
    "batches",
    "create",
    "create_from_yaml",
    "expected_state",
    "explain",
    "from_mapping",
    "generate_tables",
    "list_templates",
    "load_config",
    "manifest",
    "parse_periods",
    "restored",
    "sizes",
    "template",
    "write_tables",
]

TEMPLATES = next(
    folder / "configs" for folder in (Path(__file__).parent, Path(__file__).parent.parent) if (folder / "configs").is_dir()
)
"""The bundled configs: beside the packages in a checkout, inside this one in a wheel."""


def load_config(
    path: str | Path,
    *,
    seed: int | None = None,
    scale: float | None = None,
    target_rows: int | None = None,
    noise: str | None = None,
    compression: str | None = None,
) -> Plan:
    """Read a YAML config and return its plan. What is given overrides the file's and is recorded as its own (see
    `from_mapping`).

    Raises ConfigError with everything that is wrong, UsageError for a request that makes no sense.
    """
    plan = from_mapping(
        read.read(Path(path)),
        name=Path(path).stem,
        source=str(path),
        seed=seed,
        scale=scale,
        target_rows=target_rows,
        noise=noise,
        compression=compression,
    )
    return replace(plan, file=str(Path(path).absolute()))


def create_from_yaml(text: str | Path) -> Plan:
    """Return the plan of a config given as a path or as YAML text."""
    if isinstance(text, Path) or "\n" not in text:
        return load_config(text)
    return from_mapping(read.read_text(text, "config"), name="dataset")


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
) -> Plan:
    """Return the plan of a config given as what its YAML says, with other words in it where they are given.

    `noise` is a preset, or none, for all metrics. `target_rows` is how many rows all tables shall have together: the scale
    is solved so that the expected rows (`sizes`) come within 1 % of it, or as near as whole units allow. Raises ConfigError
    with everything that is wrong, UsageError for both a scale and target rows, and for an unknown noise.
    """
    raw = overridden(raw, seed=seed, scale=scale, noise=noise, compression=compression)
    if target_rows is not None:
        if scale is not None:
            raise UsageError("either the scale or the target rows can be given: one follows from the other")
        return _of_rows(raw, name, source, target_rows)
    return _loaded(raw, name, source)


def _of_rows(raw: Any, name: str, source: str, target_rows: int) -> Plan:
    """Return the plan of a config at the scale at which its tables are expected to have so many rows together."""
    plans = {(first := _loaded(raw, name, source)).dataset.scale: first}

    def rows(scale: float) -> float:
        if scale not in plans:
            plans[scale] = _loaded({**raw, "scale": scale}, name, source)
        return float(sum(size.rows for size in sizes(plans[scale])))

    return plans[scale_to(rows, target_rows, first.dataset.scale, 1e-6, 1e6)]


def _loaded(raw: Any, name: str, source: str) -> Plan:
    parts, problems = load.parse(raw)
    solved = []
    for path, own in [*parts.get("units", ()), ("", parts)]:
        dot = f"{path}." if path else ""
        found = None
        if own.get("metrics") and not any(p.path.startswith((f"{dot}metrics", f"{dot}connection")) for p in problems):
            connections = [item for item in own["connections"] if not item[1].pooled]
            found = numbers(own["metrics"], connections, phase_connections(own["connection_phases"]))
            problems = [*problems, *(problem.under(path) for problem in found.problems)]
        solved.append((path, own, found))
    if problems or any(found is None for *_, found in solved):
        raise ConfigError(problems, source)
    plans: list[Plan] = []
    for path, own, found in solved:
        assert found is not None
        plans.append(_resolved(dataset_name(name), own, found, own.get("raw", raw), tuple(plans), path, source))
    return plans[-1]


def _resolved(
    name: str, parts: Parts, found: Numbers, raw: Mapping[str, Any], others: tuple[Plan, ...], path: str, source: str
) -> Plan:
    """Return the plan of one kind of unit; pooled connections are solved against the units themselves."""
    inherited = parts.get("inherited", frozenset())
    found.warnings[:] = [
        warning.under(path) for warning in (*found.warnings, *notes(load.dataset(parts), inherited if path else None))
    ]
    if not path:
        found.warnings.extend(warning for other in others for warning in other.warnings)
    plan = resolve(name, load.dataset(parts), found, raw, others, inherited)
    if not any(connection.pooled for _, connection in parts["connections"]):
        return plan
    connections, problems, warnings = given(plan, parts["connections"])
    again = numbers(parts["metrics"], connections, phase_connections(parts["connection_phases"]))
    if problems or again.problems:
        raise ConfigError([problem.under(path) for problem in (*problems, *again.problems)], source)
    again.warnings.extend([*found.warnings, *(warning.under(path) for warning in warnings)])
    return resolve(name, load.dataset(parts), again, raw, others, inherited)


def parse_periods(plan: Plan, text: str | None) -> tuple[int, int] | None:
    """Return (first, stop) of periods written `A..B` (both included) or `A`, as dates or labels; None for None.

    Raises UsageError for anything else.
    """
    if text is None:
        return None
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
    found = find_table(plan, table)
    return plan.schema(found), build(plan, found, whole(plan, first, stop))


def generate_tables(
    plan: Plan, *, periods: str | None = None, tables: Sequence[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Return tables as pandas frames, by name. `periods` is `A..B`; `tables` defaults to all tables of the config."""
    first, stop = parse_periods(plan, periods) or (None, None)
    return {name: _frame(plan, name, first, stop) for name in tables or [table.name for table in plan.tables]}


def expected_state(plan: Plan, table: str, as_of: str) -> pd.DataFrame:
    """Return what a warehouse must hold of a table when it has taken in everything up to and including the period `as_of`, a
    label or a date in it: to test a pipeline against.

    Of a dimension its rows as of then (of a history, with the ends that are known), of a fact, an event or a snapshot all
    rows delivered so far, of a change log the rows that are there when it is applied. Raises UsageError for an unknown
    table, and for a period outside the window.
    """
    return _framed(expected_rows(plan, table, find_period(plan, as_of))[1])


def _frame(plan: Plan, name: str, first: int | None, stop: int | None) -> pd.DataFrame:
    schema, made = batches(plan, name, first, stop)
    return _framed(pa.Table.from_batches(made, schema))


def _framed(table: pa.Table) -> pd.DataFrame:
    import pandas as pd  # slow to import, and needed here alone

    frame: pd.DataFrame = table.to_pandas()
    for field in table.schema:
        if field.nullable and pa.types.is_struct(field.type):  # whole numbers in one stay whole where another is missing
            frame[field.name] = pd.Series(table[field.name].to_pylist(), dtype=object)
        if field.nullable and field.type == pa.int64():  # whole numbers stay whole where some are missing
            frame[field.name] = table[field.name].to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame


def write_tables(
    plan: Plan,
    directory: str | Path,
    *,
    format: str | None = None,
    periods: str | None = None,
    tables: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write tables into a directory, beside the manifest and a copy of the config; return the rows of each.

    `format` defaults to that of the config's `output`, whose other options hold too. Nothing is visible before everything
    is written, and writing again replaces what was there. `progress` is called with (table, rows so far), at first with 0
    rows.
    """
    first, stop = parse_periods(plan, periods) or (None, None)
    names = list(tables) if tables else [table.name for table in plan.tables]
    slice_ = whole(plan, first, stop)
    found = [find_table(plan, name) for name in names]
    made = [(table, build(plan, table, slice_)) for table in found]
    beside = partial(_beside, plan, slice_.stop)
    span = slice_.first, slice_.stop
    return write_run(plan, made, Path(directory), format or plan.dataset.output.format, progress, beside, span)


def _beside(plan: Plan, stop: int, rows: Mapping[str, int]) -> dict[str, Iterable[str]]:
    """Return what is written beside the tables of a run, file name to the pieces of its text."""
    return {MANIFEST: manifest_text(plan, rows, stop)} if plan.dataset.manifest.include else {}


def sizes(plan: Plan, *, periods: str | None = None, tables: Sequence[str] | None = None) -> tuple[Size, ...]:
    """Return how large tables will be; nothing is made. An open window is taken as long as its span."""
    end = plan.stop if plan.stop is not None else plan.first + plan.span
    first, stop = parse_periods(plan, periods) or (plan.first, end)
    found = [find_table(plan, name) for name in tables] if tables else plan.tables
    return table_sizes(plan, tuple(found), whole(plan, first, stop))


def list_templates() -> list[str]:
    """Return the names of the bundled configs."""
    return sorted(path.stem for path in TEMPLATES.glob("*.yaml"))


def template(name: str) -> Path:
    """Return the file of a bundled config. Raises UsageError for an unknown one."""
    names = list_templates()
    if name not in names:
        raise UsageError(f"no template is named {name!r}; {did_you_mean(name, names)}")
    return TEMPLATES / f"{name}.yaml"
