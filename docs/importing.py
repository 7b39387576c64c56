"""Write what the example of docs/importing.md becomes, and the list of its items, into that page. Run with `make docs`."""

from __future__ import annotations

import re
from pathlib import Path

from plotsim_core.cli.imports import list_text
from plotsim_core.config.read import read_text
from plotsim_core.importers import EngineLayer
from plotsim_core.importers.text import config_text

PAGE = Path(__file__).with_suffix(".md")


def written(page: str) -> str:
    """Return the page with what its example becomes."""
    example = re.findall(r"```yaml no-load\n(.*?)```", page, re.DOTALL)[0]
    result = EngineLayer.convert(read_text(example, PAGE.name))
    page = _with_block(page, "becomes\n\n```yaml\n", config_text(result.config))
    return _with_block(page, "with the list\n\n```text\n", list_text(result) + "\n")


def _with_block(page: str, opening: str, text: str) -> str:
    """Return the page with another text in the block that begins so."""
    before, _, rest = page.partition(f"\n{opening}")
    return f"{before}\n{opening}{text}{rest[rest.index('```') :]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written: docs/{PAGE.name}")
