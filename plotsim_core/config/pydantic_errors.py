"""Validation errors of pydantic as problems: the path as written in the file, and messages for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from plotsim_core.config.model import PATTERNS, Part
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean, nearest

Context = Mapping[str, Any]

_WHOLE_TEXT = "a text of whole characters"
_EXPECTED: dict[str, Callable[[Context], str]] = {
    "string_type": lambda ctx: "a text",
    "string_too_short": lambda ctx: "a text that is not empty",
    "string_unicode": lambda ctx: _WHOLE_TEXT,
    "string_pattern_mismatch": lambda ctx: PATTERNS[ctx["pattern"]],
    "int_type": lambda ctx: "a whole number",
    "int_parsing": lambda ctx: "a whole number",
    "float_type": lambda ctx: "a number",
    "float_parsing": lambda ctx: "a number",
    "finite_number": lambda ctx: "a finite number",
    "bool_type": lambda ctx: "true or false",
    "tuple_type": lambda ctx: "a list",
    "dict_type": lambda ctx: "keys and values",
    "model_type": lambda ctx: "keys and values",
    "model_attributes_type": lambda ctx: "keys and values",
    "greater_than": lambda ctx: f"more than {value_text(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"at least {value_text(ctx['ge'])}",
    "less_than": lambda ctx: f"less than {value_text(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"at most {value_text(ctx['le'])}",
    "too_short": lambda ctx: f"a list of at least {ctx['min_length']}",
    "too_long": lambda ctx: f"a list of at most {ctx['max_length']}",
    "literal_error": lambda ctx: _choices(ctx["expected"])[0],
    "invalid_key": lambda ctx: "a text as key",
}
"""Type of pydantic's errors to the expected value in words. A test proves that the language has no others; a field of
somebody's own column source or table kind may, and is then told in pydantic's words."""


def validated(adapter: TypeAdapter[Any], value: Any, path: str, model: Any, problems: list[Problem]) -> Any:
    """Return `value` as validated by `adapter`; if it is invalid, None, and its problems are added to `problems`."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        new_problems = [problem for details in error.errors() for problem in _problems(path, details, value, model)]
        problems.extend(without_misspelt(new_problems))
        return None
    except UnicodeEncodeError as error:  # half of a surrogate pair, which is no character
        problems.append(Problem(path, f"expected {_WHOLE_TEXT}, found half of one in {error.object[:60]!a}"))
        return None


_UNKNOWN = "unknown key"
_MISSING = "is missing"


def unknown_key(path: str, key: str, known_names: list[str]) -> Problem:
    """Return the problem of an unknown key."""
    return Problem(path, _UNKNOWN, did_you_mean(key, known_names))


def without_misspelt(problems: list[Problem]) -> list[Problem]:
    """Return problems without those of missing keys that are there but misspelt, as the problem of an unknown key says."""
    hints = {problem.path: problem.hint for problem in problems if problem.message == _UNKNOWN}
    return [problem for problem in problems if not _is_misspelt(problem, hints)]


def _is_misspelt(problem: Problem, hints: Mapping[str, str]) -> bool:
    """Return whether a missing key is present but misspelt, and so reported already."""
    parent, _, name = problem.path.rpartition(".")
    return problem.message == _MISSING and any(
        path.rpartition(".")[0] == parent and nearest(path.rpartition(".")[2], [name]) and f"'{name}'" in hint
        for path, hint in hints.items()
    )


def _problems(path: str, details: ErrorDetails, value: Any, model: Any) -> list[Problem]:
    error_type, steps = details["type"], details["loc"]
    problem_path = path + _path_in_file(steps, value, new=error_type == "missing")
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, ProblemError):
        return [problem.under(problem_path) for problem in cause.problems]
    if error_type == "extra_forbidden":
        return [unknown_key(problem_path, str(steps[-1]), words_of(_model_at(model, steps[:-1])))]
    if error_type == "missing":
        return [Problem(problem_path, _MISSING)]
    if error_type == "value_error":
        return [Problem(problem_path, str(cause))]
    context = details.get("ctx", {})
    if error_type in ("union_tag_not_found", "union_tag_invalid"):
        key = context["discriminator"].strip("'")
        if error_type == "union_tag_not_found":
            return [Problem(f"{problem_path}.{key}", _MISSING, f"one of {_choices(_tags(model, steps))[0]}")]
        actual = details["input"][key]
        expected, choices = _choices(context["expected_tags"])
        return [
            Problem(
                f"{problem_path}.{key}", f"expected {expected}, found {value_text(actual)}", _spelling_hint(actual, choices)
            )
        ]
    input_value = details["input"]
    if error_type not in _EXPECTED:
        return [Problem(problem_path, f"{details['msg']}, found {value_text(input_value)}")]
    message = f"expected {_EXPECTED[error_type](context)}"
    if error_type in ("too_short", "too_long"):
        actual = len(input_value) if isinstance(input_value, list | tuple) else context["actual_length"]
        is_outside = actual < context.get("min_length", 0) or actual > context.get("max_length", actual)
        return [Problem(problem_path, f"{message}, found {actual}")] if is_outside else []
    hint = _spelling_hint(input_value, _choices(context["expected"])[1]) if error_type == "literal_error" else ""
    return [Problem(problem_path, f"{message}, found {value_text(input_value)}", hint)]


def _spelling_hint(value: Any, choices: list[str]) -> str:
    choice = nearest(value, choices) if isinstance(value, str) else None
    return f"did you mean '{choice}'?" if choice else ""


def _path_in_file(steps: tuple[int | str, ...], value: Any, new: bool) -> str:
    """Return a path as written in the file: steps that only the model has (the parts of a short spelling) are left out. With
    `new`, the last step is a missing key."""
    text = ""
    for number, step in enumerate(steps):
        if isinstance(value, Mapping) and step in value:
            text, value = f"{text}.{step}", value[step]
        elif isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
            text, value = f"{text}[{step}]", value[step]
        elif new and number == len(steps) - 1:
            text = f"{text}.{step}"
    return text


def _choices(expected: str) -> tuple[str, list[str]]:
    """Return pydantic's list of choices in plain words, and the choices."""
    choices = re.findall(r"'([^']*)'", expected) or [expected.lower()]
    return (f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]), choices


def words_of(model: Any) -> list[str]:
    """Return the keys that a model reads."""
    fields = getattr(model, "model_fields", {})
    return [str(field.alias or name) for name, field in fields.items() if name not in getattr(model, "unwritten", ())]


def _model_at(model: Any, steps: tuple[int | str, ...]) -> Any:
    """Return the model that the steps lead to."""
    for step in steps:
        fields = getattr(model, "model_fields", {})
        if step in fields:
            model = part_of(fields[step].annotation, steps)
    return model


def _tags(model: Any, steps: tuple[int | str, ...]) -> str:
    fields = _model_at(model, steps[:-1]).model_fields
    models = _models(fields[steps[-1]].annotation)
    return str([get_args(part.model_fields["kind"].annotation)[0] for part in models])


def part_of(annotation: Any, steps: tuple[int | str, ...] = ()) -> Any:
    """Return the model inside an annotation (`X | None`, `tuple[X, ...]`, a union told apart by its `kind`)."""
    models = _models(annotation)
    for part in models:
        kind = part.model_fields.get("kind")
        if kind is not None and get_args(kind.annotation)[0] in steps:
            return part
    return models[0] if models else None


def _models(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    return [part for inner in get_args(annotation) for part in _models(inner)]
