"""Write the table of docs/design/drafts.md that shows what configs took before there was one shape, and take now. Run with
`make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "design" / "drafts.md"
CONFIGS = ROOT / "tests" / "configs"
_TABLE = re.compile(r"(?<=\n\n)\| config \| draft \|.*?(?=\n\n)", re.DOTALL)


@dataclass(frozen=True)
class Draft:
    """What a config was before: `names` of the drafts, their `words`, `kinds` of unit and `metrics`, counted once."""

    names: str
    words: int
    kinds: int
    metrics: int


BEFORE = {
    "attendance": Draft("Lab, attendance", 184, 1, 1),
    "bank": Draft("Datagen, bank", 744, 3, 3),
    "cards_and_transactions": Draft("Lab, bank transactions and card spend", 333, 2, 2),
    "customer_profiles": Draft("Lab, customer 360", 207, 1, 1),
    "draws_and_effects": Draft("Datagen, test patterns", 579, 1, 4),
    "jobs_and_loans": Draft("Lab, loan repayments and Spark logs", 334, 2, 2),
    "loan_applications": Draft("Lab, loans", 217, 1, 1),
    "schools": Draft("Datagen, government", 517, 1, 1),
    "sensors_and_sales": Draft("Lab, domains", 290, 4, 4),
    "shops_and_orders": Draft("Datagen, e-commerce", 682, 1, 3),
    "users_and_events": Draft("Datagen, users and events", 100, 1, 1),
}


def words(node: yaml.Node | None) -> int:
    """Return how many keys and values there are in YAML, however it is laid out."""
    if isinstance(node, yaml.MappingNode):
        return sum(words(key) + words(value) for key, value in node.value)
    return sum(map(words, node.value)) if isinstance(node, yaml.SequenceNode) else 1


def rows() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| config | draft | its kinds of unit, metrics | its words | words now | hidden columns now |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, draft in BEFORE.items():
        text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
        link = f"[{name}](../../tests/configs/{name}.yaml)"
        hidden = text.count("hidden: true")
        counts = f"{draft.kinds}, {draft.metrics} | {draft.words} | {words(yaml.compose(text))} | {hidden}"
        yield f"| {link} | {draft.names} | {counts} |"


def written(text: str) -> str:
    """Return the page with its table computed anew."""
    return _TABLE.sub(lambda _: "\n".join(rows()), text, count=1)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
