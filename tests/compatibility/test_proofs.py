"""Behaviours that a generator of such data must have, on files in plotsim's language (the list is in test_behaviours.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from scipy.stats import spearmanr

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables, load_config
from plotsim_core.cli import main
from plotsim_core.config.read import read
from plotsim_core.numerics.correlation import completion
from plotsim_core.numerics.curves import WORDS

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
CONFIGS = sorted(FOLDER.glob("*.yaml"))
Raw = dict[str, Any]


def written(path: Path, folder: Path, where: Path, *options: str) -> dict[str, bytes]:
    """Return the files of a run in a process of its own, started in the folder `where`."""
    where.mkdir(exist_ok=True)
    run = [sys.executable, "-m", "plotsim_core", "run", str(path), "-o", str(folder), "--format", "csv", "--quiet"]
    known = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(len(where.name))}
    subprocess.run([*run, *options], check=True, cwd=where, env={**os.environ, **known})
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.long
@pytest.mark.parametrize("name", ["tables", "defects"])
def test_another_process_in_another_folder_writes_the_same_bytes_and_another_seed_others(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.yaml"
    first_files = written(path, tmp_path / "a", tmp_path / "here")
    second_files = written(path, tmp_path / "b", tmp_path / "elsewhere")
    other = written(path, tmp_path / "c", tmp_path / "there", "--seed", "99")
    assert first_files == second_files and len(first_files) > 5
    assert first_files.keys() == other.keys()
    fact = next(file for file in first_files if file.startswith("fct_") and file.endswith(".csv"))
    assert first_files[fact] != other[fact]
    assert first_files[fact].splitlines()[0] == other[fact].splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_keys_are_unique_references_resolve_and_dates_have_no_gaps(path: Path) -> None:
    """In the tables as they were before anything was broken on purpose."""
    raw = read(path)
    plan = from_mapping({**raw, "quality": []}, name=path.stem)
    tables = generate_tables(plan)
    for table in plan.tables:
        frame = tables[table.name]
        assert not frame.duplicated(list(table.key)).any()
        for column, to, key in table.references:
            assert frame[column].dropna().isin(tables[to][key]).all(), (table.name, column)
    dates = pd.to_datetime(tables["dim_date"]["date"])
    steps = {"month": "MS", "week": "W-MON", "day": "D"}
    assert list(dates) == list(pd.date_range(dates.iloc[0], dates.iloc[-1], freq=steps[plan.grain.name]))


def growing(**metric: Any) -> Plan:
    """Return the plan of units that grow, with one metric `value`."""
    return from_mapping(
        {
            "about": "Growth",
            "unit": "shop",
            "window": ["2023-01", "2024-12"],
            "metrics": [{"name": "value", **metric}],
            "segments": [{"name": "all", "count": 60, "archetype": "growth"}],
        },
        name="growing",
    )


@pytest.mark.parametrize("polarity", ["positive", "negative"])
@pytest.mark.parametrize(
    "metric",
    [
        {"type": "score"},
        {"type": "count"},
        {"type": "amount", "range": [10, 900]},
        {"type": "index", "range": [-100, 100]},
        {"type": "amount", "range": [50, 5000], "distribution": "weibull", "distribution_params": {"shape": 1.5}},
    ],
    ids=lambda metric: f"{metric['type']}-{metric.get('distribution', '')}",
)
def test_a_metric_of_growing_units_ranks_with_time_as_its_polarity_says(metric: Raw, polarity: str) -> None:
    fact = generate_tables(growing(**metric, polarity=polarity))["fct_value"]
    actual = spearmanr(fact["date_key"], fact["value"]).statistic
    assert actual * (1 if polarity == "positive" else -1) > 0.3


def test_the_nearest_correlation_beats_clipped_eigenvalues_and_leaves_a_sound_matrix_alone() -> None:
    pairs = {(0, 1): 0.82, (0, 2): -0.75, (1, 2): 0.68}
    wanted = np.eye(3)
    for (a, b), value in pairs.items():
        wanted[a, b] = wanted[b, a] = value
    values, vectors = np.linalg.eigh(wanted)
    assert values.min() < 0
    clipped = (vectors * np.maximum(values, 1e-10)) @ vectors.T
    clipped /= np.sqrt(np.outer(np.diag(clipped), np.diag(clipped)))
    actual = completion(3, pairs)
    assert np.linalg.norm(actual - wanted) < np.linalg.norm(clipped - wanted)
    assert np.linalg.eigvalsh(actual).min() > 0
    sound = completion(3, {(0, 1): 0.4, (0, 2): -0.2, (1, 2): 0.3})
    assert np.array_equal(sound, [[1, 0.4, -0.2], [0.4, 1, 0.3], [-0.2, 0.3, 1]])


def seasonal(seasons: list[Raw] | None, sensitivity: float = 1.0, segment: float = 1.0) -> pd.DataFrame:
    """Return the expected and stored visits of flat shops under some seasons."""
    metric = {"name": "visits", "type": "count", "polarity": "positive", "mean": [20, 30]}
    raw: Raw = {
        "about": "Seasons",
        "unit": "shop",
        "window": ["2023-01", "2024-12"],
        "metrics": [{**metric, "seasonal_sensitivity": sensitivity}],
        "segments": [{"name": "all", "count": 20, "archetype": "flat", "seasonal_sensitivity": segment}],
    }
    plan = from_mapping(raw if seasons is None else {**raw, "seasonality": seasons}, name="seasons")
    frame = generate_tables(plan, tables=["metrics"])["metrics"]
    frame["month"] = frame["date_key"] // 100 % 100
    frame["stored"] = generate_tables(plan, tables=["fct_visits"])["fct_visits"]["visits"]
    return frame


DECEMBER = {"months": [12], "strength": 0.3}


def test_seasons_add_and_sensitivities_multiply_them() -> None:
    plain, december = seasonal(None), seasonal([DECEMBER])
    last = plain["month"] == 12
    ratio = (december["visits"] / plain["visits"]).to_numpy()
    assert np.allclose(ratio[last], 1.3, atol=1e-3) and np.allclose(ratio[~last], 1)
    both = seasonal([DECEMBER, {"months": [11, 12], "strength": 0.2}])["visits"] / plain["visits"]
    assert np.allclose(both[last], 1.5, atol=1e-3) and np.allclose(both[plain["month"] == 11], 1.2, atol=1e-3)
    for sensitivity, factor in ((-0.5, 0.85), (1.5, 1.45)):
        by_metric = seasonal([DECEMBER], sensitivity=sensitivity)["visits"] / plain["visits"]
        by_segment = seasonal([DECEMBER], segment=sensitivity)["visits"] / plain["visits"]
        assert np.allclose(by_metric[last], factor, atol=1e-3) and np.allclose(by_segment[last], factor, atol=1e-3)


def test_no_seasons_are_as_if_nothing_was_said_of_seasons() -> None:
    pd.testing.assert_frame_equal(seasonal([]), seasonal(None))


def late(**more: Any) -> Plan:
    """Return the plan of shops of which most arrive late, with versions, links and events."""
    return from_mapping(
        {
            "about": "Arrivals",
            "unit": "shop",
            "window": ["2023-01", "2024-12"],
            "metrics": [
                {"name": "trust", "type": "score", "polarity": "positive"},
                {"name": "risk", "type": "score", "polarity": "negative"},
            ],
            "segments": [
                {"name": "late", "count": 200, "archetype": "growth", "arrival": {"kind": "linear", "start": 0, "end": 20}},
                {"name": "early", "count": 200, "archetype": "growth"},
            ],
            "dimensions": [
                {
                    "name": "dim_shop",
                    "per": "unit",
                    "columns": [
                        {"name": "shop_id", "type": "id"},
                        {"name": "segment", "type": "segment.name"},
                        {"name": "tier", "type": "scd", "tracks": "trust", "tiers": ["low", "mid", "top"], "at": [0.4, 0.7]},
                    ],
                },
                {
                    "name": "dim_perk",
                    "reference": True,
                    "columns": [{"name": "perk_id", "type": "id"}, {"name": "perk", "type": "static.a,b,c,d,e,f"}],
                },
            ],
            "facts": [
                {
                    "name": "fct_trust",
                    "columns": [
                        {"name": "date_key", "type": "ref.dim_date"},
                        {"name": "shop_id", "type": "ref.dim_shop"},
                        {"name": "trust", "type": "metric.trust"},
                        {"name": "risk", "type": "metric.risk"},
                    ],
                }
            ],
            "bridges": [
                {"name": "bridge_perk", "left": "dim_shop", "right": "dim_perk", "cardinality": [0, 6], "driver": "trust"}
            ],
            **more,
        },
        name="late",
    )


def test_units_that_arrive_late_begin_in_a_low_tier_and_have_no_more_links_than_others() -> None:
    tables = generate_tables(late())
    versions, facts, links = tables["dim_shop"], tables["fct_trust"], tables["bridge_perk"]
    first = versions.sort_values("valid_from").groupby("shop_id").first()
    arrived = facts.groupby("shop_id")["date_key"].min()
    begins = first["valid_from"].astype(str).str.replace("-", "").astype(int)
    assert (begins.loc[arrived.index] == arrived).all()
    assert (first["tier"] == "low").mean() > 0.9
    shops = versions.drop_duplicates("shop_id")[["shop_id", "segment"]]
    stored = shops.merge(links.groupby("shop_id").size().rename("links").reset_index(), how="left").fillna({"links": 0})
    per_segment = stored.groupby("segment")["links"].mean()
    assert abs(per_segment["late"] - per_segment["early"]) < 1.0


def test_tiers_have_one_current_version_cover_every_period_and_fall_as_well_as_rise() -> None:
    plan = late(segments=[{"name": "all", "count": 100, "archetype": "growth > decline @ 12"}])
    tables = generate_tables(plan)
    versions, facts = tables["dim_shop"], tables["fct_trust"]
    assert (versions.groupby("shop_id")["is_current"].sum() == 1).all()
    joined = facts.merge(versions, on=["shop_id", "dim_row_id"])
    assert len(joined) == len(facts)
    day = pd.to_datetime(joined["date_key"].astype(str))
    ends = pd.to_datetime(joined["valid_to"]).fillna(pd.Timestamp("2262-01-01").as_unit("s"))
    assert ((pd.to_datetime(joined["valid_from"]) <= day) & (day < ends)).all()
    ranks = versions["tier"].map({"low": 0, "mid": 1, "top": 2}).astype(int)
    steps = ranks.groupby(versions["shop_id"]).diff().dropna()
    assert (steps > 0).sum() > 50 and (steps < 0).sum() > 50


def test_threshold_events_are_exactly_where_their_condition_is() -> None:
    event = {
        "name": "evt_alarm",
        "trigger": "threshold",
        "metric": "risk",
        "above": 0.7,
        "for": 2,
        "columns": [
            {"name": "event_id", "type": "id"},
            {"name": "date_key", "type": "ref.dim_date"},
            {"name": "shop_id", "type": "ref.dim_shop"},
        ],
    }
    tables = generate_tables(late(events=[event]))
    facts = tables["fct_trust"].sort_values(["shop_id", "date_key"]).reset_index(drop=True)
    above = facts["risk"] > 0.7
    before = above.groupby(facts["shop_id"]).shift(fill_value=False)
    expected = facts[above & before].groupby("shop_id")["date_key"].min()
    actual = tables["evt_alarm"].set_index("shop_id")["date_key"]
    assert actual.index.is_unique and actual.sort_index().to_dict() == expected.sort_index().to_dict()
    assert len(actual) > 50


def without(raw: Raw, *sections: str) -> Raw:
    """Return a config without some of its sections."""
    return {key: value for key, value in raw.items() if key not in sections}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "section", "off"),
    [
        ("defects", "manifest", {"include": False}),
        ("defects", "holdout", None),
        ("features", "sources", []),
        ("features", "entity_features", False),
        ("tables", "bridges", []),
        ("tables", "events", []),
        ("tables", "output", "csv"),
        ("words", "connection_phases", []),
        ("words", "seasonality", []),
        ("words", "noise", "clean"),
    ],
)
def test_what_is_off_is_as_if_it_was_never_written(name: str, section: str, off: Any) -> None:
    """Its empty form and its absence give the same, and what it does not speak of is the same with it and without it."""
    raw = read(FOLDER / f"{name}.yaml")
    absent = generate_tables(from_mapping(without(raw, section), name=name))
    empty = generate_tables(from_mapping({**raw, section: off}, name=name))
    assert absent.keys() == empty.keys()
    for table, frame in absent.items():
        pd.testing.assert_frame_equal(frame, empty[table])
    with_it = generate_tables(from_mapping(raw, name=name))
    speaks_of_values = section in ("connection_phases", "seasonality", "noise")
    for table in absent.keys() & with_it.keys():
        if table.startswith("dim_") or not speaks_of_values:
            pd.testing.assert_frame_equal(absent[table], with_it[table], obj=table)


@pytest.mark.slow
def test_another_locale_changes_texts_and_nothing_else() -> None:
    raw = without(read(FOLDER / "tables.yaml"), "locale")
    plain, german = (generate_tables(from_mapping({**raw, "locale": locale}, name="t")) for locale in ("en_US", ["de_DE"]))
    texts = {"client_name", "keeper", "plate", "note", "caller", "broker", "business"}
    differ = set()
    for table, frame in plain.items():
        for column in frame:
            same = frame[column].astype(str).equals(german[table][column].astype(str))
            differ |= set() if same else {column.rpartition("__")[2]}
    assert differ <= texts and {"client_name", "keeper", "caller"} <= differ


def archetypes(count: int) -> pd.DataFrame:
    """Return the engagement of units of each archetype, a row for each and a column for each month."""
    segments = [{"name": word, "count": count, "archetype": word} for word in WORDS]
    raw = {
        "about": "Archetypes",
        "unit": "shop",
        "window": ["2023-01", "2024-12"],
        "metrics": [{"name": "engagement", "type": "score", "polarity": "positive"}],
        "segments": segments,
        "dimensions": [
            {
                "name": "dim_shop",
                "per": "unit",
                "columns": [{"name": "shop_id", "type": "id"}, {"name": "segment", "type": "segment.name"}],
            }
        ],
        "facts": [
            {
                "name": "fct_shop",
                "columns": [
                    {"name": "date_key", "type": "ref.dim_date"},
                    {"name": "shop_id", "type": "ref.dim_shop"},
                    {"name": "segment", "type": "segment.name"},
                    {"name": "engagement", "type": "metric.engagement"},
                ],
            }
        ],
    }
    fact = generate_tables(from_mapping(raw, name="archetypes"))["fct_shop"]
    return fact.pivot(index=["segment", "shop_id"], columns="date_key", values="engagement")


def test_archetypes_are_told_apart_by_the_values_of_their_units() -> None:
    """The nearest mean curve, learnt from half of the units, names the archetype of nine in ten of the others."""
    curves = archetypes(40).reset_index(level="segment")
    learnt, others = curves.iloc[::2], curves.iloc[1::2]
    means = learnt.groupby("segment").mean()
    values = others.drop(columns="segment").to_numpy()
    nearest = np.argmin(((values[:, None, :] - means.to_numpy()[None]) ** 2).sum(axis=2), axis=1)
    assert (means.index[nearest] == others["segment"]).mean() > 0.9


def test_a_budget_stops_a_config_that_is_too_large_and_can_be_overruled(tmp_path: Path) -> None:
    raw = {**read(FOLDER / "weeks.yaml"), "output": {"cell_budget": 100}}
    with pytest.raises(ConfigError, match=r"7 units in 26 periods are 182 cells, more than 100"):
        from_mapping(raw, name="weeks")
    for allowed in (0, 182):
        from_mapping({**raw, "output": {"cell_budget": allowed}}, name="weeks")
    path = tmp_path / "weeks.yaml"
    path.write_text(yaml.safe_dump(raw))
    command = ["run", str(path), "-o", str(tmp_path / "out")]
    assert CliRunner().invoke(main, command).exit_code == 2
    assert CliRunner().invoke(main, [*command, "--over-budget"]).exit_code == 0


def places() -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the dimensions with a place in them."""
    tables = generate_tables(load_config(FOLDER / "tables.yaml"))
    yield "dim_client", tables["dim_client"]


def test_places_are_coherent() -> None:
    """A city lies in one country, a country has one code, and coordinates are near their city's."""
    for _, frame in places():
        assert (frame.groupby("country")["country_code"].nunique() == 1).all()
        assert (frame.groupby(["city", "country"])["region"].nunique() == 1).all()
        spread = frame.groupby(["city", "country"])[["latitude", "longitude"]].agg(
            lambda values: values.max() - values.min()
        )
        assert (spread < 1).all().all()


@pytest.mark.parametrize("short", [False, True], ids=["long names", "names of one letter"])
def test_a_wide_table_is_its_fact_with_more_columns(short: bool) -> None:
    text = (FOLDER / "tables.yaml").read_text(encoding="utf-8")
    for name in ("order", "return", "line", "month") if short else ():
        text = text.replace(f"fct_{name}", f"fct_{name[0]}")
    tables = generate_tables(from_mapping(yaml.safe_load(text), name="tables"))
    wide = [name for name in tables if name.endswith("_wide")]
    assert len(wide) == 4
    for name in wide:
        fact = tables[name.removesuffix("_wide")]
        assert len(fact) > 20 and len(tables[name].columns) > len(fact.columns)
        pd.testing.assert_frame_equal(fact, tables[name][list(fact.columns)])


def test_training_and_holdout_part_a_fact_in_time_and_features_know_training_alone() -> None:
    raw = without(read(FOLDER / "features.yaml"), "sources")
    tables = generate_tables(from_mapping({**raw, "entity_features": True}, name="features"))
    fact, train, holdout = tables["fct_use"], tables["fct_use_train"], tables["fct_use_holdout"]
    pd.testing.assert_frame_equal(pd.concat([train, holdout], ignore_index=True), fact)
    assert train["date_key"].max() < holdout["date_key"].min() and holdout["date_key"].nunique() == 4
    features = tables["_entity_features"].set_index("household_id")
    means = train.groupby("household_id")["calls"].mean()
    assert np.allclose(features["calls_mean"], means.loc[features.index], atol=1e-5)
    assert not [column for column in features if column.startswith("usage")]


def test_narratives_rise_with_the_position_and_can_be_learnt() -> None:
    """The words of half of the rows tell the band of the others, for more than nine in ten."""
    phrases = {
        "opener": {"low": ["I regret", "I am tired of"], "mid": ["I use", "I keep"], "high": ["I love", "I praise"]},
        "thing": {"low": ["the mess", "the noise"], "mid": ["the place", "the shop"], "high": ["the jewel", "the gem"]},
    }
    segments = [{"name": word, "count": 30, "archetype": word} for word in ("growth", "decline")]
    references = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    text = {
        "name": "review",
        "type": "narrative",
        "template": "{opener} {thing}.",
        "lexicons": {segment["name"]: phrases for segment in segments},
    }
    plan = late(
        segments=segments,
        facts=[{"name": "fct_shop", "columns": [*references, {"name": "position", "type": "trajectory"}, text]}],
        dimensions=[{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
        bridges=[],
    )
    fact = generate_tables(plan)["fct_shop"]
    pd.testing.assert_frame_equal(fact, generate_tables(plan)["fct_shop"])
    ranks = {phrase: rank for rank, band in enumerate(("low", "mid", "high")) for phrase in phrases["opener"][band]}
    page_text = fact["review"].str.extract(f"^({'|'.join(ranks)})")[0].map(ranks)
    assert spearmanr(page_text, fact["position"]).statistic > 0.5
    band = np.minimum((fact["position"] * 3).astype(int), 2)
    learnt = fact.iloc[::2].assign(band=band).groupby("review")["band"].agg(lambda bands: bands.mode()[0])
    others = fact.iloc[1::2]
    assert (others["review"].map(learnt) == band.loc[others.index]).mean() > 0.9
