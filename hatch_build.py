"""The dependency of plotsim-pipeline that no list can state: plotsim-core of the version that is built."""

from __future__ import annotations

from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class SameVersion(MetadataHookInterface):
    """Complete the dependencies in `[tool.hatch.metadata.hooks.custom]`."""

    def update(self, metadata: dict[str, Any]) -> None:
        metadata["dependencies"] = [f"plotsim-core=={metadata['version']}", *self.config["dependencies"]]
