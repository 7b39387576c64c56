"""Markdown: a section of the page, its tables, its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Section:
    """What is promised, what was measured (tables and sentences, in order), and where the two differ."""

    title: str
    promise: str
    blocks: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)

    def miss(self, text: str) -> None:
        """Record that a promise is not kept."""
        self.misses.append(text)

    def skip(self, what: str) -> None:
        """Say that something was not measured."""
        print(f"skipped: {what}", flush=True)
        self.blocks.append(f"*Not measured: {what}.*")

    def markdown(self) -> str:
        """Return the section as Markdown."""
        missed = [f"- **missed:** {text}" for text in self.misses]
        verdict = [] if missed else ["Kept everywhere it was measured."]
        return "\n\n".join(
            [f"## {self.title}", self.promise, *self.blocks, *verdict, *(["\n".join(missed)] if missed else [])]
        )


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are set to the right."""
    lines = [" | ".join(headers), " | ".join(["---", *["---:"] * (len(headers) - 1)])]
    return "\n".join(f"| {line} |" for line in [*lines, *(" | ".join(row) for row in rows)])


def number(value: float, digits: int = 3) -> str:
    """Return a number with so many decimals; a dash if there is none."""
    return "–" if value != value else f"{value:.{digits}f}"


def estimate(value_and_error: tuple[float, float], digits: int = 3) -> str:
    """Return an estimate with its standard error."""
    return f"{number(value_and_error[0], digits)} ± {number(value_and_error[1], digits)}"


def percent(share: float, digits: int = 2) -> str:
    """Return a share as a percentage."""
    return f"{number(100 * share, digits)} %"
