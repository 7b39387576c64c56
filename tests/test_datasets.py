"""The bundled datasets are what their pages say: their tables, the answers to the questions, the story in them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import duckdb
import pytest

from docs.datasets import PAGES, README, listed, promised, questions, shown, stored, written
from plotsim_core import Plan, list_templates, load_config, template

TABLES = {"saas": 10, "hr": 7, "ecommerce": 8, "education": 7, "healthcare": 8}
SEEDS = [None, *(pytest.param(seed, marks=pytest.mark.long) for seed in (11, 12))]
"""The stories hold with other seeds than the config's own too, so they are no luck."""
QUICK_FIRST = [page if page.stem in ("saas", "delivery") else pytest.param(page, marks=pytest.mark.slow) for page in PAGES]
"""The pages, those of two small datasets without a mark."""


@lru_cache(maxsize=3)
def database(name: str, seed: int | None = None) -> tuple[Plan, duckdb.DuckDBPyConnection]:
    plan = shown(template(name), seed=seed)
    return plan, stored(plan)


def test_each_dataset_has_a_page_with_three_questions() -> None:
    """The smallest config has none: the README explains it."""
    assert [page.stem for page in PAGES] == [name for name in list_templates() if name != "minimal"]
    assert {page.stem: len(questions(page.read_text(encoding="utf-8"))) for page in PAGES} == {p.stem: 3 for p in PAGES}


@pytest.mark.parametrize("name", TABLES)
def test_a_dataset_has_as_many_tables_as_was_asked_for(name: str) -> None:
    assert len(load_config(template(name)).tables) == TABLES[name]


def test_there_are_daily_weekly_and_monthly_ones() -> None:
    assert {load_config(template(name)).grain.name for name in list_templates()} >= {"day", "week", "month"}


@pytest.mark.parametrize("page", QUICK_FIRST, ids=lambda page: page.stem)
def test_a_page_shows_what_the_dataset_says(page: Path) -> None:
    """Otherwise `make docs` writes it anew."""
    plan, connection = database(page.stem)
    text = page.read_text(encoding="utf-8")
    assert text == written(text, connection, plan)


def test_the_readme_lists_them() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == listed(text, [shown(template(page.stem)) for page in PAGES])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("page", QUICK_FIRST, ids=lambda page: page.stem)
def test_the_answers_show_the_story(page: Path, seed: int | None) -> None:
    """With the margins that the page states, whatever the seed."""
    _, connection = database(page.stem, seed)
    for question, promise in questions(page.read_text(encoding="utf-8")):
        truths = promised(connection, question, promise)
        assert truths and all(truths.values()), truths
        connection.execute("DROP VIEW answer")
