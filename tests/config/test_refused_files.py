"""What is no config at all, or holds what nothing can be called: told in a sentence, by loading and by `validate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plotsim_core import ConfigError, create_from_yaml, from_mapping, load_config, template
from plotsim_core.config import read


@pytest.mark.parametrize("place", [("dimensions", 0), ("dimensions", 1), ("dimensions", 0, "columns", 0), ("facts", 0)])
@pytest.mark.parametrize("name", [["a"], {"a": 1}, [["a"]], None, 1.5, True])
def test_a_name_that_is_none_is_refused_wherever_it_stands(place: tuple[str | int, ...], name: Any) -> None:
    """Of the dates, of a column of theirs, and with a further kind of unit beside."""
    metric = {"name": "visits", "type": "count", "polarity": "positive"}
    segment = {"name": "small", "count": 2, "archetype": "flat"}
    raw: dict[str, Any] = {
        "about": "Shops",
        "unit": "shop",
        "window": ["2024-01", "2024-03", "month"],
        "metrics": [metric],
        "segments": [segment],
        "dimensions": [
            {"name": "dim_date", "per": "period", "columns": [{"name": "date_key", "type": "id"}]},
            {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]},
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
        "units": [{"unit": "depot", "metrics": [{**metric, "name": "load"}], "segments": [{**segment, "name": "far"}]}],
    }
    at: Any = raw
    for step in place:
        at = at[step]
    at["name"] = name
    with pytest.raises(ConfigError, match="name"):
        from_mapping(raw, name="shops")


@pytest.mark.parametrize(
    ("directory", "message"),
    [
        ("a\0b", r"expected a name of visible characters, found 'a\\x00b'"),
        ("a\nb", "expected a name of visible characters"),
        ("x" * 5000, "expected no name of a folder longer than 200 bytes"),
        ("/".join(["x" * 100] * 50), "and no path longer than 2000"),
        ("é" * 150, "expected no name of a folder longer than 200 bytes"),
    ],
)
def test_a_directory_that_no_system_takes_is_refused_when_loading(directory: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(json.dumps({**read.read(template("minimal")), "output": {"directory": directory}}))
    with pytest.raises(ConfigError, match=message):
        load_config(file)


@pytest.mark.parametrize("text", ['about: "\\ud800"', '{"about": "half \\udfff"}', '? "\\ud83d"\n: 1'])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="half of a character"):
        create_from_yaml(text + "\n")


@pytest.mark.parametrize("place", [("about",), ("unit",), ("metrics", 0, "type"), ("metrics", 0, "name")])
def test_half_a_character_is_refused_in_a_mapping_too(place: tuple[str | int, ...]) -> None:
    raw = read.read(template("minimal"))
    at: Any = raw
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = "half \ud800"
    with pytest.raises(ConfigError):
        from_mapping(raw, name="minimal")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "utf16.yaml").write_bytes("about: x".encode("utf-16"))
    (tmp_path / "nul.yaml").write_bytes(b"about: a\0b")
    values = {
        tmp_path: "cannot be read: Is a directory",
        tmp_path / "none.yaml": "cannot be read: No such file or directory",
        tmp_path / "a\0b.yaml": "cannot be read: its name is none that a file can have",
        tmp_path / ("x" * 300): "cannot be read: File name too long",
        tmp_path / "utf16.yaml": "is not UTF-8 text: byte 1",
        tmp_path / "nul.yaml": "is not valid YAML",
    }
    for path, message in values.items():
        with pytest.raises(ConfigError, match=message):
            load_config(path)
    with pytest.raises(ConfigError, match=r"^config: 1 problem\n  expected the path of a file, found a text"):
        load_config(template("minimal").read_text(encoding="utf-8"))


def test_a_byte_that_is_no_utf8_and_a_short_row_are_told_with_their_lines(tmp_path: Path) -> None:
    config = tmp_path / "gym.yaml"
    config.write_bytes("about: Gymé\nunit: é".encode() + b"\xe9")
    with pytest.raises(ConfigError, match=r"gym.yaml:2:8: is not UTF-8 text: byte 22"):
        load_config(config)
    config.write_text("dimensions: [{ name: dim_x, rows: { file: x.csv, key: code } }]", encoding="utf-8")
    (tmp_path / "x.csv").write_text("code,name\nde,Germany\nfr\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x.csv:3: expected 2 cells, as there are names, found 1"):
        load_config(config)
