"""What goes over the wire to AWS and back, and a proxy that lets a test decide about it."""

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

S3_OPERATIONS = {"HEAD": "HeadObject", "GET": "GetObject", "PUT": "PutObject"}


@dataclass(frozen=True)
class Request:
    """One call of an AWS client as it arrives. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def call(self) -> tuple[str, str]:
        """Service and operation: `("dynamodb", "UpdateItem")`."""
        scope = self.headers["authorization"].partition("Credential=")[2].split("/")
        service = scope[3]
        if target := self.headers.get("x-amz-target"):
            return service, target.rpartition(".")[2]
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return service, self.form["Action"]
        return service, S3_OPERATIONS.get(self.method, self.method)

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @cached_property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @cached_property
    def query(self) -> dict[str, str]:
        return {
            name: values[0]
            for name, values in parse_qs(
                urlsplit(self.target).query, keep_blank_values=True
            ).items()
        }

    @cached_property
    def bucket_and_key(self) -> tuple[str, str]:
        bucket, _, key = unquote(urlsplit(self.target).path).lstrip("/").partition("/")
        return bucket, key


@dataclass(frozen=True, slots=True)
class Answer:
    """What AWS says to a request."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What reaches the client: the answer, or (None) nothing at all.

    Of the answer only the first `bytes` of its body, or only so many `lines` of its head.
    """

    answer: Answer | None
    bytes: int | None = None
    lines: int | None = None

    @property
    def is_whole(self) -> bool:
        return self.answer is not None and self.bytes is None and self.lines is None


CUT_OFF = Reply(None)


class Proxy:
    """Listens on a loopback port of its own, and asks `decide` about each request."""

    def __init__(self, decide: Callable[[Request], Reply]) -> None:
        self.decide = decide
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what these tests are about, and no news."""


def _handler(proxy: Proxy) -> type[StreamRequestHandler]:
    class Handler(StreamRequestHandler):
        """As much HTTP as botocore speaks; http.server takes a third of a schedule's time."""

        disable_nagle_algorithm = True

        def handle(self) -> None:
            while (request := self._request()) is not None:
                reply = proxy.decide(request)
                if reply.answer is not None:
                    self.wfile.write(_bytes_of(request.method, reply.answer, reply))
                if not reply.is_whole:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return

        def _request(self) -> Request | None:
            if not (line := self.rfile.readline()):
                return None
            method, target, _ = line.decode("latin-1").split(" ", 2)
            headers: dict[str, str] = {}
            while line := self.rfile.readline().decode("latin-1").strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            if headers.get("expect", "").lower() == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = self.rfile.read(int(headers.get("content-length", 0)))
            return Request(method, target, headers, body)

    return Handler


def _bytes_of(method: str, answer: Answer, reply: Reply) -> bytes:
    headers = {"Content-Length": str(len(answer.body)), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} -", *(f"{n}: {v}" for n, v in headers.items()), "", ""]
    if reply.lines is not None:
        return "\r\n".join([*lines[: reply.lines], ""]).encode("latin-1")
    body = b"" if method == "HEAD" else answer.body[: reply.bytes]
    return "\r\n".join(lines).encode("latin-1") + body
