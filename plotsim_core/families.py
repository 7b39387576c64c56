"""Open families: the one way to have many of a thing.

A family is a named table of members (distributions, curves, column sources, table kinds, formats, checks ...).
Members join by `add`, usually as the last line of the file that defines them; a second member of the same name
is refused, and an unknown name is answered with the nearest known one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

Member = TypeVar("Member")

_LISTED, _FEW = 24, 4


class UnknownMember(LookupError):
    """A name that no member of a family has; `str()` of it is a sentence for people, `hint` what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        self.message, self.hint = message, hint
        super().__init__(f"{message}; {hint}")


def did_you_mean(name: str, known_names: list[str], page: str = "") -> str:
    """Return `did you mean 'x'?` for the nearest known name, or what there is when nothing is near: of very many the nearest
    few, and the `page` that lists all."""
    known_names = [known_name for known_name in known_names if known_name]
    nearest_name = nearest(name, known_names)
    if nearest_name is not None:
        return f"did you mean '{nearest_name}'?"
    if len(known_names) > _LISTED and page:
        close_names = get_close_matches(name[:64], known_names, n=_FEW, cutoff=0.3)
        nearest_text = f"nearest: {', '.join(close_names)}; " if close_names else ""
        return f"{nearest_text}all {len(known_names)} are listed in {page}"
    if len(known_names) > _LISTED:
        return f"known: {', '.join(known_names[: _LISTED // 2])} and {len(known_names) - _LISTED // 2} more"
    return f"known: {', '.join(known_names)}" if known_names else "there are none"


def nearest(name: str, known_names: list[str]) -> str | None:
    """Return the known name that `name` is probably a misspelling of, or None."""
    return next(iter(get_close_matches(name[:64], known_names, n=1, cutoff=0.66)), None)


class Family(Generic[Member]):
    """A named, ordered table of members; iteration gives the names in the order they were added. `page` lists them.

    `complete` is called before each look into the table: a function that imports the members of other distributions.
    """

    def __init__(self, noun: str, page: str = "", complete: Callable[[], None] | None = None) -> None:
        self.noun, self.page = noun, page
        self._complete = complete
        self._members: dict[str, Member] = {}

    def add(self, name: str, member: Member) -> Member:
        """Add `member` under `name` and return it. Raises ValueError if the name is taken."""
        if name in self._members:
            raise ValueError(f"there is already a {self.noun} named {name!r}")
        self._members[name] = member
        return member

    def __getitem__(self, name: str) -> Member:
        members = self._all()
        try:
            return members[name]
        except KeyError:
            raise UnknownMember(f"no {self.noun} is named '{name}'", did_you_mean(name, list(members), self.page)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def items(self) -> list[tuple[str, Member]]:
        """Return (name, member) pairs in the order they were added."""
        return list(self._all().items())

    def _all(self) -> dict[str, Member]:
        if self._complete is not None:
            self._complete()
        return self._members
