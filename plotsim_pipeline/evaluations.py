"""Evaluations of checks for single partitions, which a run does not report by itself: the open-source Dagster stores one
result per check and run. They go to the instance without a run."""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

IN_STORE = "in_store"
"""The check that the partitions which Dagster takes for made are in the store."""
_BROKEN = "broken_partitions"
_LOOKED_AT = 5
"""So many of the latest records of a check are looked at for the last one that has a result: a run plans it before."""
_MOST = 50
"""At most so many partitions of a check get an evaluation of their own at a time; the list in the metadata has them all."""
_BY_PARTITION = "partition" in inspect.signature(dg.AssetCheckEvaluation).parameters
"""Whether this Dagster keeps the partition of an evaluation (a preview since 1.13)."""


@dataclass(frozen=True)
class Broken:
    """The partitions that a check knows to be broken, in their order. Each evaluation carries them, so that the latest one
    tells all."""

    keys: tuple[str, ...] = ()

    def without(self, keys: Iterable[str]) -> "Broken":
        """Return those that are not among some partitions."""
        left_out = set(keys)
        return Broken(tuple(key for key in self.keys if key not in left_out))

    @property
    def metadata(self) -> dict[str, Any]:
        return {_BROKEN: dg.MetadataValue.json(list(self.keys))} if self.keys else {}


@dataclass(frozen=True)
class Evaluation:
    """What the evaluations of a check's partitions have in common."""

    key: dg.AssetCheckKey
    severity: dg.AssetCheckSeverity
    blocking: bool
    says: str
    broken: Broken


def broken_before(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> Broken:
    """Return the partitions that the latest evaluation of a check knew to be broken."""
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=_LOOKED_AT):
        event = record.event.dagster_event if record.event is not None else None
        if event is not None and event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            value = evaluation.metadata.get(_BROKEN)
            return Broken(tuple(str(key) for key in value.value)) if value is not None else Broken()  # type: ignore[union-attr]
    return Broken()


def events_of(
    evaluation: Evaluation, healed: Sequence[str], broken: Sequence[str], remaining: Sequence[str], passed: bool = True
) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield the evaluations of a check's partitions: those `healed`, then those found `broken` and those that `remain` so.
    Broken ones come last, so that the check shows red. Where not `passed` without any partition to name, the table as a
    whole is evaluated."""
    for key in healed[-_MOST:]:
        yield _event(evaluation, True, key, "sound again")
    whole: list[str | None] = [None] if not passed and not broken else []
    for partition in [*whole, *broken[-_MOST:]]:
        yield _event(evaluation, False, partition, evaluation.says)
    for key in remaining[-_MOST:]:
        yield _event(evaluation, False, key, f"{key} was found broken before, and was not made or judged since")


def report(instance: dg.DagsterInstance, events: Iterable[dg.AssetCheckEvaluation]) -> None:
    """Report evaluations to an instance, without a run."""
    for event in events:
        instance.report_runless_asset_event(event)


def _event(evaluation: Evaluation, passed: bool, partition: str | None, says: str) -> dg.AssetCheckEvaluation:
    more: dict[str, Any] = {"partition": partition} if _BY_PARTITION and partition is not None else {}
    return dg.AssetCheckEvaluation(
        asset_key=evaluation.key.asset_key,
        check_name=evaluation.key.name,
        passed=passed,
        severity=evaluation.severity,
        description=says,
        blocking=evaluation.blocking,
        metadata=evaluation.broken.metadata,
        **more,
    )
