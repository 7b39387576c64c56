"""What needs the past: states that are found by going through the periods from the window's start.

A state is a pure function of (plan, what, units, period). Going through time again for each block would repeat work,
so the latest state of each kind is kept and extended; that only saves time, it never changes a value.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from plotsim_core.engine.roster import Units
from plotsim_core.plan.plan import Plan

State = TypeVar("State")

_KEPT = 1 << 23
"""How many units' states are kept, over all blocks."""
_states: OrderedDict[tuple[str, str, int, int], tuple[int, Any]] = OrderedDict()
_lock = Lock()


def state_before(
    plan: Plan,
    what: str,
    units: Units,
    period: int,
    initial: Callable[[], State],
    advance: Callable[[State, int, int], State],
) -> State:
    """Return the state at the beginning of `period`.

    `initial()` is the state at the window's start; `advance(state, first, stop)` gives the state after the periods
    `first` to `stop` (exclusive) and must not change the one it is given.
    """
    place = (plan.digest, what, units.start, len(units))
    with _lock:
        kept = _states.get(place)
    begin, found = kept if kept is not None and kept[0] <= period else (plan.first, initial())
    if begin < period:
        found = advance(found, begin, period)
    with _lock:
        _states[place] = (period, found)
        _states.move_to_end(place)
        while sum(units for *_, units in _states) > _KEPT and len(_states) > 1:
            _states.popitem(last=False)
    return found
