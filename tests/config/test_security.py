"""A config is data: it cannot run code, reach what Faker hides, or write outside the directory it is given."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from plotsim_core import ConfigError, UsageError, create_from_yaml, from_mapping, write_tables
from plotsim_core.columns.faker import FakerText
from plotsim_core.config.column_source import SOURCES

CONFIG: dict[str, Any] = {
    "about": "Shops",
    "unit": "shop",
    "window": ["2024-01", "2024-03", "month"],
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive"}],
    "segments": [{"name": "small", "count": 2, "archetype": "flat"}],
    "dimensions": [
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": [{"name": "shop_id", "type": "id"}, {"name": "owner", "type": "faker.name"}],
        }
    ],
    "facts": [
        {
            "name": "fct_month",
            "columns": [
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "visits", "type": "metric.visits"},
            ],
        }
    ],
}

HOSTILE = ["../x", "/tmp/x", "..", "a/b", "a\\b", "a;drop", 'a"b', "a'b", "a b", "a\n", "a\0b", "ä", "", "-rf", "x" * 64]


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['echo']",
        "!!python/object/new:os.system ['echo']",
        "!!python/object:os.Popen {}",
        "!!python/name:os.system ''",
        "!!python/module:os ''",
        "!!binary aGVsbG8=",
        "!!set {a, b}",
        "!include secret.yaml",
    ],
)
def test_only_plain_yaml_is_read(tag: str) -> None:
    with pytest.raises(ConfigError, match="is not valid YAML"):
        create_from_yaml(f"about: {tag}\nunit: shop\n")


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["unit", "metric", "segment", "table", "column"])
def test_names_hold_nothing_but_letters_digits_and_underscores(place: str, name: str) -> None:
    config = copy.deepcopy(CONFIG)
    holder = {
        "unit": config,
        "metric": config["metrics"][0],
        "segment": config["segments"][0],
        "table": config["facts"][0],
        "column": config["facts"][0]["columns"][2],
    }[place]
    holder["unit" if place == "unit" else "name"] = name
    with pytest.raises(ConfigError, match="expected a name"):
        from_mapping(config, name="shops")


@pytest.mark.parametrize("name", ["../shops", "/etc/passwd", "..", "a b;c"])
def test_a_dataset_is_named_by_letters_digits_and_underscores(name: str) -> None:
    assert from_mapping(CONFIG, name=name).name.replace("_", "").isalnum()


@pytest.mark.parametrize("name", ["../fct_month", "/etc/passwd", "fct_month/../../x", ""])
def test_only_tables_of_the_config_are_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_tables(from_mapping(CONFIG, name="shops"), tmp_path / "out", tables=[name])
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_files_stay_in_their_directory(tmp_path: Path) -> None:
    write_tables(from_mapping(CONFIG, name="shops"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "provider",
    [
        "seed_instance",
        "seed_locale",
        "seed",
        "add_provider",
        "del_arguments",
        "set_arguments",
        "get_formatter",
        "set_formatter",
        "format",
        "parse",
        "factories",
        "random",
        "generator",
        "unique",
        "optional",
        "__class__",
        "__init__",
        "__reduce__",
        "_generator",
        "name.__class__",
        "name()",
    ],
)
def test_faker_gives_nothing_but_its_providers(provider: str) -> None:
    config = copy.deepcopy(CONFIG)
    config["dimensions"][0]["columns"][1]["type"] = f"faker.{provider}"
    with pytest.raises(ConfigError, match=r"dimensions\[0\].columns\[1\].type: "):
        from_mapping(config, name="shops")


@pytest.mark.parametrize(
    "arguments",
    [
        {"string_format": "{{add_provider}}"},
        {"string_format": "x" * 5000},
        {"string_format": ["x"]},
        {"unknown": 1},
    ],
)
def test_faker_takes_no_arguments_that_call_or_grow(arguments: dict[str, object]) -> None:
    assert SOURCES["faker"] is FakerText
    config = copy.deepcopy(CONFIG)
    config["dimensions"][0]["columns"][1] |= {"type": "faker.pystr_format", "arguments": arguments}
    with pytest.raises(ConfigError, match=r"dimensions\[0\].columns\[1\]"):
        from_mapping(config, name="shops")


@pytest.mark.parametrize("argument", ["nb_words", "variable_nb_words"])
def test_faker_is_not_asked_for_endless_texts(argument: str) -> None:
    config = copy.deepcopy(CONFIG)
    config["dimensions"][0]["columns"][1]["type"] = f"faker.sentence:{argument}:1000000000"
    with pytest.raises(ConfigError, match="expected at most 4096"):
        from_mapping(config, name="shops")


def test_an_alias_that_doubles_and_doubles_is_cheap() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    with pytest.raises(ConfigError) as error:
        create_from_yaml("\n".join(lines))
    assert len(str(error.value)) < 20_000
