"""The two parts of each fact per unit and period under `holdout`: the periods to learn from, and the last ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.holdout import HOLDOUT, TRAIN
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.schemas import DERIVED


def cutoff(dataset: Dataset) -> int | None:
    """Return the first period that is held out; None without a holdout."""
    if dataset.holdout is None:
        return None
    assert dataset.stop is not None
    return dataset.stop - dataset.holdout.periods


def _derive(dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterable[TablePlan]:
    cutoff_period = cutoff(dataset)
    if cutoff_period is None or dataset.holdout is None:
        return
    assert dataset.stop is not None
    target = dataset.holdout.target
    for table in declared:
        if not table.spec.is_per_cell:
            continue
        for suffix, periods, description in (
            (TRAIN, (dataset.first, cutoff_period), f"Rows of {table.name} to learn {target} from."),
            (HOLDOUT, (cutoff_period, dataset.stop), f"Rows of {table.name} that are held out to predict {target} in."),
        ):
            name = f"{table.name}{suffix}"
            spec = table.spec.model_copy(update={"name": name})
            yield replace(table, spec=spec, description=description, shown_table=table.name, periods=periods)


DERIVED.add("holdout", _derive)
