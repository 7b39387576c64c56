"""A config that is edited, broken and mended under a running UI: what is shown, and what runs make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plotsim_core import load_config
from plotsim_pipeline.datasets import BUNDLED
from tests.pipeline.live import asked, launch, served, until
from tests.pipeline.support import store_at

pytestmark = pytest.mark.long

ENDED = """
query ($id: ID!) {
  runOrError(runId: $id) { ... on Run { status eventConnection { events { ... on MessageEvent { message } } } } }
}
"""
RELOAD = """
mutation { reloadRepositoryLocation(repositoryLocationName: "plotsim_pipeline") { __typename } }
"""
ASSETS = "{ assetNodes { assetKey { path } description } }"


def test_edits_under_a_running_ui(tmp_path: Path) -> None:
    """A run makes what the file says when its process begins; a broken one tells so; a reload shows what the file says."""
    config = tmp_path / "mine" / "shop.yaml"
    config.parent.mkdir()
    sound = (BUNDLED / "minimal.yaml").read_text()
    config.write_text(sound)
    environment = {
        "PLOTSIM_STORE": "duckdb",
        "PLOTSIM_STORE_PATH": store_at("duckdb", tmp_path).path,
        "PLOTSIM_CONFIGS": str(config.parent),
        "PLOTSIM_DATASETS": "shop",
    }
    with served(tmp_path / "home", environment) as address:

        def ended(key: str) -> dict[str, Any]:
            """Launch a run of a partition, and return how it ended."""
            number = launch(address, "shop_increment", [key])

            def over() -> dict[str, Any] | None:
                run: dict[str, Any] = asked(address, ENDED, id=number)["runOrError"]
                return run if run["status"] in ("SUCCESS", "FAILURE") else None

            actual: dict[str, Any] = until("the end of the run", 120, over)
            return actual

        def shown() -> dict[str, str]:
            return {"/".join(node["assetKey"]["path"]): node["description"] for node in asked(address, ASSETS)["assetNodes"]}

        config.write_text(sound.replace("seed: 42", "seed: 43"))
        assert ended("2024-01-01")["status"] == "SUCCESS"
        edited = load_config(config)
        assert store_at("duckdb", tmp_path).intact_partitions("shop")["fct_payments"]["2024-01-01"][1] == edited.digest
        config.write_text("about: x\n")
        failed = ended("2024-02-01")
        assert failed["status"] == "FAILURE"
        messages = "\n".join(event.get("message", "") for event in failed["eventConnection"]["events"])
        assert "shop" in messages
        asked(address, RELOAD)
        until("the broken config to be shown", 60, lambda: list(shown()) == ["shop/config"])
        assert "cannot be used" in shown()["shop/config"]
        config.write_text(sound)
        asked(address, RELOAD)
        until("the mended config to be shown", 60, lambda: "shop/fct_payments" in shown())
        assert ended("2024-02-01")["status"] == "SUCCESS"
