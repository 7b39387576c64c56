"""From what pydantic found to problems: the place as it is written in the file, and words for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from plotsim_core.config.model import PATTERNS, Part
from plotsim_core.errors import Problem, Wrong, shown
from plotsim_core.families import did_you_mean, nearest

Context = Mapping[str, Any]

_WHOLE_TEXT = "a text of whole characters"
_EXPECTED: dict[str, Callable[[Context], str]] = {
    "string_type": lambda ctx: "a text",
    "string_too_short": lambda ctx: "a text that is not empty",
    "string_unicode": lambda ctx: _WHOLE_TEXT,
    "string_pattern_mismatch": lambda ctx: PATTERNS[ctx["pattern"]],
    "int_type": lambda ctx: "a whole number",
    "float_type": lambda ctx: "a number",
    "finite_number": lambda ctx: "a finite number",
    "bool_type": lambda ctx: "true or false",
    "tuple_type": lambda ctx: "a list",
    "dict_type": lambda ctx: "keys and values",
    "model_type": lambda ctx: "keys and values",
    "model_attributes_type": lambda ctx: "keys and values",
    "greater_than": lambda ctx: f"more than {shown(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"at least {shown(ctx['ge'])}",
    "less_than": lambda ctx: f"less than {shown(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"at most {shown(ctx['le'])}",
    "too_short": lambda ctx: f"a list of at least {ctx['min_length']}",
    "too_long": lambda ctx: f"a list of at most {ctx['max_length']}",
    "literal_error": lambda ctx: _listed(ctx["expected"])[0],
    "invalid_key": lambda ctx: "a text as key",
}
"""What each error of pydantic's expected. A test holds that no other reaches a user."""


def validated(adapter: TypeAdapter[Any], value: Any, path: str, model: Any, problems: list[Problem]) -> Any:
    """Return what `value` means to `adapter`; if it means nothing, None, and what is wrong is added to `problems`."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        found = [problem for details in error.errors() for problem in _problems(path, details, value, model)]
        misspelt = {problem.path: problem.hint for problem in found if problem.message == _UNKNOWN}
        problems.extend(problem for problem in found if not _explained(problem, misspelt))
        return None
    except UnicodeEncodeError as error:  # half of a surrogate pair, which is no character
        problems.append(Problem(path, f"expected {_WHOLE_TEXT}, found half of one in {error.object[:60]!a}"))
        return None


_UNKNOWN = "unknown key"
_MISSING = "is missing"


def unknown_key(path: str, key: str, known: list[str]) -> Problem:
    """Return the problem of a key that nothing reads."""
    return Problem(path, _UNKNOWN, did_you_mean(key, known))


def _explained(problem: Problem, misspelt: Mapping[str, str]) -> bool:
    """Return whether a missing key is there, misspelt, and so reported already."""
    parent, _, name = problem.path.rpartition(".")
    return problem.message == _MISSING and any(
        path.rpartition(".")[0] == parent and nearest(path.rpartition(".")[2], [name]) and f"'{name}'" in hint
        for path, hint in misspelt.items()
    )


def _problems(path: str, details: ErrorDetails, value: Any, model: Any) -> list[Problem]:
    kind, steps = details["type"], details["loc"]
    place = path + _written(steps, value, new=kind == "missing")
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, Wrong):
        return [problem.under(place) for problem in cause.problems]
    if kind == "extra_forbidden":
        return [unknown_key(place, str(steps[-1]), words_of(_owner(model, steps[:-1])))]
    if kind == "missing":
        return [Problem(place, _MISSING)]
    if kind == "value_error":
        return [Problem(place, str(cause))]
    context = details.get("ctx", {})
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        key = context["discriminator"].strip("'")
        if kind == "union_tag_not_found":
            return [Problem(f"{place}.{key}", _MISSING, f"one of {_listed(_tags(model, steps))[0]}")]
        found = details["input"][key]
        expected, names = _listed(context["expected_tags"])
        return [Problem(f"{place}.{key}", f"expected {expected}, found {shown(found)}", _near(found, names))]
    words = f"expected {_EXPECTED[kind](context)}"
    given = details["input"]
    if kind in ("too_short", "too_long"):
        found = len(given) if isinstance(given, list | tuple) else context["actual_length"]
        short = found < context.get("min_length", 0) or found > context.get("max_length", found)
        return [Problem(place, f"{words}, found {found}")] if short else []
    hint = _near(given, _listed(context["expected"])[1]) if kind == "literal_error" else ""
    return [Problem(place, f"{words}, found {shown(given)}", hint)]


def _near(given: Any, choices: list[str]) -> str:
    near = nearest(given, choices) if isinstance(given, str) else None
    return f"did you mean '{near}'?" if near else ""


def _written(steps: tuple[int | str, ...], value: Any, new: bool) -> str:
    """Return a path as it stands in the file: steps that only the model has (the parts of a short spelling) are left
    out. With `new`, the last step is a key that should be there."""
    text = ""
    for number, step in enumerate(steps):
        if isinstance(value, Mapping) and step in value:
            text, value = f"{text}.{step}", value[step]
        elif isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
            text, value = f"{text}[{step}]", value[step]
        elif new and number == len(steps) - 1:
            text = f"{text}.{step}"
    return text


def _listed(expected: str) -> tuple[str, list[str]]:
    """Return pydantic's list of choices in plain words, and the choices."""
    names = re.findall(r"'([^']*)'", expected) or [expected.lower()]
    return (f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]), names


def words_of(model: Any) -> list[str]:
    """Return the keys that a model reads."""
    fields = getattr(model, "model_fields", {})
    return [str(field.alias or name) for name, field in fields.items() if name not in getattr(model, "unwritten", ())]


def _owner(model: Any, steps: tuple[int | str, ...]) -> Any:
    """Return the model that the steps lead to."""
    for step in steps:
        fields = getattr(model, "model_fields", {})
        if step in fields:
            model = part_of(fields[step].annotation, steps)
    return model


def _tags(model: Any, steps: tuple[int | str, ...]) -> str:
    fields = _owner(model, steps[:-1]).model_fields
    parts = _parts(fields[steps[-1]].annotation)
    return str([get_args(part.model_fields["kind"].annotation)[0] for part in parts])


def part_of(annotation: Any, steps: tuple[int | str, ...] = ()) -> Any:
    """Return the model inside an annotation (`X | None`, `tuple[X, ...]`, a union told apart by its `kind`)."""
    found = _parts(annotation)
    for part in found:
        kind = part.model_fields.get("kind")
        if kind is not None and get_args(kind.annotation)[0] in steps:
            return part
    return found[0] if found else None


def _parts(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    return [part for inner in get_args(annotation) for part in _parts(inner)]
