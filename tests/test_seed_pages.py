"""The two pages that the project began with work line by line: their commands, snippets and files, from their own text.

They lie beside the checkout, or where PLOTSIM_SEEDS says, and are no part of the project: where they are not, this is
skipped, and tests/test_pages.py holds the same forms in our own words. The module's name is the only thing changed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from plotsim_core import from_mapping, list_templates, load_template, template
from plotsim_core.config.effects import Noise
from plotsim_core.config.read import read, read_text
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from tests.pages import commands, files, options, run, run_python

SEEDS = Path(os.environ.get("PLOTSIM_SEEDS", Path(__file__).parents[2] / "shared" / "seeds"))
GUIDE, README = SEEDS / "plotsim-how-it-works.md", SEEDS / "plotsim-readme-0.5.md"

pytestmark = pytest.mark.skipif(not (GUIDE.is_file() and README.is_file()), reason=f"the pages are not in {SEEDS}")


@pytest.fixture
def guide() -> str:
    return GUIDE.read_text(encoding="utf-8")


@pytest.fixture
def readme() -> str:
    return README.read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def between(text: str, first: str, last: str) -> str:
    """Return the lines of a page from the one that begins with `first` to the next that begins with `last`."""
    lines = text.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(first))
    end = next(number for number in range(begin, len(lines)) if lines[number].startswith(last))
    return "\n".join(lines[begin : end + 1]) + "\n"


def fenced(text: str, language: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for entry, block in blocks if entry == language]


def test_the_smallest_config_and_the_program_that_writes_it(guide: str) -> None:
    Path("my_config.yaml").write_text(between(guide, "about: ", "seed: "), encoding="utf-8")
    run_python(between(guide, "from plotsim import", "write_tables("))
    listed = files(between(guide, "output/", "└──"))
    names = {path.name for path in Path("output").iterdir()}
    assert {"dim_date.csv", "config.yaml", "validation_report.txt", "manifest.json"} <= listed & names
    assert {"dim_customer.csv", "fct_engagement.csv", "fct_payments.csv"} <= names
    assert {"dim_<unit>.csv", "fct_<metric>.csv", "evt_<event>.csv"} == listed - names
    assert "keys_unique" in (report := Path("output/validation_report.txt").read_text(encoding="utf-8"))
    assert "references_resolve" in report and "date_spine_whole" in report


def test_the_segments_that_the_guide_shows(guide: str) -> None:
    raw = read_text(between(guide, "about: ", "seed: "), "config")
    raw["segments"] = read_text(between(guide, "segments:", "- { name: steady"), "config")["segments"]
    assert from_mapping(raw, name="guide").population.units == 100


def test_the_format_that_the_guide_names(guide: str) -> None:
    (line,) = re.findall(r"Configure `?(output_format: \w+)`?", guide)
    Path("my_config.yaml").write_text(between(guide, "about: ", "seed: ") + line + "\n", encoding="utf-8")
    run_python(between(guide, "from plotsim import", "write_tables("))
    assert Path("output/fct_payments.parquet").is_file() and not Path("output/fct_payments.csv").exists()


@pytest.mark.slow
def test_the_quick_start(readme: str) -> None:
    shell, python = fenced(readme, "bash")[0], fenced(readme, "python")[0]
    assert [command.split()[1] for command in commands(shell)] == ["template", "run"]
    for command in commands(shell):
        assert run(command).exit_code == 0
    listed = files(next(block for block in fenced(readme, "") if block.startswith("output/")))
    assert len(listed) == 10
    assert listed <= {path.name for path in Path("output").iterdir()}
    for path in Path("output").iterdir():
        path.unlink()
    run_python(python)
    assert listed <= {path.name for path in Path("output").iterdir()}


@pytest.mark.slow
def test_every_command_of_the_page_twice(readme: str) -> None:
    """A second time is no error: nothing of anybody's is lost."""
    values = [command for block in fenced(readme, "bash") for command in commands(block)]
    assert len(values) == 5
    for command in [*values, *values]:
        done = run(command)
        assert done.exit_code == 0, f"{command}: {done.output}"


@pytest.mark.slow
def test_every_line_of_the_reference_of_commands(readme: str) -> None:
    """Each command alone, and with each of its options, short and long."""
    run("plotsim template minimal -o config.yaml")
    reference = next(block for block in fenced(readme, "") if block.startswith("plotsim run"))
    listed = options(reference)
    assert set(listed) == {"run", "validate", "info", "list-templates", "template"}
    assert [len(listed[name]) for name in ("run", "template")] == [9, 2]
    for name, entry in listed.items():
        argument = {"list-templates": "", "template": "hr"}.get(name, "config.yaml")
        for option, value in [("", ""), *entry]:
            given = {"path": f"{name}.yaml" if name == "template" else "made", "int": "7", "": ""}[value]
            done = run(f"plotsim {name} {argument} {option} {given}")
            assert done.exit_code == 0, f"{name} {option}: {done.output}"
        helped = run(f"plotsim {name} --help").output
        assert all(re.search(rf"(^|[ ,]){option}\b", helped, re.MULTILINE) for option, _ in entry), helped


def test_the_templates_of_the_page(readme: str) -> None:
    rows = re.findall(r"^\| `(\w+)` *\|.*\| *(\d+) *\|$", readme, re.MULTILINE)
    assert len(rows) == 5
    for name, count in rows:
        assert name in list_templates()
        assert len(load_template(name).tables) == int(count), name


def test_the_noises_of_the_page(readme: str) -> None:
    (words,) = re.findall(r"^- \*\*noise\*\* — (.*)$", readme, re.MULTILINE)
    keys = [word.strip().lower().replace(" ", "_") for word in words.split(",")]
    assert keys == ["gaussian_sigma", "outlier_rate", "mcar_rate", "temporal_jitter"]
    assert set(keys) <= set(Noise.model_fields)


def test_the_distributions_of_the_page(readme: str) -> None:
    (families,) = re.findall(r"distribution \(([\w, ]+)\), polarity", readme)
    assert len(families.split(", ")) == 6
    assert set(families.split(", ")) <= {name for name, _ in DISTRIBUTIONS.items()}


def test_a_note_on_personal_data(readme: str) -> None:
    (key,) = re.findall(r"`(\w+): \"<description>\"`", readme)
    raw = read(template("minimal"))
    named = {"name": "name", "type": "faker.name", key: "Name of a person"}
    raw["dimensions"] = [{"name": "dim_customer", "per": "unit", "columns": [{"name": "customer_id", "type": "id"}, named]}]
    column = from_mapping(raw, name="pii").table("dim_customer").columns[1]
    assert column.metadata["pii_note"] == "Name of a person"
