"""What one run makes otherwise than the config says: `resources: {saas_parameters: {config: {seed: 7}}}` in the launchpad,
or options of `plotsim materialize`. A run writes to the store of its code location, which is no parameter of a run."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, get_args

import dagster as dg

from plotsim_core import ConfigError, Plan, UsageError, from_mapping, sizes
from plotsim_core.config.output import Compression
from plotsim_core.config.overrides import NONE
from plotsim_core.numerics.noise import PRESETS
from plotsim_pipeline.stores.duckdb_lock import wait_limit
from plotsim_pipeline.stores.placement import PARAMETERS
from plotsim_pipeline.stores.store import Partitions, Store

_MAX_NAMED = 3
_WAIT_SECONDS = 20.0
"""How long a launch waits for a store that is busy."""


def _words(name: str, words: Iterable[str]) -> dg.Enum:
    return dg.Enum(name, [dg.EnumValue(word) for word in words])


def _optional(type_: Any, description: str) -> dg.Field:
    return dg.Field(type_, is_required=False, description=description)


FIELDS = {
    "seed": _optional(dg.Int, "Another number gives other values of the same dataset."),
    "scale": _optional(dg.Float, "Multiplies the number of units."),
    "target_rows": _optional(dg.Int, "Instead of scale: about how many rows all tables have."),
    "noise": _optional(_words("Noise", [NONE, *PRESETS]), "Noise of all metrics: none, or a preset."),
    "compression": _optional(_words("Compression", get_args(Compression)), "How Parquet is compressed."),
}
"""The parameters of a run, by name."""


def parameters_of(plan: Plan, locate: Callable[[], Store]) -> dg.ResourceDefinition:
    """Return the resource with the parameters of a run of a dataset; `locate()` gives the store.

    Dagster maps the config of a run when it is launched, before there is a run: so a launch is refused whose parameters are
    wrong, or contradict what is stored, and no asset turns red whose rows are intact.
    """

    def checked_parameters(config: Mapping[str, Any]) -> dict[str, Any]:
        parameters = {name: value for name, value in config.items() if value is not None}
        try:
            run_plan = plan_with(plan, parameters)
        except (ConfigError, UsageError) as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        if run_plan.digest != plan.digest:
            with wait_limit(_WAIT_SECONDS):
                store = locate()
                refuse_mixture(run_plan, store, store.records(plan.name))
        return parameters

    description = "What a run makes otherwise than the config says; what is not given is as the config has it."
    resource = dg.ResourceDefinition(lambda context: dict(context.resource_config), dict, description)
    return resource.configured(checked_parameters, config_schema=FIELDS, description=description)


def plan_with(plan: Plan, parameters: Mapping[str, Any]) -> Plan:
    """Return a dataset's plan with the given parameters, as if the config said them. Raises ConfigError or UsageError for
    what cannot be."""
    words = tuple((name, parameters[name]) for name in FIELDS if name in parameters)
    return _plan_with(plan, words) if words else plan


@lru_cache(maxsize=16)
def _plan_with(plan: Plan, words: tuple[tuple[str, Any], ...]) -> Plan:
    return from_mapping(plan.raw, name=plan.name, source=f"{plan.name} with {dict(words)}", **dict(words))


@lru_cache(maxsize=64)
def expected_rows(plan: Plan) -> int:
    """Return how many rows the whole dataset is expected to have."""
    return sum(size.rows for size in sizes(plan))


def parameter_metadata(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata by which an asset tells people, its store and the run log what it makes otherwise."""
    return {PARAMETERS: dg.MetadataValue.json(dict(parameters))} if parameters else {}


def refuse_mixture(
    plan: Plan, store: Store, partitions: Partitions, replaced: Iterable[str] = (), keys: Iterable[str] = ()
) -> None:
    """Raise Failure if any of the stored `partitions` of a dataset is not made from this plan, but for the partitions `keys`
    of the tables `replaced`, and for those of them that are states."""
    replaced_tables, replaced_keys = set(replaced), set(keys)
    states = {table.name for table in plan.tables if table.time is None}
    other_partitions: dict[str, list[str]] = {}
    for table, table_partitions in partitions.items():
        for key, partition in table_partitions.items():
            if partition.digest != plan.digest and not (
                table in replaced_tables and (key in replaced_keys or table in states)
            ):
                other_partitions.setdefault(partition.digest, []).append(f"{table} {key}")
    if other_partitions:
        digest, names = next(iter(other_partitions.items()))
        suffix = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
        raise dg.Failure(
            f"{plan.name} in {store.path} holds partitions of digest {digest} ({', '.join(names[:_MAX_NAMED])}{suffix}), "
            f"and the parameters of this run give {plan.digest}: they would not go together. Nothing was made. "
            f"Make all of it with these parameters (`plotsim materialize {plan.name}` without --tables and "
            "--partition-range), take another store, or leave the parameters away",
            allow_retries=False,
        )
