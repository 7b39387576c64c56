"""What each field of a model means: what its docstring says of it, and those of the models it extends."""

from __future__ import annotations

import inspect
import re

from plotsim_core.config.model import Part


def meanings(model: type[Part]) -> dict[str, str]:
    """Return field to a sentence: its description, or the clause of a docstring that names it in backquotes.

    A clause ends with a full stop, a semicolon or a paragraph; one like "`level`: the share ..." is preferred, then one that
    begins with the field. Fields that nothing is said of are left out.
    """
    clauses = [clause for base in model.__mro__ if issubclass(base, Part) and base is not Part for clause in _clauses(base)]
    sentences: dict[str, str] = {}
    for name, field in model.model_fields.items():
        pattern = re.compile(rf"`{name}(\[\d+\])?`")
        candidates = [clause for clause in clauses if pattern.search(clause)]
        candidates.sort(key=lambda clause: (not clause.startswith(f"`{name}`:"), not pattern.match(clause)))
        if candidates or field.description:
            sentences[name] = _sentence(candidates[0] if candidates else str(field.description), name)
    return sentences


def is_list(paragraph: str) -> bool:
    """Return whether a paragraph only says what fields mean, one after the other."""
    return re.match(r"`\w+`: ", paragraph) is not None


def paragraphs(model: type[Part]) -> list[str]:
    """Return the paragraphs of a model's docstring, each as one line."""
    text = inspect.cleandoc(model.__doc__ or "")
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


def _clauses(model: type[Part]) -> list[str]:
    return [clause for paragraph in paragraphs(model) for clause in re.split(r"(?<=[.;])\s+(?=[A-Z`a-z])", paragraph)]


def _sentence(clause: str, name: str) -> str:
    """`level`: the share ...; becomes The share ... ."""
    text = re.sub(rf"^`{name}`(: | is | are )", "", clause).rstrip(".; ")
    return f"{text[:1].upper()}{text[1:]}."
