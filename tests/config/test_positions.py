"""Each problem of a config names the line and column where it stands, and hides no other."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from plotsim_core import ConfigError, Problem, create_from_yaml, from_mapping, list_templates, load_config, template
from plotsim_core.config import yaml_values
from plotsim_core.config.read import read, read_text
from tests.marks import slow_but

MINIMAL = template("minimal").read_text(encoding="utf-8")
SHOPS = """\
about: Shops
unit: shop
window: [2024-01, 2024-03, month]
metrics:
  - { name: visits, type: count, polarity: positive }
segments:
  - name: old
    count: 2
    archetype: flat
"""


def problems(text: str) -> list[Problem]:
    """Return the problems of a text, none if it is sound."""
    try:
        create_from_yaml(text)
    except ConfigError as error:
        return list(error.problems)
    return []


def places(text: str) -> list[tuple[int, int, str]]:
    """Return line, column and path of the problems of a text."""
    return [(problem.line, problem.column, problem.path) for problem in problems(text)]


def scalars(node: yaml.Node) -> list[yaml.ScalarNode]:
    """Return the scalar values below a node, without keys; a node that aliases name stands once."""
    values: dict[yaml.ScalarNode, None] = {}
    nodes = [node]
    while nodes:
        current = nodes.pop()
        if isinstance(current, yaml.ScalarNode):
            values[current] = None
        elif isinstance(current, yaml.MappingNode):
            nodes += [value for _, value in current.value]
        elif isinstance(current, yaml.SequenceNode):
            nodes += current.value
    return sorted(values, key=lambda scalar: scalar.start_mark.index)


@pytest.mark.parametrize("name", slow_but(list_templates(), "minimal", "delivery"))
def test_a_broken_scalar_is_told_where_it_stands(name: str) -> None:
    """Eight scalars of each bundled config, each in turn a mapping of nonsense: the first problem in it is in its line."""
    text = template(name).read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    values = [node for node in scalars(root) if "\n" not in node.value]
    for node in random.Random(f"positions of {name}").sample(values, 8):
        start, end = node.start_mark, node.end_mark
        broken = f"{text[: start.index]}{{ no_such_key: [1, {{}}] }}{text[end.index :]}"
        lines = {problem.line for problem in problems(broken)}
        assert start.line + 1 in lines, f"{name}: line {start.line + 1}, found {lines}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (SHOPS.replace("count: 2", "count: many"), (8, 12, "segments[0].count")),
        (SHOPS.replace("    count: 2\n", ""), (7, 5, "segments[0].count")),
        (SHOPS.replace("count: 2", "cuont: 2"), (8, 5, "segments[0].cuont")),
        (SHOPS.replace("count: 2", "count:\n      many"), (9, 7, "segments[0].count")),
        (SHOPS.replace("archetype: flat", "archetype: falt"), (9, 16, "segments[0].archetype")),
        (SHOPS.replace("polarity: positive", "polarity: up"), (5, 44, "metrics[0].polarity")),
        (SHOPS.replace("unit: shop\n", ""), (1, 1, "unit")),
        (SHOPS + "stages: { track: none, stages: [{ new: 0 }, { settled: 0.6 }] }\n", (10, 18, "lifecycle.track")),
        (SHOPS + "seed: -1\n", (10, 7, "seed")),
        (SHOPS + "calendar:\n  fiscal_year_starts:\n    4\n", (11, 3, "calendar.fiscal_year_starts")),
        ("{" + SHOPS.replace("\n", "\n ").replace("metrics:", "metrics:"), (2, 6, "")),
    ],
)
def test_a_problem_stands_at_its_key_its_value_or_its_mapping(text: str, place: tuple[int, int, str]) -> None:
    assert place in places(text)


def test_flow_style_counts_characters() -> None:
    text = '{ about: "Läden 🛒", unit: shop, window: [2024-01, 2024-03, month],\n  seed: -1, metrics: [], segments: [] }\n'
    assert (2, 9, "seed") in places(text)
    wide = SHOPS.replace("{ name: visits, type: count", "{ label: 'ä🛒', name: visits, type: cuont")
    assert (5, 40, "metrics[0].type") in places(wide)


@pytest.mark.parametrize("text", ["a:\n\tb: 1\n", "a: 1\n\t- 2\n", "a: 1\r\n\tb: 2\r\n"])
def test_a_tab_in_front_is_told_where_it_stands(text: str) -> None:
    (problem,) = problems(text)
    assert (problem.line, problem.column) == (2, 1)
    assert "found character" in problem.message
    assert problem.hint == "write spaces, not tabs"


@pytest.mark.parametrize("text", ["a: [1\n", "a: '1\tb'\nb: [\n"])
def test_what_no_tab_breaks_has_no_hint_of_tabs(text: str) -> None:
    assert [problem.hint for problem in problems(text)] == [""]


def test_the_place_is_the_same_behind_a_mark_and_with_other_line_ends(tmp_path: Path) -> None:
    broken = SHOPS.replace("archetype: flat", "archetype: falt")
    texts = [broken, "\ufeff" + broken, broken.replace("\n", "\r\n"), broken.replace("\n", "\r")]
    for number, text in enumerate(texts):
        file = tmp_path / f"shops_{number}.yaml"
        file.write_bytes(text.encode())
        with pytest.raises(ConfigError) as error:
            load_config(file)
        (problem,) = error.value.problems
        assert (problem.line, problem.column, problem.path) == (9, 16, "segments[0].archetype")
        assert f"\n  {file}:9:16: segments[0].archetype: no archetype word is named 'falt'" in str(error.value)


def test_what_an_alias_or_a_merge_key_brings_stands_where_it_is_written() -> None:
    merged = SHOPS + "  - { <<: *base, name: new }\n"
    merged = merged.replace("  - name: old", "  - &base\n    name: old").replace("count: 2", "count: -2")
    assert places(merged) == [(9, 12, "segments[0].count")]
    entry = SHOPS.replace("  - name: old", "  - &base\n    name: old") + "  - { <<: [*base], name: new, count: -2 }\n"
    assert places(entry) == [(11, 38, "segments[1].count")]
    alias = SHOPS.replace("archetype: flat", "archetype: &curve falt") + "  - { name: new, count: 2, archetype: *curve }\n"
    assert places(alias) == [(9, 16, "segments[0].archetype")]
    other = SHOPS.replace("archetype: flat", "archetype: falt") + "  - { name: new, count: 2, archetype: falt }\n"
    assert [place[2] for place in places(other)] == ["segments[0].archetype", "segments[1].archetype"]
    wanting = SHOPS.replace("  - name: old\n    count: 2", "  - &base\n    colour: red") + "  - *base\n"
    assert {place[2] for place in places(wanting)} == {"segments[0].colour", "segments[0].count", "segments[0].name"}


def test_a_config_of_python_has_paths_alone() -> None:
    raw = read_text(SHOPS, "config")
    raw["segments"][0]["count"] = "many"
    with pytest.raises(ConfigError) as error:
        from_mapping(raw, name="shops")
    assert str(error.value) == "config: 1 problem\n  segments[0].count: expected a whole number, found 'many'"


def test_words_of_a_request_do_not_stand_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "shops.yaml"
    file.write_text(SHOPS + "seed: 4\n")
    with pytest.raises(ConfigError, match=r"problem\n  seed: expected at least 0, found -1"):
        load_config(file, seed=-1)


WRONG = {
    "a type": ("count: 2", "count: many", "segments[0].count"),
    "a key": ("unit: shop", "unit: shop\ncolour: red", "colour"),
    "a window": ("2024-03, month", "2023-03, month", "window.end"),
    "a name": ("name: visits, type: count", "name: visits, type: cuont", "metrics[0].type"),
    "an output": ("about: Shops", "about: Shops\noutput: { sort_by: nothing }", "output.sort_by"),
}
TABLES = """\
dimensions:
  - { name: dim_date, per: period, columns: [{ name: date_key, type: id }] }
  - name: dim_shop
    per: unit
    columns:
      - { name: shop_id, type: id }
      - { name: size, type: static, values: [1], decimals: 2 }
      - { name: height, type: range, range: [1.5, 2.5], decimals: many }
      - { name: owner, type: faker.nmae }
"""


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_type_hides_nothing_else(wrong: str) -> None:
    """Of columns beside a wrong one, of rules that need a dataset, of issues, whatever else is wrong."""
    before, after, path = WRONG[wrong]
    quality = "quality: [{ table: fct_visits, issue: null_injection, rate: 0.1, column: vists }]\n"
    values = [place[2] for place in places((SHOPS + quality).replace(before, after))]
    expected = {path} if wrong == "a name" else {path, "quality[0].column"}
    assert set(values) == expected
    text = (SHOPS + TABLES).replace(before, after)
    assert {path, "dimensions[1].columns[2].decimals", "dimensions[1].columns[3].type"} <= {
        place[2] for place in places(text)
    }


def test_columns_of_sound_tables_are_judged_beside_wrong_tables() -> None:
    text = SHOPS + TABLES.replace("decimals: many", "decimals: 1").replace("faker.nmae", "faker.name")
    table = "  - { name: dim_colour, reference: true, columns: [{ name: colour_id, type: id, vlaues: [1] }] }\n"
    assert [place[2] for place in places(text)] == ["dimensions[1].columns[1].decimals"]
    assert [place[2] for place in places(text + table)] == [
        "dimensions[1].columns[1].decimals",
        "dimensions[2].columns[0].vlaues",
    ]


def test_problems_come_in_the_order_of_the_file_each_once() -> None:
    text = (SHOPS + TABLES + "seed: -1\ncolour: red\n").replace("count: 2", "count: many").replace("about: Shops\n", "")
    actual = places(text)
    assert actual == sorted(set(actual))
    assert [path for *_, path in actual] == [
        "about",
        "segments[0].count",
        "dimensions[1].columns[1].decimals",
        "dimensions[1].columns[2].decimals",
        "dimensions[1].columns[3].type",
        "seed",
        "colour",
    ]


LISTED = """\
dimensions:
  - name: dim_country
    rows: { file: countries.csv, key: code }
    columns:
      - { name: size, type: range, range: [5, 2] }
"""


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ("code,name\nKR,Korea\nAF,\n,Bolivia\n", "12:39: dimensions[0].rows.key: countries.csv:4: code is empty"),
        (
            'code,name\nKR,"Korea,\nSouth"\n\nKR,x\n',
            "12:39: dimensions[0].rows.key: countries.csv:5: 'KR' stands at countries.csv:2 too",
        ),
        ("code,a b\nKR,1\n", "12:19: dimensions[0].rows.file: countries.csv:1: 'a b' is no name of a column"),
        ("cdoe,name\nKR,1\n", "12:39: dimensions[0].rows.key: countries.csv:1: no column is named 'code'"),
        (
            "code,name\nKR,1,2\n",
            "12:19: dimensions[0].rows.file: countries.csv:2: expected 2 cells, as there are names, found 3",
        ),
        ('code,name\nAF,b\n"KR,1\nAF,b\n', "12:19: dimensions[0].rows.file: countries.csv:3: a quote is not closed"),
        ('code,name\n"KR"s,1\n', "12:19: dimensions[0].rows.file: countries.csv:2: text stands behind a closing quote\n"),
        (
            "\ncode,name\nKR,\xe9\n",
            "12:19: dimensions[0].rows.file: countries.csv:3: is not UTF-8 text\n      save it as UTF-8",
        ),
        (
            '"code";"name"\n"KR";"Korea, South"\n',
            "12:19: dimensions[0].rows.file: countries.csv:1: its cells are separated by semicolons, found",
        ),
        (
            "code\tname\nKR\tKorea\n",
            "12:19: dimensions[0].rows.file: countries.csv:1: its cells are separated by tabs, found",
        ),
        (None, "12:19: dimensions[0].rows.file: there is no file 'countries.csv' beside the config"),
        ("code,size\nKR,1\n", "14:17: dimensions[0].columns[0].name: a second column is named 'size'"),
    ],
)
def test_a_listed_file_names_its_line_and_hides_nothing(tmp_path: Path, rows: str | None, place: str) -> None:
    if rows is not None:
        (tmp_path / "countries.csv").write_bytes(rows.encode("latin-1"))
    (tmp_path / "shops.yaml").write_text(SHOPS + LISTED + "seed: -1\n")
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "shops.yaml")
    text = str(error.value)
    assert f"  {tmp_path}/shops.yaml:{place}" in text
    assert "shops.yaml:15:7: seed: expected at least 0, found -1" in text
    assert "dimensions[0].columns[0].range: expected" in text
    assert len(error.value.problems) == 3, text


def test_all_wrong_cells_of_a_listed_file_are_told_at_once(tmp_path: Path) -> None:
    """An empty key, one that stands twice, a name that is none; of one sort the first five."""
    rows = ["code,si ze", "1,2", ",3", *["1,4"] * 8]
    (tmp_path / "countries.csv").write_text("\n".join(rows))
    (tmp_path / "shops.yaml").write_text(SHOPS + LISTED[: LISTED.index("    columns")])
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "shops.yaml")
    messages = [problem.message for problem in error.value.problems]
    assert all((problem.line, problem.path[:18]) == (12, "dimensions[0].rows") for problem in error.value.problems)
    assert [message for message in messages if "stands at countries.csv:2 too" in message] == [
        f"countries.csv:{line}: 1 stands at countries.csv:2 too" for line in range(4, 9)
    ]
    others = [message for message in messages if "stands at" not in message]
    assert len(others) == 3 and "countries.csv:3: code is empty" in others
    assert "countries.csv: 3 more are like that" in others
    assert "countries.csv:1: 'si ze' is no name of a column" in others


@pytest.mark.parametrize("reason", ["the key 'b' stands twice", "the tag !x is not allowed"])
def test_all_that_yaml_forbids_is_told_at_once(reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        create_from_yaml("a: !x 1\nb: 2\nb: 3\n")
    assert [problem.line for problem in error.value.problems] == [1, 3]
    assert reason in str(error.value)


@pytest.mark.parametrize("text", ["[" * 20_000, "- " * 20_000, "{a: " * 300_000, "- " * 300_000 + "a", "a:\n " + "[" * 5000])
def test_what_is_nested_deeply_is_refused(text: str) -> None:
    """Also where it is deeper than the stack of a process."""
    with pytest.raises(ConfigError, match="is not valid YAML"):
        create_from_yaml(f"a: 1\nb:\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "&a [*a]",
        "&a { <<: *a }",
        "a: &a { b: *a }",
        "<<: 3",
        "<<: [{ a: 1 }, 2]",
        "!!int x",
        "!!bool 3",
        "!!str [a]",
        "? [a]\n: b",
    ],
)
def test_yaml_that_means_nothing_is_refused_with_its_line(text: str) -> None:
    (problem,) = problems(f"# comment\n{text}\n")
    assert problem.line == 2
    assert problem.message.startswith("is not valid YAML")


SAME = [
    "a: [1, 0x1F, 1e5, .5, -.inf, no, yes, true, ~, 2024-01-01, 12:30, '1', \"\\u00e4\"]\n",
    "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
    "? a\n: b\n",
    "a: &x { b: 1 }\nc: { <<: *x, d: 2 }\ne: { <<: [{ b: 5 }, *x], b: 3 }\n",
    "a: {b: 1,c: [x,y]}\n",
    "--- {a: 1}\n",
    "",
    "# nothing\n",
    "a: 'x\n  y'\n",
]


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="without libyaml there is one way to read")
@pytest.mark.parametrize("text", [*SAME, *(template(name).read_text(encoding="utf-8") for name in list_templates())])
def test_libyaml_reads_the_same_as_python(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def marks(node: yaml.Node | None) -> list[tuple[int, int]]:
        return [] if node is None else [(n.start_mark.line, n.start_mark.column) for n in scalars(node)]

    fast = yaml_values.compose(text, "config")
    monkeypatch.setattr(yaml_values, "_FastLoader", yaml_values._PlainLoader)
    plain = yaml_values.compose(text, "config")
    assert repr(fast.value) == repr(plain.value)
    assert marks(fast.root) == marks(plain.root)


def test_read_is_the_value_alone(tmp_path: Path) -> None:
    raw: Any = read(template("minimal"))
    assert raw == read_text(MINIMAL, "config")
