"""One request and its answer over a connection that is already open: one write, one read.

urllib3 and http.client make some forty objects of an answer that has six headers; that took half of
the writer's processor time. What is not a plain answer of known length is left to them.
"""

import socket
from collections.abc import Mapping
from time import monotonic
from typing import NamedTuple, TypeGuard

_CHUNK = 1 << 16
_LARGE_CHUNK = 1 << 18
_LONGEST_HEAD = 1 << 16


class UnusualAnswerError(Exception):
    """An answer that is for a whole HTTP library to read; the connection cannot be used again."""


class Reply(NamedTuple):
    """An HTTP answer: its status, body, DynamoDB's checksum, and whether the connection ends."""

    status: int
    body: bytes
    checksum: str | None
    closes: bool


def message(target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = (
        f"POST {target} HTTP/1.1\r\nAccept-Encoding: identity\r\n{''.join(lines)}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def exchange(connected: socket.socket, sent: bytes, timeout: float) -> Reply:
    """Send a request and read the answer, all in at most `timeout` seconds.

    Raises OSError where the connection breaks or the answer does not come in time,
    UnusualAnswerError for an answer it does not understand.
    """
    until = monotonic() + timeout
    connected.settimeout(timeout)
    connected.sendall(sent)
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        if len(received) > _LONGEST_HEAD:
            raise UnusualAnswerError
        connected.settimeout(_left(until))
        received += _some(connected.recv(_CHUNK))
    head, rest = received[: end + 2], received[end + 4 :]
    status, length = head[9:12], _header(head, b"content-length")
    if not (head.startswith(b"HTTP/1.1 ") and status.isdigit() and _is_count(length)):
        raise UnusualAnswerError
    if status < b"200" or _header(head, b"transfer-encoding") or _header(head, b"content-encoding"):
        raise UnusualAnswerError
    checksum = _header(head, b"x-amz-crc32")
    return Reply(
        status=int(status),
        body=_whole(connected, rest, int(length), until),
        checksum=None if checksum is None else checksum.decode("latin-1"),
        closes=_header(head, b"connection") == b"close",
    )


def _is_count(value: bytes | None) -> TypeGuard[bytes]:
    return value is not None and value.isdigit() and len(value) < 11


def _header(head: bytes, name: bytes) -> bytes | None:
    """The value of a header, in lower case; `name` in lower case, too."""
    head = head.lower()
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    begin = at + len(name) + 3
    return head[begin : head.index(b"\r\n", begin)].strip()


def _whole(connected: socket.socket, begun: bytes, length: int, until: float) -> bytes:
    if len(begun) > length:
        raise UnusualAnswerError
    parts, missing = [begun], length - len(begun)
    while missing:
        connected.settimeout(_left(until))
        parts.append(_some(connected.recv(min(missing, _LARGE_CHUNK))))
        missing -= len(parts[-1])
    return b"".join(parts)


def _some(data: bytes) -> bytes:
    if not data:
        raise ConnectionError("the connection was closed before the answer was whole")
    return data


def _left(until: float) -> float:
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
