"""Archetypes: a trajectory's curve, as words joined by `>` or as a list of curves."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, model_validator

from plotsim_core.config.model import Part
from plotsim_core.families import UnknownMember, did_you_mean
from plotsim_core.numerics.shapes import CURVES, WORDS, Piece

_SENTENCE = re.compile(r"^\s*(?P<words>[a-z_]+(?:\s*>\s*[a-z_]+)*)\s*(?P<breaks>(?:@\s*\d+\s*)*)$")


class CurvePiece(Part):
    """One curve of a custom archetype, filling it up to the share `until` of the whole."""

    curve: str
    until: Annotated[float, Field(gt=0, le=1)]
    parameters: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        """Parameters stand beside `curve` and `until`."""
        if not isinstance(value, dict) or "parameters" in value:
            return value
        own = {key: value[key] for key in ("curve", "until") if key in value}
        return {**own, "parameters": {key: value[key] for key in value if key not in own}}

    @model_validator(mode="after")
    def _known(self) -> CurvePiece:
        try:
            known = CURVES[self.curve].parameters
        except UnknownMember as unknown:
            raise ValueError(f"curve: {unknown}") from None
        for name, value in self.parameters.items():
            if name not in known:
                raise ValueError(f"the curve {self.curve} has no parameter {name!r}; {did_you_mean(name, list(known))}")
            if not known[name].low <= value <= known[name].high:
                raise ValueError(f"{name}: {value:g} is not in [{known[name].low:g}, {known[name].high:g}]")
        return self


class Archetype(Part):
    """The curve of a segment's trajectory.

    Written as a sentence, `flat > growth @ 8`: words joined by `>`, and after `@` the periods at which the next word
    begins; without `@` the words share the time evenly. Or as a list of curves, each with the share of the time
    `until` which it runs.
    """

    words: tuple[str, ...] = ()
    breaks: tuple[int, ...] = ()
    curves: tuple[CurvePiece, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {"curves": value}
        if not isinstance(value, str):
            return value
        found = _SENTENCE.match(value)
        if not found:
            raise ValueError(
                f"cannot read {value!r}; expected words joined by '>' with periods after '@': 'flat > growth @ 8'"
            )
        words = tuple(word.strip() for word in found["words"].split(">"))
        return {"words": words, "breaks": tuple(int(number) for number in re.findall(r"\d+", found["breaks"]))}

    @model_validator(mode="after")
    def _consistent(self) -> Archetype:
        for word in self.words:
            try:
                WORDS[word]
            except UnknownMember as unknown:
                raise ValueError(str(unknown)) from None
        if self.breaks and len(self.breaks) != len(self.words) - 1:
            raise ValueError(f"{len(self.words)} words need {len(self.words) - 1} '@' (or none), found {len(self.breaks)}")
        if list(self.breaks) != sorted(set(self.breaks)) or 0 in self.breaks:
            raise ValueError(f"the periods after '@' must rise from 1, found {list(self.breaks)}")
        ends = [piece.until for piece in self.curves]
        if ends and (ends != sorted(set(ends)) or ends[-1] != 1):
            raise ValueError(f"`until` must rise to 1, found {ends}")
        if not self.words and not ends:
            raise ValueError("expected at least one curve")
        return self

    def pieces(self, span: int) -> tuple[Piece, ...]:
        """Return the curves with their parts of the trajectory, whose whole is `span` periods."""
        if self.curves:
            begins = [0.0, *(piece.until for piece in self.curves)]
            return tuple(
                Piece(piece.curve, self._filled(piece), begin, piece.until)
                for piece, begin in zip(self.curves, begins, strict=False)
            )
        number = len(self.words)
        edges = [0.0, *(at / span for at in self.breaks), 1.0] if self.breaks else [k / number for k in range(number + 1)]
        return tuple(
            Piece(piece.curve, piece.parameters, low + piece.begin * (high - low), low + piece.end * (high - low))
            for word, low, high in zip(self.words, edges, edges[1:], strict=False)
            for piece in WORDS[word]
        )

    @staticmethod
    def _filled(piece: CurvePiece) -> tuple[tuple[str, float], ...]:
        defaults = {name: bound.default for name, bound in CURVES[piece.curve].parameters.items()}
        return tuple({**defaults, **piece.parameters}.items())
