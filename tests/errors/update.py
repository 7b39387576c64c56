"""Rewrite the texts beside the broken configs: `python -m tests.errors.update`. Read the difference before you commit it."""

from __future__ import annotations

from tests.errors import FOLDER, text_of

if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.yaml")):
        text = text_of(path)
        if text is None:
            print(f"{path.name} is not broken")
        else:
            path.with_suffix(".txt").write_text(text, encoding="utf-8")
