"""Texts of a grammar: each is what its rules say, drawn by the names of these, various, and fits the row."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from plotsim_core import ConfigError, Plan, explain, from_mapping, generate_tables
from plotsim_core.columns.text_forms import TEXT_FORMS, formatted, plain_text
from plotsim_core.show import varieties

Raw = dict[str, Any]
ROOT = Path(__file__).parents[2]
COLUMNS = {
    "note_id": "id",
    "kind": {"type": "choice", "values": {"red": 3, "blue": 1}},
    "count": {"type": "range", "range": [1, 3]},
    "amount": {"type": "range", "range": [-2000.0, 9_000_000.0], "decimals": 2, "nulls": 0.1},
}


def plan(rules: Raw, template: str = "{first}", rows: int = 2000, **columns: Any) -> Plan:
    """Return the plan of plain rows with a text."""
    text = {"type": "narrative", "template": template, "rules": rules}
    table = {"name": "notes", "rows": rows, "columns": {**COLUMNS, **columns, "text": text}}
    return from_mapping({"about": "Notes", "seed": 3, "tables": [table]}, name="notes")


def notes(rules: Raw, template: str = "{first}", rows: int = 2000, **columns: Any) -> pd.DataFrame:
    """Return plain rows with a text."""
    return generate_tables(plan(rules, template, rows, **columns))["notes"]


def refused(rules: Raw, template: str = "{first}", **columns: Any) -> str:
    """Return the errors of a text."""
    with pytest.raises(ConfigError) as error:
        plan(rules, template, **columns)
    return str(error.value)


@cache
def example() -> tuple[Plan, pd.DataFrame]:
    """Return the example of the docs with 100,000 tickets."""
    page = (ROOT / "docs" / "columns.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page[page.index("## Texts") :], re.DOTALL)
    raw = yaml.safe_load(blocks[0])
    raw["tables"][1]["rows"] = 100_000
    tickets = from_mapping({"about": "Tickets", "seed": 1, **raw}, name="tickets")
    return tickets, generate_tables(tickets, tables=["tickets"])["tickets"]


def test_messages_are_distinct_and_none_is_frequent() -> None:
    """Of 100,000: 95 % at least are distinct, and none is on more than 0.1 % of the rows."""
    messages = example()[1]["message"]
    assert len(messages) == 100_000 and messages.notna().all()
    assert messages.nunique() >= 0.95 * len(messages)
    assert messages.value_counts().iloc[0] <= 0.001 * len(messages)


def words_of(messages: pd.Series) -> list[list[str]]:
    return [sorted(set(re.findall("[a-z]+", message.lower()))) for message in messages]


def test_the_category_follows_from_the_text_alone() -> None:
    """A naive Bayes classifier of words, learnt from half of 20,000 rows, tells the category of the other half for more than
    nine in ten; of a column that has no part in the text it tells no more than the most frequent value."""
    rows = example()[1].iloc[:20_000]
    words = words_of(rows["message"])
    numbers = {word: index for index, word in enumerate(sorted({word for text in words[:10_000] for word in text}))}
    has_word = np.zeros((len(rows), len(numbers)), dtype=bool)
    for row, text in enumerate(words):
        has_word[row, [numbers[word] for word in text if word in numbers]] = True

    def accuracy(labels: np.ndarray) -> float:
        values = np.unique(labels)
        scores = []
        for value in values:
            share = (has_word[:10_000][labels[:10_000] == value].sum(axis=0) + 1) / ((labels[:10_000] == value).sum() + 2)
            prior = np.log((labels[:10_000] == value).mean())
            scores.append(prior + np.where(has_word[10_000:], np.log(share), np.log1p(-share)).sum(axis=1))
        return float((values[np.argmax(scores, axis=0)] == labels[10_000:]).mean())

    assert accuracy(rows["category"].to_numpy(str)) > 0.9
    unrelated = np.random.default_rng(5).permutation(rows["category"].to_numpy(str))
    assert accuracy(unrelated) < 0.5


def test_explain_shows_the_alternatives_of_which_the_text_is_made() -> None:
    """Put into each other by hand they give the text, as far as rules are."""
    rules = {
        "first": ["{second} and {third|capital}", "{third} only"],
        "second": {"by": "kind", "cases": {"red": {"rose {third}": 1, "wine": 3}, "else": ["sky", "sea of {third}"]}},
        "third": ["one", "two", "three"],
    }
    dataset = plan(rules)
    for _, row in generate_tables(dataset)["notes"].iloc[:40].iterrows():
        steps = {step.name: step.value for step in explain(dataset, "notes", row["note_id"], "", "text").steps}
        text = steps["template"]
        while "{" in text:
            text = re.sub(
                r"\{(\w+)(\|capital)?\}",
                lambda slot, steps=steps: steps[slot[1]].capitalize() if slot[2] else steps[slot[1]],
                text,
            )
        shown = row["text"]
        assert text.lower() == shown.lower()
        assert ("second" in steps) == (" only" not in shown)


def test_alternatives_are_as_frequent_as_their_weights_say() -> None:
    """Of the cases each, within 4.5 standard deviations."""
    weights = {"a": 5, "b": 3, "c": 2}
    rows = notes({"first": {"by": "kind", "cases": {"red": weights, "blue": ["x", "y"]}}}, rows=20_000)
    for kind, shares in (("red", {"a": 0.5, "b": 0.3, "c": 0.2}), ("blue", {"x": 0.5, "y": 0.5})):
        texts = rows.loc[rows["kind"] == kind, "text"]
        for text, share in shares.items():
            assert abs((texts == text).mean() - share) < 4.5 * np.sqrt(share * (1 - share) / len(texts))
        assert set(texts) == set(shares)


def test_a_rule_that_is_changed_moves_no_text_of_another() -> None:
    rules: Raw = {"first": ["{a}-{b}", "{b}-{a}"], "a": ["a1", "a2", "a3"], "b": ["b1", "b2", "b3"]}
    before, after = notes(rules)["text"], notes({**rules, "a": ["a1", "a2", "a3", "a4"]})["text"]
    assert (before != after).any()
    pd.testing.assert_series_equal(before.str.extract("(b.)")[0], after.str.extract("(b.)")[0])
    assert (before.str.startswith("a") == after.str.startswith("a")).all()


def test_a_rule_has_one_text_in_a_row_and_the_same_texts_by_another_name_are_drawn_anew() -> None:
    texts = notes({"first": ["{a} {a} {b}"], "a": ["x", "y"], "b": ["x", "y"]})["text"].str.split(" ", expand=True)
    assert (texts[0] == texts[1]).all()
    assert 0.45 < (texts[0] == texts[2]).mean() < 0.55


def test_numbers_are_formatted_as_python_formats_decimals() -> None:
    numbers = [0.0, 1.005, -1.005, 12.5, 999.995, 1000.0, 1234567.891, -0.004, 0.285, -45678.5]
    for format_ in (",.2f", ".0f", ".1%", ",", "08d", "09.3f", ",.4f"):
        texts = formatted(pa.array(numbers), format_).to_pylist()
        digits = re.search(r"\.(\d)", format_)
        places = (int(digits[1]) if digits else 0) + (2 if "%" in format_ else 0)
        halves_up = [Decimal(str(number)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) + 0 for number in numbers]
        python_format = format_ if digits else f"{format_.rstrip('d')}.0f"
        expected = [format(Decimal(0) if number == 0 else number, python_format) for number in halves_up]
        assert texts == expected, format_
    assert formatted(pa.array([1234567890123456789, None, -5]), ",").to_pylist() == ["1,234,567,890,123,456,789", None, "-5"]


def test_what_has_no_format_is_written_plainly() -> None:
    assert plain_text(pa.array([1.0, 2.5, 1 / 3, None]), None).to_pylist() == ["1", "2.5", "0.3333", None]
    assert plain_text(pa.array([1.0, 2.5]), 2).to_pylist() == ["1.00", "2.50"]
    assert plain_text(pa.array([True, False]), None).to_pylist() == ["yes", "no"]
    moment = pa.array([1_700_000_000_999_999], pa.timestamp("us"))
    assert plain_text(moment, None).to_pylist() == ["2023-11-14 22:13:20"]


@pytest.mark.parametrize(
    ("form", "pairs"),
    [
        (
            "a",
            "box:a box, order:an order, hour:an hour, unit:a unit, unimportant:an unimportant, 8:an 8, 80:an 80, 11:an 11",
        ),
        ("a", "110:a 110, user:a user, European:a European, umbrella:an umbrella, one:a one, onion:an onion, Heir:an Heir"),
        ("plural", "box:boxes, city:cities, day:days, dish:dishes, lamp:lamps, glass:glasses"),
        ("capital", "élan:Élan, two words:Two words, :"),
        ("upper", "über:ÜBER, a:A"),
        ("lower", "ÄB:äb"),
    ],
)
def test_forms_of_words(form: str, pairs: str) -> None:
    words, expected = zip(*(pair.split(":") for pair in pairs.split(", ")), strict=True)
    is_many = np.ones(len(words), dtype=bool)
    assert tuple(TEXT_FORMS[form].apply(pa.array(words), is_many).to_pylist()) == expected


def test_a_plural_by_a_column_agrees_with_the_number() -> None:
    rows = notes({"first": ["{count} {thing|plural count|upper}"], "thing": ["box", "city"]})
    for text, count in zip(rows["text"], rows["count"], strict=True):
        assert re.fullmatch("1 (BOX|CITY)" if count == 1 else f"{count} (BOXES|CITIES)", text)


def test_a_text_is_null_where_a_slot_of_it_is_or_no_case_fits() -> None:
    """Nowhere else; the schema says so."""
    rules = {"first": {"by": "kind", "cases": {"red": ["{amount:,.2f}", "nothing"]}}}
    rows = notes(rules)
    is_null = rows["text"].isna()
    assert (is_null | (rows["text"] != "nothing") | (rows["kind"] == "red")).all()
    assert is_null[rows["kind"] == "blue"].all()
    red = rows[rows["kind"] == "red"]
    assert (red["text"].isna() == (red["amount"].isna() & (red["text"] != "nothing"))).all()
    with_number = red[red["text"].notna() & (red["text"] != "nothing")]
    assert (with_number["text"] == [f"{amount:,.2f}" for amount in with_number["amount"]]).all()
    columns = plan(rules).table("notes").columns
    assert next(column.nullable for column in columns if column.name == "text")
    whole = {"first": {"by": "kind", "cases": {"red": ["a"], "else": ["b"]}}}
    every = {"first": {"by": "kind", "cases": {"red": ["a"], "blue": ["b"]}}}
    for rule in (whole, every):
        assert not next(column.nullable for column in plan(rule).table("notes").columns if column.name == "text")
        assert notes(rule)["text"].notna().all()


@pytest.mark.parametrize("size", [40, 300])
def test_info_tells_the_variety_that_rows_have(size: int) -> None:
    """The share of different texts among 100,000, within a fifth of a percent; how frequent the likeliest is."""
    words = [f"w{number}" for number in range(size)]
    rules = {
        "first": {"by": "kind", "cases": {"red": ["{a} {b}", "{b}, {a}"], "blue": ["{a} or {b}"]}},
        "a": words,
        "b": words,
    }
    even = {"type": "choice", "values": ["red", "blue"]}
    dataset = plan(rules, rows=100_000, kind=even)
    texts = generate_tables(dataset)["notes"]["text"]
    (line,) = varieties(dataset, ["notes"])
    shown = re.search(r"about ([\d,]+) different texts; of 100,000 rows ([\d.]+)%.* ([\d.]+)% of them", line)
    assert shown is not None, line
    assert int(shown[1].replace(",", "")) == 3 * size**2
    assert abs(float(shown[2]) / 100 - texts.nunique() / len(texts)) < 0.002
    assert abs(float(shown[3]) / 100 - 1 / (2 * size**2)) < 1e-5


def test_lexicons_are_rules_by_segment_and_band() -> None:
    """The same values, written either way; a decision in a decision."""
    phrases = {segment: {band: [f"{segment} {band} {n}" for n in range(3)] for band in "xy"} for segment in ("s", "t")}
    lexicons = {segment: {"how": bands} for segment, bands in phrases.items()}
    cases = {segment: {"by": "band", "cases": bands} for segment, bands in phrases.items()}
    words = {"type": "narrative", "template": "{how}", "bands": ["x", "y"]}

    def fact(text: Raw) -> pd.DataFrame:
        segments = [{"name": name, "count": 9, "archetype": word} for name, word in (("s", "growth"), ("t", "decline"))]
        references = {"date_key": "ref.dim_date", "shop_id": "ref.dim_shop", "group": "segment.name"}
        level = {"type": "bucket", "labels": ["x", "y"]}
        raw = {
            "about": "Shops",
            "unit": "shop",
            "window": ["2024-01", "2024-12", "month"],
            "metrics": [{"name": "mood", "type": "score", "polarity": "positive"}],
            "segments": segments,
            "dimensions": [{"name": "dim_shop", "per": "unit", "columns": {"shop_id": "id"}}],
            "facts": [{"name": "fct_month", "columns": {**references, "level": level, "text": {**words, **text}}}],
        }
        return generate_tables(from_mapping(raw, name="shops"))["fct_month"]

    rows = fact({"rules": {"how": {"by": "segment", "cases": cases}}})
    pd.testing.assert_frame_equal(rows, fact({"lexicons": lexicons}))
    parts = rows["text"].str.split(" ", expand=True)
    assert (parts[0] == rows["group"]).all() and (parts[1] == rows["level"]).all()


def test_rules_without_end_or_use_are_refused() -> None:
    assert "'first' is made of itself, by way of second" in refused({"first": ["{second}"], "second": ["a", "{first}"]})
    assert "'first' is made of itself, so" in refused({"first": ["{first}"]})
    assert "did you mean 'secnd'" in refused({"first": ["{secnd}"], "second": ["a"]})
    doubling = {f"r{n}": [f"{{r{n + 1}}}{{r{n + 1}}}"] for n in range(40)}
    assert "letters, more than 20,000" in refused({**doubling, "r40": ["ten letter"]}, "{r0}")


def test_a_text_that_reads_itself_is_refused() -> None:
    assert "notes.text depends on itself" in refused({"first": ["{text}"]})
    message = refused({"first": ["{length}"]}, length={"type": "expression", "formula": "left(text, 3)"})
    assert "notes.text depends on itself, by way of notes.length" in message


def test_small_numbers_stand_with_all_their_decimals() -> None:
    """Also zero: Arrow writes it with an exponent where it has more than six decimals."""
    columns = {
        "key": "id",
        "small": {"type": "choice", "values": [0.0, 0.0000004, 0.00000015, -0.0000003, 1.5]},
        "text": {"type": "narrative", "template": "{small:.8f} {small:012.8f}"},
    }
    plan = from_mapping(
        {"about": "Numbers", "tables": [{"name": "numbers", "rows": 100, "columns": columns}]}, name="numbers"
    )
    rows = generate_tables(plan)["numbers"]
    assert set(rows["text"]) == {f"{value:.8f} {value:012.8f}" for value in rows["small"]}
