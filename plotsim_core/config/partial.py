"""A partial part: one of which some fields are wrong, so that its checks tell what else is wrong.

A wrong field holds `UNREAD`. A check that looks at it ends there, as nothing can be said of what is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, NoReturn, TypeVar, cast

from pydantic import ValidationError, ValidationInfo, create_model, field_validator

from plotsim_core.config.model import Part
from plotsim_core.errors import Problem, ProblemError

P = TypeVar("P", bound=Part)


class UnreadError(Exception):
    """Raised where a check looks at a field that is wrong."""


class Unread:
    """The value of a field that is wrong: it is there, and whoever looks at it learns nothing."""

    def _refuse(self, *_: object) -> NoReturn:
        raise UnreadError

    __getattr__ = __getitem__ = __contains__ = __iter__ = __len__ = __bool__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse
    __add__ = __sub__ = __mul__ = __str__ = __format__ = _refuse


UNREAD = Unread()


def partial_part(model: type[P], written: Mapping[str, Any], needed: Iterable[str]) -> P | None:
    """Return a part in which wrong and missing fields are `UNREAD`, whatever its checks say; None where a field is wrong
    that is `needed`, or its fields cannot be told apart."""
    fields: dict[str, Any] = {}
    with suppress(ValidationError, UnreadError, TypeError):
        _validated(model, written, fields)
    if any(name not in fields or fields[name] is UNREAD for name in needed):
        return None
    return cast(P, model.model_construct(**fields))


def partial_problems(model: type[Part], written: Mapping[str, Any]) -> list[Problem]:
    """Return what the checks of a part find wrong beside its wrong fields, with paths that begin at the part."""
    try:
        _validated(model, written)
    except (UnreadError, TypeError):  # a function of another library refuses `UNREAD` as a type
        return []
    except ValidationError as error:
        causes = (details.get("ctx", {}).get("error") for details in error.errors())
        return [problem for cause in causes if isinstance(cause, ProblemError) for problem in cause.problems]
    return []


def is_read(part: Part) -> bool:
    """Return whether no field of a part is wrong."""
    return all(value is not UNREAD for value in part.__dict__.values())


def known_problems(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield the problems that a check finds before it looks at a wrong field."""
    try:
        yield from problems
    except UnreadError:
        return


def _validated(model: type[P], written: Mapping[str, Any], fields: dict[str, Any] | None = None) -> P:
    """Return a part of which wrong fields are `UNREAD`, if its checks find nothing; `fields` gets them all in any case."""
    words = {field.alias or name: field for name, field in model.model_fields.items()}
    missing = {word: UNREAD for word, field in words.items() if field.is_required() and word not in written}
    known = {word: value for word, value in written.items() if word in words}
    part: P = _lenient(model).model_validate({**known, **missing}, context=fields)
    return part


@lru_cache(maxsize=256)
def _lenient(model: type[P]) -> type[P]:
    """Return a model in which a wrong field is `UNREAD`; its checks are those of `model`."""
    validator = field_validator("*", mode="wrap")(_read_or_unread)
    return create_model(model.__name__, __base__=model, __module__=__name__, __validators__={"read_or_unread": validator})


def _read_or_unread(cls: type[Part], value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
    try:
        result = handler(value)
    except (ValidationError, ValueError, UnreadError):
        result = UNREAD
    if info.context is not None:
        info.context[info.field_name] = result
    return result
