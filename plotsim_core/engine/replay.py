"""What needs the past: states that are found by going through the periods from the window's start.

A state is a pure function of (plan, what, units, period). Going through time again for each block would repeat work,
so the latest state of each kind is kept and extended; that only saves time, it never changes a value.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.cohorts import runs
from plotsim_core.engine.roster import NEVER, Units, part, spells, taken
from plotsim_core.plan.plan import Plan

State = TypeVar("State", bound=tuple[NDArray[Any], ...])

_KEPT = 1 << 23
"""How many units' states are kept, over all blocks."""
_states: OrderedDict[tuple[str, str, int, int], tuple[int, Any]] = OrderedDict()
_lock = Lock()


def state_before(
    plan: Plan,
    what: str,
    units: Units,
    period: int,
    initial: Callable[[Units], State],
    advance: Callable[[Units, State, int, int], State],
) -> State:
    """Return the state of units at the beginning of `period`: a tuple of arrays, shape (units,).

    `initial(units)` is the state at the window's start, and until a unit arrives; `advance(units, state, first, stop)` gives
    the state after the periods `first` to `stop` (exclusive) and must not change the one it is given. After its tenure
    nothing of a unit is asked, so its state may stand still.
    """
    parts = [
        _state(plan, what, units, start, stop, first, period, initial, advance)
        for start, stop, first in runs(plan, units.start, units.start + len(units))
    ]
    if len(parts) == 1:
        return parts[0]
    together: Any = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    found: State = together
    return found


def _state(
    plan: Plan,
    what: str,
    units: Units,
    start: int,
    stop: int,
    first: int,
    period: int,
    initial: Callable[[Units], State],
    advance: Callable[[Units, State, int, int], State],
) -> State:
    """Return the state of units `start` to `stop` of the roster, none of which arrives before the period `first`."""
    own = units if stop - start == len(units) else part(units, start, stop)
    last = int(own.leaves.max())
    end = period if last == NEVER else min(period, last + 1)
    place = (plan.digest, what, start, stop - start)
    with _lock:
        kept = _states.get(place)
    begin, found = kept if kept is not None and kept[0] <= end else (first, initial(own))
    for periods, going in spells(own, np.arange(begin, end, dtype=np.int64)):
        if len(going) == len(own):
            found = advance(own, found, periods.start + begin, periods.stop + begin)
        elif len(going):
            some: Any = tuple(array[going] for array in found)
            moved = advance(taken(own, going), some, periods.start + begin, periods.stop + begin)
            put: Any = tuple(_put(array, going, new) for array, new in zip(found, moved, strict=True))
            found = put
    end = max(begin, end)
    with _lock:
        _states[place] = (end, found)
        _states.move_to_end(place)
        while sum(units for *_, units in _states) > _KEPT and len(_states) > 1:
            _states.popitem(last=False)
    return found


def _put(array: NDArray[Any], places: NDArray[np.intp], values: NDArray[Any]) -> NDArray[Any]:
    """Return an array with other values at some places."""
    result = array.copy()
    result[places] = values
    return result
