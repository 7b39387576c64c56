"""Documents of other systems where a config is asked for: whose they are, and what they say in this language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from plotsim_core.config.dataset import ALIASES, Dataset
from plotsim_core.config.document import Document
from plotsim_core.errors import ConfigError, Problem
from plotsim_core.importers.importer import IMPORTERS, Imported, Importer


def imported(document: Document) -> Document:
    """Return a config, or a file of another system in the words of this language: its problems are told at their places in
    that file, and what is not as it was in its notes.

    Raises ConfigError for a file that mixes the words of both, and for one that cannot be read.
    """
    importer = importer_of(document.value)
    if importer is None:
        return document
    result = converted(document, importer)
    return document.translated(result.config, result.origins, tuple(note.problem for note in result.losses))


def converted(document: Document, importer: type[Importer]) -> Imported:
    """Return a file of another system in the words of this language, with what became of each item.

    Raises ConfigError for a file that mixes the words of both, and for one that cannot be read.
    """
    problems = list(_mixed_words(importer, document))
    result = None if problems else importer.convert(document.value)
    if result is None or result.problems:
        raise ConfigError(document.located(problems if result is None else result.problems), document.source)
    return result


def importer_of(raw: Any) -> type[Importer] | None:
    """Return whose file a document is; None for a config of this language."""
    if not isinstance(raw, Mapping):
        return None
    return next((importer for _, importer in IMPORTERS.items() if any(sign in raw for sign in importer.signs)), None)


def _mixed_words(importer: type[Importer], document: Document) -> Iterator[Problem]:
    """Yield the words of this language in a file of another system."""
    sign = next(sign for sign in importer.signs if sign in document.value)
    alone = replace(document, problems=())
    (place,) = alone.located([Problem(sign, "unknown key")])  # of a key, so its line is that of the word
    line = f" (line {place.line})" if place.line else ""
    own_words = {*Dataset.model_fields, *ALIASES} - importer.keys
    for word in document.value:
        if word in own_words:
            message = (
                f"unknown key beside `{sign}`{line}: `{word}` is a word of this language, `{sign}` one of {importer.title}"
            )
            hint = "leave the words of one of the two; `plotsim import` writes a file of the other in those of this language"
            yield Problem(str(word), message, hint)
