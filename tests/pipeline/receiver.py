"""A web server on this machine that takes alerts, or does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Receiver:
    """What was posted and taken, and how often anything was. `status` is what is answered; 0 is no answer at all."""

    url: str = ""
    status: int = 200
    alerts: list[dict[str, Any]] = field(default_factory=list)
    posts: int = 0


@contextmanager
def receiver(status: int = 200) -> Iterator[Receiver]:
    """Run a server on a free port of the loopback, and give what it receives."""
    heard = Receiver(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Content-Type"] == "application/json"
            heard.posts += 1
            if heard.status == 200:
                heard.alerts.append(body)
            if heard.status:
                self.send_response(heard.status)
                self.send_header("Location", f"{heard.url}/elsewhere")
                self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    heard.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        server.server_close()
