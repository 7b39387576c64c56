"""The report's page and its pictures: whole, self-contained, escaped, and true to what is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from docs.datasets import shown
from plotsim_core import Plan, create, template, write_tables
from plotsim_core.numerics.estimates import correlation
from plotsim_core.validation.charts import Picture, lags, pictures, stored_correlations
from plotsim_core.validation.check import CHECKS
from plotsim_core.validation.html_page import page
from plotsim_core.validation.report import Report, check_store
from plotsim_core.validation.residuals import residuals
from plotsim_core.validation.store import StoredData, find_store
from plotsim_core.validation.svg import bins, correlogram, fan, glance, lines, matrix
from tests.laws.made import BUNDLED
from tests.marks import slow_but

SVG = "http://www.w3.org/2000/svg"
TICKS = ("2024-01", "2024-12")
HOSTILE = "<script>alert('x')</script> & \"</svg>"


@pytest.fixture(scope="module", params=slow_but(BUNDLED, "minimal"))
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StoredData, Report]]:
    """The store of each bundled dataset, with its report."""
    plan, directory = shown(template(request.param)), tmp_path_factory.mktemp(request.param)
    write_tables(plan, directory, format="parquet")
    with find_store(plan, directory) as store:
        yield store, check_store(store)


def _of_series(directory: Path, **changes: object) -> Plan:
    sections = {
        "about": "Anything",
        "unit": "customer",
        "window": ["2024-01", "2024-12", "month"],
        "metrics": [{"name": "use", "type": "score", "polarity": "positive"}],
        "segments": [{"name": "all", "count": 30, "archetype": "growth"}],
        **changes,
    }
    plan = create(name="small", **sections)
    write_tables(plan, directory, format="parquet")
    return plan


def test_the_page_needs_nothing_but_itself(judged: tuple[StoredData, Report]) -> None:
    """No reference to anything outside, no script, and less than a megabyte."""
    store, report = judged
    text = page(store, report, pictures(store, report))
    assert set(re.findall(r"https?://[^\"' <]*", text)) == {SVG}
    assert not re.search(r"<(script|link|img|iframe|object|base)\b|\bsrc=|@import|url\(|\bon\w+=", text)
    assert len(text.encode()) < 1_000_000
    assert text.startswith("<!doctype html>")


def test_the_page_has_every_check_every_finding_and_every_picture(judged: tuple[StoredData, Report]) -> None:
    store, report = judged
    drawn = pictures(store, report)
    text = page(store, report, drawn)
    assert all(f'<details id="{name}"' in text for name in CHECKS)
    for _, finding in report.findings:
        assert f"<td>{escape(finding.subject)}</td><td>{escape(finding.message)}</td>" in text
    for picture in drawn:
        assert f'id="{picture.name}"' in text
        assert escape(picture.description) in text
        assert all(drawing in text for drawing in picture.drawings)
    assert f">{report.score}</div>" in text
    assert all(escape(note) in text for note in report.record()["notes"])


def test_every_stage_has_its_picture(judged: tuple[StoredData, Report]) -> None:
    """Of each kind of unit: trajectories, units, a fan per metric that a fact holds, a correlogram per follower; of all, the
    rows of each table with a time."""
    store, report = judged
    drawn = {picture.name: len(picture.drawings) for picture in pictures(store, report)}
    timed = [table for kind in store.kinds for table in kind.tables if table.time is not None]
    assert drawn["rows"] == len(timed)
    for kind in store.kinds:
        start = "" if kind is store else f"{kind.population.unit}_"
        values = set(residuals(kind).stored)
        followers = sum(metric.driver in values for place, metric in enumerate(kind.population.metrics) if place in values)
        assert {f"{start}trajectories", f"{start}units"} <= set(drawn)
        assert drawn.get(f"{start}metrics", 0) == len(values)
        assert drawn.get(f"{start}lags", 0) == followers
        assert (f"{start}correlations" in drawn) == (len(values) > 1)


def test_drawings_are_whole_svg(judged: tuple[StoredData, Report]) -> None:
    """Every drawing is well-formed XML, and no number in it is not one."""
    for picture in pictures(*judged):
        for drawing in picture.drawings:
            assert ElementTree.fromstring(drawing).tag == f"{{{SVG}}}svg"
            assert not re.search(r"\b(nan|inf)\b", drawing)


@pytest.mark.parametrize(
    "drawing",
    [
        lines(HOSTILE, (HOSTILE, HOSTILE), {HOSTILE: [0.0, 1.0]}),
        fan(HOSTILE, (HOSTILE, HOSTILE), [np.zeros(3)]),
        correlogram(HOSTILE, [0.1], [0.2], 0),
        matrix(HOSTILE, [HOSTILE, "b"], np.zeros((2, 2)), np.zeros((2, 2))),
    ],
)
def test_a_hostile_name_is_text_in_a_drawing(drawing: str) -> None:
    assert "<script" not in drawing
    assert "alert" in "".join(ElementTree.fromstring(drawing).itertext())


def test_a_hostile_text_of_a_config_is_text_on_the_page(tmp_path: Path) -> None:
    plan = _of_series(tmp_path, about=HOSTILE)
    with find_store(plan, tmp_path) as store:
        report = check_store(store)
        text = page(store, report, [Picture("some", HOSTILE, HOSTILE, ())])
    assert "<script" not in text
    assert text.count(escape(HOSTILE)) == 3


def test_what_failed_comes_first_and_is_open(tmp_path: Path) -> None:
    """A table that is not there is told at the top of its category, unfolded; the score says broken."""
    plan = _of_series(tmp_path)
    (tmp_path / "dim_customer.parquet").unlink()
    with find_store(plan, tmp_path) as store:
        report = check_store(store)
        text = page(store, report, [])
    assert report.failed
    first = text.index("<details id=")
    assert text[first:].startswith('<details id="references_resolve" open>')
    assert "The data is broken" in text


def test_the_matrix_below_the_diagonal_is_the_correlation_of_each_pair(judged: tuple[StoredData, Report]) -> None:
    """All pairs at once give what each pair alone gives, where values are missing too."""
    seen = residuals(judged[0])
    actual = stored_correlations(seen)
    values = sorted(seen.stored)
    alone = np.array([[correlation(seen.stored[a], seen.stored[b])[0] for b in values] for a in values])
    assert actual.shape == (len(values), len(values))
    assert np.abs(actual - alone).max(initial=0.0) < 1e-9


def test_a_correlogram_has_its_highest_bar_at_the_declared_lag(tmp_path: Path) -> None:
    """With 300 units over 24 months, a follower of strength 0.8 stands out at its delay of 3, which is marked."""
    metrics = [
        {"name": "use", "type": "score", "polarity": "positive", "persistence": 0},
        {"name": "pay", "type": "amount", "polarity": "positive", "range": [1, 100], "follows": "use", "delay": 3},
    ]
    segments = [{"name": "all", "count": 300, "archetype": "growth"}]
    plan = _of_series(tmp_path, metrics=metrics, segments=segments, window=["2023-01", "2024-12", "month"])
    with find_store(plan, tmp_path) as store:
        (drawing,) = lags(plan.population, residuals(store)).drawings
    bars = {match[1]: abs(float(match[0])) for match in re.findall(r'V([\d.]+)h[\d.]+V[\d.]+z" fill="(#\w+)"', drawing)}
    ends = [float(end) for end, _ in re.findall(r'V([\d.]+)h[\d.]+V[\d.]+z" fill="(#\w+)"', drawing)]
    assert len(ends) == 9
    assert np.argmin(ends) == 3
    assert bars["#ff725c"] == min(ends)
    assert 'font-weight="bold">3<' in drawing


def test_a_dropped_day_is_a_gap_in_the_rows(tmp_path: Path) -> None:
    """Over 731 days, drawn in 105 points of seven, the band falls to zero where a day is missing."""
    import duckdb

    plan = _of_series(tmp_path, window=["2023-01-01", "2024-12-31", "day"])
    file = tmp_path / "fct_use.parquet"
    duckdb.sql(f"COPY (FROM read_parquet('{file}') WHERE date_key <> 20230601) TO '{tmp_path}/less.parquet'")
    fans = []
    for _ in range(2):
        with find_store(plan, tmp_path) as store:
            drawn = {picture.name: picture for picture in pictures(store, check_store(store))}
        fans.append(next(drawing for drawing in drawn["rows"].drawings if "fct_use" in drawing))
        (tmp_path / "less.parquet").replace(file) if len(fans) == 1 else None
    floor = "146.0"
    outlines = [re.findall(r'polygon points="([^"]+)"', drawing)[0].split() for drawing in fans]
    assert [sum(point.endswith(f",{floor}") for point in outline) for outline in outlines] == [0, 1]


@pytest.mark.parametrize("count", [1, 24, 120, 121, 731, 8760])
def test_a_long_window_is_drawn_in_at_most_120_points(count: int) -> None:
    places = bins(count)
    assert places[0] == 0 and places[-1] < 120
    assert set(np.diff(places).tolist()) <= {0, 1}
    assert (count <= 120) == (places[-1] == count - 1)


def test_a_glance_is_short_however_many_lines_it_has() -> None:
    """A small picture stays below 700 characters, leaves out what is not there, and ends where the values do."""
    rising = np.linspace(0, 1, 500)
    ending = np.where(np.arange(500) < 400, 0.5, np.nan)
    for count in (1, 6, 12):
        drawn = glance([rising.tolist(), ending.tolist()][:count] + [rising.tolist()] * (count - 2))
        assert len(drawn) <= 700
        paths = [path.get("d", "") for path in ElementTree.fromstring(drawn)]
        assert len(paths) == count
        assert paths[0].startswith("M0,31")
        assert paths[0].endswith("99,1")
        assert count == 1 or 78 <= int(paths[1].split()[-1].split(",")[0]) <= 80
    assert ElementTree.fromstring(glance([[0.5]])).find(f"{{{SVG}}}path") is None
