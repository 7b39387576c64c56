"""A partial part: one of which some fields are wrong, so that its checks tell what else is wrong.

A wrong field holds `UNREAD`, and so does one whose key seems to be misspelt. A part inside is partial in its turn. A check
that looks at what is wrong ends there, as nothing can be said of what is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from inspect import isabstract
from types import UnionType
from typing import Any, NoReturn, TypeVar, cast

from pydantic import ValidationError, ValidationInfo, create_model, field_validator

from plotsim_core.config.model import Part
from plotsim_core.errors import Problem, ProblemError
from plotsim_core.families import nearest

P = TypeVar("P", bound=Part)


class UnreadError(Exception):
    """Raised where a check looks at a field that is wrong."""


class Unread:
    """The value of a field that is wrong: it is there, and whoever looks at it learns nothing."""

    def _refuse(self, *_: object) -> NoReturn:
        raise UnreadError

    __getattr__ = __getitem__ = __contains__ = __iter__ = __len__ = __bool__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse
    __add__ = __sub__ = __mul__ = __truediv__ = __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __neg__ = _refuse
    __float__ = __int__ = __index__ = __call__ = __str__ = __format__ = _refuse


UNREAD = Unread()


def partial_part(model: type[P], written: Mapping[str, Any], needed: Iterable[str]) -> P | None:
    """Return a part in which wrong and missing fields are `UNREAD`, whatever its checks say; None where a field is wrong
    that is `needed`, its fields cannot be told apart, or the model is that of a family."""
    if isabstract(model):
        return None
    fields: dict[str, Any] = {}
    with suppress(ValidationError, UnreadError, TypeError):
        _validated(model, written, fields)
    names = {field.alias or name: name for name, field in model.model_fields.items()}
    if any(names[word] not in fields for word in written if word in names):  # a check before that of all fields ended it
        fields = dict.fromkeys(model.model_fields, UNREAD) | fields
    if any(fields.get(name, UNREAD) is UNREAD for name in needed):
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


def known_problems(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield the problems that a check finds before it looks at a wrong field."""
    try:
        yield from problems
    except UnreadError:
        return
    except TypeError as error:  # a function of another library refuses `UNREAD` as a type
        if Unread.__name__ not in str(error):
            raise
    except ValidationError as error:  # and so does a model that a check makes
        if not any(details["input"] is UNREAD for details in error.errors()):
            raise


def refuse(*checks: Iterable[Problem]) -> None:
    """Raise ProblemError with what the checks of a part find, each before it looks at a wrong field; nothing if they find
    nothing."""
    problems = [problem for check in checks for problem in known_problems(check)]
    if problems:
        raise ProblemError(*problems)


def _validated(model: type[P], written: Mapping[str, Any], fields: dict[str, Any] | None = None) -> P:
    """Return a part of which wrong fields are `UNREAD`, if its checks find nothing; `fields` gets them all in any case."""
    words = {field.alias or name: field for name, field in model.model_fields.items()}
    absent_words = [word for word in words if word not in written]
    misspelt_words = {nearest(str(key), absent_words) for key in written if key not in words}
    unread = {word: UNREAD for word in absent_words if words[word].is_required() or word in misspelt_words}
    known = {word: value for word, value in written.items() if word in words}
    part: P = _lenient(model).model_validate({**known, **unread}, context=fields)
    return part


@lru_cache(maxsize=256)
def _lenient(model: type[P]) -> type[P]:
    """Return a model in which a wrong field is `UNREAD`; its checks are those of `model`."""
    validator = field_validator("*", mode="wrap")(_read_or_unread)
    return create_model(model.__name__, __base__=model, __module__=__name__, __validators__={"read_or_unread": validator})


def _read_or_unread(cls: type[Part], value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
    try:
        result = UNREAD if value is UNREAD else handler(value)
    except (ValidationError, ValueError, UnreadError):
        result = _partial_inside(cls, value, info.field_name)
    if info.context is not None:
        info.context[info.field_name] = result
    return result


def _partial_inside(cls: type[Part], value: Any, field_name: str | None) -> Any:
    """Return the partial part that is the value of a field, or `UNREAD` where the field holds something else."""
    models = [] if field_name is None else _models_in(cls.model_fields[field_name].annotation)
    model = models[0].member_of(value) if len(models) == 1 and isinstance(value, Mapping) else None
    has_derived_fields = bool(getattr(model, "unwritten", ()))  # which its checks would fill
    part = None if model is None or has_derived_fields else partial_part(model, value, ())
    return UNREAD if part is None else part


def _models_in(annotation: Any) -> list[type[Part]]:
    """Return the parts that a value may be: `X`, or `X | None`."""
    if isinstance(annotation, UnionType):
        return [model for choice in annotation.__args__ for model in _models_in(choice)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, Part) else []
