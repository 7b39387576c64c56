"""Column sources: what each one says of a row is what its words promise."""

from __future__ import annotations

import copy
import re
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plotsim_core import ConfigError, Plan, batches, from_mapping
from plotsim_core.columns.geo import cities
from plotsim_core.config.column_source import SOURCES

Raw = dict[str, Any]
BASE: Raw = {
    "about": "Shops",
    "unit": "shop",
    "window": {"start": "2024-01", "end": "2024-12", "every": "month"},
    "seed": 5,
    "noise": {"mcar_rate": 0.1},
    "metrics": [
        {"name": "visits", "type": "count", "polarity": "positive", "mean": [2, 30]},
        {"name": "mood", "type": "score", "polarity": "positive", "noise": "clean"},
    ],
    "segments": [
        {
            "name": "small",
            "count": 400,
            "archetype": "growth",
            "attributes": {"rung": ["one", "two", "three"]},
            "arrival": {"kind": "uniform", "start": 0, "end": 6},
        },
        {"name": "big", "count": 100, "archetype": "decline", "attributes": {"rung": ["uno", "due", "tre"]}},
    ],
    "dimensions": [
        {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]},
        {
            "name": "dim_clerk",
            "per": "unit",
            "count": [1, 4],
            "columns": [{"name": "clerk_id", "type": "id"}, {"name": "shop_id", "type": "ref.dim_shop"}],
        },
        {
            "name": "dim_plan",
            "reference": True,
            "columns": [{"name": "plan_id", "type": "id"}, {"name": "plan", "type": "static.low,mid,top,low"}],
        },
    ],
    "facts": [
        {
            "name": "fct_month",
            "columns": [
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "visits", "type": "metric.visits"},
                {"name": "mood", "type": "metric.mood"},
                {"name": "place", "type": "trajectory"},
                {"name": "period", "type": "derived.period_index"},
            ],
        }
    ],
    "events": [
        {
            "name": "evt_visit",
            "trigger": "proportional",
            "driver": "visits",
            "scale": 0.2,
            "columns": [
                {"name": "visit_id", "type": "id"},
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
            ],
        }
    ],
}


def plan_of(columns: dict[str, list[Raw]], **changes: Any) -> Plan:
    """Return the plan of the base config with more columns in tables of it."""
    raw = {**copy.deepcopy(BASE), **changes}
    for table in [*raw["dimensions"], *raw["facts"], *raw["events"]]:
        table["columns"] += columns.get(table["name"], [])
    return from_mapping(raw, name="shops")


def made_table(plan: Plan, table: str, stop: int | None = None) -> pa.Table:
    """Return a table up to a period of the window."""
    schema, pieces = batches(plan, table, None, None if stop is None else plan.first + stop)
    return pa.Table.from_batches(pieces, schema)


def frame(columns: list[Raw], table: str = "fct_month", **changes: Any) -> pd.DataFrame:
    """Return a table with more columns."""
    return made_table(plan_of({table: columns}, **changes), table).to_pandas()


def refused(columns: list[Raw], table: str = "fct_month", **changes: Any) -> str:
    """Return the errors that more columns in a table give."""
    with pytest.raises(ConfigError) as error:
        plan_of({table: columns}, **changes)
    return str(error.value)


def test_a_lag_is_the_value_stored_before_and_null_before_the_series_begins() -> None:
    rows = frame([{"name": "before", "type": "lag.visits", "periods": 3}, {"name": "same", "type": "lag.visits:periods:3"}])
    visits = rows.set_index(["shop_id", "period"])["visits"]
    earlier = pd.Index(list(zip(rows["shop_id"], rows["period"] - 3, strict=True)))
    expected = visits.reindex(earlier).to_numpy(dtype=float)
    np.testing.assert_array_equal(rows["before"].to_numpy(dtype=float), expected)
    pd.testing.assert_series_equal(rows["before"], rows["same"], check_names=False)
    first = rows.groupby("shop_id")["period"].transform("min")
    assert rows.loc[rows["period"] < first + 3, "before"].isna().all()
    assert rows.loc[rows["period"] >= first + 3, "before"].notna().mean() == pytest.approx(0.9, abs=0.03)


PARTS = ["country", "country_code", "region", "city", "postcode", "latitude", "longitude"]


@pytest.mark.parametrize("table", ["dim_shop", "dim_clerk", "dim_plan", "fct_month", "evt_visit"])
def test_all_geo_columns_of_a_row_speak_of_one_city(table: str) -> None:
    rows = frame([{"name": part, "type": f"geo.{part}"} for part in PARTS], table)
    listed = pd.DataFrame(cities())
    joined = rows.merge(listed, on=["country", "country_code", "region", "city"], suffixes=("", "_middle"))
    assert len(joined) == len(rows)
    assert ((joined["latitude"] - joined["latitude_middle"]).abs() <= 0.0501).all()
    assert ((joined["longitude"] - joined["longitude_middle"]).abs() <= 0.0501).all()
    for written, pattern in zip(joined["postcode"], joined["postcode_middle"], strict=True):
        assert re.fullmatch(re.escape(pattern).replace(r"\#", "[0-9]").replace("@", "[A-Z]"), written)


def test_the_list_of_cities_is_large_true_and_unambiguous() -> None:
    listed = pd.DataFrame(cities())
    assert len(listed) >= 150 and listed["country_code"].nunique() >= 20
    assert not listed.duplicated(["country_code", "region", "city"]).any()
    assert (
        listed["country"].nunique()
        == listed["country_code"].nunique()
        == len(listed[["country", "country_code"]].value_counts())
    )
    assert listed["latitude"].between(-60, 72).all() and listed["longitude"].between(-180, 180).all()
    assert (listed["population"] > 10_000).all() and listed["postcode"].str.contains("#").all()
    known = listed.set_index("city")
    assert known.loc["Berlin", ["latitude", "longitude"]].tolist() == pytest.approx([52.52, 13.40], abs=0.05)
    assert known.loc["Sydney", ["latitude", "longitude"]].tolist() == pytest.approx([-33.87, 151.21], abs=0.05)


def test_countries_restrict_where_rows_are_and_weights_are_populations_or_even() -> None:
    only = {"countries": ["DE", "Switzerland"]}
    columns = [{"name": "code", "type": "geo.country_code"}, {"name": "city", "type": "geo.city", **only}]
    rows = frame(columns, "evt_visit")
    listed = pd.DataFrame(cities()).query("country_code in ['DE', 'CH']")
    assert set(rows["code"]) == {"DE", "CH"}
    share = listed.groupby("city")["population"].sum() / listed["population"].sum()
    counts = rows["city"].value_counts(normalize=True)
    assert counts["Berlin"] == pytest.approx(share["Berlin"], abs=4.5 * np.sqrt(share["Berlin"] / len(rows)))
    even = frame([*columns[:1], {**columns[1], "by": "city"}], "evt_visit")["city"].value_counts(normalize=True)
    assert len(even) == len(listed)
    assert even["Berlin"] == pytest.approx(1 / len(listed), abs=4.5 * np.sqrt(1 / len(listed) / len(rows)))


def test_two_bundles_are_two_places_and_one_bundle_that_disagrees_is_an_error() -> None:
    place = {"name": "there", "type": "geo.city", "bundle": "goal", "countries": ["NO"]}
    rows = frame([{"name": "here", "type": "geo.city", "countries": ["SE"]}, place], "dim_shop")
    assert {"Stockholm"} <= set(rows["here"]) and {"Oslo"} <= set(rows["there"])
    assert set(rows["here"]).isdisjoint(rows["there"])
    text = refused([{"name": "here", "type": "geo.city", "countries": ["SE"]}, {**place, "bundle": None}], "dim_shop")
    assert "both speak of one place" in text


def test_a_bucket_is_the_band_of_the_position_or_of_the_metric() -> None:
    labels = ["a", "b", "c"]
    columns = [
        {"name": "level", "type": "bucket", "labels": labels},
        {"name": "level_mood", "type": "bucket", "labels": labels, "metric": "mood"},
        {"name": "level_visits", "type": "bucket", "labels": labels, "metric": "visits"},
    ]
    rows = frame(columns)

    def expected(share: Any) -> list[str]:
        return [labels[min(int(max(value, 0) * 3), 2)] for value in share]

    assert rows["level"].tolist() == expected(rows["place"])
    assert rows["level_mood"].tolist() == expected(rows["mood"])
    mask = rows["visits"].notna()
    assert rows["level_visits"].isna().equals(~mask)
    assert rows.loc[mask, "level_visits"].tolist() == expected((rows.loc[mask, "visits"].astype(float) - 2) / 28)


@pytest.mark.parametrize("table", ["dim_shop", "dim_clerk"])
def test_in_a_dimension_a_bucket_is_that_of_the_latest_period(table: str) -> None:
    columns = [
        {"name": "level", "type": "bucket", "labels": ["a", "b", "c"]},
        {"name": "rung", "type": "pool.rung:trajectory"},
    ]
    plan = plan_of({table: columns, "fct_month": columns})
    for stop in (3, 8, 12):
        facts = made_table(plan, "fct_month", stop).to_pandas()
        latest = facts[facts["period"] == stop - 1].set_index("shop_id")
        state = made_table(plan, table, stop).to_pandas().set_index("shop_id")
        pd.testing.assert_series_equal(state["level"], latest["level"].reindex(state.index))
        pd.testing.assert_series_equal(state["rung"], latest["rung"].reindex(state.index))


def test_what_moves_is_looked_up_as_it_was_at_the_time() -> None:
    level = {"name": "level", "type": "bucket", "labels": ["a", "b", "c"]}
    plan = plan_of({"dim_shop": [level], "fct_month": [level, {"name": "theirs", "type": "lookup.dim_shop.level"}]})
    rows = made_table(plan, "fct_month").to_pandas()
    assert rows["level"].equals(rows["theirs"].rename("level"))


def test_what_is_made_from_what_moves_is_looked_up_as_it_was_at_the_time() -> None:
    """A salary that follows the grade is that of the version which was valid, first day and all."""
    dimension = [
        {"name": "first_day", "type": "ref.dim_date"},
        {"name": "grade", "type": "scd", "tracks": "mood", "tiers": ["low", "mid", "top"], "at": [0.3, 0.7]},
        {"name": "share", "type": "range", "range": [0.9, 1.1]},
        {"name": "pay", "type": "expression", "formula": "round(share * (1 if grade == 'low' else 2) * first_day, 2)"},
    ]
    plan = plan_of({"dim_shop": dimension, "fct_month": [{"name": "pay", "type": "lookup.dim_shop.pay"}]})
    rows = made_table(plan, "fct_month").to_pandas()
    versions = made_table(plan, "dim_shop").to_pandas().set_index("dim_row_id")["pay"]
    assert len(versions) > 500  # shops
    assert (rows["pay"].to_numpy() == versions.reindex(rows["dim_row_id"]).to_numpy()).all()
    values = [{"name": "pay", "type": "lookup.dim_shop.pay"}]
    with pytest.raises(ConfigError, match="dim_clerk has no period in which pay could be looked up"):
        plan_of({"dim_shop": dimension, "dim_clerk": values})


LEXICON = {
    "how": {"low": ["poor", "weak"], "mid": ["fair"], "high": ["good", "fine", "great"]},
    "what": {"low": ["time"], "mid": ["time"], "high": ["time", "month"]},
}
NOTE: Raw = {
    "name": "note",
    "type": "narrative",
    "template": "A {how} {{{what}}}, {how}.",
    "lexicons": {"small": LEXICON, "big": {**LEXICON, "how": {"low": ["down"], "mid": ["even"], "high": ["up"]}}},
}


def test_a_narrative_has_the_phrases_of_its_segment_and_band() -> None:
    rows = frame(
        [
            NOTE,
            {"name": "level", "type": "bucket", "labels": ["low", "mid", "high"]},
            {"name": "group", "type": "segment.name"},
        ]
    )
    actual = rows["note"].str.extract(r"^A (\w+) \{(\w+)\}, (\w+)\.$")
    assert actual.notna().all().all()
    assert actual[0].equals(actual[2].rename(0))
    for (segment, band), part in actual.groupby([rows["group"], rows["level"]]):
        for place, slot in enumerate(["how", "what"]):
            phrases = NOTE["lexicons"][segment][slot][band]
            counts = part[place].value_counts()
            assert set(counts.index) <= set(phrases)
            if len(part) > 200:
                spread = 4.5 * np.sqrt(len(part) / len(phrases))
                assert all(abs(counts.get(phrase, 0) - len(part) / len(phrases)) < spread for phrase in phrases)


def test_a_narrative_of_a_metric_agrees_with_the_number() -> None:
    rows = frame([{**NOTE, "metric": "mood"}])
    assert rows.loc[rows["mood"] > 0.67, "note"].str.match("A (good|fine|great|up) ").all()
    assert rows.loc[rows["mood"] < 0.33, "note"].str.match("A (poor|weak|down) ").all()


@pytest.mark.parametrize(
    "template",
    [
        "{how.__class__} {how} {what}",
        "{how[0]} {what}",
        "{how!r} {what}",
        "{how:>9} {what}",
        "{} {how} {what}",
        "{how {what}",
        "{0}",
    ],
)
def test_a_template_has_nothing_but_names_in_braces(template: str) -> None:
    assert "template: " in refused([{**NOTE, "template": template}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"template": "{how}"}, "lexicons.small.what: no text names the rule 'what', so it has no effect"),
        ({"template": "{how} {what} {why}"}, "template: no rule or column is named 'why'"),
        ({"bands": ["low", "high"]}, "lexicons.small.how.mid: no band is named 'mid'"),
        ({"bands": ["low", "mid", "high", "top"]}, "lexicons.small.how: the band 'top' has no phrases"),
        ({"lexicons": {"small": LEXICON}}, "lexicons: the segment big has no phrases"),
        ({"lexicons": {**NOTE["lexicons"], "huge": LEXICON}}, "lexicons.huge: no segment is named 'huge'"),
        ({"metric": "moood"}, "did you mean 'mood'?"),
    ],
)
def test_what_a_narrative_lacks_or_does_not_use_is_an_error(change: Raw, message: str) -> None:
    assert message in refused([{**NOTE, **change}])


def test_values_in_values_have_the_declared_types() -> None:
    schema = {"n": "int", "x": "float", "s": "string", "b": "boolean", "town": "geo.city", "mail": "faker.email"}
    columns = [
        {"name": "town", "type": "geo.city"},
        {"name": "inner", "type": "struct", "nested_schema": schema},
        {"name": "several", "type": "array", "array_element_type": "string", "array_length": 4},
    ]
    table = made_table(plan_of({"dim_shop": columns}), "dim_shop")
    assert table.schema.field("several").type == pa.list_(pa.string())
    assert {field.name: str(field.type) for field in table.schema.field("inner").type} == {
        "n": "int64",
        "x": "double",
        "s": "string",
        "b": "bool",
        "town": "string",
        "mail": "string",
    }
    rows = table.to_pandas()
    inner = pd.DataFrame(rows["inner"].tolist())
    assert inner["n"].between(0, 999).all() and inner["x"].between(0, 1).all() and 0 < inner["b"].mean() < 1
    assert inner["town"].equals(rows["town"])
    lists = [value for values in rows["several"] for value in values]
    assert len(lists) == 4 * len(rows)
    assert all(re.fullmatch(r"v\d{5}", value) for value in [*lists, *inner["s"]])
    assert "a field cannot be of the type 'flaot'" in refused(
        [{"name": "inner", "type": "struct", "nested_schema": {"n": "flaot"}}]
    )


def test_elements_of_lists_of_numbered_rows_are_drawn_apart() -> None:
    """Element 3 of row 1 is not element 1 of row 3, and the elements k of rows k are not one."""
    column = {"name": "several", "type": "array", "array_element_type": "string", "array_length": 30}
    lists = np.array(made_table(plan_of({"dim_plan": [column]}), "dim_plan")["several"].to_pylist())
    rows = len(lists)
    square = lists[:, :rows]
    assert (square != square.T)[~np.eye(rows, dtype=bool)].all()
    assert len(set(np.diag(square))) == rows > 3


def test_a_pool_follows_the_trajectory_or_its_weights() -> None:
    columns = [
        {"name": "rung", "type": "pool.rung:trajectory"},
        {"name": "same", "type": "pool.rung", "by": "trajectory"},
        {"name": "often", "type": "pool.rung", "weights": [1, 0, 3]},
        {"name": "group", "type": "segment.name"},
    ]
    rows = frame(columns)
    lists = {segment["name"]: segment["attributes"]["rung"] for segment in BASE["segments"]}
    expected = [lists[group][min(int(p * 3), 2)] for group, p in zip(rows["group"], rows["place"], strict=True)]
    assert rows["rung"].tolist() == rows["same"].tolist() == expected
    small = rows.loc[rows["group"] == "small", "often"]
    assert set(small) == {"one", "three"}
    assert (small == "three").mean() == pytest.approx(0.75, abs=4.5 * np.sqrt(0.75 * 0.25 / len(small)))
    assert "one for each of the values that small has" in refused([{"name": "r", "type": "pool.rung", "weights": [1, 2]}])


def test_a_choice_is_made_as_often_as_its_weights_say() -> None:
    rows = frame([{"name": "kind", "type": "choice", "values": [1, 2, 5], "weights": [1, 0, 4]}], "evt_visit")
    assert rows["kind"].dtype == np.int64
    assert set(rows["kind"]) == {1, 5}
    assert (rows["kind"] == 5).mean() == pytest.approx(0.8, abs=4.5 * np.sqrt(0.16 / len(rows)))


def test_references_are_as_frequent_as_their_weights_say() -> None:
    weights = {"low": 6, "mid": 3, "top": 1}
    columns = [
        {"name": "plan_id", "type": "ref.dim_plan", "weights": weights},
        {"name": "key_id", "type": "ref.dim_plan", "weights": {"PLA-001": 1, "PLA-002": 0, "PLA-003": 0, "PLA-004": 1}},
        {"name": "zipf_id", "type": "ref.dim_plan", "distribution": "zipf", "exponent": 2},
        {"name": "head_id", "type": "ref.dim_plan", "distribution": "head_tail"},
    ]
    rows = frame(columns, "evt_visit")

    def check_column(column: str, expected: list[float]) -> None:
        counts = rows[column].value_counts(normalize=True).reindex([f"PLA-00{n}" for n in range(1, 5)], fill_value=0)
        for share, wanted in zip(counts, expected, strict=True):
            assert share == pytest.approx(wanted, abs=4.5 * np.sqrt(0.25 / len(rows)))

    check_column("plan_id", [0.3, 0.3, 0.1, 0.3])
    check_column("key_id", [0.5, 0, 0, 0.5])
    total = 1 + 1 / 4 + 1 / 9 + 1 / 16
    check_column("zipf_id", [1 / total, 1 / 4 / total, 1 / 9 / total, 1 / 16 / total])
    check_column("head_id", [0.8, 0.2 / 3, 0.2 / 3, 0.2 / 3])


def test_children_are_referred_to_the_more_the_earlier_they_stand() -> None:
    rows = frame([{"name": "clerk_id", "type": "ref.dim_clerk", "distribution": "zipf"}], "evt_visit")
    assert (rows["clerk_id"].str.slice(4, 14) == rows["shop_id"].str.slice(4)).all()
    first = rows["clerk_id"].str.endswith("-001").mean()
    alone = frame([{"name": "clerk_id", "type": "ref.dim_clerk"}], "evt_visit")["clerk_id"].str.endswith("-001").mean()
    assert first > alone + 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"low": 1, "mid": 1}}, "has the value 'top' too"),
        ({"weights": {"low": 1, "mid": 1, "tpo": 1}}, "did you mean 'top'?"),
        ({"weights": {"low": 0, "mid": 0, "top": 0}}, "expected a weight above 0"),
        ({"weights": {"low": 1, "mid": 1, "top": 1}, "distribution": "zipf"}, "give either `weights` or `distribution`"),
        ({"exponent": 2}, "has no effect without `distribution: zipf`"),
        ({"distribution": "zipff"}, "did you mean 'zipf'?"),
    ],
)
def test_what_makes_no_weighted_reference_is_an_error(options: Raw, message: str) -> None:
    assert message in refused([{"name": "plan_id", "type": "ref.dim_plan", **options}], "evt_visit")


def test_derived_columns_say_what_a_row_is() -> None:
    words = ["archetype", "name", "entity_id", "date_key", "period_index", "size"]
    rows = frame([{"name": f"own_{word}", "type": f"derived.{word}"} for word in words])
    assert rows["own_entity_id"].equals(rows["shop_id"].rename("own_entity_id"))
    assert rows["own_date_key"].equals(rows["date_key"].rename("own_date_key"))
    assert rows["own_name"].str.fullmatch(r"(small|big)_\d{4}").all()
    assert rows.groupby("own_name")["shop_id"].nunique().eq(1).all()
    small = rows["own_name"].str.startswith("small")
    assert set(rows.loc[small, "own_size"]) == {400} and set(rows.loc[~small, "own_size"]) == {100}
    assert set(rows.loc[small, "own_archetype"]) == {"growth"} and set(rows.loc[~small, "own_archetype"]) == {"decline"}
    assert "belongs to no shop" in refused([{"name": "x", "type": "derived.name"}], "dim_plan")


def test_a_note_on_personal_data_is_published_with_the_schema() -> None:
    column = {"name": "owner", "type": "faker.name", "pii_note": "Names a person.", "description": "Owner."}
    plan = plan_of({"dim_shop": [column]})
    field = made_table(plan, "dim_shop").schema.field("owner")
    assert field.metadata[b"pii_note"] == b"Names a person."
    assert plan.table("dim_shop").columns[1].comment == "Owner. Personal data: Names a person."


PEOPLE = ["name", "first_name", "last_name", "email", "user_name"]


def plain(text: str) -> str:
    """Return a name of a western locale in letters a to z."""
    from faker.decode import unidecode

    return re.sub("[^a-z0-9]", "", unidecode(text).lower())


@pytest.mark.parametrize("table", ["dim_shop", "dim_clerk", "dim_plan", "evt_visit"])
def test_what_a_row_tells_of_a_person_fits_together(table: str) -> None:
    repeated = {} if table == "evt_visit" else {key: {"unique": False} for key in ("email", "user_name")}
    columns = [{"name": word, "type": f"faker.{word}", **repeated.get(word, {})} for word in PEOPLE]
    rows = frame(columns, table, locale=["en_US", "de_DE", "fr_FR"])
    assert (rows["name"] == rows["first_name"] + " " + rows["last_name"]).all()
    for first, last, mail, user in zip(*(rows[word] for word in PEOPLE[1:]), strict=True):
        local, domain = mail.split("@")
        assert local == f"{plain(first)}.{plain(last)}"
        assert domain in ("example.org", "example.com", "example.net")
        assert re.fullmatch(f"{plain(first)[0]}{plain(last)}[0-9]+", user)


def test_whole_names_are_written_as_the_locale_writes_them() -> None:
    rows = frame([{"name": word, "type": f"faker.{word}"} for word in PEOPLE], "dim_shop", locale="hu_HU")
    assert (rows["name"] == rows["last_name"] + " " + rows["first_name"]).all()


def test_two_bundles_are_two_people() -> None:
    columns = [{"name": "mine", "type": "faker.name"}, {"name": "boss", "type": "faker.name", "bundle": "boss"}]
    rows = frame(columns, "dim_shop")
    assert (rows["mine"] == rows["boss"]).mean() < 0.05


@pytest.mark.parametrize("table", ["dim_shop", "dim_clerk", "dim_plan"])
def test_unique_addresses_are_unique_and_still_fit(table: str) -> None:
    columns = [
        {"name": "first", "type": "faker.first_name"},
        {"name": "mail", "type": "faker.email", "unique": True},
        {"name": "login", "type": "faker.user_name", "unique": True},
    ]
    raw = copy.deepcopy(BASE["segments"])
    raw[0]["count"] = 20_000
    rows = frame(columns, table, segments=raw)
    assert rows["mail"].is_unique and rows["login"].is_unique
    assert all(mail.startswith(plain(first)) for first, mail in zip(rows["first"], rows["mail"], strict=True))
    assert "has no place here" in refused(columns[1:2], "fct_month")


def test_columns_of_a_row_are_of_one_locale() -> None:
    columns = [{"name": "person", "type": "faker.last_name"}, {"name": "company", "type": "faker.company"}]
    rows = frame(columns, "dim_shop", locale=["en_US", "ja_JP"])
    japanese = rows["person"].str.contains("[^\x00-\x7f]")
    assert 0.4 < japanese.mean() < 0.6
    assert rows["company"].str.contains("[^\x00-\x7f]").equals(japanese)


DAYS = ["date", "date_between", "date_of_birth", "date_this_decade", "date_time", "iso8601", "unix_time"]


@pytest.mark.parametrize("word", DAYS)
def test_days_lie_before_the_window_and_know_no_clock(word: str) -> None:
    rows = frame([{"name": "day", "type": f"faker.{word}"}], "evt_visit")
    days = pd.to_datetime(rows["day"], unit="s" if word == "unix_time" else None)
    assert days.max() < pd.Timestamp("2024-01-02")
    first = {"date_this_decade": "2020-01-01", "date_between": "1994-01-01", "date_of_birth": "1908-01-01"}
    assert days.min() >= pd.Timestamp(first.get(word, "1970-01-01")) - pd.Timedelta(days=1)
    assert days.nunique() > 500


def test_arguments_bound_what_a_provider_gives() -> None:
    columns = [
        {"name": "dice", "type": "faker.pyint:min_value:1:max_value:6"},
        {"name": "day", "type": "faker.date_between:start_date:2020-01-01:end_date:2020-01-31"},
        {"name": "born", "type": "faker.date_of_birth", "arguments": {"minimum_age": 18, "maximum_age": 20}},
        {"name": "year", "type": "faker.year:minimum:1950:maximum:1999"},
        {"name": "usual", "type": "faker.year"},
    ]
    rows = frame(columns, "evt_visit")
    assert set(rows["dice"]) == {1, 2, 3, 4, 5, 6}
    assert (rows["day"].min(), rows["day"].max()) == (pd.Timestamp("2020-01-01").date(), pd.Timestamp("2020-01-31").date())
    assert pd.to_datetime(rows["born"]).between("2003-01-01", "2006-01-02").all()
    assert rows["year"].between(1950, 1999).all() and rows["year"].nunique() == 50
    assert set(rows["usual"]) == set(range(2014, 2025))


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        ("faker.pyint:min_value", "cannot read"),
        ("faker.pyint:minvalue:1", "did you mean 'min_value'?"),
        ("faker.sentence:nb_words:1000000000", "expected at most 4096"),
        ("faker.pystr_format:string_format:{{add_provider}}", "may neither hold"),
        ("faker.date_between:start_date:tomorow", "expected a day"),
        ("faker.date_between:start_date:2021-01-01:end_date:2020-01-01", "ends before it begins"),
        ("faker.email:domain:example.org", "takes no arguments"),
        ("faker.currency", "gives lists"),
    ],
)
def test_what_faker_is_not_asked_is_refused_with_a_reason(type_: str, message: str) -> None:
    assert message in refused([{"name": "x", "type": type_}])


def test_identifiers_are_drawn_for_each_row() -> None:
    rows = frame([{"name": "own", "type": "faker.uuid4"}, {"name": "hash", "type": "faker.sha256"}], "evt_visit")
    assert len(rows) > 4096 and rows["own"].is_unique and rows["hash"].is_unique
    assert all(str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4 for text in rows["own"].head(200))
    assert rows["hash"].str.fullmatch("[0-9a-f]{64}").all()


def test_a_sequence_rises_from_row_to_row() -> None:
    column = {"name": "number", "type": "sequence", "start": 10, "step": 5}
    assert frame([column], "dim_plan")["number"].tolist() == [10, 15, 20, 25]
    clerks = frame([column], "dim_clerk")
    assert (clerks["number"] == 10 + 5 * (clerks["clerk_id"].str.slice(-3).astype(int) - 1)).all()
    assert "are not numbered" in refused([column], "dim_shop")


def test_every_source_is_on_its_page() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "columns.md").read_text(encoding="utf-8")
    missing = [
        word
        for word, source in SOURCES.items()
        if not source.is_old_spelling and not re.search(rf"`{word}(\.[^`]*)?`", page)
    ]
    assert not missing
