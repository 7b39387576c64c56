"""Sources: what record linkage has to put together, and what it is scored against."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import spearmanr

from plotsim_core import Plan, from_mapping, generate_tables
from plotsim_core.tables.text_drift import ATTRIBUTE_WAYS, NAME_WAYS, drift_texts

COUNT = 3000
RAW: dict[str, Any] = {
    "about": "Shops",
    "unit": "shop",
    "seed": 5,
    "window": ["2024-01", "2024-12", "month"],
    "metrics": [{"name": "mood", "type": "score", "polarity": "positive"}],
    "segments": [
        {"name": "new", "count": COUNT // 3, "archetype": "growth", "attributes": {"city": ["Ulm", "Bonn"]}},
        {"name": "old", "count": COUNT - COUNT // 3, "archetype": "flat", "attributes": {"city": ["Trier", "Hof", "Kiel"]}},
    ],
    "dimensions": [
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": [
                {"name": "shop_id", "type": "id"},
                {"name": "owner", "type": "faker.name"},
                {"name": "city", "type": "pool.city"},
                {"name": "street", "type": "faker.street_address"},
                {"name": "floors", "type": "range", "range": [1, 9]},
                {"name": "tier", "type": "scd", "tracks": "mood", "tiers": ["low", "high"], "at": [0.5]},
            ],
        }
    ],
    "facts": [
        {
            "name": "fct_month",
            "columns": [
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "mood", "type": "metric.mood"},
            ],
        }
    ],
    "sources": [
        {
            "name": "crm",
            "name_drift_rate": 0.4,
            "attribute_drift_rate": 0.2,
            "missing_rate": 0.1,
            "duplicate_rate": 0.15,
        },
        {"name": "erp", "key_scheme": "numeric", "name_drift_rate": 1.0},
        {"name": "web", "key_scheme": "uuid_short", "attribute_drift_rate": 1.0, "missing_rate": 0.5},
    ],
}
NAMES = [source["name"] for source in RAW["sources"]]


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of the shops."""
    return from_mapping(RAW, name="shops")


@pytest.fixture(scope="module")
def tables(plan: Plan) -> dict[str, pd.DataFrame]:
    """All tables of the dimension and its sources."""
    return generate_tables(plan, tables=[table.name for table in plan.tables if table.kind not in ("fact", "date")])


def linked(tables: dict[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Return the rows of a source in their order, with the canonical values beside (`_true`)."""
    rows, mapping = tables[f"dim_shop_{name}"], tables["source_entity_map"]
    shops = tables["dim_shop"][tables["dim_shop"]["is_current"]].reset_index(drop=True).reset_index(names="place")
    keyed = rows.assign(source_key=rows[f"shop_id_{name}"].astype(str))
    frame = keyed.merge(mapping[mapping["source"] == name], on="source_key", validate="one_to_one")
    assert len(frame) == len(rows)
    return frame.merge(shops, on="shop_id", suffixes=("", "_true"), validate="many_to_one")


def test_each_source_has_a_table_with_a_key_of_its_own(plan: Plan, tables: dict[str, pd.DataFrame]) -> None:
    """The columns are the dimension's; versions stay with the dimension, so there is a row per unit, in its latest tier."""
    for name in NAMES:
        assert list(tables[f"dim_shop_{name}"]) == [f"shop_id_{name}", "owner", "city", "street", "floors", "tier"]
        assert tables[f"dim_shop_{name}"][f"shop_id_{name}"].is_unique
        assert (linked(tables, name)["tier"] == linked(tables, name)["tier_true"]).all()
    assert tables["dim_shop_crm"]["shop_id_crm"].str.fullmatch(r"SHOP-\d{16}").all()
    assert pd.api.types.is_integer_dtype(tables["dim_shop_erp"]["shop_id_erp"])
    assert tables["dim_shop_web"]["shop_id_web"].str.fullmatch(r"[0-9a-f]{13}").all()


def test_the_map_has_every_row_of_every_source_once(tables: dict[str, pd.DataFrame]) -> None:
    mapping = tables["source_entity_map"]
    assert not mapping.duplicated(["source", "source_key"]).any()
    assert mapping.groupby("source").size().to_dict() == {name: len(tables[f"dim_shop_{name}"]) for name in NAMES}
    assert mapping["shop_id"].isin(tables["dim_shop"]["shop_id"]).all()


def allowed(of: int, rate: float) -> float:
    """Return how far a count may lie from its rate: four and a half standard deviations."""
    return float(4.5 * (of * rate * (1 - rate)) ** 0.5)


def test_units_are_missing_and_there_twice_at_the_declared_rates(tables: dict[str, pd.DataFrame]) -> None:
    for source in RAW["sources"]:
        counts = linked(tables, source["name"])["shop_id"].value_counts()
        missing, twice = source.get("missing_rate", 0.0), source.get("duplicate_rate", 0.0)
        assert abs(COUNT - len(counts) - COUNT * missing) <= allowed(COUNT, missing)
        assert abs((counts == 2).sum() - len(counts) * twice) <= allowed(len(counts), twice)
        assert counts.max() == 1 + (twice > 0)


def test_values_drift_at_the_declared_rates_and_others_not_at_all(tables: dict[str, pd.DataFrame]) -> None:
    for source in RAW["sources"]:
        actual = linked(tables, source["name"])
        rates = dict.fromkeys(("city", "street"), source.get("attribute_drift_rate", 0.0))
        for column, rate in {**rates, "owner": source.get("name_drift_rate", 0.0), "floors": 0.0}.items():
            changed = int((actual[column] != actual[f"{column}_true"]).sum())
            assert abs(changed - len(actual) * rate) <= allowed(len(actual), rate), (source["name"], column)


def test_entries_of_one_unit_drift_each_by_itself(tables: dict[str, pd.DataFrame]) -> None:
    """Of two entries under two keys, either, both or none are misspelt, as often as the rate says of each alone."""
    actual = linked(tables, "crm")
    twice = actual[actual.duplicated("shop_id", keep=False)].sort_values("shop_id")
    changed = (twice["owner"] != twice["owner_true"]).to_numpy().reshape(-1, 2)
    assert abs(changed.all(axis=1).sum() - len(changed) * 0.16) <= allowed(len(changed), 0.16)
    both = twice["owner"].to_numpy().reshape(-1, 2)[changed.all(axis=1)]
    assert (both[:, 0] != both[:, 1]).mean() > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_neither_keys_nor_order_tell_what_belongs_together(tables: dict[str, pd.DataFrame], name: str) -> None:
    """The rank correlation of place and key with the place in the dimension and in another source is noise."""
    actual = linked(tables, name).reset_index(drop=True)
    keys = actual["source_key"].rank()
    bound = 4.5 / len(actual) ** 0.5
    assert abs(spearmanr(actual.index, actual["place"]).statistic) < bound
    assert abs(spearmanr(keys, actual["shop_id"].rank()).statistic) < bound
    for other in set(NAMES) - {name}:
        theirs = linked(tables, other).drop_duplicates("shop_id").reset_index(drop=True).reset_index(names="row")
        both = actual.drop_duplicates("shop_id").reset_index(names="row").merge(theirs, on="shop_id")
        assert abs(spearmanr(both["row_x"], both["row_y"]).statistic) < 4.5 / len(both) ** 0.5


def test_names_that_drift_stay_near(tables: dict[str, pd.DataFrame]) -> None:
    """Nobody becomes somebody else: nine of ten misspelt names still share half of their letters' pairs, capitals aside."""
    actual = linked(tables, "erp")
    assert (actual["owner"] != actual["owner_true"]).all()
    alike = [likeness(a.lower(), b.lower()) for a, b in zip(actual["owner"], actual["owner_true"], strict=True)]
    assert np.mean(np.array(alike) > 0.5) > 0.9
    assert actual["owner"].nunique() > 0.5 * len(actual)


def likeness(a: str, b: str) -> float:
    """Return the share of pairs of neighbouring letters that two texts have in common (Dice)."""
    one, other = ({text[at : at + 2] for at in range(len(text) - 1)} for text in (a, b))
    return 2 * len(one & other) / max(1, len(one) + len(other))


@pytest.mark.parametrize("ways", [NAME_WAYS, ATTRIBUTE_WAYS])
def test_every_text_changes_and_a_null_stays_one(ways: Any) -> None:
    texts = [
        "",
        "a",
        "aa",
        "zz",
        "Élodie Ñandú",
        "日本",
        "William and Sons Ltd",
        "X Y",
        " ",
        "12 Main Street",
        None,
        "ok",
    ] * 50
    rng = np.random.default_rng(1)
    values = drift_texts(pa.array(texts), ways, rng.random(len(texts)), rng.random(len(texts))).to_pylist()
    assert all(new is None if old is None else new not in (old, None) for old, new in zip(texts, values, strict=True))


def test_what_is_held_stays_while_units_are_added(tables: dict[str, pd.DataFrame]) -> None:
    """More units, a segment in front, another source: no row of a source changes, keys included."""
    more = {"name": "first", "count": 50, "archetype": "flat", "attributes": {"city": ["Ulm"]}}
    segments = [more, {**RAW["segments"][0], "count": COUNT}, RAW["segments"][1]]
    sources = [{"name": "till", "name_drift_rate": 0.5}, *RAW["sources"]]
    after = generate_tables(from_mapping({**RAW, "segments": segments, "sources": sources}, name="shops"))
    for name in NAMES:
        key = f"shop_id_{name}"
        old, new = (result[f"dim_shop_{name}"].set_index(key) for result in (tables, after))
        assert new.loc[old.index].equals(old)
