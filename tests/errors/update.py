"""Write the texts of the broken configs anew: `python -m tests.errors.update`. Read the difference before you commit it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.errors.cases import THEMES, cases_of, text_of

_KEY, _TEXT = " " * 4, " " * 6


def update(theme: Path, directory: Path) -> list[str]:
    """Write the texts of a theme's cases anew, and nothing else of its file; return the names of those that are sound.

    A case without a text gets one, as its last key.
    """
    lines = theme.read_text(encoding="utf-8").splitlines(keepends=True)
    sound = []
    for case in reversed(cases_of(theme)):
        text = text_of(case.name, case.config, directory)
        if text is None:
            sound.append(case.name)
            continue
        is_new = case.text_line is None
        start = _end(lines, case.line, "  ") if is_new else case.text_line
        stop = start if is_new else _end(lines, start, _KEY)
        lines[start:stop] = [f"{_KEY}text: |\n", *(_TEXT + line for line in text.splitlines(keepends=True))]
    theme.write_text("".join(lines), encoding="utf-8")
    return sound


def _end(lines: list[str], start: int, indent: str) -> int:
    """Return the line after the last one that is indented by more than `indent`, below a start."""
    stop = start + 1
    for number in range(start + 1, len(lines)):
        if lines[number].startswith(indent + " "):
            stop = number + 1
        elif lines[number].strip():
            break
    return stop


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for path in THEMES:
            for name in update(path, Path(folder)):
                print(f"{path.name}: {name} is not broken")
