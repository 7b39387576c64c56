"""Validation errors of pydantic as problems: the path as written in the file, and messages for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from plotsim_core.config.model import PATTERNS, Part
from plotsim_core.config.partial import partial_problems
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean, nearest

Context = Mapping[str, Any]
Steps = tuple[int | str, ...]

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


_OF_TYPE = {name for name in _EXPECTED if name.endswith("_type")}
"""Types of errors that say that a value is of another type."""
_ANY_OF = "any_of"
"""The key of an error's context that says all that a value could have been."""


def validated(validate: Callable[[Any], Any], value: Any, path: str, model: Any, problems: list[Problem]) -> Any:
    """Return `validate(value)`; if it is invalid, None, and its problems are added to `problems`."""
    try:
        return validate(value)
    except ValidationError as error:
        mistakes = _without_other_choices(error.errors(), value, model)
        new_problems = [problem for details in mistakes for problem in _problems(path, details, value, model)]
        if isinstance(model, type) and isinstance(value, Mapping) and any(details["loc"] for details in mistakes):
            new_problems += (problem.under(path) for problem in partial_problems(model, value))
        problems.extend(without_misspelt([*dict.fromkeys(new_problems)]))
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


def _without_other_choices(errors: list[ErrorDetails], value: Any, model: Any) -> list[ErrorDetails]:
    """Return errors without those of choices that a value is not meant for: of a number or a name, a number is told as one.
    Where it is none of them, the first error says so for all."""
    choices: dict[Steps, dict[str | int, list[ErrorDetails]]] = {}
    for details in errors:
        if (place := _choice_place(details, value, model)) is not None:
            steps = details["loc"]
            choices.setdefault(steps[:place], {}).setdefault(steps[place], []).append(details)
    dropped: list[ErrorDetails] = []
    for by_choice in choices.values():
        groups = list(by_choice.values())
        meant = next((group for group in groups if not _is_of_type(group)), groups[0])
        dropped += [details for group in groups if group is not meant for details in group]
        if len(groups) > 1 and _is_of_type(meant):
            expected = dict.fromkeys(_EXPECTED[group[0]["type"]](group[0].get("ctx", {})) for group in groups)
            meant[0]["ctx"] = {_ANY_OF: " or ".join(expected)}
    return [details for details in errors if not any(details is other for other in dropped)]


def _choice_place(details: ErrorDetails, value: Any, model: Any) -> int | None:
    """Return which step of an error is the name of a choice, which is in no file and is no field; None where none is."""
    steps = details["loc"]
    for place, step in enumerate(steps):
        is_key = isinstance(value, Mapping) and step in value
        if is_key or (isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)):
            value = value[step]
        elif isinstance(step, str):
            is_missing = details["type"] == "missing" and place == len(steps) - 1
            is_field = step in words_of(_model_at(model, steps[:place]))
            return None if is_missing or is_field else place
    return None


def _is_of_type(group: list[ErrorDetails]) -> bool:
    """Return whether all that is wrong about a choice is that a value is of another type."""
    return len(group) == 1 and group[0]["type"] in _OF_TYPE


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
    message = f"expected {context.get(_ANY_OF) or _EXPECTED[error_type](context)}"
    short_form = getattr(_model_at(model, steps), "short_form", "") if error_type.startswith("model_") else ""
    message += f", or {short_form}" if short_form else ""
    if error_type in ("too_short", "too_long"):
        actual = len(input_value) if isinstance(input_value, list | tuple) else context["actual_length"]
        is_outside = actual < context.get("min_length", 0) or actual > context.get("max_length", actual)
        return [Problem(problem_path, f"{message}, found {actual}")] if is_outside else []
    hint = _spelling_hint(input_value, _choices(context["expected"])[1]) if error_type == "literal_error" else ""
    hint = number_hint(input_value) if error_type == "int_type" else hint
    return [Problem(problem_path, f"{message}, found {value_text(input_value)}", hint)]


_GROUPED = re.compile(r"[0-9]{1,3}(?P<mark>[,_ '])[0-9]{3}((?P=mark)[0-9]{3})*")
_DIGITS = re.compile(r"[0-9]{1,15}")


def number_hint(value: Any) -> str:
    """Return what to write in the place of a text that reads as a whole number; nothing for all else."""
    text = value.strip() if isinstance(value, str) else ""
    digits = re.sub("[^0-9]", "", text) if _GROUPED.fullmatch(text) else text.replace("_", "")
    return f"write {int(digits)}" if _DIGITS.fullmatch(digits) else ""


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
