"""Archetypes: a trajectory's curve, as words joined by `>` or as a list of curves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from plotsim_core.config.model import Number, Part, member
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean, nearest
from plotsim_core.numerics.curves import CURVES, WORDS, Piece

_SENTENCE = re.compile(r"^\s*(?P<words>[a-z_]+(?:\s*>\s*[a-z_]+)*)\s*(?P<breaks>(?:@\s*\d+\s*)*)$")


class CurvePiece(Part):
    """One curve of a custom archetype, filling it up to the share `until` of the whole."""

    curve: str
    """Its name; its parameters stand beside it."""
    until: Annotated[float, Field(gt=0, le=1, strict=True)]
    """The share of the way at which it ends, 1 for the last (for a change at period k, counted from 0, of n periods: k /
    n)."""
    parameters: dict[str, Number] = Field(default_factory=dict)

    unwritten: ClassVar = ("parameters",)

    @model_validator(mode="before")
    @classmethod
    def _gather_parameters(cls, value: Any) -> Any:
        """Parameters stand beside `curve` and `until`."""
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            return value
        curve_keys = {key: value[key] for key in ("curve", "until") if key in value}
        suggestions = {key: nearest(key, [name for name in ("curve", "until") if name not in curve_keys]) for key in value}
        misspelt = [Problem(key, "unknown key", f"did you mean '{name}'?") for key, name in suggestions.items() if name]
        if misspelt:
            raise ProblemError(*misspelt)
        return {**curve_keys, "parameters": {key: value[key] for key in value if key not in curve_keys}}

    @model_validator(mode="after")
    def _check_curve(self) -> CurvePiece:
        problems = list(self._problems())
        if problems:
            raise ProblemError(*problems)
        return self

    def _problems(self) -> Iterator[Problem]:
        bounds = member(CURVES, self.curve, "curve").parameters
        for name, value in self.parameters.items():
            if name not in bounds:
                hint = did_you_mean(name, ["curve", "until", *bounds])
                yield Problem(name, f"the curve {self.curve} has no such parameter", hint)
            elif not bounds[name].low <= value <= bounds[name].high:
                yield Problem(name, f"expected {bounds[name].low:g} to {bounds[name].high:g}, found {value:g}")


class Archetype(Part):
    """The curve of a segment's trajectory.

    Written as a sentence, `flat > growth @ 8`: words joined by `>`, and after `@` the periods at which the next word
    begins; without `@` the words share the time evenly. Or as a list of curves, each with the share of the time
    `until` which it runs.
    """

    words: tuple[str, ...] = ()
    breaks: tuple[int, ...] = ()
    curves: tuple[CurvePiece, ...] = ()

    unwritten: ClassVar = ("words", "breaks", "curves")

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return {"curves": value}
        if isinstance(value, Archetype):
            return value
        match = _SENTENCE.match(value) if isinstance(value, str) else None
        if not match:
            raise ProblemError(
                Problem(
                    "",
                    f"cannot read {value_text(value)} as an archetype",
                    "write words joined by '>', with the periods at which they begin after '@': flat > growth @ 8; "
                    "or a list of curves",
                )
            )
        words = tuple(word.strip() for word in match["words"].split(">"))
        return {"words": words, "breaks": tuple(int(number) for number in re.findall(r"\d+", match["breaks"]))}

    @model_validator(mode="after")
    def _consistent(self) -> Archetype:
        for word in self.words:
            member(WORDS, word)
        if self.breaks and len(self.breaks) != len(self.words) - 1:
            expected = f"{len(self.words) - 1} '@' for {len(self.words)} words, or none" if len(self.words) > 1 else "no '@'"
            raise ValueError(f"expected {expected}, found {len(self.breaks)}")
        if list(self.breaks) != sorted(set(self.breaks)) or 0 in self.breaks:
            raise ValueError(f"the periods after '@' must rise from 1, found {value_text(self.breaks)}")
        ends = [piece.until for piece in self.curves]
        if ends and (ends != sorted(set(ends)) or ends[-1] != 1):
            raise ValueError(f"`until` must rise to 1 from curve to curve, found {value_text(ends)}")
        if not self.words and not ends:
            raise ValueError("expected at least one curve")
        return self

    def pieces(self, span: int) -> tuple[Piece, ...]:
        """Return the curves with their parts of the trajectory, whose whole is `span` periods."""
        if self.curves:
            starts = [0.0, *(piece.until for piece in self.curves)]
            return tuple(
                Piece(piece.curve, self._all_parameters(piece), start, piece.until)
                for piece, start in zip(self.curves, starts, strict=False)
            )
        count = len(self.words)
        edges = (
            [0.0, *(period / span for period in self.breaks), 1.0] if self.breaks else [k / count for k in range(count + 1)]
        )
        return tuple(
            Piece(piece.curve, piece.parameters, low + piece.begin * (high - low), low + piece.end * (high - low))
            for word, low, high in zip(self.words, edges, edges[1:], strict=False)
            for piece in WORDS[word]
        )

    @staticmethod
    def _all_parameters(piece: CurvePiece) -> tuple[tuple[str, float], ...]:
        defaults = {name: bound.default for name, bound in CURVES[piece.curve].parameters.items()}
        return tuple({**defaults, **piece.parameters}.items())
