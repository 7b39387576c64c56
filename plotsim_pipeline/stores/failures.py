"""What goes wrong with a store, in a sentence: what happened, that nothing is half, what to do."""

import errno
import random
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from plotsim_core import UsageError

TRIES = 3
"""How often a step is tried again that has lost its store."""
_NOTHING_HALF = "Every partition is as it was or as it should be"


@dataclass(frozen=True)
class _FailureKind:
    """A kind of failure: its errno numbers and words, its description and remedy, and whether a retry may help."""

    errnos: frozenset[int]
    words: tuple[str, ...]
    description: str
    remedy: str
    may_pass: bool = False


_KINDS = (
    _FailureKind(
        frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}),
        ("no space left", "disk quota exceeded", "file too large", "disk is full"),
        "there is no space left on the device",
        "Free some space and run again",
    ),
    _FailureKind(
        frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}),
        ("read-only file system", "permission denied", "operation not permitted", "access denied", "accessdenied"),
        "it cannot be written",
        "Let this user write there, or choose another place with PLOTSIM_STORE_PATH, and run again",
    ),
    _FailureKind(
        frozenset(
            {errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPIPE}
        ),
        (
            "could not connect",
            "connection refused",
            "connection reset",
            "connection was closed",
            "connection aborted",
            "connect timeout",
            "timed out",
            "error sending request",
            "name or service not known",
        ),
        "it cannot be reached",
        "See that it is up and run again",
        may_pass=True,
    ),
)


def failure_of(error: BaseException, subject: str, path: str, tried: int = 0) -> dg.Failure | dg.RetryRequested | None:
    """Return how the failure of writing `subject` to the store at `path` is told, or None for one that has no better words.

    A lost store is asked for again some seconds later, up to `TRIES` times: `tried` says how often the step was tried
    before.
    """
    if not isinstance(error, Exception) or isinstance(error, dg.Failure | dg.RetryRequested):
        return None
    if isinstance(error, UsageError):  # rows that no store can take
        return dg.Failure(str(error), allow_retries=False)
    chain = list(_causes(error))
    numbers = {number for cause in chain if isinstance(number := getattr(cause, "errno", None), int)}
    words = " ".join(str(cause) for cause in chain).lower()
    for kind in _KINDS:
        if kind.errnos & numbers or any(word in words for word in kind.words):
            lines = str(chain[0]).strip().splitlines() or [type(error).__name__]
            failure = dg.Failure(
                f"{subject} is not written to {path}: {kind.description} ({lines[0]}). {_NOTHING_HALF}. {kind.remedy}.",
                allow_retries=False,
            )
            if kind.may_pass and tried < TRIES:
                retry = dg.RetryRequested(TRIES, seconds_to_wait=2.0**tried * random.uniform(0.5, 1.5))
                retry.__cause__ = failure
                return retry
            return failure
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its chain of causes."""
    seen_ids: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen_ids:
        seen_ids.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
