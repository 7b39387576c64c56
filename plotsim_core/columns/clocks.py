"""What columns show of moments: by the clocks of the dataset, typed with a zone, or by the clocks of the row's place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.calendar import Grain
from plotsim_core.numerics.zones import offsets, zone_names

NAIVE = pa.timestamp("us")
_SECOND = 1_000_000


def zone_called(text: str) -> str | None:
    """Return the zone of that name, of which UTC may be written small; None for a name that no zone has."""
    name = "UTC" if text == "utc" else text
    return name if name in zone_names() else None


def typed(instants: ArrowArray, zone: str) -> ArrowArray:
    """Return moments in UTC as a type that says which moment each is, whatever clocks show it."""
    values: ArrowArray = instants.cast(pa.int64()).cast(pa.timestamp("us", zone))
    return values


def shown_in_dataset(instants: ArrowArray, grain: Grain) -> ArrowArray:
    """Return what the clocks of the dataset show at moments in UTC."""
    if grain.zone is None:
        return instants
    return _shifted(instants, grain.zone)


def shown_in_places(instants: ArrowArray, zones: ArrowArray) -> ArrowArray:
    """Return what the clocks of each row's zone show at moments in UTC; null where there is no such zone."""
    encoded: Any = pc.dictionary_encode(zones)
    names: list[str | None] = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    values = _whole(instants)
    is_null = ~np.isin(codes, [code for code, name in enumerate(names) if name in zone_names()])
    for code in np.unique(codes[~is_null]).tolist():
        rows = np.flatnonzero(codes == code)
        values[rows] += offsets(str(names[code]), values[rows] // _SECOND) * _SECOND
    is_null |= instants.is_null().to_numpy(zero_copy_only=False)
    return _moments(values, is_null)


def _shifted(instants: ArrowArray, zone: str) -> ArrowArray:
    values = _whole(instants)
    is_null = instants.is_null().to_numpy(zero_copy_only=False)
    return _moments(values + offsets(zone, values // _SECOND) * _SECOND, is_null)


def _whole(instants: ArrowArray) -> Integers:
    return np.array(instants.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))


def _moments(values: Integers, is_null: NDArray[np.bool_]) -> ArrowArray:
    moments: ArrowArray = pa.array(values, mask=is_null).cast(NAIVE)
    return moments
