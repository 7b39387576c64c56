"""Evaluations of checks that go to the instance without a run, and the partitions that a check knows to be broken.

The open-source Dagster keeps one result per check and run, and takes the latest one for the state of the check. So each
evaluation carries the partitions that are broken, and one that was found broken before stays red, whatever else is made.
(Dagster 1.13 has a partition of an evaluation as a preview, but stores that of one without a run only once for ever.)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import dagster as dg

IN_STORE = "in_store"
"""The check that the partitions which Dagster takes for made are in the store."""
FRESH = "fresh"
"""The check that the latest partition of a table that is due is made."""
_BROKEN = "broken_partitions"
_MAX_RECORDS = 5
"""So many of the latest records of a check are looked at for the last one that has a result: a run plans it before."""
_MAX_NAMED = 5
"""At most so many partitions are named in a sentence; the metadata has them all."""


@dataclass(frozen=True)
class Broken:
    """The partitions that a check knows to be broken, in their order."""

    keys: tuple[str, ...] = ()

    def without(self, keys: Iterable[str]) -> "Broken":
        """Return those that are not among some partitions."""
        excluded_keys = set(keys)
        return Broken(tuple(key for key in self.keys if key not in excluded_keys))

    def union(self, keys: Iterable[str]) -> "Broken":
        """Return these together with further partitions."""
        return Broken(tuple(sorted({*self.keys, *keys})))

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata by which an evaluation carries them."""
        return {_BROKEN: dg.MetadataValue.json(list(self.keys))} if self.keys else {}

    def __str__(self) -> str:
        suffix = f" and {len(self.keys) - _MAX_NAMED} more" if len(self.keys) > _MAX_NAMED else ""
        return f"{', '.join(self.keys[:_MAX_NAMED])}{suffix}"


def evaluation(
    key: dg.AssetCheckKey, broken: Broken, passed: bool, description: str, severity: dg.AssetCheckSeverity, blocking: bool
) -> dg.AssetCheckEvaluation:
    """Return the evaluation of a check that is reported without a run."""
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=passed,
        severity=severity,
        description=description,
        blocking=blocking,
        metadata=broken.metadata,
    )


def latest(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    """Return the latest evaluation of a check; None where it has none."""
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=_MAX_RECORDS):
        event = record.event.dagster_event if record.event is not None else None
        if event is not None and event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            return event.asset_check_evaluation_data
    return None


def broken_in(evaluated: dg.AssetCheckEvaluation | None) -> Broken:
    """Return the partitions that an evaluation knows to be broken."""
    value = evaluated.metadata.get(_BROKEN) if evaluated is not None else None
    keys = value.value if isinstance(value, dg.JsonMetadataValue) else None
    return Broken(tuple(str(key) for key in keys or ()))
