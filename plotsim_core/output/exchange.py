"""Two folders that take each other's place at one instant, where the system can."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

_HERE = -100
"""AT_FDCWD of Linux: paths are as they stand."""
_SWAP = 2
"""RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS."""


def _exchange_call() -> Callable[[bytes, bytes], int] | None:
    """Return the system call that swaps two paths (0: success); None if the system has none."""
    name = {"linux": "renameat2", "darwin": "renamex_np"}.get(sys.platform)
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if function is None:
        return None
    if name == "renameat2":
        return lambda first, second: int(function(_HERE, first, _HERE, second, ctypes.c_uint(_SWAP)))
    return lambda first, second: int(function(first, second, ctypes.c_uint(_SWAP)))


_EXCHANGE = _exchange_call()


def can_exchange() -> bool:
    """Return whether the system knows how to; a file system may refuse all the same."""
    return _EXCHANGE is not None


def exchange_folders(first: Path, second: Path) -> bool:
    """Let two folders take each other's place; return whether they did. Where not, both are what they were."""
    return _EXCHANGE is not None and _EXCHANGE(os.fsencode(first), os.fsencode(second)) == 0
