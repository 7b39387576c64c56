"""Listed tables: lists of any text, keys of their own, and rows from a file beside the config."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from plotsim_core import ConfigError, create_from_yaml, from_mapping, generate_tables, load_config, write_tables
from plotsim_core.columns.choice import Static
from plotsim_core.columns.primary_key import SurrogateKey
from plotsim_core.config import read
from plotsim_core.config.read import read_text, yaml_text

COUNTRIES = """\
code,numeric,name,since,seen,area,member,note
KR,410,"Korea, Republic of",1948-08-15,2024-01-02 03:04:05,100.5,true,
AF,004,Afghanistan,,2024-01-02 03:04:06.5,,false,""
BO,068,"Bolivia, ""Plurinational"" State of",1825-08-06,,7,true,"two
lines"
"""


def config(*columns: dict[str, Any], **table: Any) -> dict[str, Any]:
    """Return shops with a table dim_country of these columns, to which customers refer."""
    listed = {"name": "dim_country", "reference": True, "columns": list(columns), **table}
    values = [
        {"name": "customer_id", "type": "id"},
        {"name": "country", "type": "ref.dim_country"},
        {"name": "name", "type": "lookup.dim_country.name"},
    ]
    return {
        "about": "Shop",
        "unit": "customer",
        "window": ["2024-01", "2024-03", "month"],
        "metrics": [{"name": "demand", "type": "count", "polarity": "positive", "mean": [1, 3]}],
        "segments": [{"name": "all", "count": 50, "archetype": "growth"}],
        "dimensions": [{"name": "dim_customer", "per": "unit", "columns": values}, listed],
    }


def tables(raw: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the dimensions of a config."""
    return generate_tables(from_mapping(raw, name="shop"), tables=["dim_customer", "dim_country"])


def values(type_: str, **options: Any) -> list[Any]:
    """Return the values of a static column, in the order of the list."""
    key = {"name": "country_id", "type": "id"}
    raw = config(key, {"name": "name", "type": type_, **options})
    data: list[Any] = tables(raw)["dim_country"]["name"].tolist()
    return data


@pytest.mark.parametrize(
    ("written", "actual"),
    [
        ('static."Korea, Republic of",Chad', ["Korea, Republic of", "Chad"]),
        ('static. "a ""b"" c" , d', ['a "b" c', "d"]),
        ("static.410,004,068", ["410", "004", "068"]),
        ("static.410,4,-68", [410, 4, -68]),
        ("static.1.50,4.00", [1.5, 4.0]),
        ("static.1_000,2", ["1_000", "2"]),
        ("static.nan,inf", ["nan", "inf"]),
        ('static."1","2"', ["1", "2"]),
        ("static.5 in,it's", ["5 in", "it's"]),
        ("static.12345678901234567890123,1", ["12345678901234567890123", "1"]),
        ("static.1234567890123456789,1", [1234567890123456789, 1]),
        ("static.9223372036854775808,1.5", ["9223372036854775808", "1.5"]),
        ("static.1e3,.5,-2", [1000.0, 0.5, -2.0]),
        ("static.+49,+5", ["+49", "+5"]),
        ("static.1e400,2", ["1e400", "2"]),
        ("static.-,.", ["-", "."]),
    ],
)
def test_texts_with_commas_and_zeros_stay_as_they_are(written: str, actual: list[Any]) -> None:
    assert values(written) == actual


@pytest.mark.parametrize(
    "texts",
    [
        "410,4,-68",
        "1.50,4.00",
        "1e3,.5,-2",
        "+49,+5",
        "004,68",
        "1234567890123456789,1",
        "12345678901234567890,1",
        "1e400,2",
        "5,a",
        "nan,inf",
    ],
)
def test_a_file_reads_numbers_as_a_type_does(texts: str, tmp_path: Path) -> None:
    cells = texts.split(",")
    (tmp_path / "countries.csv").write_text("code,name\n" + "".join(f"c{n},{c}\n" for n, c in enumerate(cells)))
    rows = generate_tables(load_config(from_file(tmp_path)), tables=["dim_country"])["dim_country"]
    expected = values(f"static.{texts}")
    assert rows["name"].tolist() == expected and [*map(type, rows["name"])] == [*map(type, expected)]


@pytest.mark.parametrize(
    "given",
    [["Korea, Republic of", "Chad"], ["004", "068"], [4, 68], [1.5, 2], [True, False], [" a ", '"'], ["", "b"]],
)
def test_a_list_is_taken_as_it_is(given: list[Any]) -> None:
    assert values("static", values=given) == given


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2**63, r"expected a whole number of 64 bits, or a text in quotes; found 9\.22337203685478e\+18"),
        (-(2**63) - 1, "expected a whole number of 64 bits"),
        (10**400, "expected a whole number of 64 bits, or a text in quotes; found a huge number"),
        (float("nan"), "expected a finite number, found nan"),
        (float("inf"), "expected a finite number, found inf"),
    ],
    ids=["2^63", "below -2^63", "huge", "nan", "inf"],
)
def test_numbers_that_no_column_holds_are_refused_in_one_sentence(number: float, message: str) -> None:
    """In lists of values, keys, choices and attributes of segments, whatever stands beside them."""
    name = {"name": "name", "type": "static.a,b"}
    key = {"name": "k", "type": "id"}
    chosen, of_segment = config(key, name), config(key, name)
    chosen["dimensions"][0]["columns"].append({"name": "size", "type": "choice", "values": [1.5, number]})
    of_segment["dimensions"][0]["columns"].append({"name": "size", "type": "pool.size"})
    of_segment["segments"][0]["attributes"] = {"size": [1, number]}
    raws = [chosen, of_segment, config(key, {**name, "type": "static", "values": [1, number]})]
    if isinstance(number, int):
        raws.append(config({**key, "values": [1, number]}, name))
    for raw in raws:
        with pytest.raises(ConfigError, match=f": 1 problem\n.*{message}"):
            from_mapping(raw, name="shop")


def test_whole_numbers_of_64_bits_are_values() -> None:
    """As they are, or the nearest doubles where others have decimals."""
    ends = [-(2**63), 2**63 - 1]
    assert values("static", values=ends) == ends
    assert values("static", values=[1.5, 2**53 + 1]) == [1.5, 2.0**53]


def test_lists_may_hold_nothing_days_and_moments() -> None:
    assert values("static", values=["a", None, "b"])[::2] == ["a", "b"]
    assert values("static", values=["2024-01-31", "2024-02-29"], value_type="date") == [
        datetime.date(2024, 1, 31), datetime.date(2024, 2, 29)]  # fmt: skip
    assert values("static", values=["2024-01-31T12:00:00"], value_type="timestamp") == [pd.Timestamp("2024-01-31 12:00")]
    assert values("static.1,2.50,1e3", value_type="text") == ["1", "2.50", "1e3"]


def test_keys_of_their_own_are_referred_to() -> None:
    key = {"name": "code", "type": "id", "values": ["KR", "004", "BO"]}
    data = tables(config(key, {"name": "name", "type": "static.Korea,Afghanistan,Bolivia"}))
    assert data["dim_country"]["code"].tolist() == ["KR", "004", "BO"]
    names = dict(zip(*(data["dim_country"][name] for name in ("code", "name")), strict=True))
    assert data["dim_customer"]["country"].map(names).equals(data["dim_customer"]["name"])
    assert data["dim_customer"]["country"].nunique() == 3
    numbers = tables(config({**key, "values": [7, 300, 5]}, {"name": "name", "type": "static.a,b,c"}))
    assert numbers["dim_customer"]["country"].dtype == "int64" and set(numbers["dim_customer"]["country"]) == {5, 7, 300}


KEY = {"name": "k", "type": "id"}
THREE = {"name": "name", "type": "static.a,b,c"}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([KEY, THREE, {"name": "n", "type": "static.1,2"}], "different lengths: name 3, n 2"),
        ([{**KEY, "values": ["x", "y"]}, THREE], "different lengths: name 3, k 2"),
        ([{**KEY, "values": ["x", "y", "z", "w"]}, THREE], "different lengths: name 3, k 4"),
        ([{**KEY, "values": ["x", "x", "y"]}, THREE], "two rows have the key 'x'"),
        ([{**KEY, "values": ["x", 1]}, {"name": "name", "type": "static.a,b"}], "found both"),
        ([{"name": "name", "type": 'static."a, b'}], "a quote is not closed"),
        ([{"name": "name", "type": 'static."a" b,c'}], "a quote is not closed"),
        ([{"name": "name", "type": "static"}], "values: is missing"),
        ([{"name": "name", "type": "static", "values": []}], "expected a list of 1 to 200,000 values"),
        ([{"name": "name", "type": "static", "values": [["a"]]}], "expected a text, a number or true/false"),
        ([{"name": "name", "type": "static", "values": ["2024-02-30"], "value_type": "date"}], "'2024-02-30' is no date"),
        ([{"name": "name", "type": "static.a,b"}], "has no column of type id"),
    ],
)  # fmt: skip
def test_lists_that_cannot_be_rows_are_refused(columns: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_mapping(config(*columns), name="shop")


def test_a_count_below_the_list_is_noted_and_one_above_repeats_it() -> None:
    """plotsim takes a count for the least number of rows."""
    columns = [KEY, THREE]
    noted = from_mapping(config(*columns, count=2), name="shop").notes
    assert [str(note) for note in noted] == ["dimensions[1].count: 2 has no effect: the lists of dim_country have 3 values"]
    assert tables(config(*columns, count=5))["dim_country"]["name"].tolist() == ["a", "b", "c", "a", "b"]
    with pytest.raises(ConfigError, match="dim_country has 5 rows, and 3 keys of its own"):
        from_mapping(config({**KEY, "values": ["x", "y", "z"]}, THREE, count=5), name="shop")


def from_file(folder: Path, file: Any = "countries.csv", **table: Any) -> Path:
    """Write a config whose countries come from a file, and return its path."""
    raw = config()
    raw["dimensions"][1] = {"name": "dim_country", "rows": {"file": file, "key": "code"}, **table}
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def test_a_csv_file_gives_the_rows_and_their_keys(tmp_path: Path) -> None:
    (tmp_path / "countries.csv").write_text(COUNTRIES, encoding="utf-8")
    path = from_file(tmp_path, columns=[{"name": "capital", "type": "faker.city"}])
    plan = load_config(path)
    tables = generate_tables(plan)
    rows = tables["dim_country"]
    assert list(rows) == ["code", "numeric", "name", "since", "seen", "area", "member", "note", "capital"]
    assert rows["code"].tolist() == ["KR", "AF", "BO"] and rows["numeric"].tolist() == ["410", "004", "068"]
    assert rows["name"].tolist() == ["Korea, Republic of", "Afghanistan", 'Bolivia, "Plurinational" State of']
    assert rows["since"].tolist() == [datetime.date(1948, 8, 15), None, datetime.date(1825, 8, 6)]
    assert rows["seen"].tolist()[:2] == [pd.Timestamp("2024-01-02 03:04:05"), pd.Timestamp("2024-01-02 03:04:06.5")]
    assert rows["area"].dropna().tolist() == [100.5, 7.0] and rows["member"].tolist() == [True, False, True]
    assert rows["note"].isna().tolist() == [True, False, False] and rows["note"].tolist()[1:] == ["", "two\nlines"]
    assert tables["dim_customer"]["country"].isin(rows["code"]).all()
    nullable = {column.name for column in plan.table("dim_country").columns if column.nullable}
    assert nullable == {"since", "seen", "area", "note"}


def test_a_table_of_the_section_tables_has_rows_of_a_file_too(tmp_path: Path) -> None:
    """And they are the same as those of a dimension; a file lists what belongs to nothing."""
    (tmp_path / "countries.csv").write_text(COUNTRIES, encoding="utf-8")
    dimensions = from_file(tmp_path, columns={"capital": "faker.city"})
    rows = {"file": "countries.csv", "key": "code"}
    table = {"name": "dim_country", "rows": rows, "columns": {"capital": "faker.city"}}
    raw = config()
    del raw["dimensions"][1]
    as_table = tmp_path / "tables.yaml"
    as_table.write_text(yaml.safe_dump({**raw, "tables": [table]}), encoding="utf-8")
    expected = generate_tables(load_config(dimensions))["dim_country"]
    pd.testing.assert_frame_equal(generate_tables(load_config(as_table))["dim_country"], expected)
    as_table.write_text(yaml.safe_dump({**raw, "tables": [{**table, "per": "dim_customer"}]}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r": 1 problem\n.*tables\[0\].per: has no place beside a file"):
        load_config(as_table)


def test_a_parquet_file_keeps_its_types(tmp_path: Path) -> None:
    listed = pa.table(
        {
            "code": pa.array([7, 300, 5], pa.int32()),
            "name": pa.array(["1", "02", None]).dictionary_encode(),
            "since": pa.array([datetime.date(2024, 1, 2), None, datetime.date(1900, 1, 1)]),
            "seen": pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5)] * 3, pa.timestamp("ms", "UTC")),
            "rate": pa.array([0.1, 0.25, 1e-9]),
            "kept": pa.array([True, None, False]),
        }
    )
    pq.write_table(listed, tmp_path / "countries.parquet")
    tables = generate_tables(load_config(from_file(tmp_path, "countries.parquet")))
    rows = tables["dim_country"]
    assert rows["code"].tolist() == [7, 300, 5] and tables["dim_customer"]["country"].isin([5, 7, 300]).all()
    assert rows["name"].tolist()[:2] == ["1", "02"] and rows["rate"].tolist() == [0.1, 0.25, 1e-9]
    assert rows["since"].tolist() == [datetime.date(2024, 1, 2), None, datetime.date(1900, 1, 1)]
    assert rows["seen"].tolist() == [pd.Timestamp("2024-01-02 03:04:05")] * 3


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1, 2**63], pa.uint64()), "countries.parquet: row 2: size: expected a whole number"),
        (pa.array([float("nan"), 1.5]), "countries.parquet: row 1: size: expected a finite number, found nan"),
        (
            pa.array([1.5, float("-inf")], pa.float32()),
            "countries.parquet: row 2: size: expected a finite number, found -inf",
        ),
    ],
)
def test_numbers_of_a_file_that_no_column_holds_are_refused(tmp_path: Path, column: pa.Array, message: str) -> None:
    pq.write_table(pa.table({"code": ["KR", "AF"], "name": ["a", "b"], "size": column}), tmp_path / "countries.parquet")
    with pytest.raises(ConfigError, match=rf": 1 problem\n  .*: dimensions\[1\].rows.file: {message}"):
        load_config(from_file(tmp_path, "countries.parquet"))


def test_what_a_file_says_is_part_of_the_digest(tmp_path: Path) -> None:
    """And of the copy of the config that a run leaves, which needs no file."""
    (tmp_path / "countries.csv").write_text(COUNTRIES, encoding="utf-8")
    path = from_file(tmp_path)
    plan = load_config(path)
    write_tables(plan, tmp_path / "out", format="csv")
    again = load_config(tmp_path / "out" / "config.yaml")
    assert again.digest == plan.digest
    (tmp_path / "countries.csv").write_text(COUNTRIES.replace("410", "411"), encoding="utf-8")
    assert load_config(path).digest != plan.digest


def test_a_config_is_written_as_it_is_read() -> None:
    """Whatever a text looks like: YAML 1.1 takes 068 for a text, 1.2 for a number."""
    texts = ["068", "1e5", "no", "1_000", "12:30", "0x1f", ".5", "+4", "null", "~", "2024-01-31", "true", "", " a", "a: b"]
    raw = {"values": [*texts, 68, 0.5, 1e-9, True, None]}
    assert read_text(yaml_text(raw), "config") == raw


def test_a_config_is_the_same_text_with_libyaml_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of any letters, breaks and lengths, also where the two dumpers fold or escape them otherwise."""
    hard = ["\U0001f600 a", "\x85", "\t", "a \n b" * 20, "\r" + "x y " * 40, "\ufeff" + "x y " * 40, "\u2028" + "a b " * 50]
    plain = ["x y " * 60 + "z", "é: '\"#" * 30, "one\ntwo\n", "\n\na", " a", "", "068", "- a", "\u3000", "漢字, " * 30]
    raws = [{"values": [text, 1], "more": {"about": text, "list": [[text], []]}} for text in (*hard, *plain)]
    raws += [{text: 1} for text in ("", "?", "k" * 200, "é" * 60, "é" * 100, "a\nb", "\t")]
    raws += [{"a": shared, "b": shared} for shared in ([1, "a"], {"x": 0.1})]
    values = [yaml_text(raw) for raw in raws]
    monkeypatch.setattr(read, "_FastDumper", read._Dumper)
    assert [yaml_text(raw) for raw in raws] == values


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="without libyaml there is one dumper")
def test_long_lists_are_written_by_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_Dumper", None)
    raw = {"about": "Shops\nand countries\n", "values": ["Korea, Republic of", "Åland", None, 1.5, True]}
    assert read_text(yaml_text(raw), "config") == raw


def test_how_long_a_list_is_spells_none_of_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = config({**KEY, "values": [7, 300, 5]}, {"name": "name", "type": "static", "values": ["a", None, "b"]})
    table = from_mapping(raw, name="shop").table("dim_country").spec
    monkeypatch.setattr(Static, "texts", property(lambda source: pytest.fail("spelled")))
    monkeypatch.setattr(SurrogateKey, "row_texts", lambda source: pytest.fail("spelled"))
    assert table.lists == {"name": 3, "k": 3} and table.length == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("countrys.csv", COUNTRIES, "no file 'countrys.csv' beside the config\n.*did you mean 'countries.csv'"),
        ("/etc/hostname", COUNTRIES, "lies outside the config's folder"),
        ("../countries.csv", COUNTRIES, "lies outside the config's folder"),
        ("a\0b.csv", COUNTRIES, "cannot read"),
        ("shop.yaml", COUNTRIES, "neither a .csv nor a .parquet file"),
        ("countries.csv", "code,name,code\na,b,c\n", "countries.csv:1: two columns are named 'code'"),
        ("countries.csv", "kode,name\na,b\n", "countries.csv:1: no column is named 'code'\n.*did you mean 'kode'"),
        ("countries.csv", "code,name\nKR,a\nAF,b\nKR,c\n", "countries.csv:4: 'KR' stands at countries.csv:2 too"),
        ("countries.csv", "code,name\nKR,a\n,b\n", "countries.csv:3: code is empty"),
        ("countries.csv", "code,na me\nKR,a\n", "countries.csv:1: 'na me' is no name of a column"),
        ("countries.csv", "code,name\nKR,a,c\n", "countries.csv:2: expected 2 cells"),
        ("countries.csv", "code,name\n", "expected 1 to 200,000 rows"),
        ("countries.csv", "", "countries.csv is empty"),
        ("countries.csv", "code,name\n1.5,a\n", "neither texts nor whole numbers"),
    ],
)
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, file: str, content: str, message: str) -> None:
    (tmp_path / "countries.csv").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"dimensions\[1\].rows.(file|key): (?s:.*){message}"):
        load_config(from_file(tmp_path, file))


def test_a_further_kind_of_unit_has_listed_tables_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "countries.csv").write_text(COUNTRIES, encoding="utf-8")
    path = from_file(tmp_path)
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    kind = {"metrics": raw["metrics"], "segments": [{**raw["segments"][0], "name": "depots"}]}
    listed = {"name": "dim_place", "rows": {"file": "countries.csv", "key": "code"}}
    units = {"name": "dim_depot", "per": "unit", "columns": [{"name": "depot_id", "type": "id"}]}
    raw["units"] = [{**kind, "unit": "depot", "dimensions": [units, listed]}]
    path.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    assert generate_tables(load_config(path))["dim_place"]["code"].tolist() == ["KR", "AF", "BO"]
    raw["units"][0]["dimensions"][1]["rows"]["file"] = "nowhere.csv"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"units\[0\].dimensions\[1\].rows.file: "):
        load_config(path)


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "countries.csv").write_text(COUNTRIES, encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    (home / "countries.csv").symlink_to(tmp_path / "elsewhere" / "countries.csv")
    (home / "there").symlink_to(tmp_path / "elsewhere")
    for file in ("countries.csv", "there/countries.csv"):
        with pytest.raises(ConfigError, match="lies outside the config's folder"):
            load_config(from_file(home, file))
    (home / "below").mkdir()
    (home / "below" / "countries.csv").write_text(COUNTRIES, encoding="utf-8")
    assert load_config(from_file(home, "below/countries.csv")).table("dim_country").spec.length == 3  # type: ignore[attr-defined]


def test_a_config_that_is_no_file_has_none_beside_it(tmp_path: Path) -> None:
    (tmp_path / "countries.csv").write_text(COUNTRIES, encoding="utf-8")
    text = from_file(tmp_path).read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="is beside a config that is a file, and this one is not"):
        create_from_yaml(text)
    with pytest.raises(ConfigError, match=r"dimensions\[1\].rows.file"):
        from_mapping(yaml.safe_load(text), name="shop")
