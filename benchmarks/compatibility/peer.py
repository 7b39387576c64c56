"""What plotsim 0.7.0 makes of configs: run by an interpreter that has it.

python peer.py OUT.json FILE...     # a FILE that is no path is the name of a config that comes with plotsim
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any


def shape(config: Any) -> dict[str, dict[str, Any]]:
    """Return what a run of a config writes: {table: {kind, columns, key, references, rows}}.

    `rows` are the different keys of a dimension (versions of one unit count once). Tables that the config does not
    list have neither key nor references.
    """
    import pandas
    from plotsim import run  # type: ignore[import-not-found]  # it is not in this environment

    output = config.output.model_copy(update={"format": "csv", "partition_by": None})
    declared = {table.name: table for table in config.tables}
    tables: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        run(config.model_copy(update={"output": output}), folder)
        for path in sorted(Path(folder).iterdir()):
            if path.suffix == ".log":
                tables[path.name] = {"kind": "log", "columns": []}
            if path.suffix != ".csv":
                continue
            frame = pandas.read_csv(path, low_memory=False)
            table = declared.get(path.stem)
            kind = str(table.type) if table else _kind(path.stem, config)
            tables[path.stem] = {"kind": kind, "columns": list(frame.columns)}
            if frame.empty:
                tables[path.stem]["empty"] = True
            if table is not None:
                key = [table.primary_key] if isinstance(table.primary_key, str) else list(table.primary_key)
                tables[path.stem]["key"] = key
                tables[path.stem]["references"] = _references(table)
            if tables[path.stem]["kind"] in ("dim", "source"):
                key_columns = tables[path.stem].get("key", list(frame.columns[:1]))
                tables[path.stem]["rows"] = len(frame.drop_duplicates(key_columns))
    return tables


def _kind(name: str, config: Any) -> str:
    if any(bridge.name == name for bridge in config.bridges):
        return "bridge"
    return "source" if name.startswith("dim_") else "derived"


def _references(table: Any) -> dict[str, str]:
    sources = {column.name: str(column.source) for column in table.columns}
    return {name: source[3:].split(".")[0] for name, source in sources.items() if source.startswith("fk:")}


def main(out: Path, files: list[str]) -> None:
    """Write the shape of each config, or what plotsim says against it."""
    warnings.simplefilter("ignore")
    from plotsim import create_from_yaml, load_template

    shapes: dict[str, Any] = {}
    for file in files:
        try:
            config = create_from_yaml(Path(file)) if Path(file).exists() else load_template(file)
            shapes[Path(file).stem] = shape(config)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other configs are still to be made
            shapes[Path(file).stem] = {"error": f"{type(error).__name__}: {error}".replace("\n", " ")[:2000]}
        print(f"{Path(file).stem}: {'refused' if 'error' in shapes[Path(file).stem] else 'made'}", flush=True)
    out.write_text(json.dumps(shapes, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
