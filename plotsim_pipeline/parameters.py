"""What one run makes otherwise than the config says: `resources: {parameters: {config: {seed: 7}}}` in the launchpad."""

from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args

import dagster as dg
from pydantic import Field

from plotsim_core import Plan, from_mapping, sizes
from plotsim_core.config.output import Compression
from plotsim_core.config.override import NONE
from plotsim_core.numerics.noise import PRESETS
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import PARAMETERS, Store

CODE_VERSION = "dagster/code_version"
_SHOWN = 3


def _words(name: str, words: Iterable[str]) -> Any:
    return Enum(name, {word: word for word in words})


if TYPE_CHECKING:  # the words are known when it runs
    NoiseWord = Enum
    StoreWord = Enum
    CompressionWord = Enum
else:
    NoiseWord = _words("NoiseWord", [NONE, *PRESETS])
    StoreWord = _words("StoreWord", STORES)
    CompressionWord = _words("CompressionWord", get_args(Compression))


class Parameters(dg.ConfigurableResource[Any]):
    """What a run makes otherwise than the config says; what is not given is as the config has it.

    What changes the data enters the digest as if the config said it: a run is refused whose digest is not that of what the
    store holds of the dataset, outside of what the run replaces.
    """

    seed: int | None = Field(default=None, description="Another number gives other values of the same dataset.")
    scale: float | None = Field(default=None, description="Multiplies the number of units.")
    target_rows: int | None = Field(default=None, description="Instead of scale: about how many rows all tables have.")
    noise: NoiseWord | None = Field(default=None, description="Noise of all metrics: none, or a preset.")
    store: StoreWord | None = Field(default=None, description="What kind of store to write to.")
    path: str | None = Field(default=None, description="Where that store lies: a file, a folder or a URL.")
    compression: CompressionWord | None = Field(default=None, description="How Parquet is compressed.")

    def given(self) -> dict[str, Any]:
        """Return what is given, by name."""
        said = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: getattr(value, "value", value) for name, value in said.items() if value is not None}


NOTHING = Parameters()
"""The resource as it is unless a run says otherwise."""
_DATA = ("seed", "scale", "target_rows", "noise", "compression")


def plan_with(plan: Plan, parameters: Mapping[str, Any]) -> Plan:
    """Return a dataset's plan with the given parameters, as if the config said them. Raises ConfigError or UsageError for
    what cannot be."""
    words = tuple((name, parameters[name]) for name in _DATA if name in parameters)
    return _plan_with(plan, words) if words else plan


@lru_cache(maxsize=16)
def _plan_with(plan: Plan, words: tuple[tuple[str, Any], ...]) -> Plan:
    return from_mapping(plan.raw, name=plan.name, source=f"{plan.name} with {dict(words)}", **dict(words))


@lru_cache(maxsize=64)
def expected_rows(plan: Plan) -> int:
    """Return how many rows the whole dataset is expected to have."""
    return sum(size.rows for size in sizes(plan))


def target_rows(plan: Plan, parameters: Mapping[str, Any]) -> int:
    """Return how many rows a run with the given parameters wants the whole dataset to have."""
    return int(parameters.get("target_rows") or expected_rows(plan_with(plan, parameters)))


def said(plan: Plan, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata by which an asset tells people, its store and the run log what it makes otherwise."""
    return {PARAMETERS: dg.MetadataValue.json(dict(parameters))} if parameters else {}


def refuse_mixture(plan: Plan, store: Store, replaced: Iterable[str], keys: Iterable[str]) -> None:
    """Raise Failure if a store holds anything of a dataset that is not made from this plan, but for the partitions `keys`
    of the tables `replaced`, and for those of them that are states."""
    tables, there = set(replaced), set(keys)
    timed = {table.name for table in plan.tables if table.time is None}
    other: dict[str, list[str]] = {}
    for table, kept in store.held(plan.name).items():
        for key, (_, digest) in kept.items():
            if digest != plan.digest and not (table in tables and (key in there or table in timed)):
                other.setdefault(digest, []).append(f"{table} {key}")
    if other:
        digest, places = next(iter(other.items()))
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        raise dg.Failure(
            f"{plan.name} in {store.path} holds partitions of digest {digest} ({', '.join(places[:_SHOWN])}{more}), and the "
            f"parameters of this run give {plan.digest}: they would not go together. Make all partitions with these "
            "parameters, write to another store, or leave the parameters away",
            allow_retries=False,
        )
