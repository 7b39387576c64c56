"""What every part of the language shares: strict, frozen models, and the kinds of value that fields hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from plotsim_core.config.meanings import meanings
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import Family, UnknownMember

LARGEST = 1e12
"""No number of a config lies further from zero: beyond it, sums and whole numbers would lose digits."""


MOST_ROWS = 200_000
"""The most values that a list of rows has."""


class Part(BaseModel):
    """A frozen part of a config; unknown keys are refused, numbers are never taken from text, and what may be left out may
    be null, which is the same."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)
    short_form: ClassVar[str] = ""
    """How it may also be written than as keys and values."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if not isinstance(value, dict) or all(item is not None for item in value.values()):
            return value
        optional = {field.alias or name for name, field in cls.model_fields.items() if not field.is_required()}
        return {key: item for key, item in value.items() if item is not None or key not in optional}

    @classmethod
    def member_of(cls, written: Mapping[Any, Any]) -> type[Part] | None:
        """Return the model that keys and values are written for, where a field may hold one of several; None where none can
        be told."""
        return cls

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, meaning in meanings(cls).items():
            if name in cls.model_fields:
                key = cls.model_fields[name].alias or name
                properties[key] = {"description": meaning, **properties[key]}
        return schema


def without_fraction(value: Any) -> Any:
    """Return a number without a fraction as a whole one, as 1e3 is 1000, and all else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


ROWS = BeforeValidator(without_fraction)
"""What a field says that is a whole number of rows."""


def number_pair_or_groups(most: int) -> Callable[[object], object]:
    """Return a validator of a whole number or [low, high], or of one of these for each group, up to `most` and not all
    zero."""
    checked = number_or_pair(most)

    def checked_groups(value: object) -> object:
        if not isinstance(value, Mapping):
            return checked(value)
        problems = []
        numbers = {}
        for name, item in value.items():
            try:
                numbers[name] = checked(item)
            except ValueError as error:
                problems.append(Problem(str(name), str(error)))
        if not value:
            problems.append(Problem("", "expected a number for each segment, found none"))
        if problems:
            raise ProblemError(*problems)
        return numbers

    return checked_groups


def number_or_pair(most: int) -> Callable[[object], object]:
    """Return a validator of a whole number or [low, high], up to `most` and not all zero."""

    def checked(value: object) -> object:
        is_pair = isinstance(value, list | tuple)
        pair = [without_fraction(end) for end in value] if isinstance(value, list | tuple) else [without_fraction(value)] * 2
        ends = [end for end in pair if type(end) is int]
        if not len(pair) == len(ends) == 2 or not 0 <= ends[0] <= ends[1] <= most or ends[1] == 0:
            raise ValueError(f"expected a whole number or [low, high], from 1 to {most}, found {value_text(value)}")
        return ends if is_pair else ends[0]

    return checked


PATTERNS: dict[str, str] = {}
"""What a pattern asks for, in words."""


def pattern(expression: str, expected: str) -> str:
    """Return `expression`, remembering in words what it asks for."""
    PATTERNS[expression] = expected
    return expression


_NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}"
Name = Annotated[
    str,
    Field(
        pattern=pattern(
            f"^{_NAME}$",
            "a name: up to 63 letters (a-z), digits and underscores, not starting with a digit",
        )
    ),
]
"""A name that becomes a table, a column or a stream."""


def is_name(value: Any) -> bool:
    """Return whether a value can be the name of a table, a column or a stream."""
    return isinstance(value, str) and re.fullmatch(_NAME, value) is not None


Group = Annotated[
    str,
    Field(pattern=pattern(r"^[A-Za-z0-9_]{1,63}$", "a name: up to 63 letters (a-z), digits and underscores")),
]
"""A name of a group of units, which becomes a value and never a column: 2023_cohort."""


def _flag(value: Any) -> Any:
    """Files written for YAML 1.1 say yes and no."""
    return {"yes": True, "on": True, "no": False, "off": False}.get(value, value) if isinstance(value, str) else value


def storable(value: Any) -> Any:
    """Return `value`. Raises ValueError for a number that no column holds: a whole one beyond 64 bits, or none at all."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"expected a whole number of 64 bits, or a text in quotes; found {value_text(value)}")
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"expected a finite number, found {value_text(value)}")
    return value


def _whole(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"expected a whole number of 64 bits, found {value}")
    return value


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise ValueError(f"expected a text, a number or true/false, found {value_text(value)}")
    return storable(value)


def pair(value: Any) -> Any:
    """Return `value` if it is a list of two. Raises ValueError otherwise."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"expected two numbers, [low, high], found {value_text(value)}")
    return value


def rising(pair: tuple[float, float]) -> tuple[float, float]:
    """Return `pair` if it is low and high. Raises ValueError otherwise."""
    if pair[0] >= pair[1]:
        raise ValueError(f"expected low < high, found {value_text(pair)}")
    return pair


Flag = Annotated[bool, Field(strict=True), BeforeValidator(_flag)]
Number = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST)]
Whole = Annotated[int, Field(strict=True), AfterValidator(_whole)]
"""A whole number that a column of 64 bits holds."""
Offset = Annotated[int, Field(ge=0, le=10_000_000, strict=True)]
MOST_NUMBERED = 10**12
"""The most rows of a plain table."""


def _plain_rows(value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple):
        message = f"expected a whole number, how many rows there are in all, found {value_text(value)}"
        hint = "a range or a distribution says how many rows belong to each row of another table, by `per`"
        raise ProblemError(Problem("", message, hint))
    return without_fraction(value)


PlainRows = Annotated[int, Field(ge=1, le=MOST_NUMBERED, strict=True), BeforeValidator(_plain_rows)]
Count = Annotated[int, Field(ge=1, le=100_000_000, strict=True), ROWS]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Scalar = Annotated[str | int | float | bool, BeforeValidator(_scalar)]
Pair = Annotated[tuple[Number, Number], BeforeValidator(pair)]


def member(family: Family[Any], name: str, path: str = "") -> Any:
    """Return a member of a family. Raises Wrong, at `path`, if there is none of that name."""
    try:
        return family[name]
    except UnknownMember as unknown:
        raise ProblemError(Problem(path, unknown.message, unknown.hint)) from None


def member_of(family: Family[Any]) -> AfterValidator:
    """Return a validator of the name of a member of a family."""

    def checked_name(name: str) -> str:
        member(family, name)
        return name

    return AfterValidator(checked_name)


def mentioned(part: Any) -> set[str]:
    """Return every word in the texts of a part, or of what is written for one: whatever it refers to is among them."""
    return set(_words(part))


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from re.findall(r"\w+", value)
    elif isinstance(value, Part):
        yield from (word for name in type(value).model_fields for word in _words(getattr(value, name)))
    elif isinstance(value, Mapping):
        yield from (word for entry in value.items() for part in entry for word in _words(part))
    elif isinstance(value, list | tuple):
        yield from (word for item in value for word in _words(item))
