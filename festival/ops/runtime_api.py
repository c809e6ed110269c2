"""A stand-in for Lambda's Runtime API: it hands one process one event at a time.

Source: the Lambda guide, "Using the Lambda runtime API for custom runtimes".
"""

import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple


class Said(NamedTuple):
    """What the process said: ready, response, error, init error, gone, or nothing in time."""

    what: str
    body: bytes = b""


class RuntimeApi:
    """The Runtime API on a loopback port, for one process and one event at a time."""

    def __init__(self, said: SimpleQueue[Said]) -> None:
        self.said = said
        self.offers: SimpleQueue[tuple[bytes, dict[str, str]] | None] = SimpleQueue()
        api = self

        class Handler(_Handler):
            runtime_api = api

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def offer(self, event: bytes, deadline: float, arn: str) -> None:
        headers = {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(deadline):08x}-{uuid.uuid4().hex[:24]}",
        }
        self.offers.put((event, headers))

    def close(self) -> None:
        self.offers.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: a process that is killed breaks its connection off."""


class _Handler(BaseHTTPRequestHandler):
    runtime_api: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer is two small writes: 40 ms each time without it

    def do_GET(self) -> None:
        self.runtime_api.said.put(Said("ready"))
        offer = self.runtime_api.offers.get()
        if offer is None:
            self.close_connection = True
            return
        event, headers = offer
        self._answer(200, event, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        what = self.path.rpartition("/")[2]
        self._answer(202, b'{"status":"OK"}', {})
        self.runtime_api.said.put(Said("init error" if "/init/" in self.path else what, body))

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Says nothing: the function's own log is what matters."""
